//! Signals: the first asks for a stop at a safe point, the second ends the process.

use std::io::Read;
use std::process::exit;
use std::time::{Duration, Instant};

use longshore_engine::Cancel;
use longshore_model::{Error, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use crate::failure::STOPPED;
use crate::output::Output;
use crate::progress::Progress;

/// Signals within this time are one request: `timeout`, terminals and supervisors signal a process and its group.
const ONE_REQUEST: Duration = Duration::from_millis(500);

/// Listens to interrupt and termination signals until it is dropped.
pub(crate) struct Listening(JoinHandle<()>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The first signal asks for a stop at a safe point, the second ends the process.
pub(crate) fn listen(cancel: &Cancel, progress: &Progress) -> Result<Listening> {
    let (mut interrupt, mut terminate) = signals()?;
    let (cancel, progress) = (cancel.clone(), progress.clone());
    Ok(Listening(tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        progress.say("Stopping at the next safe point; interrupt again to stop at once.");
        cancel.request();
        let asked = Instant::now();
        while asked.elapsed() < ONE_REQUEST {
            either(&mut interrupt, &mut terminate).await;
        }
        progress.end();
        exit(i32::from(STOPPED));
    })))
}

/// The first signal ends the process: for work that blocks, and whose every moment is safe.
pub(crate) fn leave(output: &Output) -> Result<Listening> {
    let (mut interrupt, mut terminate) = signals()?;
    let output = output.clone();
    Ok(Listening(tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        output.note("\nstopped\n");
        exit(i32::from(STOPPED));
    })))
}

/// Ends with the first signal.
pub(crate) async fn asked() -> Result<()> {
    let (mut interrupt, mut terminate) = signals()?;
    either(&mut interrupt, &mut terminate).await;
    Ok(())
}

/// Ends the process when its standard input ends: when the parent that holds it does.
pub(crate) fn leave_with_input() {
    std::thread::spawn(|| {
        let mut rest = [0; 64];
        let mut input = std::io::stdin().lock();
        while input.read(&mut rest).is_ok_and(|length| length > 0) {}
        exit(i32::from(STOPPED));
    });
}

fn signals() -> Result<(Signal, Signal)> {
    let failed = |error| Error::io("listen to signals", "process", error);
    Ok((
        signal(SignalKind::interrupt()).map_err(failed)?,
        signal(SignalKind::terminate()).map_err(failed)?,
    ))
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
