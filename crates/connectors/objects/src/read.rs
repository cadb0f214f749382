//! Reading parts of tables on a thread of their own.

use std::collections::BTreeSet;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;
use async_trait::async_trait;
use longshore_model::connector::Reader;
use longshore_model::{Batch, Code, Error, LogicalType, Result};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;

use crate::filter::Filter;
use crate::listing::DataFile;
use crate::options::{CsvStyle, Format};
use crate::partitions::Partition;
use crate::range::FileRange;
use crate::tree::{Stamp, Tree};
use crate::typed::TypedFile;
use crate::{csv, jsonl};

/// Names and types of the columns to read.
pub(crate) type Columns = [(String, LogicalType)];

/// Takes batches; `false` says that no more are wanted.
pub(crate) type Sink<'a> = dyn FnMut(RecordBatch) -> Result<bool> + 'a;

/// What is read.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) tree: Tree,
    pub(crate) parts: Vec<(FileRange, DataFile)>,
    pub(crate) columns: Vec<(String, LogicalType)>,
    pub(crate) batch_bytes: usize,
    pub(crate) text: TextRules,
    pub(crate) filter: Option<Selection>,
}

/// Which rows are wanted, and which columns: those that only the condition looks at come last and
/// are taken out again.
#[derive(Debug, Clone)]
pub(crate) struct Selection {
    filter: Filter,
    wanted: usize,
}

/// How text files are understood.
#[derive(Debug, Clone)]
pub(crate) struct TextRules {
    pub(crate) csv: CsvStyle,
    /// Whether longshore wrote the files: JSON and variants are strings in them.
    pub(crate) own: bool,
    /// The columns that the table has, where they are known: another key is an error.
    pub(crate) known: Option<BTreeSet<String>>,
}

/// The reading end of a job.
pub(crate) struct Stream {
    batches: mpsc::Receiver<Result<Parcel>>,
    /// The thread that reads; gone once it has ended well.
    work: Option<JoinHandle<()>>,
    in_hand: Option<std::sync::mpsc::Sender<()>>,
}

/// A batch on its way. While the consumer works on one that is larger than was asked for, because
/// its one row is, nothing is read ahead: `done` is dropped when it asks for the next.
struct Parcel {
    batch: Batch,
    done: Option<std::sync::mpsc::Sender<()>>,
}

impl Stream {
    /// Starts a job; it ends with its last batch, at its first error, or soon after the stream is
    /// dropped. The permit is held until then.
    pub(crate) fn start(job: Job, permit: OwnedSemaphorePermit) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let work = tokio::task::spawn_blocking(move || {
            let result = job.run(&mut |batch| {
                split(batch, job.batch_bytes, &mut |part| Ok(send(&sender, part, job.batch_bytes)))
            });
            if let Err(error) = result {
                // A receiver that is gone wants no error either.
                let _ = sender.blocking_send(Err(error));
            }
            drop(permit);
        });
        Self { batches, work: Some(work), in_hand: None }
    }
}

/// Sends a batch; `false` says that no more are wanted.
fn send(sender: &mpsc::Sender<Result<Parcel>>, rows: RecordBatch, batch_bytes: usize) -> bool {
    let large = rows.num_rows() == 1 && rows.get_array_memory_size() > 2 * batch_bytes;
    let (done, wait) = std::sync::mpsc::channel();
    let parcel = Parcel { batch: Batch::Rows(rows), done: large.then_some(done) };
    let sent = sender.blocking_send(Ok(parcel)).is_ok();
    if sent && large {
        // It only ever ends by being dropped.
        let _ = wait.recv();
    }
    sent
}

#[async_trait]
impl Reader for Stream {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.in_hand = None;
        let Some(Parcel { batch, done }) = self.batches.recv().await.transpose()? else {
            // A thread that broke down has not come to the end of the rows.
            let ended = match self.work.take() {
                Some(work) => work.await,
                None => Ok(()),
            };
            return ended.map(|()| None).map_err(|error| {
                Error::new(Code::Internal, "a thread of file work ended early").because(error)
            });
        };
        self.in_hand = done;
        Ok(Some(batch))
    }
}

impl Job {
    /// Lets only rows through that meet a condition.
    pub(crate) fn select(&mut self, filter: Filter) {
        let wanted = self.columns.len();
        for (name, logical) in filter.columns() {
            if !self.columns.iter().any(|(known, _)| known == name) {
                self.columns.push((name.clone(), logical.clone()));
            }
        }
        self.filter = Some(Selection { filter, wanted });
    }

    /// Reads every part in order.
    pub(crate) fn run(&self, sink: &mut Sink<'_>) -> Result<()> {
        for (range, file) in &self.parts {
            check_unchanged(&self.tree, &file.path, file.stamp)?;
            let go_on = match &self.filter {
                None => self.read(range, file, sink)?,
                Some(selection) => {
                    self.read(range, file, &mut |batch| match selection.apply(&batch)? {
                        Some(rows) => sink(rows),
                        None => Ok(true),
                    })?
                }
            };
            check_unchanged(&self.tree, &file.path, file.stamp)?;
            if !go_on {
                break;
            }
        }
        Ok(())
    }

    /// Reads a part of a file, with the columns that its folders name.
    fn read(&self, range: &FileRange, file: &DataFile, sink: &mut Sink<'_>) -> Result<bool> {
        if file.keys.is_empty() {
            return self.decode(range, file.format, sink);
        }
        let partition = Partition::new(file, &self.columns);
        let own = Job {
            tree: self.tree.clone(),
            parts: Vec::new(),
            columns: partition.own(),
            batch_bytes: self.batch_bytes,
            text: self.text.clone(),
            filter: None,
        };
        own.decode(range, file.format, &mut |batch| sink(partition.complete(&batch)?))
    }

    fn decode(&self, range: &FileRange, format: Format, sink: &mut Sink<'_>) -> Result<bool> {
        match format {
            Format::Parquet | Format::Arrow => TypedFile::open(&self.tree, &range.file, format)?
                .read(&self.columns, range.groups, self.batch_bytes, sink),
            Format::Csv => csv::read(self, range, sink),
            Format::Jsonl => jsonl::read(self, range, sink),
        }
    }
}

impl Selection {
    /// The wanted columns of the rows that meet the condition; `None` when there are none.
    fn apply(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let rows = self.filter.select(batch)?;
        if rows.num_rows() == 0 {
            return Ok(None);
        }
        let wanted: Vec<usize> = (0..self.wanted).collect();
        let rows = rows
            .project(&wanted)
            .map_err(|error| Error::new(Code::Internal, "a batch lacks a column").because(error))?;
        Ok(Some(rows))
    }
}

/// Refuses a file that is not as it was listed.
fn check_unchanged(tree: &Tree, path: &str, stamp: Stamp) -> Result<()> {
    if tree.stamp(path)?.is_some_and(|now| now.is_same(stamp)) {
        return Ok(());
    }
    Err(Error::new(Code::SourceChanged, "a file changed while it was read").with("file", path))
}

/// Passes a batch on in pieces that are not much larger than `limit`, down to single rows.
pub(crate) fn split(batch: RecordBatch, limit: usize, sink: &mut Sink<'_>) -> Result<bool> {
    let size = batch.get_array_memory_size();
    let rows = batch.num_rows();
    if rows <= 1 || size <= limit.saturating_mul(2) {
        return sink(batch);
    }
    let step = (rows / size.div_ceil(limit.max(1)).max(2)).max(1);
    let mut start = 0;
    while start < rows {
        let end = (start + step).min(rows);
        // A copy: a slice would keep the whole batch in memory.
        let indices = UInt64Array::from_iter_values((start..end).map(|row| row as u64));
        let part = take_record_batch(&batch, &indices)
            .map_err(|e| Error::new(Code::Internal, "a batch cannot be split").because(e))?;
        if !split(part, limit, sink)? {
            return Ok(false);
        }
        start = end;
    }
    Ok(true)
}
