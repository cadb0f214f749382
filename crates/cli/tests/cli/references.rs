//! Rows and the objects that they name, moved as one unit.

use std::fs;

use serde_json::Value;

use crate::stage::{Ran, Stage};

/// Six rows that name four of five files; one value is not a name of these.
const ROWS: &str = "
    CREATE TABLE attachments (id INTEGER PRIMARY KEY, path TEXT, size INTEGER);
    INSERT INTO attachments (path) VALUES ('/uploads/a/1.png'), ('/uploads/a/1.png'), (NULL),
        ('/uploads/100% ü.txt'), ('/uploads/b.txt'), ('https://elsewhere.example/x'), ('/uploads/link');
    CREATE TABLE users (id INTEGER PRIMARY KEY, avatar TEXT);
    INSERT INTO users (avatar) VALUES ('a/2.png'), (NULL);";

const MIGRATION: &str = "longshore: v1
name: shop
moves:
  - {from: 'sqlite:shop.db', to: 'sqlite:copy.db'}
  - {from: 'file:uploads?format=objects', to: 'file:copies?format=objects'}
references:
  - {column: attachments.path, objects: 'file:uploads?format=objects', prefix: /uploads/}
  - {column: users.avatar, objects: 'file:uploads?format=objects'}
";

fn shop() -> Stage {
    let stage = Stage::empty();
    stage.sql("shop.db", ROWS);
    fs::create_dir_all(stage.join("uploads/a/empty")).expect("folders");
    for name in ["a/1.png", "a/2.png", "100% ü.txt", "b.txt", "orphan"] {
        fs::write(stage.join("uploads").join(name), name).expect("a file");
    }
    std::os::unix::fs::symlink("b.txt", stage.join("uploads/link")).expect("a link");
    stage.write("m.yaml", MIGRATION);
    stage
}

fn found(ran: &Ran) -> Value {
    let report = ran.event("report");
    report["report"]["references"][0].clone()
}

#[test]
fn what_rows_name_is_there() {
    let stage = shop();
    let plan = stage.done(&["plan", "m.yaml"]);
    for line in
        ["attachments.path behind /uploads/ → file:uploads", "5 names in the rows; 1 object"]
    {
        assert!(plan.out.contains(line), "{line}\n{}", plan.out);
    }
    let ran = stage.done(&["run", "m.yaml"]);
    for line in
        ["5 names in 6 rows name objects: all are there", "not named: orphan", "1 row with a value"]
    {
        assert!(ran.err.contains(line) || ran.out.contains(line), "{line}\n{}{}", ran.out, ran.err);
    }
    stage.done(&["verify", "m.yaml"]);
    stage.done(&["verify", "m.yaml", "--independent"]);
}
