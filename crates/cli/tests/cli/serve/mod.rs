//! The control plane as a process: asked by its API, killed, asked by those who may not, and with much in it.

mod access;
mod contained;
mod deployed;
mod figures;
mod runs;
pub(crate) mod server;
mod simple;

use crate::stage::Stage;

/// A stage with a shop, whose copy takes some seconds when it is slow.
fn shop(rows: usize) -> Stage {
    let stage = Stage::empty();
    let shop = rusqlite::Connection::open(stage.join("shop.db")).expect("a database");
    shop.execute_batch(&format!(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT);
         INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
         CREATE TABLE orders (id INTEGER PRIMARY KEY, what TEXT);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
         INSERT INTO orders SELECT i, printf('%050d', i) FROM n;"
    ))
    .expect("a shop");
    stage
}

fn migration(stage: &Stage, name: &str, limits: &str) -> String {
    let (from, to) = (stage.join("shop.db"), stage.join(&format!("{name}.db")));
    format!(
        "longshore: v1\nname: {name}\nversion: 1.0.0\nmoves:\n  - from: sqlite:{}\n    to: sqlite:{}\nlimits: {{ {limits} }}\n",
        from.display(),
        to.display()
    )
}

/// The rows of a table.
fn rows(stage: &Stage, name: &str, table: &str) -> i64 {
    let copy = rusqlite::Connection::open(stage.join(&format!("{name}.db"))).expect("a database");
    copy.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
}

/// What was refused, with which exit code.
fn refused(stage: &Stage, args: &[&str], code: i32) -> String {
    let ran = stage.run(args);
    assert_eq!(ran.code, Some(code), "{args:?}\n{}\n{}", ran.out, ran.err);
    ran.err
}
