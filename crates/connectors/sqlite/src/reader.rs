//! Reading rows: one thread per reader, always a batch ahead.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::DataType;
use async_trait::async_trait;
use longshore_model::connector::{ReadRequest, Reader};
use longshore_model::{Batch, BatchBuilder, Code, Error, LogicalType, Misfit, Result};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, InterruptHandle, Row};
use tokio::sync::mpsc;

use crate::open::failure;
use crate::range::{self, Condition, Part};
use crate::shape::Shape;
use crate::snapshot::Loan;
use crate::sql::quote;
use crate::study::check_filter;
use crate::value;

/// Batches that wait for the consumer. With the one in the making and the one at the consumer, a
/// reader holds three at most.
const AHEAD: usize = 1;

/// The most rows of a batch, whatever their size.
const MOST_ROWS: usize = 1 << 20;

/// A batch on its way. While the consumer works on one that is larger than was asked for, because
/// its one row is, nothing is read ahead: `done` is dropped when it asks for the next.
struct Parcel {
    batch: Batch,
    done: Option<std::sync::mpsc::Sender<()>>,
}

/// A stream of batches from one connection.
pub(crate) struct SqliteReader {
    batches: mpsc::Receiver<Result<Parcel>>,
    in_hand: Option<std::sync::mpsc::Sender<()>>,
    running: Arc<Mutex<Option<InterruptHandle>>>,
}

impl SqliteReader {
    /// Starts reading.
    pub(crate) fn start(loan: Loan, request: ReadRequest) -> Result<Self> {
        let (sender, batches) = mpsc::channel(AHEAD);
        let running = Arc::new(Mutex::new(Some(loan.connection().get_interrupt_handle())));
        let shared = running.clone();
        std::thread::Builder::new()
            .name("sqlite-read".to_string())
            .spawn(move || {
                if let Err(error) = read(loan.connection(), &request, &sender) {
                    // Nobody is left to tell when the reader was dropped.
                    let _ = sender.blocking_send(Err(error));
                }
                // From here on an interrupt would hit the connection's next reader.
                shared.lock().unwrap_or_else(PoisonError::into_inner).take();
                drop(loan);
            })
            .map_err(|error| Error::io("start a thread", "sqlite-read", error))?;
        Ok(Self { batches, in_hand: None, running })
    }
}

#[async_trait]
impl Reader for SqliteReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.in_hand = None;
        let Some(Parcel { batch, done }) = self.batches.recv().await.transpose()? else {
            return Ok(None);
        };
        self.in_hand = done;
        Ok(Some(batch))
    }
}

impl Drop for SqliteReader {
    fn drop(&mut self) {
        self.in_hand = None;
        self.batches.close();
        if let Some(handle) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }
}

/// A query with its parameters.
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

/// The query for some columns of a part of a table, in the table's own order and without a detour
/// over an index, which could need memory for sorting.
pub(crate) fn select(
    shape: &Shape,
    columns: &[String],
    part: Option<&Part>,
    filter: Option<&str>,
) -> Result<Query> {
    // With the table's name before it, a quoted name is never taken for a text.
    let table = quote(&shape.name);
    let mut list: Vec<String> =
        columns.iter().map(|column| format!("{table}.{}", quote(column))).collect();
    if list.is_empty() {
        list.push("NULL".to_string());
    }
    let Condition { mut sql, parameters } =
        part.map(|part| part.condition(shape)).transpose()?.unwrap_or_default();
    sql.extend(filter.map(|filter| format!("(\n{filter}\n)")));
    let mut text = format!("SELECT {} FROM {table} NOT INDEXED", list.join(", "));
    if !sql.is_empty() {
        text.push_str(" WHERE ");
        text.push_str(&sql.join(" AND "));
    }
    if let Some(order) = range::order(shape) {
        text.push_str(" ORDER BY ");
        text.push_str(&order);
    }
    Ok(Query { sql: text, parameters })
}

fn read(
    connection: &Connection,
    request: &ReadRequest,
    sender: &mpsc::Sender<Result<Parcel>>,
) -> Result<()> {
    let table = &request.table.name;
    let database = |error| failure("read a table", error).with("table", table.clone());
    let shape = Shape::find(connection, table)?.ok_or_else(|| gone("table", table))?;
    let names: Vec<String> = request.columns.iter().map(|(name, _)| name.clone()).collect();
    if let Some(missing) = names.iter().find(|name| shape.column(name).is_none()) {
        return Err(gone("column", &format!("{table}.{missing}")));
    }
    check_filter(connection, &shape, request.filter.as_deref())?;
    let part = Part::of(request.range.as_ref())?;
    let query = select(&shape, &names, part.as_ref(), request.filter.as_deref())?;
    let mut statement = connection.prepare(&query.sql).map_err(database)?;
    let mut rows =
        statement.query(rusqlite::params_from_iter(&query.parameters)).map_err(database)?;
    let mut builder =
        BatchBuilder::new(request.columns.iter().map(|(name, logical)| (name.as_str(), logical)));
    let wide: Vec<usize> = (0..request.columns.len())
        .filter(|index| {
            matches!(request.columns[*index].1.arrow(), DataType::Utf8 | DataType::Binary)
        })
        .collect();
    let numbers: Vec<bool> = request
        .columns
        .iter()
        .map(|(name, logical)| {
            matches!(logical, LogicalType::Float { .. })
                && shape.keeps_whole_floats_as_integers(name)
        })
        .collect();
    let mut number = 0_u64;
    while let Some(row) = rows.next().map_err(database)? {
        number += 1;
        let size = row_size(row, &wide).map_err(database)?;
        if builder.rows() > 0
            && builder.bytes() + size > request.batch_bytes
            && !send(sender, &mut builder, request.batch_bytes)?
        {
            return Ok(());
        }
        append_row(&mut builder, &numbers, row).map_err(|(column, misfit)| {
            unplanned(request, column, misfit).with("row", number.to_string())
        })?;
        let full = builder.bytes() >= request.batch_bytes || builder.rows() >= MOST_ROWS;
        if full && !send(sender, &mut builder, request.batch_bytes)? {
            return Ok(());
        }
    }
    if builder.rows() > 0 {
        // The reader may be gone by now, which is no error.
        send(sender, &mut builder, request.batch_bytes)?;
    }
    Ok(())
}

/// Sends what was built; `false` says that no more is wanted.
fn send(
    sender: &mpsc::Sender<Result<Parcel>>,
    builder: &mut BatchBuilder,
    batch_bytes: usize,
) -> Result<bool> {
    let large = builder.bytes() > 2 * batch_bytes;
    let (done, wait) = std::sync::mpsc::channel();
    let batch = Batch::Rows(builder.finish()?);
    let sent = sender.blocking_send(Ok(Parcel { batch, done: large.then_some(done) })).is_ok();
    if sent && large {
        // It only ever ends by being dropped.
        let _ = wait.recv();
    }
    Ok(sent)
}

/// What the values without a fixed width will take in a batch, about.
#[inline]
fn row_size(row: &Row<'_>, wide: &[usize]) -> rusqlite::Result<usize> {
    let mut size = 0;
    for index in wide {
        size += match row.get_ref(*index)? {
            ValueRef::Text(bytes) => bytes.len(),
            ValueRef::Blob(bytes) => 2 * bytes.len(),
            _ => 8,
        };
    }
    Ok(size)
}

#[inline]
fn append_row(
    builder: &mut BatchBuilder,
    numbers: &[bool],
    row: &Row<'_>,
) -> Result<(), (usize, Misfit)> {
    for (index, column) in builder.columns().iter_mut().enumerate() {
        let value = row.get_ref(index).map_err(|_| (index, Misfit::Kind("unknown")))?;
        let appended = match numbers[index] {
            true => value::append_number(column, value),
            false => value::append(column, value),
        };
        appended.map_err(|misfit| (index, misfit))?;
    }
    builder.end_row();
    Ok(())
}

fn unplanned(request: &ReadRequest, column: usize, misfit: Misfit) -> Error {
    let (name, logical) = &request.columns[column];
    let made = Error::new(Code::ValueUnplanned, format!("a value {}", misfit.describe()))
        .with("table", request.table.to_string())
        .with("column", name.clone())
        .with("planned", logical.to_string());
    match &request.range {
        // Keys are values; numbers of rows are not.
        Some(range) if range.get("rowid").is_some() => made.with("range", range.to_string()),
        _ => made,
    }
}

fn gone(what: &str, name: &str) -> Error {
    Error::new(Code::SourceChanged, format!("a {what} of the plan is not there any more"))
        .with("name", name)
}
