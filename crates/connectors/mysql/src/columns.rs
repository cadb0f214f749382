//! The columns of a table as the server has them now.

use longshore_model::{Code, Error, Result};
use mysql_async::Conn;

use crate::session::{cell, number, rows};
use crate::sql;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NativeColumn {
    /// The name.
    pub(crate) name: String,
    /// The type as it is declared, such as `int(10) unsigned`.
    pub(crate) declared: String,
    /// Whether the server numbers its rows.
    pub(crate) increments: bool,
}

/// The columns of a table, in their order; an error when it is not there.
pub(crate) async fn of_table(conn: &mut Conn, table: &str) -> Result<Vec<NativeColumn>> {
    let query = format!(
        "SELECT COLUMN_NAME, COLUMN_TYPE, EXTRA LIKE '%auto_increment%' FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
        sql::literal(table)
    );
    let found = rows(conn, "read a table's columns", &query).await?;
    if found.is_empty() {
        return Err(Error::new(Code::NotFound, "a table is not there").with("table", table));
    }
    let column = |row: &mysql_async::Row| NativeColumn {
        name: cell(row, 0).unwrap_or_default(),
        declared: cell(row, 1).unwrap_or_default(),
        increments: number(row, 2) == 1,
    };
    Ok(found.iter().map(column).collect())
}
