//! A bound on bytes in a second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Lets bytes through at a rate, shared by all workers.
#[derive(Clone)]
pub(crate) struct Throttle(Option<Arc<State>>);

struct State {
    bytes_per_second: f64,
    free_at: Mutex<Instant>,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: Option<u64>) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate above 2^53 bytes/s is no bound")]
        Self(bytes_per_second.map(|rate| {
            Arc::new(State { bytes_per_second: rate as f64, free_at: Mutex::new(Instant::now()) })
        }))
    }

    /// Waits until `bytes` may pass.
    pub(crate) async fn pass(&self, bytes: usize) {
        let Some(state) = &self.0 else { return };
        #[expect(clippy::cast_precision_loss, reason = "the size of one batch")]
        let cost = Duration::from_secs_f64(bytes as f64 / state.bytes_per_second);
        let pause = {
            let mut free_at = state.free_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let now = Instant::now();
            let start = (*free_at).max(now);
            *free_at = start + cost;
            *free_at - now
        };
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    #[tokio::test]
    async fn two_workers_share_one_rate() {
        let throttle = super::Throttle::new(Some(1_000_000));
        let start = Instant::now();
        tokio::join!(throttle.pass(50_000), throttle.pass(50_000));
        assert!(start.elapsed() >= Duration::from_millis(99));
    }
}
