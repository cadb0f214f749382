//! One move at work: both ends open, and what its workers share.

use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use longshore_model::connector::{Load, ReadRequest, Snapshot};
use longshore_model::plan::{MovePlan, Range, TablePlan};
use longshore_model::spec::{Limits, Workers};
use longshore_model::{Code, Error, Result};

use crate::budget::Budget;
use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::Events;
use crate::run::RunRequest;
use crate::share::Share;
use crate::throttle::Throttle;
use crate::transform::Transform;

/// The largest batch. Larger ones win nothing: they leave the processor's caches.
const LARGEST_BATCH: u64 = 4 << 20;

/// One move at work.
#[derive(Clone)]
pub(crate) struct Job {
    pub plan: Arc<MovePlan>,
    pub link: Link,
    pub snapshot: Arc<dyn Snapshot>,
    /// `None` while nothing is to be written.
    pub load: Option<Arc<dyn Load>>,
    pub events: Events,
    pub cancel: Cancel,
    /// The folder with the reject files of all runs.
    pub rejects: Arc<Path>,
    pub pace: Pace,
    /// What is known of the other processes that copy; `None` when there are none.
    pub share: Option<Share>,
}

/// The bounds of a run, worked out for one move.
#[derive(Clone)]
pub(crate) struct Pace {
    /// Chunks at work at a time.
    pub workers: usize,
    /// Tries of a chunk.
    pub attempts: u32,
    /// The size of a batch.
    pub batch_bytes: usize,
    /// What each writer may hold.
    pub writer_memory: usize,
    /// What batches in flight may hold together.
    pub budget: Budget,
    /// What chunks at work may need together, by the width of their rows.
    pub room: Budget,
    /// The rate at which the source is read.
    pub throttle: Throttle,
}

impl Pace {
    /// The bounds for a move. Half of the memory is for batches in flight, a quarter for what
    /// writers gather, the rest for what readers prefetch and what the systems' libraries hold.
    pub(crate) fn new(limits: &Limits, link: &Link) -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        let wanted = match limits.workers {
            Workers::Auto => cores,
            Workers::Fixed(number) => number as usize,
        };
        let workers = wanted.min(link.target.about().target.writers.unwrap_or(usize::MAX)).max(1);
        let share = limits.memory.0 / workers as u64;
        let bytes = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            workers,
            attempts: limits.attempts,
            batch_bytes: bytes((share / 32).clamp(16 << 10, LARGEST_BATCH)),
            writer_memory: bytes(share / 4),
            budget: Budget::new(limits.memory.0 / 2),
            room: Budget::new(limits.memory.0),
            throttle: Throttle::new(limits.source_rate.map(|rate| rate.0)),
        }
    }
}

impl Job {
    /// The claimed target.
    pub(crate) fn load(&self) -> Result<&Arc<dyn Load>> {
        self.load
            .as_ref()
            .ok_or_else(|| Error::new(Code::Internal, "the target was not claimed for writing"))
    }

    /// What to ask the source for one part of a table.
    pub(crate) fn source_request(
        &self,
        table: &TablePlan,
        transform: &Transform,
        range: Option<Range>,
    ) -> ReadRequest {
        ReadRequest {
            table: table.source.clone(),
            columns: transform.reads(),
            filter: table.filter.clone(),
            range,
            wire: table.wire.clone(),
            batch_bytes: self.pace.batch_bytes,
        }
    }
}

/// Opens both ends of a move and claims the target.
pub(crate) async fn open(
    plan: Arc<MovePlan>,
    link: &Link,
    request: &RunRequest,
    events: &Events,
) -> Result<Job> {
    let pace = Pace::new(&request.limits, link);
    let source = link.source.open_source(&link.from).await?;
    let target = link.target.open_target(&link.to).await?;
    let load = target.claim(&request.holder).await?;
    let snapshot = source.snapshot(pace.workers).await?;
    Ok(Job {
        plan,
        link: link.clone(),
        snapshot: Arc::from(snapshot),
        load: Some(Arc::from(load)),
        events: events.clone(),
        cancel: request.cancel.clone(),
        rejects: Arc::from(request.rejects.as_path()),
        pace,
        share: Share::of(request),
    })
}
