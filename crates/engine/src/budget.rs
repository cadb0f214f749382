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

    /// Waits until `bytes` are free and takes them until the permit is dropped. What needs more than
    /// a quarter of the budget takes all of it, and so flies alone: systems hold such a row several
    /// times while they read and write it.
    pub(crate) async fn take(&self, bytes: u64) -> OwnedSemaphorePermit {
        let wanted = u32::try_from(bytes / GRAIN + 1).unwrap_or(u32::MAX);
        let grains = if wanted > self.total / 4 { self.total } else { wanted };
        self.grains.clone().acquire_many_owned(grains).await.expect("the semaphore is never closed")
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[tokio::test]
    async fn what_is_above_a_quarter_of_the_budget_flies_alone() {
        let budget = Budget::new(10 * 1024);
        let small = budget.take(100).await;
        let mut large = Box::pin(budget.take(3 * 1024));
        let early = tokio::time::timeout(std::time::Duration::from_millis(20), &mut large).await;
        assert!(early.is_err());
        drop(small);
        let large = large.await;
        assert_eq!(budget.grains.available_permits(), 0);
        drop(large);
        assert_eq!(budget.grains.available_permits(), 10);
    }
}
