//! The copy by several processes: each takes chunks by leases, and writes under them.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_model::connector::{Leases, Place};
use longshore_model::ledger::{Header, Lease};
use longshore_model::{Code, Error, Result, Retry};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::{Accepted, COPIES_OF_A_ROW, FIRST_PAUSE, LONGEST_PAUSE, Task, WIDE_ROW};
use super::{all, copy_with_retry, told_of};
use crate::event::Event;
use crate::job::Job;
use crate::share::Share;
use crate::{allocator, rejects};

/// Chunks that are asked about at a time.
const WINDOW: usize = 64;

/// How often the process with index 0 looks for chunks that others brought in, and among how many.
const WATCH: Duration = Duration::from_secs(2);
const WATCHED: usize = 512;

/// The longest pause of a process that has nothing to do until others end.
const IDLE: Duration = Duration::from_secs(1);

/// The chunks of a move that are not known to be in and not at work here. Those that this process is to
/// begin with come first, so that processes are seldom after the same chunk.
struct Board {
    queue: Mutex<VecDeque<Place>>,
}

/// Copies chunks until all of some are in, whoever copies them.
pub(super) async fn copy(
    job: &Job,
    share: &Share,
    missing: VecDeque<Place>,
    header: &Header,
) -> Result<()> {
    let workers = job.pace.workers.min(missing.len());
    let board = Arc::new(Board { queue: Mutex::new(in_turn(missing, share)) });
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let (job, board, share) = (job.clone(), board.clone(), share.clone());
        let rejects = rejects::folder(&job.rejects, header);
        running.spawn(async move {
            while let Some(lease) = board.take(&job, &share).await? {
                let Lease { table, chunk, .. } = lease;
                let task = Task { worker, table, chunk, rejects: &rejects, lease: Some(&lease) };
                if !copy_one(&job, &share, &task, &lease).await? {
                    board.queue.lock().await.push_back((table, chunk));
                }
            }
            Ok(())
        });
    }
    if share.process.index > 0 {
        return all(running).await;
    }
    tokio::select! {
        ended = all(running) => ended,
        error = board.watch(job) => Err(error),
    }
}

/// The order in which a process goes through chunks: those of its own turn first.
fn in_turn(missing: VecDeque<Place>, share: &Share) -> VecDeque<Place> {
    let (index, count) = (share.process.index as usize, share.process.count as usize);
    let (own, others): (Vec<_>, Vec<_>) =
        missing.into_iter().enumerate().partition(|(at, _)| at % count == index);
    own.into_iter().chain(others).map(|(_, place)| place).collect()
}

/// Copies a chunk under its lease. False when the lease was lost, and with it the chunk.
async fn copy_one(job: &Job, share: &Share, task: &Task<'_>, lease: &Lease) -> Result<bool> {
    let row = job.plan.tables[task.table].row_bytes(task.chunk);
    let accepted = Accepted::default();
    let work = async {
        let _room = job.pace.room.take(row * COPIES_OF_A_ROW).await;
        copy_with_retry(job, task, &accepted).await
    };
    let leases = leases(job)?;
    let copied = tokio::select! {
        copied = work => copied,
        lost = keep(leases, lease, share.process.lease) => Err(lost),
    };
    if row >= WIDE_ROW {
        allocator::give_back();
    }
    match copied {
        Ok(()) => Ok(true),
        Err(error) if error.code() == Code::LeaseLost => {
            let (rows, bytes) = told_of(&accepted);
            job.events.emit(Event::ChunkDropped {
                table: job.plan.tables[task.table].target.to_string(),
                chunk: task.chunk,
                error: error.to_string(),
                rows,
                bytes,
            });
            Ok(false)
        }
        Err(error) => {
            // Where this fails too, the lease expires.
            let _ended_later = tokio::time::timeout(IDLE, leases.give_back(lease)).await;
            Err(error)
        }
    }
}

/// Renews a lease until it is lost; comes back only then.
async fn keep(leases: &dyn Leases, lease: &Lease, length: Duration) -> Error {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(length / 3).await;
        let asked = Instant::now();
        match tokio::time::timeout(length / 3, leases.renew(lease, length)).await {
            Ok(Ok(())) => renewed = asked,
            Ok(Err(error)) if error.code() == Code::LeaseLost => return error,
            // The target was not reached. It lets nobody commit under a lease that has expired, so
            // nothing is lost by giving up.
            _ if renewed.elapsed() > length => {
                return Error::new(Code::LeaseLost, "the lease of a chunk could not be renewed")
                    .with("table", lease.table.to_string())
                    .with("chunk", lease.chunk.to_string());
            }
            _ => {}
        }
    }
}

impl Board {
    /// Takes a chunk, waiting while others have all that are left; `None` when all are in or at work
    /// here.
    async fn take(&self, job: &Job, share: &Share) -> Result<Option<Lease>> {
        let leases = leases(job)?;
        loop {
            let mut queue = self.queue.lock().await;
            let mut seen = 0;
            while seen < queue.len() {
                let window: Vec<Place> = queue.iter().take(WINDOW).copied().collect();
                let taken = patiently(job, || leases.take(&window, &share.term)).await?;
                if let Some(lease) = taken {
                    queue.retain(|place| *place != (lease.table, lease.chunk));
                    return Ok(Some(lease));
                }
                let arrived = arrived(job, &window).await?;
                queue.drain(..window.len());
                queue.extend(window.iter().filter(|place| !arrived.contains(*place)));
                seen += window.len() - arrived.len();
            }
            if queue.is_empty() {
                return Ok(None);
            }
            drop(queue);
            let pause = IDLE.min(share.process.lease / 3);
            let wait = async {
                tokio::time::sleep(pause).await;
                Ok(())
            };
            job.cancel.guard(wait).await?;
        }
    }

    /// Tells of chunks that other processes bring in; comes back only with an error.
    async fn watch(&self, job: &Job) -> Error {
        let mut from = 0;
        loop {
            tokio::time::sleep(WATCH).await;
            let mut queue = self.queue.lock().await;
            from = if from < queue.len() { from } else { 0 };
            let window: Vec<Place> = queue.iter().skip(from).take(WATCHED).copied().collect();
            match arrived(job, &window).await {
                Ok(arrived) => {
                    from += window.len() - arrived.len();
                    queue.retain(|place| !arrived.contains(place));
                }
                // An error that may pass is met again where chunks are taken.
                Err(error) if error.retry() == Retry::Never => return error,
                Err(_) => {}
            }
        }
    }
}

/// Which of some chunks are in. The process with index 0 tells of them, so that its events add up to the
/// whole.
async fn arrived(job: &Job, window: &[Place]) -> Result<HashSet<Place>> {
    let leases = leases(job)?;
    let entries = patiently(job, || leases.arrived(window)).await?;
    if job.share.as_ref().is_some_and(|share| share.process.index == 0) {
        for entry in &entries {
            job.events.emit(Event::ChunkElsewhere {
                table: job.plan.tables[entry.table].target.to_string(),
                chunk: entry.chunk,
                rows: entry.fingerprint.rows,
                rejected: entry.rejected,
                bytes: entry.bytes,
            });
        }
    }
    Ok(entries.iter().map(|entry| (entry.table, entry.chunk)).collect())
}

/// Makes sure of a lease before its chunk is tried again.
pub(super) async fn check(job: &Job, lease: &Lease) -> Result<()> {
    let Some(share) = &job.share else { return Ok(()) };
    match leases(job)?.renew(lease, share.process.lease).await {
        Err(error) if error.code() == Code::LeaseLost => Err(error),
        _ => Ok(()),
    }
}

/// Asks the target, and asks again when an error may pass.
async fn patiently<T, F: Future<Output = Result<T>>>(job: &Job, ask: impl Fn() -> F) -> Result<T> {
    let (mut attempt, mut pause) = (1, FIRST_PAUSE);
    loop {
        match job.cancel.guard(ask()).await {
            Err(error) if error.retry() == Retry::Later && attempt < job.pace.attempts => {}
            other => return other,
        }
        let wait = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        job.cancel.guard(wait).await?;
        (attempt, pause) = (attempt + 1, (pause * 2).min(LONGEST_PAUSE));
    }
}

fn leases(job: &Job) -> Result<&dyn Leases> {
    job.load()?.leases().ok_or_else(|| {
        Error::new(Code::Internal, "a target that is declared to be shared has no leases")
    })
}
