//! Writing one chunk: rows and entry in one transaction, on a thread of its own so that inserting
//! overlaps with reading.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::{WriteRequest, Writer};
use longshore_model::ledger::Entry;
use longshore_model::plan::{Chunk, TablePlan};
use longshore_model::{Batch, Code, ColumnView, Error, LogicalType, Misfit, Result, failpoint};
use rusqlite::{Connection, Statement};
use tokio::sync::{mpsc, oneshot};

use crate::open::target_failure;
use crate::range::Span;
use crate::shape::Shape;
use crate::sql::{quote, quote_all};
use crate::{ledger, value};

/// The most memory of the page cache.
const MOST_CACHE: usize = 64 << 20;
/// The least, with which SQLite still works well.
const LEAST_CACHE: usize = 2 << 20;

/// A row of this size is stored before the next is taken.
const LARGE_ROW: usize = 1 << 20;

/// Writes one chunk.
pub(crate) struct SqliteWriter {
    commands: mpsc::Sender<Command>,
    done: oneshot::Receiver<Result<()>>,
}

enum Command {
    /// Rows, and whom to tell when they are stored.
    Rows(RecordBatch, Option<oneshot::Sender<()>>),
    /// Rows of which all are stored or none, and whom to tell.
    Offer(RecordBatch, oneshot::Sender<Result<()>>),
    Commit(Box<Entry>),
}

/// What the thread works on.
struct Job {
    table: TablePlan,
    table_index: usize,
    chunk_index: usize,
    cache: usize,
}

impl SqliteWriter {
    /// Starts the thread; it begins when the writer before it has ended.
    pub(crate) fn start(
        connection: Arc<Mutex<Connection>>,
        request: &WriteRequest<'_>,
    ) -> Result<Self> {
        let row = request.table.chunks.get(request.chunk_index).map_or(0, Chunk::row_bytes);
        let cache = request.memory.saturating_sub(usize::try_from(row).unwrap_or(usize::MAX)) / 2;
        let job = Job {
            table: TablePlan { chunks: Vec::new(), ..request.table.clone() },
            table_index: request.table_index,
            chunk_index: request.chunk_index,
            cache: cache.clamp(LEAST_CACHE, MOST_CACHE),
        };
        let (commands, receiver) = mpsc::channel(1);
        let (sender, done) = oneshot::channel();
        std::thread::Builder::new()
            .name("sqlite-write".to_string())
            .spawn(move || {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                let result = write_chunk(&connection, &job, receiver);
                if !connection.is_autocommit() {
                    // It happens at the latest when the connection closes.
                    let _ = connection.execute_batch("ROLLBACK");
                }
                drop(connection);
                // Nobody waits for the end of a writer that was dropped.
                let _ = sender.send(result);
            })
            .map_err(|error| Error::io("start a thread", "sqlite-write", error))?;
        Ok(Self { commands, done })
    }

    async fn failure(&mut self) -> Error {
        match (&mut self.done).await {
            Ok(Err(error)) => error,
            _ => Error::new(Code::Internal, "a writer of SQLite ended early"),
        }
    }
}

#[async_trait]
impl Writer for SqliteWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(rows) = batch else {
            return Err(Error::new(Code::Internal, "SQLite has no wire format"));
        };
        // A large row is stored before the caller may free memory for the next.
        let (stored, wait) = oneshot::channel();
        let large = rows.num_rows() == 1 && rows.get_array_memory_size() >= LARGE_ROW;
        if self.commands.send(Command::Rows(rows, large.then_some(stored))).await.is_err()
            || large && wait.await.is_err()
        {
            return Err(self.failure().await);
        }
        Ok(())
    }

    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        let (sender, answer) = oneshot::channel();
        if self.commands.send(Command::Offer(batch, sender)).await.is_err() {
            return Err(self.failure().await);
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => Err(self.failure().await),
        }
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        if self.commands.send(Command::Commit(Box::new(entry))).await.is_err() {
            return Err(self.failure().await);
        }
        match self.done.await {
            Ok(result) => result,
            Err(_) => Err(Error::new(Code::Internal, "a writer of SQLite ended early")),
        }
    }
}

/// Takes commands until the commit. A writer that is dropped ends without one.
fn write_chunk(
    connection: &Connection,
    job: &Job,
    mut commands: mpsc::Receiver<Command>,
) -> Result<()> {
    let table = &job.table.target.name;
    let database = |error| target_failure("write a chunk", error).with("table", table.clone());
    connection
        .execute_batch(&format!("PRAGMA cache_size = -{}; BEGIN IMMEDIATE", job.cache / 1024))
        .map_err(database)?;
    if ledger::has_entry(connection, job.table_index, job.chunk_index)? {
        return Err(Error::new(Code::Internal, "a chunk is written a second time")
            .with("table", table.clone())
            .with("chunk", job.chunk_index.to_string()));
    }
    let shape = Shape::get(connection, table)?;
    let types: Vec<&LogicalType> = job.table.columns.iter().map(|column| &column.to).collect();
    let mut insert = connection.prepare(&insert_sql(&job.table)).map_err(database)?;
    let mut span = None;
    while let Some(command) = commands.blocking_recv() {
        match command {
            Command::Rows(batch, stored) => {
                insert_rows(connection, &mut insert, &types, &batch, |rowid| {
                    if !shape.without_rowid {
                        span = Span::with(span, rowid);
                    }
                })
                .map_err(|error| error.with("table", table.clone()))?;
                drop(batch);
                // Nobody waits after a writer was dropped.
                let _ = stored.map(|stored| stored.send(()));
            }
            Command::Offer(batch, answer) => {
                let before = span;
                connection.execute_batch("SAVEPOINT offered").map_err(database)?;
                let stored = insert_rows(connection, &mut insert, &types, &batch, |rowid| {
                    if !shape.without_rowid {
                        span = Span::with(span, rowid);
                    }
                })
                .map_err(|error| error.with("table", table.clone()));
                if stored.is_err() {
                    span = before;
                    connection.execute_batch("ROLLBACK TO offered").map_err(database)?;
                }
                connection.execute_batch("RELEASE offered").map_err(database)?;
                // Nobody waits after a writer was dropped.
                let _ = answer.send(stored);
            }
            Command::Commit(mut entry) => {
                entry.range = span.map(Span::to_range).transpose()?;
                ledger::add(connection, &entry)?;
                failpoint::hit("sqlite.before-commit")?;
                connection.execute_batch("COMMIT").map_err(database)?;
                return failpoint::hit("sqlite.after-commit");
            }
        }
    }
    Ok(())
}

/// The statement that inserts one row of a table.
pub(crate) fn insert_sql(table: &TablePlan) -> String {
    let name = quote(&table.target.name);
    if table.columns.is_empty() {
        return format!("INSERT INTO {name} DEFAULT VALUES");
    }
    let columns = quote_all(table.columns.iter().map(|column| column.target.as_str()));
    let marks = vec!["?"; table.columns.len()].join(",");
    format!("INSERT INTO {name} ({columns}) VALUES ({marks})")
}

/// Inserts every row of a batch and tells the number that each got.
pub(crate) fn insert_rows(
    connection: &Connection,
    insert: &mut Statement<'_>,
    types: &[&LogicalType],
    batch: &RecordBatch,
    mut inserted: impl FnMut(i64),
) -> Result<()> {
    let views = views(types, batch)?;
    for row in 0..batch.num_rows() {
        for (index, (view, logical)) in views.iter().zip(types).enumerate() {
            let stored = value::store(logical, view.cell(row))
                .map_err(|misfit| refused(batch, index, misfit))?;
            insert
                .raw_bind_parameter(index + 1, &stored)
                .map_err(|error| target_failure("insert a row", error))?;
        }
        insert.raw_execute().map_err(|error| target_failure("insert a row", error))?;
        if batch.num_rows() == 1 {
            // SQLite keeps its copy of a row until the next is bound.
            insert.clear_bindings();
        }
        inserted(connection.last_insert_rowid());
    }
    Ok(())
}

/// The columns of a batch, by the plan's types.
pub(crate) fn views<'a>(
    types: &[&LogicalType],
    batch: &'a RecordBatch,
) -> Result<Vec<ColumnView<'a>>> {
    if types.len() != batch.num_columns() {
        return Err(Error::new(Code::Internal, "a batch has not the columns of the plan"));
    }
    types
        .iter()
        .zip(batch.columns())
        .map(|(logical, array)| ColumnView::new(logical, array))
        .collect()
}

fn refused(batch: &RecordBatch, column: usize, misfit: Misfit) -> Error {
    Error::new(Code::ValueRefused, format!("a value {} in SQLite", misfit.describe()))
        .with("column", batch.schema().field(column).name().clone())
}
