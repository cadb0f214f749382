//! The proof, afresh.

use longshore_engine::VerifyMode;
use longshore_model::Result;
use longshore_service::VerifyOrder;

use crate::args::VerifyArgs;
use crate::commands::run::finish;
use crate::commands::{migration, sealed};
use crate::context::{Context, machine};

pub(crate) async fn verify(args: &VerifyArgs, context: &Context) -> Result<u8> {
    sealed::enter(&args.migration, &args.trust, context).await?;
    let (spec, _) = migration::read(&args.migration)?;
    let mode = VerifyMode {
        level: args.level.map_or(spec.verify, Into::into),
        independent: args.independent,
        repair: args.repair,
    };
    let ended = context
        .drive(|progress, cancel| async move {
            let order =
                VerifyOrder { spec, mode, machine: machine(), events: progress.events(), cancel };
            context.service.verify(order, &context.store()).await
        })
        .await?;
    Ok(finish(&ended, context))
}
