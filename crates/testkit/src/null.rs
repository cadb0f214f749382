//! An instrument for measuring, and no system: `null:NAME` as a target counts what reaches it and
//! forgets it, with a ledger in the memory of this process; as a source it repeats one prepared
//! batch, without copying. Nothing that went into it can be read back or verified, so it belongs to
//! tests and benchmarks only and is never in the list of connectors of a build.

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::{Catalog, Column, Table, TableName};
use longshore_model::connector::{
    About, Connector, ReadRequest, Reader, Repair, SharedSource, Snapshot, Source,
    SourceCapabilities, Study, StudyRequest, Target, TargetCapabilities,
};
use longshore_model::names::Names;
use longshore_model::plan::{Chunk, Position};
use longshore_model::{
    Batch, BatchBuilder, Cell, Code, ColumnBuilder, Endpoint, Error, LogicalType, Misfit, Result,
};
use serde_json::json;

use crate::memory::{Counts, MemoryTarget, Store};

/// The connector for `null:NAME`.
pub struct Null;

/// Rows in the table of the source repeat after this many.
pub const PERIOD: usize = 1024;

static ABOUT: About = About {
    name: "null",
    title: "Nothing, for measuring",
    chosen_by: None,
    local: false,
    port: None,
    schemes: &["null"],
    example: "null:bench?rows=1000000",
    options: &[("rows", "rows in each table of the source"), ("tables", "number of tables")],
    variables: &[],
    source: SourceCapabilities {
        filter: false,
        open_ended: true,
        dialect: "",
        restart: "The rows are always the same.",
    },
    target: TargetCapabilities {
        writers: None,
        repair: Repair::Chunks,
        dialect: "",
        wires: &[],
        namespaces: true,
        merges: false,
        shared: false,
        names: Names::EXACT,
    },
};

/// What reached `null:NAME` since its load began.
pub fn counts(name: &str) -> Counts {
    store(name).counts()
}

/// What `null:NAME` keeps: its ledger and the names of its tables.
pub fn store(name: &str) -> Store {
    Store::named(&store_name(name))
}

fn store_name(name: &str) -> String {
    format!("null:{name}")
}

#[derive(Clone, Copy)]
struct NullSource {
    rows: u64,
    tables: u64,
}

struct NullSnapshot {
    source: NullSource,
    position: Position,
}

struct NullReader {
    template: RecordBatch,
    at: u64,
    end: u64,
}

#[async_trait]
impl Connector for Null {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        endpoint.allow_options(&["rows", "tables"])?;
        let number = |key: &str, missing| match endpoint.options().get(key) {
            None => Ok(missing),
            Some(text) => text.parse().map_err(|_| {
                Error::new(Code::UrlInvalid, "an option is not a number").with("option", key)
            }),
        };
        Ok(Box::new(NullSource { rows: number("rows", 0)?, tables: number("tables", 1)? }))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        endpoint.allow_options(&["rows", "tables"])?;
        Ok(Box::new(MemoryTarget::new(store_name(&endpoint.path()?), false)))
    }
}

#[async_trait]
impl Source for NullSource {
    async fn catalog(&self) -> Result<Catalog> {
        let column = |name: &str, logical| Column::new(name, logical);
        let table = |index| Table {
            name: TableName::plain(format!("t{index}")),
            columns: COLUMNS.map(|(name, logical)| column(name, logical)).to_vec(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            native: None,
            rows_elsewhere: false,
            comment: None,
            attributes: Default::default(),
        };
        Ok(Catalog { tables: (0..self.tables).map(table).collect(), ..Catalog::default() })
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let types = request.columns.iter().map(|name| Ok(column_type(name)?.clone()));
        let row_bytes = 100;
        let step = (request.chunk_bytes / row_bytes).max(1);
        let starts = (0..self.rows.max(1)).step_by(usize::try_from(step).unwrap_or(usize::MAX));
        let chunk = |first: u64| {
            let end = (first + step).min(self.rows);
            let rows = end - first;
            Chunk { range: json!({"rows": [first, end]}), rows, bytes: rows * row_bytes }
        };
        Ok(Study {
            types: types.collect::<Result<_>>()?,
            chunks: starts.map(chunk).collect(),
            wires: Vec::new(),
            notes: Vec::new(),
        })
    }

    async fn snapshot(&self, _readers: usize) -> Result<Box<dyn Snapshot>> {
        let position = Position(format!("{} rows", self.rows));
        Ok(Box::new(NullSnapshot { source: *self, position }))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}

#[async_trait]
impl Snapshot for NullSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let bound = |index: usize| request.range.as_ref()?.get("rows")?.get(index)?.as_u64();
        let template = template(&request.columns, request.batch_bytes)?;
        let end = bound(1).unwrap_or(self.source.rows);
        Ok(Box::new(NullReader { template, at: bound(0).unwrap_or(0), end }))
    }

    async fn current_position(&self) -> Result<Position> {
        Ok(self.position.clone())
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl Reader for NullReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.at >= self.end {
            return Ok(None);
        }
        let rows = self.template.num_rows();
        let offset = usize::try_from(self.at % rows as u64).expect("less than a batch has rows");
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = left.min(rows - offset);
        self.at += length as u64;
        Ok(Some(Batch::Rows(self.template.slice(offset, length))))
    }
}

const COLUMNS: [(&str, LogicalType); 4] = [
    ("id", LogicalType::INT64),
    ("amount", LogicalType::FLOAT64),
    ("name", LogicalType::Text),
    ("data", LogicalType::Bytes),
];

fn column_type(name: &str) -> Result<&'static LogicalType> {
    const FOUND: &[(&str, LogicalType)] = &COLUMNS;
    FOUND
        .iter()
        .find(|(other, _)| *other == name)
        .map(|(_, logical)| logical)
        .ok_or_else(|| Error::new(Code::NotFound, "there is no such column").with("column", name))
}

/// A batch of whole periods, about as large as asked for; every row of the table is one of them.
fn template(columns: &[(String, LogicalType)], batch_bytes: usize) -> Result<RecordBatch> {
    let mut builder = BatchBuilder::new(columns.iter().map(|(name, logical)| (&**name, logical)));
    while builder.rows() == 0 || builder.bytes() < batch_bytes / 2 {
        for row in 0..PERIOD {
            for ((name, _), column) in columns.iter().zip(builder.columns()) {
                append(name, row, column).map_err(|misfit| {
                    Error::new(Code::ValueUnplanned, format!("a value {}", misfit.describe()))
                        .with("column", name.clone())
                })?;
            }
            builder.end_row();
        }
    }
    builder.finish()
}

fn append(name: &str, row: usize, column: &mut ColumnBuilder) -> Result<(), Misfit> {
    let number = i64::try_from(row).expect("a row of one period");
    match name {
        "id" => column.append(Cell::Int(number)),
        "amount" => column.append(Cell::Float(number as f64 * 0.25)),
        "name" => column.append(Cell::Text(&format!("customer number {row:024}"))),
        _ => column.append(Cell::Bytes(&[u8::try_from(row % 256).expect("a byte"); 32])),
    }
}
