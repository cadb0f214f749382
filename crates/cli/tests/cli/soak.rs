//! Killed at random moments, many times in one migration, the target ends equal to the source,
//! value by value, as SQLite itself compares them.
//!
//! The size is set from outside: `LONGSHORE_SOAK_KILLS` for each pair of systems,
//! `LONGSHORE_SOAK_ROWS` of the source, `LONGSHORE_SOAK_PAIRS` to choose some, and
//! `LONGSHORE_SOAK_BINARY` for a release build of longshore.

use std::time::{Duration, Instant};

use longshore_testkit::Random;

use crate::lives::{Lives, moment};
use crate::stage::Stage;

/// What is moved from where to where, and a second name for each.
const PAIRS: &[(&str, &str, &str)] = &[
    ("sqlite-parquet", "sqlite:source.db", "file:out?format=parquet"),
    ("sqlite-sqlite", "sqlite:source.db", "sqlite:copy.db"),
    ("parquet-sqlite", "file:parquet?format=parquet", "sqlite:copy.db"),
    ("sqlite-csv", "sqlite:source.db", "file:out?format=csv"),
];

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn killed_at_random_moments_it_ends_equal_to_the_source() {
    let chosen: String = setting("LONGSHORE_SOAK_PAIRS", String::new());
    let rows = setting("LONGSHORE_SOAK_ROWS", 75_000);
    let stage = Stage::empty();
    seed(&stage, rows);
    for (index, (name, from, to)) in PAIRS.iter().enumerate() {
        if chosen.is_empty() || chosen.split(',').any(|one| one == *name) {
            soak(&stage, index as u64, name, from, to);
        }
    }
}

/// A source with a long table and an odd one of every kind.
fn seed(stage: &Stage, rows: u64) {
    let (few, some) = (rows / 20 + 10, rows / 5 + 10);
    stage.sql(
        "source.db",
        &format!(
            "PRAGMA synchronous = OFF;
             BEGIN;
             CREATE TABLE facts (id INTEGER PRIMARY KEY, kind TEXT, amount REAL, raw BLOB, odd);
             CREATE TABLE log (at TEXT, what);
             CREATE TABLE pairs (a TEXT, b INTEGER, note TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
             CREATE TABLE empty (id INTEGER PRIMARY KEY, x);
             CREATE VIEW large AS SELECT id, amount FROM facts WHERE amount > 100;
             CREATE INDEX facts_by_kind ON facts (kind, amount DESC);
             CREATE UNIQUE INDEX facts_by_id ON facts (id) WHERE id > 7;
             CREATE INDEX log_by_at ON log (at);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
             INSERT INTO facts SELECT i * 3, iif(i % 11 = 0, NULL, 'kind ' || i % 97), i / 7.0,
               randomblob(i % 23), CASE i % 4 WHEN 0 THEN i WHEN 1 THEN '' || i WHEN 2 THEN i / 2.0 END
             FROM n;
             INSERT INTO log SELECT kind, CASE id % 2 WHEN 0 THEN 1 ELSE '1' END FROM facts
               LIMIT {some};
             INSERT INTO log SELECT 'twice', 'the same' FROM facts LIMIT {few};
             INSERT INTO log VALUES (NULL, ''), ('', NULL), (NULL, NULL), (NULL, NULL);
             INSERT INTO pairs SELECT 'k' || id % 50, id, kind FROM facts LIMIT {some};
             CREATE TRIGGER noted AFTER INSERT ON facts BEGIN INSERT INTO log VALUES ('fired', 1); END;
             COMMIT;"
        ),
    );
}

fn done(stage: &Stage, args: &[&str]) {
    let output = stage.command(args).output().expect("the binary runs");
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}\n{err}");
}

fn soak(stage: &Stage, number: u64, name: &str, from: &str, to: &str) {
    let kills: u32 = setting("LONGSHORE_SOAK_KILLS", 7);
    clear(stage);
    let parquet = "file:parquet?format=parquet";
    if from == parquet && !stage.join("parquet").exists() {
        done(stage, &["copy", "sqlite:source.db", parquet]);
    }
    let chunk = if setting("LONGSHORE_SOAK_ROWS", 0_u64) > 1_000_000 { "4MiB" } else { "256KiB" };
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: soak\nmoves: [{{from: '{from}', to: '{to}'}}]\nlimits: {{chunk: {chunk}, workers: 2}}\n"
        ),
    );
    let args = ["run", "m.yaml", "--json"];
    let start = Instant::now();
    done(stage, &args);
    let undisturbed = start.elapsed();
    clear(stage);

    let seed = setting("LONGSHORE_SOAK_SEED", 1_u64);
    let mut random = Random::new(seed * 100 + number);
    let mut lives = Lives::default();
    let span = (undisturbed * 4 / kills.max(1)).max(Duration::from_millis(60)).min(undisturbed);
    let start = Instant::now();
    let mut turn = 0;
    while lives.killed() < kills {
        let moment = moment(&mut random, lives.killed(), kills, span);
        lives.live(&|| stage.command(&args), moment, turn % 7 == 3);
        turn += 1;
        assert!(turn < 20 * kills + 20, "the kills come too late: {lives:?}");
    }
    done(stage, &args);
    let killed = start.elapsed();
    report(&format!(
        "{name}: {} kills in {turn} lives {:?}, {} refused, {} ended by themselves; undisturbed {:.1} s, with kills {:.1} s",
        lives.killed(),
        lives.kills,
        lives.refused,
        lives.whole,
        undisturbed.as_secs_f64(),
        killed.as_secs_f64(),
    ));
    if to != "sqlite:copy.db" {
        done(stage, &["copy", to, "sqlite:copy.db"]);
    }
    same_everywhere(stage);
}

#[expect(clippy::print_stderr, reason = "the figures are for who runs the test")]
fn report(line: &str) {
    eprintln!("{line}");
}

fn clear(stage: &Stage) {
    let _ = std::fs::remove_dir_all(stage.join("out"));
    for suffix in ["", "-wal", "-shm", "-journal", "-longshore.lock"] {
        let _ = std::fs::remove_file(stage.join(&format!("copy.db{suffix}")));
    }
}

/// The two databases hold the same rows, as often, of the same classes, and the same definitions.
fn same_everywhere(stage: &Stage) {
    stage.sql("copy.db", "PRAGMA integrity_check");
    let both = |of: &dyn Fn(&str) -> String| {
        format!(
            "SELECT (SELECT count(*) FROM (SELECT * FROM ({0}) EXCEPT SELECT * FROM ({1})))
                  + (SELECT count(*) FROM (SELECT * FROM ({1}) EXCEPT SELECT * FROM ({0})))",
            of("source"),
            of("main")
        )
    };
    for (table, columns) in [
        ("facts", &["id", "kind", "amount", "raw", "odd"][..]),
        ("log", &["at", "what"]),
        ("pairs", &["a", "b", "note"]),
        ("empty", &["id", "x"]),
    ] {
        let classes: Vec<String> = columns
            .iter()
            .map(|c| format!("typeof({c}) AS t_{c}, hex({c}) AS h_{c}, {c}"))
            .collect();
        let rows = |schema: &str| match table {
            "log" => format!(
                "SELECT {0}, count(*) FROM {schema}.{table} GROUP BY typeof(at), hex(at), typeof(what), hex(what)",
                classes.join(", ")
            ),
            _ => format!("SELECT {} FROM {schema}.{table}", classes.join(", ")),
        };
        assert_eq!(differences(stage, &both(&rows)), 0, "rows of {table} differ");
        let count = |schema: &str| format!("SELECT count(*) FROM {schema}.{table}");
        assert_eq!(differences(stage, &both(&count)), 0, "the number of rows of {table}");
    }
    let definitions = |schema: &str| {
        format!(
            "SELECT type, name, tbl_name FROM {schema}.sqlite_schema
             WHERE name NOT LIKE '\\_longshore%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        )
    };
    assert_eq!(differences(stage, &both(&definitions)), 0, "definitions differ");
    assert_eq!(stage.value("copy.db", "SELECT count(*) FROM log WHERE at = 'fired'"), 0);
}

fn differences(stage: &Stage, sql: &str) -> i64 {
    let connection = rusqlite::Connection::open(stage.join("copy.db")).expect("a database");
    let source = stage.join("source.db");
    connection
        .execute("ATTACH ?1 AS source", [source.to_str().expect("UTF-8")])
        .expect("the source");
    connection.query_row(sql, [], |row| row.get(0)).unwrap_or_else(|error| panic!("{sql}: {error}"))
}
