//! The copy: workers take chunks, and each chunk flows from its reader to its writer.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use longshore_model::connector::{Reader, WriteRequest, Writer};
use longshore_model::ledger::{Entry, Ledger, Stage};
use longshore_model::plan::TablePlan;
use longshore_model::{Batch, Code, Error, Fingerprint, Result, Retry, failpoint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;

use crate::allocator;
use crate::event::Event;
use crate::job::Job;
use crate::report::Waits;
use crate::transform::{Losses, OnFail, Transform};

/// Batches that wait between reader and writer, beside the one that each has in hand.
const QUEUE: usize = 2;
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
    copy_chunks(job, missing).await?;
    job.load()?.mark(Stage::Copied).await?;
    failpoint::hit("copy.done")
}

/// Copies some chunks with all workers. The first error stops the others at their next batch.
pub(crate) async fn copy_chunks(job: &Job, chunks: VecDeque<(usize, usize)>) -> Result<()> {
    let workers = job.pace.workers.min(chunks.len());
    let queue = Arc::new(Mutex::new(chunks));
    let mut running = JoinSet::new();
    for worker in 0..workers {
        let (job, queue) = (job.clone(), queue.clone());
        running.spawn(async move {
            let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop_front();
            while let Some((table, chunk)) = take() {
                let row = job.plan.tables[table].chunks[chunk].row_bytes();
                let _room = job.pace.room.take(row * COPIES_OF_A_ROW).await;
                copy_with_retry(&job, worker, table, chunk).await?;
                if row >= WIDE_ROW {
                    allocator::give_back();
                }
            }
            Ok(())
        });
    }
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
    let mut losses = Losses::new();
    while let Some(batch) = job.cancel.guard(reader.next()).await? {
        fingerprint.add_batch(&transform.apply(batch, &mut losses)?)?;
    }
    Ok(fingerprint)
}

async fn copy_with_retry(job: &Job, worker: usize, table: usize, chunk: usize) -> Result<()> {
    let name = job.plan.tables[table].target.to_string();
    let mut pause = FIRST_PAUSE;
    for attempt in 1.. {
        let accepted = Mutex::new((0, 0));
        let error = match job.cancel.guard(copy_chunk(job, worker, table, chunk, &accepted)).await {
            Ok(()) => return Ok(()),
            Err(error) if error.retry() == Retry::Later && attempt < job.pace.attempts => error,
            Err(error) => return Err(error.with("chunk", chunk.to_string())),
        };
        let (rows, bytes) = *accepted.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if committed_all_the_same(job, table, chunk).await? {
            return Ok(());
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

/// Whether a chunk whose writer failed is in: the commit was done and only its answer was lost.
async fn committed_all_the_same(job: &Job, table: usize, chunk: usize) -> Result<bool> {
    let target = job.link.target.open_target(&job.link.to).await?;
    let ledger = target.ledger().await?;
    Ok(ledger.is_some_and(|ledger| ledger.entry(table, chunk).is_some()))
}

async fn copy_chunk(
    job: &Job,
    worker: usize,
    table_index: usize,
    chunk_index: usize,
    accepted: &Mutex<(u64, u64)>,
) -> Result<()> {
    let start = Instant::now();
    let table = &job.plan.tables[table_index];
    let name = table.target.to_string();
    job.events.emit(Event::ChunkStarted { table: name.clone(), chunk: chunk_index, worker });

    let transform = Transform::new(table, OnFail::Stop);
    let range = table.chunks[chunk_index].range.clone();
    let request = job.source_request(table, &transform, Some(range));
    let mut reader = job.snapshot.read(&request).await?;
    let mut writer = job
        .load()?
        .writer(&WriteRequest { table_index, table, chunk_index, memory: job.pace.writer_memory })
        .await?;
    failpoint::hit("copy.chunk-open")?;

    let (sender, receiver) = mpsc::channel(QUEUE);
    let ((mut proof, mut waits), ()) = tokio::try_join!(
        pump(job, reader.as_mut(), &transform, sender),
        drain(job, writer.as_mut(), receiver, &name, worker, accepted),
    )?;
    drop(reader);

    failpoint::hit("copy.chunk-written")?;
    proof.table = table_index;
    proof.chunk = chunk_index;
    let (rows, bytes) = (proof.fingerprint.rows, proof.bytes);
    let commit = Instant::now();
    writer.commit(proof).await?;
    waits.target += commit.elapsed().as_secs_f64();
    failpoint::hit("copy.chunk-committed")?;
    let seconds = start.elapsed().as_secs_f64();
    job.events.emit(Event::ChunkDone {
        table: name,
        chunk: chunk_index,
        worker,
        rows,
        bytes,
        seconds,
        waits,
    });
    Ok(())
}

struct Parcel {
    batch: Batch,
    bytes: u64,
    /// When the source gave it.
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// Reads, converts and fingerprints; hands batches on in order.
async fn pump(
    job: &Job,
    reader: &mut dyn Reader,
    transform: &Transform,
    sender: mpsc::Sender<Parcel>,
) -> Result<(Entry, Waits)> {
    let mut waits = Waits::default();
    let mut entry = Entry {
        table: 0,
        chunk: 0,
        fingerprint: Fingerprint::default(),
        bytes: 0,
        losses: Losses::new(),
        range: None,
    };
    loop {
        let mut clock = Lap::start();
        let batch = reader.next().await?;
        waits.source += clock.lap();
        let Some(batch) = batch else { return Ok((entry, waits)) };
        let since = Instant::now();
        let bytes = batch.bytes();
        job.pace.throttle.pass(bytes).await;
        let permit = job.pace.budget.take(bytes as u64).await;
        waits.limits += clock.lap();
        let batch = transform.apply(batch, &mut entry.losses)?;
        entry.fingerprint.add_batch(&batch)?;
        entry.bytes += bytes as u64;
        waits.own += clock.lap();
        // A closed channel means that the writer failed, and its error is on the way.
        let parcel = Parcel { batch, bytes: bytes as u64, since, _permit: permit };
        if sender.send(parcel).await.is_err() {
            return Ok((entry, waits));
        }
        waits.target += clock.lap();
    }
}

async fn drain(
    job: &Job,
    writer: &mut dyn Writer,
    mut receiver: mpsc::Receiver<Parcel>,
    table: &str,
    worker: usize,
    accepted: &Mutex<(u64, u64)>,
) -> Result<()> {
    while let Some(parcel) = receiver.recv().await {
        let (rows, bytes) = (parcel.batch.rows() as u64, parcel.bytes);
        writer.write(parcel.batch).await?;
        {
            let mut sum = accepted.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *sum = (sum.0 + rows, sum.1 + bytes);
        }
        let held = parcel.since.elapsed().as_secs_f64();
        job.events.emit(Event::Copied { table: table.to_string(), worker, rows, bytes, held });
        failpoint::hit("copy.batch")?;
    }
    Ok(())
}

struct Lap(Instant);

impl Lap {
    fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.0).as_secs_f64();
        self.0 = now;
        seconds
    }
}
