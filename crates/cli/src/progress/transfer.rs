//! Images on their way: the sums over what happens to their blobs.

use std::collections::BTreeMap;
use std::time::Instant;

use longshore_image::Digest;
use longshore_image::registry::TransferEvent;
use longshore_service::number::{counted, per_second, seconds, size};

const EVERY: f64 = 10.0;

/// What has arrived of what is to travel.
pub(crate) struct Transfer {
    start: Instant,
    last: f64,
    blobs: usize,
    bytes: u64,
    blobs_in: usize,
    moved: BTreeMap<Digest, u64>,
    /// Bytes that this process moved.
    own: u64,
}

impl Default for Transfer {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            last: 0.0,
            blobs: 0,
            bytes: 0,
            blobs_in: 0,
            moved: BTreeMap::new(),
            own: 0,
        }
    }
}

impl Transfer {
    /// Adds an event; returns what there is to say.
    pub(crate) fn listen(&mut self, event: &TransferEvent) -> Option<String> {
        match event {
            TransferEvent::TransferPlanned { blobs, bytes } => {
                (self.blobs, self.bytes) = (*blobs, *bytes);
            }
            TransferEvent::BlobMoved { digest, bytes } => {
                *self.moved.entry(digest.clone()).or_default() += bytes;
                self.own += bytes;
            }
            TransferEvent::BlobReset { digest, bytes } => {
                let moved = self.moved.entry(digest.clone()).or_default();
                *moved = moved.saturating_sub(*bytes);
            }
            TransferEvent::BlobDone { digest, bytes, .. } => {
                self.moved.insert(digest.clone(), *bytes);
                self.blobs_in += 1;
            }
            TransferEvent::RequestRetried { request, attempt, pause_seconds, error } => {
                let pause = seconds(*pause_seconds);
                return Some(format!(
                    "{request} failed at attempt {attempt} and is made again in {pause}: {error}"
                ));
            }
        }
        None
    }

    /// Bytes that are in, and all of them.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let moved = self.moved.values().sum();
        (moved, self.bytes.max(moved))
    }

    /// `45 %, 12.3 MiB/s, 3.4 MiB of 9.9 MiB, 3 of 7 blobs`.
    pub(crate) fn line(&self) -> String {
        let ((moved, bytes), elapsed) = (self.totals(), self.start.elapsed().as_secs_f64());
        let share = (u128::from(moved) * 100).checked_div(u128::from(bytes)).unwrap_or(0);
        let blobs = counted(self.blobs.max(self.blobs_in) as u64, "blob");
        format!(
            "{share} %, {}/s, {} of {}, {} of {blobs}",
            size(per_second(self.own, elapsed)),
            size(moved),
            size(bytes),
            self.blobs_in,
        )
    }

    /// The state of things, when nothing has been said for a while.
    pub(crate) fn overdue(&mut self) -> Option<String> {
        let at = self.start.elapsed().as_secs_f64();
        if self.bytes == 0 || at - self.last < EVERY {
            return None;
        }
        self.last = at;
        Some(self.line())
    }
}

#[cfg(test)]
mod tests {
    use longshore_image::Digest;
    use longshore_image::registry::{Route, TransferEvent};

    use super::Transfer;

    #[test]
    fn what_begins_anew_is_taken_back() {
        let (mut transfer, digest) = (Transfer::default(), Digest::of(b"x"));
        transfer.listen(&TransferEvent::TransferPlanned { blobs: 2, bytes: 100 });
        transfer.listen(&TransferEvent::BlobMoved { digest: digest.clone(), bytes: 40 });
        transfer.listen(&TransferEvent::BlobReset { digest: digest.clone(), bytes: 40 });
        assert_eq!(transfer.totals(), (0, 100));
        transfer.listen(&TransferEvent::BlobMoved { digest: digest.clone(), bytes: 30 });
        transfer.listen(&TransferEvent::BlobDone { digest, bytes: 50, route: Route::Sent });
        assert_eq!(transfer.totals(), (50, 100));
        assert!(transfer.line().starts_with("50 %, "), "{}", transfer.line());
        assert!(transfer.line().ends_with("50 B of 100 B, 1 of 2 blobs"), "{}", transfer.line());
    }
}
