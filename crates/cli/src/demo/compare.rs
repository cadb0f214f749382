//! Two databases, value by value: storage class and bits, in both directions.

use std::path::Path;

use longshore_model::{Code, Error, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};

use super::failed;

/// What was compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    pub(super) tables: u64,
    pub(super) rows: u64,
    pub(super) values: u64,
}

/// Compares every value of every table of `left` with `right`; the first difference is an error.
pub(super) fn compare(left: &Path, right: &Path) -> Result<Comparison> {
    let open = |path: &Path| {
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .map_err(failed("open a database for the comparison"))
    };
    let (left, right) = (open(left)?, open(right)?);
    let mut sum = Comparison::default();
    for table in tables(&left).map_err(failed("list the tables"))? {
        let query = query(&left, &table).map_err(failed("describe a table"))?;
        let reading = |error| failed("compare a table")(error).with("table", table.clone());
        let (mut a, mut b) =
            (left.prepare(&query).map_err(reading)?, right.prepare(&query).map_err(reading)?);
        let rows = walk(&mut a, &mut b, &table)?;
        sum.tables += 1;
        sum.rows += rows;
        sum.values += rows * a.column_count() as u64;
    }
    Ok(sum)
}

fn tables(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// The rows of a table in an order that equal tables have in common: that of the key, or of all
/// values with their storage classes.
fn query(connection: &Connection, table: &str) -> rusqlite::Result<String> {
    let mut columns = Vec::new();
    let mut key = Vec::new();
    let mut statement =
        connection.prepare("SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1")?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        let column = quoted(&row.get::<_, String>(0)?);
        if row.get::<_, i64>(1)? > 0 {
            key.push(column.clone());
        }
        columns.push(column);
    }
    if key.is_empty() {
        key = columns.iter().flat_map(|c| [c.clone(), format!("typeof({c})")]).collect();
    }
    Ok(format!("SELECT {} FROM {} ORDER BY {}", columns.join(", "), quoted(table), key.join(", ")))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Walks both tables side by side; returns the number of rows.
fn walk(left: &mut Statement<'_>, right: &mut Statement<'_>, table: &str) -> Result<u64> {
    let columns = left.column_count();
    let reading = failed("read a table for the comparison");
    let (mut a, mut b) = (left.query([]).map_err(&reading)?, right.query([]).map_err(&reading)?);
    let mut number = 0;
    loop {
        let differs = |what: &str| {
            Error::new(Code::Difference, format!("the databases differ: {what}"))
                .with("table", table)
                .with("row", (number + 1).to_string())
        };
        match (a.next().map_err(&reading)?, b.next().map_err(&reading)?) {
            (None, None) => return Ok(number),
            (Some(_), None) => return Err(differs("a row is missing")),
            (None, Some(_)) => return Err(differs("a row is too many")),
            (Some(one), Some(other)) => {
                for column in 0..columns {
                    let (x, y) = (
                        one.get_ref(column).map_err(&reading)?,
                        other.get_ref(column).map_err(&reading)?,
                    );
                    if !same(x, y) {
                        return Err(differs("a value").with("column", (column + 1).to_string()));
                    }
                }
            }
        }
        number += 1;
    }
}

fn same(left: ValueRef<'_>, right: ValueRef<'_>) -> bool {
    match (left, right) {
        (ValueRef::Real(a), ValueRef::Real(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::compare;

    #[test]
    fn differences_in_every_direction_are_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str, sql: &str| {
            let path = folder.path().join(name);
            Connection::open(&path).and_then(|c| c.execute_batch(sql)).expect(sql);
            path
        };
        let base = "CREATE TABLE t (k INTEGER PRIMARY KEY, v); CREATE TABLE u (a, b);";
        let rows = "INSERT INTO t VALUES (1, 1), (2, NULL); INSERT INTO u VALUES (1, 2), (1, 2);";
        let left = make("left.db", &format!("{base}{rows}"));
        let equal = make("equal.db", &format!("{base}{rows}"));
        let found = compare(&left, &equal).expect("equal");
        assert_eq!((found.tables, found.rows, found.values), (2, 4, 8));
        for (name, change) in [
            ("a", "UPDATE t SET v = 1.0 WHERE k = 1"),
            ("b", "UPDATE t SET v = '' WHERE k = 2"),
            ("c", "DELETE FROM t WHERE k = 2"),
            ("d", "INSERT INTO u VALUES (1, 2)"),
            ("e", "UPDATE u SET b = '2' WHERE rowid = 1"),
        ] {
            let right = make(name, &format!("{base}{rows}{change}"));
            assert!(compare(&left, &right).is_err(), "{change}");
        }
    }
}
