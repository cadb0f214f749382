//! Writing one chunk into one file, on a thread of its own.

use std::fs::File;
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::Table;
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::{Batch, Code, Error, LogicalType, Result, failpoint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::blocking;
use crate::csv::CsvWriter;
use crate::jsonl::JsonlWriter;
use crate::load::Claim;
use crate::options::{Format, WriteOptions};
use crate::parquet::ParquetWriter;
use crate::range::FileRange;
use crate::tree::{parent, temporary_name};

/// Where a chunk goes.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) claim: Arc<Claim>,
    /// The file, relative to the root.
    pub(crate) path: String,
    pub(crate) columns: Vec<(String, LogicalType)>,
    pub(crate) structure: Table,
    pub(crate) options: WriteOptions,
    pub(crate) memory: usize,
    /// Whether a file is kept that has no rows: the first of a table is, for other tools.
    pub(crate) keep_empty: bool,
}

/// Takes the batches of one chunk.
pub(crate) struct ChunkWriter {
    batches: mpsc::Sender<RecordBatch>,
    work: JoinHandle<Result<File>>,
    destination: Destination,
    rows: usize,
    committed: bool,
}

enum Encoder {
    Parquet(Box<ParquetWriter>),
    Csv(CsvWriter),
    Jsonl(JsonlWriter),
}

impl Encoder {
    fn new(file: File, destination: &Destination) -> Result<Self> {
        let columns = &destination.columns;
        Ok(match destination.options.format {
            Format::Parquet => Encoder::Parquet(Box::new(ParquetWriter::new(
                file,
                columns,
                &destination.structure,
                destination.options.compression,
                destination.memory,
            )?)),
            Format::Csv => Encoder::Csv(CsvWriter::new(file, columns)),
            Format::Jsonl => Encoder::Jsonl(JsonlWriter::new(file, columns)?),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Encoder::Parquet(writer) => writer.write(batch),
            Encoder::Csv(writer) => writer.write(batch),
            Encoder::Jsonl(writer) => writer.write(batch),
        }
    }

    fn finish(self) -> Result<File> {
        match self {
            Encoder::Parquet(writer) => writer.finish(),
            Encoder::Csv(writer) => writer.finish(),
            Encoder::Jsonl(writer) => writer.finish(),
        }
    }
}

impl ChunkWriter {
    pub(crate) fn start(destination: Destination) -> Self {
        let (batches, mut receiver) = mpsc::channel::<RecordBatch>(1);
        let target = destination.clone();
        let work = tokio::task::spawn_blocking(move || {
            let mut run = || -> Result<File> {
                let tree = &target.claim.tree;
                let path = tree.path(&temporary_name(&target.path))?;
                let file = File::create(&path)
                    .map_err(|error| Error::io("make a file", path.display(), error))?;
                let mut encoder = Encoder::new(file, &target)?;
                while let Some(batch) = receiver.blocking_recv() {
                    encoder.write(&batch)?;
                }
                encoder.finish()
            };
            run().map_err(|error| error.with("file", target.path.clone()))
        });
        Self { batches, work, destination, rows: 0, committed: false }
    }
}

#[async_trait]
impl Writer for ChunkWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(rows) = batch else {
            return Err(Error::new(Code::Internal, "files were sent rows in a wire format"));
        };
        self.rows += rows.num_rows();
        if self.batches.send(rows).await.is_ok() {
            return Ok(());
        }
        // The thread ended early, which it does only with an error.
        match (&mut self.work).await {
            Ok(Err(error)) => Err(error),
            _ => Err(Error::new(Code::Internal, "a thread of file work ended early")),
        }
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        let (closed, _) = mpsc::channel(1);
        self.batches = closed;
        let file = (&mut self.work).await.map_err(|error| {
            Error::new(Code::Internal, "a thread of file work ended early").because(error)
        })??;
        self.committed = true;
        let destination = self.destination.clone();
        let rows = self.rows;
        blocking(move || publish(&destination, &file, rows, entry)).await
    }
}

impl Drop for ChunkWriter {
    fn drop(&mut self) {
        if !self.committed {
            // Best effort: what stays is removed when the target is claimed again.
            let _ =
                self.destination.claim.tree.remove_file(&temporary_name(&self.destination.path));
        }
    }
}

/// Makes file and entry durable. A crash between the two leaves a file without entry, which the
/// chunk's next writer replaces because the name is the same.
fn publish(destination: &Destination, file: &File, rows: usize, mut entry: Entry) -> Result<()> {
    let tree = &destination.claim.tree;
    let path = destination.path.as_str();
    let temporary = temporary_name(path);
    if rows > 0 || destination.keep_empty {
        file.sync_all().map_err(|error| Error::io("make a file durable", path, error))?;
        failpoint::hit("files.before-rename")?;
        tree.publish(&temporary, path)?;
        entry.range = Some(FileRange::whole(path).to_json());
    } else {
        tree.remove_file(&temporary)?;
        tree.remove_file(path)?;
        tree.sync_folder(parent(path))?;
        entry.range = None;
    }
    failpoint::hit("files.after-rename")?;
    destination.claim.put_entry(&entry)?;
    failpoint::hit("files.after-entry")
}
