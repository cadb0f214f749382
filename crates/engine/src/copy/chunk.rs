//! One chunk on its way: read, converted, fingerprinted, and handed to the writer in order.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow_array::RecordBatch;
use longshore_model::connector::{Reader, WriteRequest, Writer};
use longshore_model::ledger::{Entry, Lease};
use longshore_model::loss::{Action, OnReject};
use longshore_model::plan::TablePlan;
use longshore_model::{Batch, Code, Error, Fingerprint, Kind, Result, failpoint};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::event::Event;
use crate::job::Job;
use crate::rejects::Rejects;
use crate::report::Waits;
use crate::transform::{Losses, OnFail, Transform};

/// Batches that wait between reader and writer, beside the one that each has in hand.
const QUEUE: usize = 2;

/// What a worker has to do.
pub(super) struct Task<'a> {
    pub worker: usize,
    /// The table's index in the plan.
    pub table: usize,
    /// The chunk's index in the table.
    pub chunk: usize,
    /// The folder for reject files.
    pub rejects: &'a Path,
    /// The lease of the chunk, where several processes copy.
    pub lease: Option<&'a Lease>,
}

/// Copies one chunk. `accepted` holds the rows and bytes that were told of, until it is done.
pub(super) async fn copy_chunk(
    job: &Job,
    task: &Task<'_>,
    accepted: &Mutex<(u64, u64)>,
) -> Result<()> {
    let start = Instant::now();
    let Task { worker, table: table_index, chunk: chunk_index, .. } = *task;
    let table = &job.plan.tables[table_index];
    let name = table.target.to_string();
    job.events.emit(Event::ChunkStarted { table: name.clone(), chunk: chunk_index, worker });

    let transform = Transform::new(table, OnFail::Stop).with_keys(job.plan.keys);
    let offers = job.plan.on_reject == OnReject::Divert;
    let range = table.chunks[chunk_index].range.clone();
    let request = job.source_request(table, &transform, Some(range));
    let mut reader = job.snapshot.read(&request).await?;
    let memory = job.pace.writer_memory;
    let written = table.written();
    let request = WriteRequest {
        table_index,
        table: &written,
        chunk_index,
        memory,
        offers,
        lease: task.lease,
    };
    let mut writer = job.load()?.writer(&request).await?;
    failpoint::hit("copy.chunk-open")?;

    let rejects = Rejects::of(task.rejects, &table.source.to_string(), chunk_index, &transform);
    let way = Way {
        job,
        worker,
        table: name.clone(),
        transform: &transform,
        written: written_columns(table),
        accepted,
        keeps_origin: offers || diverts(table),
        offers,
        rejects: Mutex::new(rejects),
    };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let ((mut proof, mut waits), refused) =
        tokio::try_join!(way.pump(reader.as_mut(), sender), way.drain(writer.as_mut(), receiver),)?;
    drop(reader);

    failpoint::hit("copy.chunk-written")?;
    proof.table = table_index;
    proof.chunk = chunk_index;
    proof.fingerprint = proof.fingerprint.minus(refused);
    proof.refused = refused;
    let rejects = way.rejects.into_inner().unwrap_or_else(PoisonError::into_inner);
    proof.rejected = rejects.rows;
    if way.keeps_origin {
        rejects.publish()?;
        failpoint::hit("copy.rejects-written")?;
    }
    let (rows, bytes, rejected) = (proof.fingerprint.rows, proof.bytes, proof.rejected);
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
        rejected,
        bytes,
        seconds,
        waits,
    });
    Ok(())
}

/// Whether a policy diverts rows of a table.
fn diverts(table: &TablePlan) -> bool {
    let mut guards = table.columns.iter().flat_map(|column| &column.guards);
    guards.any(|guard| guard.action == Action::Divert)
}

/// The places of the columns that are written; `None` when all are.
pub(crate) fn written_columns(table: &TablePlan) -> Option<Vec<usize>> {
    let written = (0..table.columns.len()).filter(|at| !table.columns[*at].computed);
    let written: Vec<usize> = written.collect();
    (written.len() < table.columns.len()).then_some(written)
}

/// Some columns of a batch.
pub(crate) fn project(batch: &RecordBatch, columns: &[usize]) -> Result<RecordBatch> {
    batch
        .project(columns)
        .map_err(|error| Error::new(Code::Internal, "a column is missing").because(error))
}

struct Parcel {
    batch: Batch,
    bytes: u64,
    /// The rows as the source gave them, where they may be refused.
    origin: Option<Origin>,
    /// When the source gave it.
    since: Instant,
    _permit: OwnedSemaphorePermit,
}

/// A batch as the source gave it.
struct Origin {
    rows: RecordBatch,
    /// Rows of the chunk before it.
    before: u64,
    /// The rows of it that go on.
    stays: Vec<usize>,
}

/// The way of a chunk.
struct Way<'a> {
    job: &'a Job,
    worker: usize,
    table: String,
    transform: &'a Transform,
    /// The places of the columns that are written, where the target computes others.
    written: Option<Vec<usize>>,
    accepted: &'a Mutex<(u64, u64)>,
    /// Whether rows may have to be shown as the source gave them.
    keeps_origin: bool,
    /// Whether the target is asked batch by batch.
    offers: bool,
    rejects: Mutex<Rejects<'a>>,
}

impl<'a> Way<'a> {
    /// Reads, converts and fingerprints; hands batches on in order.
    async fn pump(
        &self,
        reader: &mut dyn Reader,
        sender: mpsc::Sender<Parcel>,
    ) -> Result<(Entry, Waits)> {
        let Self { job, transform, .. } = *self;
        let mut waits = Waits::default();
        let mut entry = Entry::default();
        let mut losses = Losses::default();
        loop {
            let mut clock = Lap::start();
            let batch = reader.next().await?;
            waits.source += clock.lap();
            let Some(batch) = batch else { break };
            let since = Instant::now();
            let bytes = batch.bytes();
            job.pace.throttle.pass(bytes).await;
            let permit = job.pace.budget.take(bytes as u64).await;
            waits.limits += clock.lap();
            let given = match &batch {
                Batch::Rows(rows) if self.keeps_origin => Some(rows.clone()),
                _ => None,
            };
            let batch = transform.apply(batch, &mut losses)?;
            let origin = given.map(|rows| self.divert(rows, &losses)).transpose()?;
            entry.fingerprint.add_batch(&batch)?;
            entry.bytes += bytes as u64;
            waits.own += clock.lap();
            // A policy has diverted every row of it.
            if matches!(&batch, Batch::Rows(rows) if rows.num_rows() == 0) {
                continue;
            }
            let origin = origin.filter(|_| self.offers);
            let parcel = Parcel { batch, bytes: bytes as u64, origin, since, _permit: permit };
            // A closed channel means that the writer failed, and its error is on the way.
            if sender.send(parcel).await.is_err() {
                break;
            }
            waits.target += clock.lap();
        }
        (entry.losses, entry.samples) = (losses.counts, losses.samples);
        Ok((entry, waits))
    }

    /// Puts the rows that a policy diverts into the reject file.
    fn divert(&self, rows: RecordBatch, losses: &Losses) -> Result<Origin> {
        let before = losses.before;
        for one in &losses.diverted {
            let (place, cause) = (before + one.row as u64 + 1, one.kind.describe());
            self.rejects().add((&rows, one.row), place, cause, Some(&one.column))?;
        }
        let gone = |row: &usize| losses.diverted.binary_search_by_key(row, |one| one.row).is_ok();
        let stays = match self.offers {
            true => (0..rows.num_rows()).filter(|row| !gone(row)).collect(),
            false => Vec::new(),
        };
        Ok(Origin { rows, before, stays })
    }

    /// Writes what comes, and returns the fingerprint of the rows that the target refused.
    async fn drain(
        &self,
        writer: &mut dyn Writer,
        mut receiver: mpsc::Receiver<Parcel>,
    ) -> Result<Fingerprint> {
        let mut refused = Fingerprint::default();
        while let Some(parcel) = receiver.recv().await {
            let (mut rows, bytes) = (parcel.batch.rows() as u64, parcel.bytes);
            match (parcel.batch, &parcel.origin) {
                (Batch::Rows(batch), Some(origin)) => {
                    let lacking = self.offer(writer, &batch, origin).await?;
                    rows -= lacking.rows;
                    refused = refused.plus(lacking);
                }
                (Batch::Rows(batch), None) => {
                    writer.write(Batch::Rows(self.to_write(batch)?)).await?;
                }
                (batch, _) => writer.write(batch).await?,
            }
            {
                let mut sum = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
                *sum = (sum.0 + rows, sum.1 + bytes);
            }
            let held = parcel.since.elapsed().as_secs_f64();
            let (table, worker) = (self.table.clone(), self.worker);
            self.job.events.emit(Event::Copied { table, worker, rows, bytes, held });
            failpoint::hit("copy.batch")?;
        }
        Ok(refused)
    }

    /// Offers a batch to the target, and halves of it down to the rows that are refused, in order.
    async fn offer(
        &self,
        writer: &mut dyn Writer,
        batch: &RecordBatch,
        origin: &Origin,
    ) -> Result<Fingerprint> {
        let mut refused = Fingerprint::default();
        let mut parts = vec![(0, batch.num_rows())];
        while let Some((start, length)) = parts.pop() {
            let part = batch.slice(start, length);
            let error = match writer.offer(self.to_write(part.clone())?).await {
                Ok(()) => continue,
                Err(error) if error.kind() == Kind::Data => error,
                Err(error) => return Err(error),
            };
            if length > 1 {
                let half = length / 2;
                parts.push((start + half, length - half));
                parts.push((start, half));
                continue;
            }
            refused.add_batch(&Batch::Rows(part))?;
            let row = origin.stays[start];
            let (place, cause) = (origin.before + row as u64 + 1, Error::chain(&error).join(": "));
            self.rejects().add((&origin.rows, row), place, &cause, None)?;
        }
        Ok(refused)
    }

    /// The columns of a batch that are written.
    fn to_write(&self, batch: RecordBatch) -> Result<RecordBatch> {
        match &self.written {
            None => Ok(batch),
            Some(columns) => project(&batch, columns),
        }
    }

    fn rejects(&self) -> MutexGuard<'_, Rejects<'a>> {
        self.rejects.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
