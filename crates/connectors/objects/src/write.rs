//! Writing one chunk into one file, on a thread of its own.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::Table;
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::{Batch, Code, Error, LogicalType, Result, failpoint};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::arrow::ArrowWriter;
use crate::blocking;
use crate::csv::CsvWriter;
use crate::jsonl::JsonlWriter;
use crate::load::Claim;
use crate::new_file::NewFile;
use crate::options::{Format, WriteOptions};
use crate::packing::Packer;
use crate::parquet::ParquetWriter;
use crate::range::FileRange;
use crate::tree::parent;

/// A row of this size is encoded before the next is taken.
const LARGE_ROW: usize = 1 << 20;

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
    /// What a row of the chunk takes on average, as planned.
    pub(crate) row_bytes: u64,
    /// Where an upload is written down as long as it is under way, in a store.
    pub(crate) record: String,
    /// Whether a file is kept that has no rows: the first of a table is, for other tools.
    pub(crate) keep_empty: bool,
}

/// Takes the batches of one chunk. The thread behind it knows nothing of the claim, which ends
/// with the load even while the thread of a dropped writer still runs.
pub(crate) struct ChunkWriter {
    batches: mpsc::Sender<Message>,
    work: JoinHandle<Result<NewFile>>,
    destination: Destination,
    rows: usize,
}

enum Message {
    /// Rows, and whom to tell when they are encoded.
    Rows(RecordBatch, Option<oneshot::Sender<()>>),
    End,
}

enum Encoder {
    Parquet(Box<ParquetWriter>),
    Csv(CsvWriter),
    Jsonl(JsonlWriter),
    Arrow(Box<ArrowWriter>),
}

impl Encoder {
    fn new(file: NewFile, destination: &Destination) -> Result<Self> {
        let columns = &destination.columns;
        let packed = |file| {
            Packer::new(file, destination.options.packing())
                .map_err(|error| Error::io("write a file", "", error))
        };
        Ok(match destination.options.format {
            Format::Parquet => Encoder::Parquet(Box::new(ParquetWriter::new(
                file,
                columns,
                &destination.structure,
                destination.options.compression,
                destination.memory,
                destination.row_bytes,
            )?)),
            Format::Arrow => Encoder::Arrow(Box::new(ArrowWriter::new(
                file,
                columns,
                &destination.structure,
                destination.options.compression,
            )?)),
            Format::Csv => Encoder::Csv(CsvWriter::new(packed(file)?, columns)),
            Format::Jsonl => Encoder::Jsonl(JsonlWriter::new(packed(file)?, columns)?),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Encoder::Parquet(writer) => writer.write(batch),
            Encoder::Csv(writer) => writer.write(batch),
            Encoder::Jsonl(writer) => writer.write(batch),
            Encoder::Arrow(writer) => writer.write(batch),
        }
    }

    fn finish(self) -> Result<NewFile> {
        match self {
            Encoder::Parquet(writer) => writer.finish(),
            Encoder::Csv(writer) => writer.finish(),
            Encoder::Jsonl(writer) => writer.finish(),
            Encoder::Arrow(writer) => writer.finish(),
        }
    }
}

impl ChunkWriter {
    /// Makes the temporary file and starts the thread.
    pub(crate) fn start(destination: Destination) -> Result<Self> {
        let file = destination.claim.tree.create(&destination.path, &destination.record)?;
        let path = destination.path.clone();
        let encoder =
            Encoder::new(file, &destination).map_err(|error| error.with("file", path.clone()))?;
        let (batches, receiver) = mpsc::channel(1);
        let work = tokio::task::spawn_blocking(move || {
            encode(encoder, receiver).map_err(|error| error.with("file", path))
        });
        Ok(Self { batches, work, destination, rows: 0 })
    }

    async fn send(&mut self, message: Message) -> Result<()> {
        if self.batches.send(message).await.is_ok() {
            return Ok(());
        }
        // The thread ended early, which it does only with an error.
        self.ended().await?;
        Err(Error::new(Code::Internal, "a thread of file work ended early"))
    }

    async fn ended(&mut self) -> Result<NewFile> {
        (&mut self.work).await.map_err(|error| {
            Error::new(Code::Internal, "a thread of file work ended early").because(error)
        })?
    }
}

fn encode(mut encoder: Encoder, mut messages: mpsc::Receiver<Message>) -> Result<NewFile> {
    while let Some(message) = messages.blocking_recv() {
        match message {
            Message::Rows(batch, encoded) => {
                encoder.write(&batch)?;
                drop(batch);
                // Nobody waits after a writer was dropped.
                let _ = encoded.map(|encoded| encoded.send(()));
            }
            Message::End => return encoder.finish(),
        }
    }
    Err(Error::new(Code::Cancelled, "a chunk was given up"))
}

#[async_trait]
impl Writer for ChunkWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(rows) = batch else {
            return Err(Error::new(Code::Internal, "files were sent rows in a wire format"));
        };
        self.rows += rows.num_rows();
        // A large row is encoded before the caller may free memory for the next.
        let (encoded, wait) = oneshot::channel();
        let large = rows.num_rows() == 1 && rows.get_array_memory_size() >= LARGE_ROW;
        self.send(Message::Rows(rows, large.then_some(encoded))).await?;
        if large && wait.await.is_err() {
            self.ended().await?;
            return Err(Error::new(Code::Internal, "a thread of file work ended early"));
        }
        Ok(())
    }

    /// A file refuses no row.
    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        self.write(Batch::Rows(batch)).await
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        self.send(Message::End).await?;
        let file = self.ended().await?;
        // From here on the work goes to its end even when nobody waits for it.
        let (destination, rows) = (self.destination.clone(), self.rows);
        blocking(move || publish(&destination, file, rows, entry)).await
    }
}

/// Makes file and entry durable. A crash between the two leaves a file without entry, which the
/// chunk's next writer replaces because the name is the same.
fn publish(
    destination: &Destination,
    mut file: NewFile,
    rows: usize,
    mut entry: Entry,
) -> Result<()> {
    let tree = &destination.claim.tree;
    let path = destination.path.as_str();
    if rows > 0 || destination.keep_empty {
        file.sync()?;
        destination.claim.remove_entry(&entry)?;
        failpoint::hit("files.before-rename")?;
        file.publish(tree, path)?;
        entry.range = Some(FileRange::whole(path).to_json());
    } else {
        destination.claim.remove_entry(&entry)?;
        file.discard()?;
        tree.remove_file(path)?;
        tree.sync_folder(parent(path))?;
        entry.range = None;
    }
    failpoint::hit("files.after-rename")?;
    destination.claim.put_entry(&entry)?;
    failpoint::hit("files.after-entry")
}
