//! The proof, afresh.

use longshore_engine::VerifyMode;
use longshore_model::Result;
use longshore_service::VerifyOrder;

use crate::args::VerifyArgs;
use crate::commands::run::finish;
use crate::commands::{migration, sealed};
use crate::context::{Context, machine};
use crate::traces;

pub(crate) async fn verify(args: &VerifyArgs, context: &Context) -> Result<u8> {
    sealed::enter(&args.migration, &args.trust, context).await?;
    let (spec, _) = migration::read(&args.migration)?;
    let mode = VerifyMode {
        level: args.level.map_or(spec.verify, Into::into),
        independent: args.independent,
        repair: args.repair,
    };
    let traces = args.traces.open()?;
    let followed = traces.as_ref();
    let ended = context
        .drive(|progress, cancel| async move {
            let events = traces::follow(followed, progress.events(), "verify", context);
            let order = VerifyOrder { spec, mode, machine: machine(), events, cancel };
            context.service.verify(order, &context.store()).await
        })
        .await;
    traces::end(traces.as_ref(), context).await;
    Ok(finish(&ended?, context))
}
