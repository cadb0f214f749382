//! Signals: the first asks for a stop at a safe point, the second ends the process.

use longshore_engine::Cancel;
use longshore_model::{Error, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::failure::STOPPED;
use crate::progress::Progress;

/// Listens to interrupt and termination signals until the runtime ends.
pub(crate) fn listen(cancel: &Cancel, progress: &Progress) -> Result<()> {
    let failed = |error| Error::io("listen to signals", "process", error);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (cancel, progress) = (cancel.clone(), progress.clone());
    tokio::spawn(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                progress.end();
                std::process::exit(i32::from(STOPPED));
            }
            asked = true;
            progress.say("Stopping at the next safe point; interrupt again to stop at once.");
            cancel.request();
        }
    });
    Ok(())
}
