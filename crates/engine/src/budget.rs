//! One budget of memory, shared by every batch in flight.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const GRAIN: u64 = 1024;

/// Bytes that batches between readers and writers may hold together.
#[derive(Clone)]
pub(crate) struct Budget {
    grains: Arc<Semaphore>,
    total: u32,
}

impl Budget {
    pub(crate) fn new(bytes: u64) -> Self {
        let total = u32::try_from((bytes / GRAIN).max(1)).unwrap_or(u32::MAX);
        Self { grains: Arc::new(Semaphore::new(total as usize)), total }
    }

    /// Waits until `bytes` are free and takes them until the permit is dropped. A batch larger than
    /// the whole budget takes all of it, and so flies alone.
    pub(crate) async fn take(&self, bytes: usize) -> OwnedSemaphorePermit {
        let grains = u32::try_from(bytes as u64 / GRAIN + 1).unwrap_or(u32::MAX).min(self.total);
        self.grains.clone().acquire_many_owned(grains).await.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[tokio::test]
    async fn a_batch_above_the_budget_flies_alone() {
        let budget = Budget::new(10 * 1024);
        let small = budget.take(100).await;
        let mut large = Box::pin(budget.take(1 << 40));
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), &mut large).await;
        assert!(early.is_err());
        drop(small);
        let large = large.await;
        assert_eq!(budget.grains.available_permits(), 0);
        drop(large);
        assert_eq!(budget.grains.available_permits(), 10);
    }
}
