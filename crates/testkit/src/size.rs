//! SQLite databases of the sizes that broke other tools. Every size is a parameter, so that a quick
//! test and a night's test are the same code; the sizes of the field are in the names' docs.

use std::path::Path;

use rusqlite::{Connection, Result, ToSql, Transaction, params_from_iter};

use crate::random::Random;

/// A table `wide` of so many rows of so many bytes. The field: 250,000 rows of 12 KB.
pub fn wide_rows(path: &Path, rows: u64, row_bytes: usize) -> Result<()> {
    build(path, |transaction| {
        transaction.execute_batch("CREATE TABLE wide (id INTEGER PRIMARY KEY, body TEXT)")?;
        let text = noise(row_bytes * 2);
        let mut random = Random::new(rows);
        let mut insert = transaction.prepare("INSERT INTO wide (body) VALUES (?)")?;
        for _ in 0..rows {
            let start = random.below(row_bytes.max(1));
            insert.execute([&text[start..start + row_bytes]])?;
        }
        Ok(())
    })
}

/// A table `broad` of so many columns, each of so many bytes in every row. The field: one row of
/// 1,000 columns of 1 MB; SQLite's own bound is 10⁹ bytes in a row and 2,000 columns.
pub fn many_columns(path: &Path, columns: usize, value_bytes: usize, rows: u64) -> Result<()> {
    build(path, |transaction| {
        let names: Vec<_> = (0..columns).map(|index| format!("c{index} BLOB")).collect();
        transaction.execute_batch(&format!("CREATE TABLE broad ({})", names.join(",")))?;
        let places = vec!["zeroblob(?1)"; columns].join(",");
        let mut insert = transaction.prepare(&format!("INSERT INTO broad VALUES ({places})"))?;
        for _ in 0..rows {
            insert.execute([as_integer(value_bytes)])?;
        }
        Ok(())
    })
}

/// A table `huge` with one value of so many bytes between two small ones. The field: 700 MB.
pub fn huge_value(path: &Path, bytes: usize) -> Result<()> {
    build(path, |transaction| {
        transaction.execute_batch("CREATE TABLE huge (id INTEGER PRIMARY KEY, body BLOB)")?;
        for size in [1, as_integer(bytes), 1] {
            transaction.execute("INSERT INTO huge (body) VALUES (zeroblob(?))", [size])?;
        }
        Ok(())
    })
}

/// A table `vacant` without rows beside a table `everything` of so many. The field: 10⁸.
pub fn empty_beside_large(path: &Path, rows: u64) -> Result<()> {
    build(path, |transaction| {
        transaction.execute_batch(
            "CREATE TABLE vacant (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE everything (id INTEGER PRIMARY KEY, amount REAL, name TEXT);",
        )?;
        let mut random = Random::new(rows);
        let mut insert = transaction.prepare("INSERT INTO everything VALUES (?, ?, ?)")?;
        for id in 1..=as_integer(rows) {
            let amount = random.between(0, 1_000_000) as f64 / 4.0;
            let name = random.pick(&["north", "south", "east", "west"]);
            insert.execute::<[&dyn ToSql; 3]>([&id, &amount, &name])?;
        }
        Ok(())
    })
}

/// So many tables `t00000`… with an index and one row each. The field: 10,000.
pub fn many_tables(path: &Path, tables: usize) -> Result<()> {
    build(path, |transaction| {
        for index in 0..tables {
            transaction.execute_batch(&format!(
                "CREATE TABLE t{index:05} (id INTEGER PRIMARY KEY, name TEXT);
                 CREATE INDEX t{index:05}_by_name ON t{index:05} (name);
                 INSERT INTO t{index:05} VALUES ({index}, 'row of table {index}');"
            ))?;
        }
        Ok(())
    })
}

/// A table `sparse` whose keys are as far apart as they can be, and one key that half the rows
/// share.
pub fn sparse_and_skewed(path: &Path, rows: u64) -> Result<()> {
    build(path, |transaction| {
        transaction.execute_batch(
            "CREATE TABLE sparse (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE skewed (key TEXT, n INTEGER, PRIMARY KEY (key, n)) WITHOUT ROWID;",
        )?;
        let mut sparse = transaction.prepare("INSERT INTO sparse VALUES (?, 'sparse')")?;
        for id in [i64::MIN, -1, 0, 1, 2, 1 << 62, i64::MAX] {
            sparse.execute([id])?;
        }
        let mut skewed = transaction.prepare("INSERT INTO skewed VALUES (?, ?)")?;
        for n in 0..as_integer(rows) {
            let key = if n % 2 == 0 { "half".to_string() } else { format!("key {n}") };
            skewed.execute(params_from_iter([&key as &dyn ToSql, &n]))?;
        }
        Ok(())
    })
}

fn build(path: &Path, fill: impl FnOnce(&Transaction<'_>) -> Result<()>) -> Result<()> {
    let mut connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let transaction = connection.transaction()?;
    fill(&transaction)?;
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error)
}

fn noise(bytes: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = Random::new(1);
    (0..bytes).map(|_| char::from(LETTERS[random.below(LETTERS.len())])).collect()
}

fn as_integer(size: impl TryInto<i64>) -> i64 {
    size.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_database_is_as_large_as_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let count = |name: &str, sql: &str| -> i64 {
            let connection = Connection::open(path(name)).expect("a database");
            connection.query_row(sql, [], |row| row.get(0)).expect(sql)
        };
        wide_rows(&path("wide"), 20, 12_000).expect("wide");
        assert_eq!(count("wide", "SELECT sum(length(body)) FROM wide"), 240_000);
        many_columns(&path("broad"), 1000, 100, 2).expect("broad");
        assert_eq!(count("broad", "SELECT count(*) FROM pragma_table_info('broad')"), 1000);
        huge_value(&path("huge"), 3 << 20).expect("huge");
        assert_eq!(count("huge", "SELECT max(length(body)) FROM huge"), 3 << 20);
        empty_beside_large(&path("empty"), 100).expect("empty");
        assert_eq!(count("empty", "SELECT count(*) FROM everything"), 100);
        many_tables(&path("many"), 30).expect("many");
        assert_eq!(count("many", "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"), 30);
        sparse_and_skewed(&path("sparse"), 50).expect("sparse");
        assert_eq!(count("sparse", "SELECT count(*) FROM skewed WHERE key = 'half'"), 25);
    }
}
