//! What a database holds, as SQLite itself says.

use std::path::Path;

use rusqlite::{Connection, Result};

/// Every row of every table but longshore's own: classes and bytes, sorted.
pub(crate) fn dump(path: &Path) -> Result<Vec<String>> {
    let connection = Connection::open(path)?;
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND substr(name, 1, 11) <> '_longshore_'",
    )?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut lines = Vec::new();
    for table in tables {
        let mut rows = connection.prepare(&format!("SELECT * FROM \"{table}\""))?;
        let width = rows.column_count();
        let mut rows = rows.query([])?;
        while let Some(row) = rows.next()? {
            let mut line = format!("{table}:");
            for index in 0..width {
                let value = row.get_ref(index)?;
                let bits = value.as_f64().map(f64::to_bits).ok();
                line.push_str(&format!(" {value:?}/{bits:?}"));
            }
            lines.push(line);
        }
    }
    lines.sort();
    Ok(lines)
}
