//! A request to stop, seen by everyone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_model::{Code, Error, Result};
use tokio::sync::Notify;

/// A request to stop at the next safe point.
#[derive(Clone, Default)]
pub struct Cancel(Arc<State>);

#[derive(Default)]
struct State {
    requested: AtomicBool,
    notify: Notify,
}

impl Cancel {
    /// Asks everyone to stop.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        self.0.notify.notify_waiters();
    }

    /// Whether it was asked.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// An error when it was asked.
    pub fn check(&self) -> Result<()> {
        if self.is_requested() { Err(cancelled()) } else { Ok(()) }
    }

    /// Runs a future until it ends or stopping is asked for; then drops it.
    pub async fn guard<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let notified = self.0.notify.notified();
        tokio::pin!(notified);
        notified.as_mut().enable();
        self.check()?;
        tokio::select! {
            result = work => result,
            () = notified => Err(cancelled()),
        }
    }
}

fn cancelled() -> Error {
    Error::new(Code::Cancelled, "stopped on request")
}
