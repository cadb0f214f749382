//! The study of a table: how many rows it has, whether its dates are dates, and where to cut it.

use longshore_model::connector::{Study, StudyRequest};
use longshore_model::plan::{Chunk, Range};
use longshore_model::{Code, Error, LogicalType, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::columns::{self, NativeColumn};
use crate::failure::{failure, selection};
use crate::range::Part;
use crate::session::{cell, number, rows};
use crate::sql::{literal, quote};
use crate::{reader, types};

/// Rows whose lengths are measured; those of smaller tables all are.
const MEASURED: u64 = 10_000;

/// Parts of a table without a key: each of them passes over those before it.
const MOST_PARTS: u64 = 16;

/// What a row takes beside its values, about.
const ROW_BYTES: u64 = 20;

/// Studies a table.
pub(crate) async fn study(conn: &mut Conn, request: &StudyRequest<'_>) -> Result<Study> {
    let name = request.table.name.name.as_str();
    studied(conn, name, request).await.map_err(|error| error.with("table", name))
}

async fn studied(conn: &mut Conn, name: &str, request: &StudyRequest<'_>) -> Result<Study> {
    let all = columns::of_table(conn, name).await?;
    let columns = request
        .columns
        .iter()
        .map(|wanted| {
            all.iter().find(|column| column.name == *wanted).ok_or_else(|| {
                Error::new(Code::SourceChanged, "a column is no longer there")
                    .with("column", wanted.clone())
            })
        })
        .collect::<Result<Vec<&NativeColumn>>>()?;
    let mut types: Vec<LogicalType> = request
        .columns
        .iter()
        .zip(&columns)
        .map(|(wanted, column)| match request.table.column(wanted) {
            // A text with a check that it is JSON is JSON in the catalog alone.
            Some(known) if known.native == column.declared => known.logical.clone(),
            _ => types::logical(&column.declared),
        })
        .collect();
    let mut notes = engine_notes(conn, name).await?;
    let seen = look(conn, name, request, &columns).await?;
    for place in seen.loose {
        let loose = match types[place] {
            LogicalType::Timestamp { utc, .. } => LogicalType::LooseTimestamp { utc },
            _ => LogicalType::LooseDate,
        };
        notes.push(format!("{} holds dates without month or day", columns[place].name));
        types[place] = loose;
    }
    let bytes_each = measure(conn, name, &columns, seen.rows).await?;
    let each = (request.chunk_bytes / bytes_each.max(1)).max(1);
    let cutting = Cutting { name, filter: request.filter, rows: seen.rows, each, bytes_each };
    let chunks = match key(conn, name, &all).await? {
        Some(key) => cutting.by_key(conn, &key).await?,
        None => cutting.by_place()?,
    };
    Ok(Study { types, chunks, wires: Vec::new(), notes })
}

/// What people should know of a table's storage.
async fn engine_notes(conn: &mut Conn, name: &str) -> Result<Vec<String>> {
    let query = format!(
        "SELECT ENGINE FROM information_schema.TABLES \
         WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = {}",
        literal(name)
    );
    let found = rows(conn, "ask for a table's engine", &query).await?;
    let engine = found.first().and_then(|row| cell(row, 0)).unwrap_or_default();
    Ok(match engine.as_str() {
        "InnoDB" | "RocksDB" | "ROCKSDB" | "TokuDB" => Vec::new(),
        other => vec![format!(
            "its engine {other} has no snapshots: what is written to it while it is read may be \
             copied in part; let nothing write to it during the run"
        )],
    })
}

/// What one scan of a table shows.
struct Seen {
    rows: u64,
    /// The columns, by their index in the request, with dates that are none.
    loose: Vec<usize>,
}

async fn look(
    conn: &mut Conn,
    name: &str,
    request: &StudyRequest<'_>,
    columns: &[&NativeColumn],
) -> Result<Seen> {
    let dated = |column: &NativeColumn| {
        matches!(types::word(&column.declared), "date" | "datetime" | "timestamp")
    };
    let suspects: Vec<usize> =
        (0..columns.len()).filter(|place| request.decoded && dated(columns[*place])).collect();
    let mut items = vec!["COUNT(*)".to_string()];
    items.extend(suspects.iter().map(|place| {
        let column = quote(&columns[*place].name);
        format!(
            "COALESCE(MAX(MONTH({column}) = 0 OR DAYOFMONTH({column}) = 0 OR \
             DAYOFMONTH({column}) > 28 AND DAYOFMONTH({column}) > DAYOFMONTH(LAST_DAY(\
             MAKEDATE(2000 + YEAR({column}) % 400, 1) + INTERVAL MONTH({column}) - 1 MONTH))), 0)"
        )
    }));
    let condition = request.filter.map(|filter| format!(" WHERE ({filter})")).unwrap_or_default();
    let query = format!("SELECT {} FROM {}{condition}", items.join(", "), quote(name));
    let told = |error| selection("study a table", error, request.filter);
    let found: Vec<mysql_async::Row> = conn.query(query).await.map_err(told)?;
    let row = found.first().ok_or_else(|| {
        Error::new(Code::Database, "could not study a table: the server gave no answer")
    })?;
    let loose = (1..).zip(&suspects).filter(|(at, _)| number(row, *at) > 0);
    Ok(Seen { rows: number(row, 0), loose: loose.map(|(_, place)| *place).collect() })
}

/// The length of a row, by the first ones.
async fn measure(conn: &mut Conn, name: &str, columns: &[&NativeColumn], rows: u64) -> Result<u64> {
    if rows == 0 || columns.is_empty() {
        return Ok(ROW_BYTES);
    }
    let lengths: Vec<String> = columns
        .iter()
        .map(|column| format!("COALESCE(OCTET_LENGTH({}), 0)", quote(&column.name)))
        .collect();
    let query = format!(
        "SELECT CAST(AVG(`length`) AS UNSIGNED) FROM (SELECT {} AS `length` FROM {}{} LIMIT \
         {MEASURED}) AS `measured`",
        lengths.join(" + "),
        quote(name),
        reader::whole_scan(conn, name).await?,
    );
    let found = self::rows(conn, "measure a table's rows", &query).await?;
    Ok(ROW_BYTES + found.first().map_or(0, |row| number(row, 0)))
}

/// An index by which a table is cut.
pub(crate) struct Key {
    /// Its name.
    pub(crate) index: String,
    /// Its columns.
    pub(crate) columns: Vec<NativeColumn>,
}

/// The primary key, or else a unique one without NULL, where its order is that of its values.
pub(crate) async fn key(
    conn: &mut Conn,
    name: &str,
    columns: &[NativeColumn],
) -> Result<Option<Key>> {
    let query = format!(
        "SELECT INDEX_NAME, COLUMN_NAME, SUB_PART IS NULL AND NULLABLE <> 'YES' AND \
         COALESCE(COLLATION, '') = 'A' AND INDEX_TYPE = 'BTREE' \
         FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND \
         BINARY TABLE_NAME = {} AND NON_UNIQUE = 0 \
         ORDER BY INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX",
        literal(name)
    );
    let found = rows(conn, "read a table's keys", &query).await?;
    let mut keys: Vec<(String, Option<Vec<NativeColumn>>)> = Vec::new();
    for row in &found {
        let index = cell(row, 0).unwrap_or_default();
        let column = cell(row, 1).unwrap_or_default();
        let column = columns.iter().find(|one| one.name == column);
        let column = column.filter(|one| number(row, 2) == 1 && is_ordered(&one.declared));
        match keys.last_mut() {
            Some((last, parts)) if *last == index => match (parts.as_mut(), column) {
                (Some(known), Some(column)) => known.push(column.clone()),
                _ => *parts = None,
            },
            _ => keys.push((index, column.map(|column| vec![column.clone()]))),
        }
    }
    let whole = keys.into_iter().find_map(|(index, columns)| Some((index, columns?)));
    Ok(whole.map(|(index, columns)| Key { index, columns }))
}

/// Whether values of a type, as literals, are ordered as in an index.
fn is_ordered(declared: &str) -> bool {
    matches!(
        types::word(declared),
        "tinyint"
            | "smallint"
            | "mediumint"
            | "int"
            | "integer"
            | "bigint"
            | "decimal"
            | "char"
            | "varchar"
            | "binary"
            | "varbinary"
            | "date"
            | "datetime"
            | "timestamp"
            | "year"
    )
}

/// The expression that gives a key's value as a literal in SQL.
fn literal_of(column: &NativeColumn) -> String {
    let name = quote(&column.name);
    match types::word(&column.declared) {
        "char" | "varchar" => {
            format!("CONCAT('_utf8mb4 X''', HEX(CONVERT({name} USING utf8mb4)), '''')")
        }
        "binary" | "varbinary" => format!("CONCAT('X''', HEX({name}), '''')"),
        "date" | "datetime" | "timestamp" => format!("CONCAT('''', {name}, '''')"),
        _ => format!("CAST({name} AS CHAR)"),
    }
}

/// A table that is cut into chunks of about so many rows.
struct Cutting<'a> {
    name: &'a str,
    filter: Option<&'a str>,
    rows: u64,
    each: u64,
    bytes_each: u64,
}

impl Cutting<'_> {
    /// Walks along a key and notes every so many rows where it stands.
    async fn by_key(&self, conn: &mut Conn, key: &Key) -> Result<Vec<Chunk>> {
        let columns: Vec<String> = key.columns.iter().map(|column| column.name.clone()).collect();
        let index = key.index.clone();
        let part = |after: &Option<Vec<String>>, to: Option<Vec<String>>| Part::Key {
            index: index.clone(),
            columns: columns.clone(),
            after: after.clone(),
            to,
        };
        let literals: Vec<String> = key.columns.iter().map(literal_of).collect();
        let order: Vec<String> = columns.iter().map(|column| quote(column)).collect();
        let (mut chunks, mut after, mut left) = (Vec::new(), None, self.rows);
        while left > self.each {
            let conditions = part(&after, None).condition().into_iter();
            let conditions: Vec<String> =
                conditions.chain(self.filter.map(|filter| format!("({filter})"))).collect();
            let condition = match conditions.is_empty() {
                true => String::new(),
                false => format!(" WHERE {}", conditions.join(" AND ")),
            };
            let query = format!(
                "SELECT {} FROM {} FORCE INDEX ({}){condition} ORDER BY {} LIMIT 1 OFFSET {}",
                literals.join(", "),
                quote(self.name),
                quote(&key.index),
                order.join(", "),
                self.each - 1,
            );
            let found = rows(conn, "cut a table", &query).await?;
            let Some(row) = found.first() else { break };
            let to: Option<Vec<String>> = (0..literals.len()).map(|at| cell(row, at)).collect();
            let to = to.ok_or_else(|| {
                Error::new(Code::Internal, "a key that is never NULL is NULL")
                    .with("index", key.index.clone())
            })?;
            let range = part(&after, Some(to.clone())).to_range()?;
            chunks.push(self.chunk(range, self.each));
            after = Some(to);
            left -= self.each;
        }
        let last = match &after {
            None => Range::Null,
            after => part(after, None).to_range()?,
        };
        chunks.push(self.chunk(last, left));
        Ok(chunks)
    }

    /// Cuts by the places of rows.
    fn by_place(&self) -> Result<Vec<Chunk>> {
        let each = self.each.max(self.rows.div_ceil(MOST_PARTS));
        let (mut chunks, mut offset) = (Vec::new(), 0);
        while self.rows - offset > each {
            let range = Part::Rows { offset, limit: Some(each) }.to_range()?;
            chunks.push(self.chunk(range, each));
            offset += each;
        }
        let last = match offset {
            0 => Range::Null,
            offset => Part::Rows { offset, limit: None }.to_range()?,
        };
        chunks.push(self.chunk(last, self.rows - offset));
        Ok(chunks)
    }

    fn chunk(&self, range: Range, rows: u64) -> Chunk {
        Chunk { range, rows, bytes: rows * self.bytes_each }
    }
}

/// Parts of about so many bytes of a table whose size the server estimates.
pub(crate) async fn parts(
    conn: &mut Conn,
    name: &str,
    part_bytes: u64,
) -> Result<Vec<Option<Range>>> {
    let all = columns::of_table(conn, name).await?;
    let Some(key) = key(conn, name, &all).await? else { return Ok(vec![None]) };
    let query = format!("SELECT COUNT(*) FROM {}", quote(name));
    let counted: Option<u64> =
        conn.query_first(query).await.map_err(|error| failure("count rows", error))?;
    let columns: Vec<&NativeColumn> = all.iter().collect();
    let rows = counted.unwrap_or(0);
    let bytes_each = measure(conn, name, &columns, rows).await?;
    let each = (part_bytes / bytes_each.max(1)).max(1);
    let cutting = Cutting { name, filter: None, rows, each, bytes_each };
    let chunks = cutting.by_key(conn, &key).await?;
    Ok(chunks.into_iter().map(|chunk| Some(chunk.range)).collect())
}
