//! How long clients are waited for.

use std::time::Duration;

/// Bytes that must move in each while of waiting.
const LEAST: usize = 16 << 10;

/// How long clients are waited for, and how many of them.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest that a client may take for the head of a request, to agree on TLS, or between two requests.
    pub head: Duration,
    /// The longest that a client is waited for while bodies move: in each while of waiting of this length at
    /// least 16 KiB must move, or the body end. Who is slow and moves is not cut.
    pub stall: Duration,
    /// Connections at once. When there are more, the one that has waited longest for a request makes room.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let (head, stall) = (Duration::from_secs(30), Duration::from_secs(60));
        Self { head, stall, connections: 2000 }
    }
}

/// What is left of the patience with a client. Only time that was spent in waiting for him counts: a slow disk of
/// our own is not his fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    whole: Duration,
    left: Duration,
    moved: usize,
}

impl Patience {
    pub(super) fn new(limits: Limits) -> Self {
        Self { whole: limits.stall, left: limits.stall, moved: 0 }
    }

    /// How long he may still let wait.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// He let wait.
    pub(super) fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// Bytes came from him, or were taken by him.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved = self.moved.saturating_add(bytes);
        if self.moved >= LEAST {
            (self.left, self.moved) = (self.whole, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{LEAST, Limits, Patience};

    #[test]
    fn who_moves_enough_may_go_on_for_ever_and_who_drips_may_not() {
        let second = Duration::from_secs(1);
        let limits = Limits { stall: 10 * second, ..Limits::default() };
        for (bytes, waits) in [(LEAST / 9, 1000), (LEAST / 11, 10), (0, 10)] {
            let mut patience = Patience::new(limits);
            let mut turns = 0;
            while patience.left() > Duration::ZERO && turns < 1000 {
                turns += 1;
                patience.waited(second);
                patience.moved(bytes);
            }
            assert_eq!(turns, waits, "{bytes} bytes in a second");
        }
    }
}
