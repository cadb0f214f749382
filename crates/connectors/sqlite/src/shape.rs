//! The shape of a table: what reading and writing it needs to know.

use longshore_model::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension};

use crate::open::failure;
use crate::sql::definition;
use crate::types::{Affinity, affinity};

/// What reading and writing a table needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    /// Its name as the database spells it.
    pub(crate) name: String,
    /// The columns, without hidden ones.
    pub(crate) columns: Vec<ShapeColumn>,
    /// A name by which the row's number can be had; `None` in tables without one, and in those
    /// whose columns shadow all of its names.
    pub(crate) rowid: Option<String>,
    /// The column that is the row's number.
    pub(crate) alias: Option<String>,
    /// The order of the rows in a table without row numbers.
    pub(crate) key: Vec<KeyPart>,
    /// Whether the table has no row numbers.
    pub(crate) without_rowid: bool,
    /// Whether types are enforced.
    pub(crate) strict: bool,
}

/// What SQLite lists of a table, apart from its columns. To find it takes a look at every table of
/// the database.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// The name as the database spells it.
    pub(crate) name: String,
    pub(crate) without_rowid: bool,
    pub(crate) strict: bool,
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct ShapeColumn {
    pub(crate) name: String,
    pub(crate) declared: String,
    pub(crate) not_null: bool,
    pub(crate) default: Option<String>,
    /// Its place in the primary key, from 1; 0 when it is not in it.
    pub(crate) key: i64,
    pub(crate) generated: Generation,
}

/// Whether a column is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    Plain,
    Virtual,
    Stored,
}

/// One column of the key in which rows are ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyPart {
    pub(crate) column: String,
    pub(crate) collation: String,
    /// Whether the collation is the column's own, which comparisons use without naming it.
    pub(crate) own: bool,
    pub(crate) descending: bool,
}

impl Shape {
    /// Whether a column stores a float that is a whole number as an integer: then both are numbers
    /// of one kind, and which of the two it is says nothing.
    pub(crate) fn keeps_whole_floats_as_integers(&self, column: &str) -> bool {
        let numeric =
            |declared: &str| matches!(affinity(declared), Affinity::Integer | Affinity::Numeric);
        !self.strict
            && self.alias.as_deref() != Some(column)
            && self.column(column).is_some_and(|column| numeric(&column.declared))
    }

    /// Reads the shape of a table; `None` when there is none of that name.
    pub(crate) fn find(connection: &Connection, name: &str) -> Result<Option<Shape>> {
        let listed = connection
            .query_row(
                "SELECT name, wr, strict FROM pragma_table_list(?1)
                 WHERE schema = 'main' AND type IN ('table', 'shadow')",
                [name],
                |row| {
                    let (name, without_rowid) = (row.get(0)?, row.get(1)?);
                    Ok(Listed { name, without_rowid, strict: row.get(2)? })
                },
            )
            .optional()
            .map_err(|error| failure("read a table's definition", error).with("table", name))?;
        listed.map(|listed| Self::of(connection, &listed)).transpose()
    }

    /// Reads the shape of a table that was listed before.
    pub(crate) fn of(connection: &Connection, listed: &Listed) -> Result<Shape> {
        let name = &listed.name;
        let shape = Self::load(connection, listed)
            .map_err(|error| failure("read a table's definition", error).with("table", name))?;
        if shape.columns.is_empty() { Err(no_table(name)) } else { Ok(shape) }
    }

    /// Reads the shape of a table that must be there.
    pub(crate) fn get(connection: &Connection, name: &str) -> Result<Shape> {
        Self::find(connection, name)?.ok_or_else(|| no_table(name))
    }

    fn load(connection: &Connection, listed: &Listed) -> rusqlite::Result<Shape> {
        let Listed { name, without_rowid, strict } = listed.clone();
        let columns = columns(connection, &name)?;
        let key_index: Option<String> = connection
            .query_row(
                "SELECT name FROM pragma_index_list(?1) WHERE origin = 'pk'",
                [&name],
                |row| row.get(0),
            )
            .optional()?;
        let key = match &key_index {
            Some(index) if without_rowid => key_parts(connection, &name, index)?,
            _ => Vec::new(),
        };
        let alias = columns
            .iter()
            .find(|column| column.key == 1 && key_index.is_none() && !without_rowid)
            .map(|column| column.name.clone());
        let rowid = ["rowid", "_rowid_", "oid"]
            .into_iter()
            .find(|name| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(name)))
            .map(str::to_string)
            .or_else(|| alias.clone())
            .filter(|_| !without_rowid);
        Ok(Shape { name, columns, rowid, alias, key, without_rowid, strict })
    }

    /// The column of a name.
    pub(crate) fn column(&self, name: &str) -> Option<&ShapeColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The primary key's columns, in the key's order.
    pub(crate) fn primary_key(&self) -> Vec<String> {
        let mut parts: Vec<_> = self.columns.iter().filter(|column| column.key > 0).collect();
        parts.sort_by_key(|column| column.key);
        parts.into_iter().map(|column| column.name.clone()).collect()
    }
}

fn no_table(name: &str) -> Error {
    Error::new(Code::NotFound, "there is no such table").with("table", name)
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ShapeColumn>> {
    let mut statement = connection.prepare(
        "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1)
         WHERE hidden <> 1 ORDER BY cid",
    )?;
    let rows = statement.query_map([table], |row| {
        Ok(ShapeColumn {
            name: row.get(0)?,
            declared: row.get(1)?,
            not_null: row.get(2)?,
            default: row.get(3)?,
            key: row.get(4)?,
            generated: match row.get::<_, i64>(5)? {
                2 => Generation::Virtual,
                3 => Generation::Stored,
                _ => Generation::Plain,
            },
        })
    })?;
    rows.collect()
}

fn key_parts(connection: &Connection, table: &str, index: &str) -> rusqlite::Result<Vec<KeyPart>> {
    let native: String = connection.query_row(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1",
        [table],
        |row| row.get(0),
    )?;
    let written = definition(&native);
    let mut statement = connection.prepare(
        "SELECT name, coll, \"desc\" FROM pragma_index_xinfo(?1) WHERE key = 1 ORDER BY seqno",
    )?;
    let rows = statement.query_map([index], |row| {
        let (column, collation): (String, String) = (row.get(0)?, row.get(1)?);
        let own = written
            .columns
            .iter()
            .find(|one| one.name == column)
            .and_then(|one| one.collation.as_deref())
            .unwrap_or("BINARY");
        let own = own.eq_ignore_ascii_case(&collation);
        Ok(KeyPart { column, collation, own, descending: row.get(2)? })
    })?;
    rows.collect()
}
