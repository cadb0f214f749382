//! The study of a table: one scan that counts rows, finds what each column really holds, and cuts
//! the table where the data is.

use longshore_model::connector::Study;
use longshore_model::plan::{Chunk, Range};
use longshore_model::{Cell, Code, Error, Literal, LogicalType, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};

use crate::open::{failure, message};
use crate::range::{Part, is_cuttable};
use crate::reader::select;
use crate::shape::{Listed, Shape};
use crate::sql::quote;
use crate::types::guess_empty;
use crate::value;

/// Studies a table in one read transaction.
pub(crate) fn run(
    connection: &Connection,
    listed: &Listed,
    columns: &[String],
    filter: Option<&str>,
    chunk_bytes: u64,
) -> Result<Study> {
    let table = listed.name.as_str();
    let database = |error| failure("study a table", error).with("table", table);
    connection.execute_batch("BEGIN").map_err(database)?;
    let shape = Shape::of(connection, listed)?;
    check_filter(connection, &shape, filter)?;
    let cuts = Cuts::of(&shape, columns.len());
    let wanted: Vec<String> =
        columns.iter().cloned().chain(cuts.columns().into_iter().map(str::to_string)).collect();
    let query = select(&shape, &wanted, None, filter)?;
    let mut statement = connection.prepare(&query.sql).map_err(database)?;
    let mut rows = statement.query([]).map_err(database)?;
    let mut classes = vec![Classes::default(); columns.len()];
    let mut cutter = Cutter { cuts, chunk_bytes, done: Vec::new(), open: Cut::default() };
    while let Some(row) = rows.next().map_err(database)? {
        let mut bytes = 0;
        for (index, class) in classes.iter_mut().enumerate() {
            bytes += class.count(row.get_ref(index).map_err(database)?);
        }
        cutter.count(row, bytes).map_err(database)?;
    }
    let chunks = cutter.finish()?;
    Ok(Study {
        types: columns
            .iter()
            .zip(&classes)
            .map(|(name, classes)| classes.logical(&shape, name))
            .collect(),
        chunks,
        wires: Vec::new(),
        notes: columns
            .iter()
            .zip(&classes)
            .filter_map(|(name, classes)| classes.note(&shape, name))
            .collect(),
    })
}

/// Refuses a condition that SQLite does not take, in SQLite's words.
pub(crate) fn check_filter(
    connection: &Connection,
    shape: &Shape,
    filter: Option<&str>,
) -> Result<()> {
    let Some(filter) = filter else { return Ok(()) };
    let sql = format!("SELECT 1 FROM {} NOT INDEXED WHERE (\n{filter}\n)", quote(&shape.name));
    let prepared = connection.prepare(&sql);
    let wrong = |why: String| {
        Error::new(Code::SpecInvalid, "a condition under `where` is not valid")
            .with("table", shape.name.clone())
            .because(why)
            .hint("Write it as an expression of SQLite over the table's own columns.")
    };
    match prepared {
        Err(error) => Err(wrong(message(&error))),
        Ok(statement) if statement.parameter_count() > 0 => {
            Err(wrong("it has a parameter".to_string()))
        }
        Ok(_) => Ok(()),
    }
}

/// How many values of each storage class a column holds.
#[derive(Debug, Clone, Default)]
struct Classes {
    integers: u64,
    reals: u64,
    texts: u64,
    broken_texts: u64,
    blobs: u64,
    /// Integers that no float equals.
    beyond_floats: u64,
}

impl Classes {
    /// Counts a value and returns its size in a batch, about.
    #[inline]
    fn count(&mut self, value: ValueRef<'_>) -> u64 {
        match value {
            ValueRef::Null => return 1,
            ValueRef::Integer(value) => {
                self.integers += 1;
                self.beyond_floats += u64::from(value::exact_float(value).is_none());
            }
            ValueRef::Real(_) => self.reals += 1,
            ValueRef::Text(text) => {
                if std::str::from_utf8(text).is_ok() {
                    self.texts += 1;
                } else {
                    self.broken_texts += 1;
                }
                return 8 + text.len() as u64;
            }
            ValueRef::Blob(bytes) => {
                self.blobs += 1;
                return 8 + bytes.len() as u64;
            }
        }
        8
    }

    fn kinds(&self) -> [(u64, &'static str); 5] {
        [
            (self.integers, "integers"),
            (self.reals, "reals"),
            (self.texts, "texts"),
            (self.broken_texts, "texts that are not UTF-8"),
            (self.blobs, "blobs"),
        ]
    }

    fn logical(&self, shape: &Shape, column: &str) -> LogicalType {
        let present = self.kinds().map(|(count, _)| count > 0);
        if present == [true, true, false, false, false]
            && shape.keeps_whole_floats_as_integers(column)
            && self.beyond_floats == 0
        {
            return LogicalType::FLOAT64;
        }
        let declared = shape.column(column).map_or("", |column| column.declared.as_str());
        match present {
            [false, false, false, false, false] => guess_empty(declared),
            [true, false, false, false, false] => LogicalType::INT64,
            [false, true, false, false, false] => LogicalType::FLOAT64,
            [false, false, true, false, false] => LogicalType::Text,
            [false, false, false, false, true] => LogicalType::Bytes,
            _ => LogicalType::Variant,
        }
    }

    fn note(&self, shape: &Shape, column: &str) -> Option<String> {
        if self.logical(shape, column) != LogicalType::Variant {
            return None;
        }
        let held: Vec<String> = self
            .kinds()
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        let held = held.join(", ");
        Some(format!("{column} holds {held}: it travels value by value, as variant"))
    }
}

/// By what a table is cut, and in which columns of the query that is.
enum Cuts {
    Nothing,
    Rowid { name: String, at: usize },
    Key { names: Vec<String>, at: usize },
}

impl Cuts {
    fn of(shape: &Shape, at: usize) -> Cuts {
        if let Some(name) = &shape.rowid {
            return Cuts::Rowid { name: name.clone(), at };
        }
        if is_cuttable(&shape.key) {
            let names = shape.key.iter().map(|part| part.column.clone()).collect();
            return Cuts::Key { names, at };
        }
        Cuts::Nothing
    }

    fn columns(&self) -> Vec<&str> {
        match self {
            Cuts::Nothing => Vec::new(),
            Cuts::Rowid { name, .. } => vec![name],
            Cuts::Key { names, .. } => names.iter().map(String::as_str).collect(),
        }
    }
}

/// A bound between two chunks: the last row of the first.
#[derive(Debug, Clone)]
enum Bound {
    Rowid(i64),
    Key(Vec<String>),
}

struct Cutter {
    cuts: Cuts,
    chunk_bytes: u64,
    done: Vec<Cut>,
    open: Cut,
}

/// A chunk under construction: from where the one before it ends to `last`.
#[derive(Debug, Default)]
struct Cut {
    last: Option<Bound>,
    rows: u64,
    bytes: u64,
}

impl Cutter {
    /// Counts a row and ends the chunk with it when it is full.
    #[inline]
    fn count(&mut self, row: &Row<'_>, bytes: u64) -> rusqlite::Result<()> {
        self.open.rows += 1;
        self.open.bytes += bytes;
        if self.open.bytes >= self.chunk_bytes
            && let Some(bound) = self.bound(row)?
        {
            self.open.last = Some(bound);
            self.done.push(std::mem::take(&mut self.open));
        }
        Ok(())
    }

    fn bound(&self, row: &Row<'_>) -> rusqlite::Result<Option<Bound>> {
        Ok(match &self.cuts {
            Cuts::Nothing => None,
            Cuts::Rowid { at, .. } => Some(Bound::Rowid(row.get(*at)?)),
            Cuts::Key { names, at } => {
                let literals = (*at..*at + names.len())
                    .map(|index| row.get_ref(index).map(literal))
                    .collect::<rusqlite::Result<_>>()?;
                Some(Bound::Key(literals))
            }
        })
    }

    /// The chunks; the first is open below and the last above, so that they cover whatever comes.
    fn finish(mut self) -> Result<Vec<Chunk>> {
        if self.open.rows > 0 || self.done.is_empty() {
            self.done.push(self.open);
        }
        if let Some(last) = self.done.last_mut() {
            last.last = None;
        }
        let mut after = None;
        self.done
            .into_iter()
            .map(|cut| {
                let range = match (&after, &cut.last) {
                    (None, None) => Range::Null,
                    bounds => part(bounds.0.as_ref(), bounds.1.as_ref()).to_range()?,
                };
                after = cut.last;
                Ok(Chunk { range, rows: cut.rows, bytes: cut.bytes })
            })
            .collect()
    }
}

fn part(after: Option<&Bound>, last: Option<&Bound>) -> Part {
    let number = |bound: Option<&Bound>| match bound {
        Some(Bound::Rowid(number)) => Some(*number),
        _ => None,
    };
    let key = |bound: Option<&Bound>| match bound {
        Some(Bound::Key(key)) => Some(key.clone()),
        _ => None,
    };
    match after.or(last) {
        Some(Bound::Key(_)) => Part::Key(key(after), key(last)),
        _ => Part::Rowid(number(after), number(last)),
    }
}

fn literal(value: ValueRef<'_>) -> String {
    let mut out = String::new();
    match value {
        ValueRef::Null => Cell::Null.write_literal(&mut out),
        ValueRef::Integer(value) => Cell::Int(value).write_literal(&mut out),
        ValueRef::Real(value) => Cell::Float(value).write_literal(&mut out),
        ValueRef::Blob(value) => Cell::Bytes(value).write_literal(&mut out),
        ValueRef::Text(value) => match std::str::from_utf8(value) {
            Ok(text) => Cell::Text(text).write_literal(&mut out),
            Err(_) => Literal::write_invalid_text(value, &mut out),
        },
    }
    out
}
