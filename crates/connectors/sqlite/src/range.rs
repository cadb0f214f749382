//! Ranges: the parts into which a table is cut, as the plan and the ledger hold them.
//!
//! `{"rowid": [after, last]}` is the rows with numbers above `after` up to and with `last`;
//! `{"key": [after, last]}` the same for the keys of a table without row numbers, each a list of
//! literals; `null` is open on its side, as a bound or as the whole range.

use longshore_model::plan::Range;
use longshore_model::{Code, Error, Literal, Result};
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use crate::shape::{KeyPart, Shape};
use crate::sql::quote;

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    Rowid(Option<i64>, Option<i64>),
    Key(Option<Vec<String>>, Option<Vec<String>>),
}

/// A condition with its parameters.
#[derive(Debug, Default)]
pub(crate) struct Condition {
    pub(crate) sql: Vec<String>,
    pub(crate) parameters: Vec<Value>,
}

impl Part {
    /// Writes the range.
    pub(crate) fn to_range(&self) -> Result<Range> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Code::Internal, "a range cannot be written").because(error))
    }

    /// Reads a range; `None` is the whole table.
    pub(crate) fn of(range: Option<&Range>) -> Result<Option<Part>> {
        match range {
            None | Some(Range::Null) => Ok(None),
            Some(range) => serde_json::from_value(range.clone()).map(Some).map_err(|_| wrong()),
        }
    }

    /// The condition that its rows meet.
    pub(crate) fn condition(&self, shape: &Shape) -> Result<Condition> {
        let mut made = Condition::default();
        match self {
            Part::Rowid(after, last) => {
                let rowid = quote(shape.rowid.as_deref().ok_or_else(wrong)?);
                for (bound, sign) in [(after, ">"), (last, "<=")] {
                    if let Some(bound) = bound {
                        made.sql.push(format!("{rowid} {sign} ?"));
                        made.parameters.push(Value::Integer(*bound));
                    }
                }
            }
            Part::Key(after, last) => {
                for (bound, sign) in [(after, ">"), (last, "<=")] {
                    if let Some(bound) = bound {
                        made.add_key(&shape.key, bound, sign)?;
                    }
                }
            }
        }
        Ok(made)
    }
}

impl Condition {
    fn add_key(&mut self, key: &[KeyPart], bound: &[String], sign: &str) -> Result<()> {
        if key.len() != bound.len() || key.is_empty() {
            return Err(wrong());
        }
        let first = self.parameters.len();
        let columns: Vec<_> = key.iter().map(ordered).collect();
        let marks: Vec<_> = bound
            .iter()
            .map(|literal| {
                let mark = match Literal::parse(literal).ok_or_else(wrong)? {
                    Literal::Int(value) => (Value::Integer(value), "?"),
                    Literal::Float(value) => (Value::Real(value), "?"),
                    Literal::Bytes(value) => (Value::Blob(value), "?"),
                    Literal::Text(value) => match String::from_utf8(value) {
                        Ok(text) => (Value::Text(text), "?"),
                        Err(error) => (Value::Blob(error.into_bytes()), "CAST(? AS TEXT)"),
                    },
                };
                self.parameters.push(mark.0);
                Ok(mark.1)
            })
            .collect::<Result<_>>()?;
        self.sql.push(format!("({}) {sign} ({})", columns.join(", "), marks.join(", ")));
        if key.iter().any(|part| !part.own) {
            // Says nothing new, but in words for which the index is used.
            let sign = if sign == ">" { ">=" } else { sign };
            self.sql.push(format!("{} {sign} {}", columns[0], marks[0]));
            self.parameters.push(self.parameters[first].clone());
        }
        Ok(())
    }
}

/// The order of a table's rows, for `ORDER BY`; `None` when it cannot be named.
pub(crate) fn order(shape: &Shape) -> Option<String> {
    if let Some(rowid) = &shape.rowid {
        return Some(quote(rowid));
    }
    is_cuttable(&shape.key).then(|| shape.key.iter().map(ordered).collect::<Vec<_>>().join(", "))
}

/// Whether rows in the order of this key can be compared with a bound.
pub(crate) fn is_cuttable(key: &[KeyPart]) -> bool {
    !key.is_empty()
        && key.iter().all(|part| {
            !part.descending
                && ["BINARY", "NOCASE", "RTRIM"]
                    .iter()
                    .any(|known| part.collation.eq_ignore_ascii_case(known))
        })
}

/// With a collation that is named, SQLite compares rows of values without its index.
fn ordered(part: &KeyPart) -> String {
    if part.own {
        return quote(&part.column);
    }
    format!("{} COLLATE {}", quote(&part.column), part.collation)
}

fn wrong() -> Error {
    Error::new(Code::SourceChanged, "a range of the plan does not fit the table")
}

/// Where the rows of a chunk are in a target with row numbers: the lowest and the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Span {
    /// Widens a span to hold a row.
    pub(crate) fn with(span: Option<Span>, rowid: i64) -> Option<Span> {
        Some(match span {
            None => Span { first: rowid, last: rowid },
            Some(span) => Span { first: span.first.min(rowid), last: span.last.max(rowid) },
        })
    }

    /// Writes it for an entry of the ledger.
    pub(crate) fn to_range(self) -> Result<Range> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Code::Internal, "a span cannot be written").because(error))
    }

    /// Reads it from an entry.
    pub(crate) fn of(range: &Range) -> Option<Span> {
        serde_json::from_value(range.clone()).ok()
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::Part;
    use crate::reader::select;
    use crate::shape::Shape;

    #[test]
    fn parts_are_found_by_an_index_and_in_order() {
        let connection = Connection::open_in_memory().expect("a database");
        connection
            .execute_batch(
                "CREATE TABLE own (a TEXT COLLATE NOCASE, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
                 CREATE TABLE other (a, b, v, PRIMARY KEY (a COLLATE NOCASE, b)) WITHOUT ROWID;
                 CREATE TABLE rows (a INT, b, v);
                 CREATE INDEX own_v ON own (v); CREATE INDEX other_v ON other (v);
                 CREATE INDEX rows_v ON rows (v);",
            )
            .expect("tables");
        let bound = || Some(vec!["'x'".to_string(), "1".to_string()]);
        for (table, part, expected) in [
            ("own", Part::Key(bound(), bound()), "((a,b)>(?,?) AND (a,b)<(?,?))"),
            ("other", Part::Key(bound(), bound()), "(a>? AND a<?)"),
            ("rows", Part::Rowid(Some(1), Some(2)), "(rowid>? AND rowid<?)"),
        ] {
            let shape = Shape::get(&connection, table).expect("a table");
            let columns = ["v".to_string()];
            let query = select(&shape, &columns, Some(&part), Some("v > 0")).expect("a query");
            let mut statement = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql))
                .expect("a statement");
            let steps: Vec<String> = statement
                .query_map(rusqlite::params_from_iter(&query.parameters), |row| row.get(3))
                .and_then(Iterator::collect)
                .expect("a plan");
            assert_eq!(steps.len(), 1, "{table}: no sorting: {steps:?}");
            assert!(steps[0].contains(expected), "{table}: {steps:?}");
        }
    }
}
