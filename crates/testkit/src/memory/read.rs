//! Reading from a store.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{
    ReadRequest, Reader, SharedSource, Snapshot, Source, Study, StudyRequest,
};
use longshore_model::plan::{Chunk, Position, Range};
use longshore_model::{
    Batch, BatchBuilder, Cell, Code, ColumnBuilder, ColumnView, Error, LogicalType, Misfit, Result,
};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::wire::{self, WIRE};
use super::{State, Store, Stored, defect, missing};

pub(crate) struct MemorySource {
    store: Store,
}

struct MemorySnapshot {
    store: Store,
    tables: Vec<Stored>,
    position: Position,
    readers: Arc<Semaphore>,
}

struct MemoryReader {
    batches: std::vec::IntoIter<RecordBatch>,
    current: Option<(RecordBatch, usize)>,
    filter: Option<Filter>,
    columns: Vec<(String, LogicalType)>,
    batch_bytes: usize,
    wire: bool,
    _permit: OwnedSemaphorePermit,
}

/// `column > integer`, the one condition that a store evaluates.
#[derive(Clone)]
struct Filter {
    column: String,
    above: i64,
}

impl MemorySource {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }
}

#[async_trait]
impl Source for MemorySource {
    async fn catalog(&self) -> Result<Catalog> {
        Ok(Catalog {
            dialect: "memory".to_string(),
            tables: self.store.tables(),
            ..Catalog::default()
        })
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let types = request
            .columns
            .iter()
            .map(|name| {
                let column = request.table.column(name);
                column.map(|c| c.logical.clone()).ok_or_else(|| {
                    Error::new(Code::SourceChanged, "a column is gone").with("column", name.clone())
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let filter = request.filter.map(Filter::parse).transpose()?;
        let batches = {
            let state = self.store.lock();
            let stored = state.tables.get(&request.table.name);
            all_rows(stored.ok_or_else(|| missing(&request.table.name))?)
        };
        let chunks = cut(&batches, filter.as_ref(), request.chunk_bytes)?;
        let offered = request.table.attributes.contains_key(WIRE);
        let wires = if offered { vec![WIRE.to_string()] } else { Vec::new() };
        Ok(Study { types, chunks, wires, notes: Vec::new() })
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        let state = self.store.lock();
        Ok(Box::new(MemorySnapshot {
            tables: state.tables.values().cloned().collect(),
            position: position(&state),
            readers: Arc::new(Semaphore::new(readers)),
            store: self.store.clone(),
        }))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}

#[async_trait]
impl Snapshot for MemorySnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let permit = self.readers.clone().acquire_owned().await;
        let stored = self.tables.iter().find(|stored| stored.table.name == request.table);
        let stored = stored.ok_or_else(|| missing(&request.table))?;
        Ok(Box::new(MemoryReader {
            batches: part(stored, request.range.as_ref())?.into_iter(),
            current: None,
            filter: request.filter.as_deref().map(Filter::parse).transpose()?,
            columns: request.columns.clone(),
            batch_bytes: request.batch_bytes,
            wire: request.wire.is_some(),
            _permit: permit.map_err(|_| defect("the snapshot has ended"))?,
        }))
    }

    async fn current_position(&self) -> Result<Position> {
        Ok(position(&self.store.lock()))
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Reader for MemoryReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        let mut out = BatchBuilder::new(self.columns.iter().map(|(n, l)| (n.as_str(), l)));
        loop {
            let (batch, start) = match self.current.take() {
                Some(current) => current,
                None => match self.batches.next() {
                    Some(batch) => (batch, 0),
                    None if out.rows() == 0 => return Ok(None),
                    None => return self.batch(&mut out).map(Some),
                },
            };
            let end = self.fill(&batch, start, &mut out)?;
            if end < batch.num_rows() {
                self.current = Some((batch, end));
                return self.batch(&mut out).map(Some);
            }
        }
    }
}

impl MemoryReader {
    fn batch(&self, rows: &mut BatchBuilder) -> Result<Batch> {
        let rows = rows.finish()?;
        match self.wire {
            true => wire::encode(&rows, &self.columns).map(Batch::Wire),
            false => Ok(Batch::Rows(rows)),
        }
    }

    /// Takes rows from `start` on until the batch is full; returns the first that was not taken.
    fn fill(&self, batch: &RecordBatch, start: usize, out: &mut BatchBuilder) -> Result<usize> {
        let views = self.columns.iter().map(|(name, _)| view(batch, name));
        let views = views.collect::<Result<Vec<_>>>()?;
        let filter = self.filter.as_ref().map(|filter| filter.bind(batch)).transpose()?;
        for row in start..batch.num_rows() {
            if filter.as_ref().is_some_and(|keep| !keep(row)) {
                continue;
            }
            let size: usize = views.iter().map(|(_, view)| cell_bytes(&view.cell(row))).sum();
            if out.rows() > 0 && out.bytes() + size > self.batch_bytes {
                return Ok(row);
            }
            for ((logical, view), builder) in views.iter().zip(out.columns()) {
                append(logical, view.cell(row), builder).map_err(|misfit| {
                    Error::new(Code::ValueUnplanned, format!("a value {}", misfit.describe()))
                        .with("row", row.to_string())
                })?;
            }
            out.end_row();
        }
        Ok(batch.num_rows())
    }
}

impl Filter {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::new(Code::SpecInvalid, "a store evaluates only `column > integer`")
                .with("condition", text)
        };
        let (column, above) = text.split_once('>').ok_or_else(wrong)?;
        Ok(Self {
            column: column.trim().trim_matches('"').to_string(),
            above: above.trim().parse().map_err(|_| wrong())?,
        })
    }

    fn bind<'a>(&self, batch: &'a RecordBatch) -> Result<impl Fn(usize) -> bool + 'a> {
        let (_, view) = view(batch, &self.column)?;
        let above = self.above;
        Ok(move |row| match view.cell(row) {
            Cell::Int(value) => value > above,
            Cell::UInt(value) => i64::try_from(value).map_or(true, |value| value > above),
            _ => false,
        })
    }
}

fn position(state: &State) -> Position {
    Position(format!("version {}", state.version))
}

fn all_rows(stored: &Stored) -> Vec<RecordBatch> {
    stored.segments.iter().flat_map(|segment| segment.batches.iter().cloned()).collect()
}

/// The batches of a part: `{"rows": [first, end or null]}` or `{"chunk": number or null}`.
fn part(stored: &Stored, range: Option<&Range>) -> Result<Vec<RecordBatch>> {
    let Some(range) = range else { return Ok(all_rows(stored)) };
    if let Some(chunk) = range.get("chunk") {
        let chunk = chunk.as_u64().and_then(|chunk| usize::try_from(chunk).ok());
        let segments = stored.segments.iter().filter(|segment| segment.chunk == chunk);
        return Ok(segments.flat_map(|segment| segment.batches.iter().cloned()).collect());
    }
    let bound = |index: usize| range.get("rows")?.get(index)?.as_u64();
    let limit = |bound: Option<u64>| bound.and_then(|b| usize::try_from(b).ok());
    let first = limit(bound(0)).ok_or_else(|| defect("a range without rows"))?;
    let end = limit(bound(1)).unwrap_or(usize::MAX);
    let mut offset = 0;
    let mut batches = Vec::new();
    for batch in all_rows(stored) {
        let (from, to) = (first.max(offset), end.min(offset + batch.num_rows()));
        if from < to {
            batches.push(batch.slice(from - offset, to - from));
        }
        offset += batch.num_rows();
    }
    Ok(batches)
}

fn cut(batches: &[RecordBatch], filter: Option<&Filter>, chunk_bytes: u64) -> Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let (mut first, mut at, mut rows, mut bytes) = (0_u64, 0_u64, 0_u64, 0_u64);
    for batch in batches {
        let fields = batch.schema();
        let views = fields.fields().iter().map(|field| view(batch, field.name()));
        let views = views.collect::<Result<Vec<_>>>()?;
        let filter = filter.map(|filter| filter.bind(batch)).transpose()?;
        for row in 0..batch.num_rows() {
            if rows > 0 && bytes >= chunk_bytes {
                chunks.push(Chunk { range: json!({"rows": [first, at]}), rows, bytes });
                (first, rows, bytes) = (at, 0, 0);
            }
            at += 1;
            if filter.as_ref().is_none_or(|keep| keep(row)) {
                rows += 1;
                let size: usize = views.iter().map(|(_, view)| cell_bytes(&view.cell(row))).sum();
                bytes += size as u64;
            }
        }
    }
    chunks.push(Chunk { range: json!({"rows": [first, null]}), rows, bytes });
    Ok(chunks)
}

fn view<'a>(batch: &'a RecordBatch, name: &str) -> Result<(LogicalType, ColumnView<'a>)> {
    let changed = || Error::new(Code::SourceChanged, "a column is gone").with("column", name);
    let (index, field) = batch.schema_ref().column_with_name(name).ok_or_else(changed)?;
    let logical = LogicalType::of_field(field).ok_or_else(|| defect("a column without type"))?;
    let view = ColumnView::new(&logical, batch.column(index))?;
    Ok((logical, view))
}

/// A variant is stored as its literal, which must not become the text of another.
fn append(logical: &LogicalType, cell: Cell<'_>, out: &mut ColumnBuilder) -> Result<(), Misfit> {
    match cell {
        Cell::Text(literal) if *logical == LogicalType::Variant => out.parse(literal),
        cell => out.append(cell),
    }
}

fn cell_bytes(cell: &Cell<'_>) -> usize {
    match cell {
        Cell::Text(text) => 8 + text.len(),
        Cell::Bytes(bytes) => 8 + bytes.len(),
        _ => 8,
    }
}
