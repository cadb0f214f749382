//! The end of a load: indexes, views, the manifest; and the proof that the source did not change.

use longshore_model::ledger::{Ledger, Stage};
use longshore_model::{Result, failpoint};

use crate::event::Event;
use crate::job::Job;

/// Finishes the target, unless an earlier attempt did.
pub(crate) async fn finish(job: &Job, ledger: &Ledger) -> Result<()> {
    if ledger.has(Stage::Finished) {
        return Ok(());
    }
    let events = job.events.clone();
    let done = move |purpose: &str| {
        events.emit(Event::StatementDone { purpose: purpose.to_string() });
    };
    job.load()?.finish(&job.plan, &done).await?;
    failpoint::hit("finish.done")
}
