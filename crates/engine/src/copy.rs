//! The copy: workers take chunks, and each chunk flows from its reader to its writer.

mod chunk;
mod leased;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_model::ledger::{Header, Ledger, Stage};
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, Fingerprint, Result, Retry, failpoint};
use tokio::task::JoinSet;

use crate::event::Event;
use crate::job::Job;
use crate::transform::{Losses, OnFail, Transform};
use crate::{allocator, rejects};
use chunk::{Task, copy_chunk};
pub(crate) use chunk::{project, written_columns};

/// How often a row is in memory on its way through reader, queue and writer.
pub(crate) const COPIES_OF_A_ROW: u64 = 8;
/// Rows of this size leave holes in the allocator's memory that are worth giving back.
const WIDE_ROW: u64 = 1 << 20;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Copies every chunk that the ledger lacks, the largest tables first.
pub(crate) async fn copy(job: &Job, ledger: &Ledger) -> Result<()> {
    if ledger.has(Stage::Copied) {
        return Ok(());
    }
    let missing: VecDeque<(usize, usize)> = job
        .plan
        .tables
        .iter()
        .enumerate()
        .flat_map(|(table, plan)| (0..plan.chunks.len()).map(move |chunk| (table, chunk)))
        .filter(|(table, chunk)| ledger.entry(*table, *chunk).is_none())
        .collect();
    match &job.share {
        None => copy_chunks(job, missing, &ledger.header).await?,
        Some(share) => leased::copy(job, share, missing, &ledger.header).await?,
    }
    job.load()?.mark(Stage::Copied).await?;
    failpoint::hit("copy.done")
}

/// Copies some chunks with all workers. The first error stops the others at their next batch.
pub(crate) async fn copy_chunks(
    job: &Job,
    chunks: VecDeque<(usize, usize)>,
    header: &Header,
) -> Result<()> {
    let workers = job.pace.workers.min(chunks.len());
    let queue = Arc::new(Mutex::new(chunks));
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let (job, queue) = (job.clone(), queue.clone());
        let rejects = rejects::folder(&job.rejects, header);
        running.spawn(async move {
            let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop_front();
            while let Some((table, chunk)) = take() {
                let row = job.plan.tables[table].row_bytes(chunk);
                let _room = job.pace.room.take(row * COPIES_OF_A_ROW).await;
                let task = Task { worker, table, chunk, rejects: &rejects, lease: None };
                copy_with_retry(&job, &task, &Accepted::default()).await?;
                if row >= WIDE_ROW {
                    allocator::give_back();
                }
            }
            Ok(())
        });
    }
    all(running).await
}

/// Waits for workers.
async fn all(mut running: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = running.join_next().await {
        let result = ended.unwrap_or_else(|panic| {
            Err(Error::new(Code::Internal, "a worker ended without a result").because(panic))
        });
        if let Err(error) = result {
            // Dropping the set drops the other workers' readers and writers: their chunks roll back.
            running.shutdown().await;
            return Err(error);
        }
    }
    Ok(())
}

/// The fingerprint of a part of a table as the source holds it now, after the planned conversion.
pub(crate) async fn fingerprint_source(
    job: &Job,
    table: &TablePlan,
    chunk: Option<usize>,
) -> Result<Fingerprint> {
    let transform = Transform::new(table, OnFail::Stop);
    let range = chunk.map(|chunk| table.chunks[chunk].range.clone());
    let mut reader = job.snapshot.read(&job.source_request(table, &transform, range)).await?;
    let mut fingerprint = Fingerprint::default();
    let mut losses = Losses::default();
    while let Some(batch) = job.cancel.guard(reader.next()).await? {
        fingerprint.add_batch(&transform.apply(batch, &mut losses)?)?;
    }
    Ok(fingerprint)
}

/// Rows and bytes of a chunk at work that listeners were told of.
type Accepted = Mutex<(u64, u64)>;

async fn copy_with_retry(job: &Job, task: &Task<'_>, accepted: &Accepted) -> Result<()> {
    let Task { table, chunk, .. } = *task;
    let name = job.plan.tables[table].target.to_string();
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let error = match job.cancel.guard(copy_chunk(job, task, accepted)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.retry() == Retry::Later && attempt < job.pace.attempts => error,
            Err(error) => return Err(error.with("chunk", chunk.to_string())),
        };
        let (rows, bytes) = told_of(accepted);
        if committed_all_the_same(job, table, chunk).await? {
            return Ok(());
        }
        if let Some(lease) = task.lease {
            leased::check(job, lease).await?;
        }
        job.events.emit(Event::ChunkRetry {
            table: name.clone(),
            chunk,
            attempt,
            error: error.to_string(),
            pause_seconds: pause.as_secs_f64(),
            rows,
            bytes,
        });
        let wait = async {
            tokio::time::sleep(pause).await;
            Ok(())
        };
        job.cancel.guard(wait).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    unreachable!("the loop ends by returning")
}

/// What was told of a try of a chunk that failed; nothing was told of the next.
fn told_of(accepted: &Accepted) -> (u64, u64) {
    std::mem::take(&mut *accepted.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

/// Whether a chunk whose writer failed is in: the commit was done and only its answer was lost.
async fn committed_all_the_same(job: &Job, table: usize, chunk: usize) -> Result<bool> {
    let target = job.link.target.open_target(&job.link.to).await?;
    let ledger = target.ledger().await?;
    Ok(ledger.is_some_and(|ledger| ledger.entry(table, chunk).is_some()))
}
