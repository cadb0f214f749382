//! The source is written to at full rate through the whole migration, which is killed on the way:
//! what ends up in the target is one instant of the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use longshore_testkit::Random;
use rusqlite::Connection;

use crate::lives::{Lives, moment};
use crate::stage::Stage;

const ROWS: i64 = 30_000;

/// Writes until it is stopped. Every transaction adds a row to both tables, moves an amount from
/// the one to the other and counts itself, so that one instant is told from a mixture of two.
struct LiveWriter {
    stop: Arc<AtomicBool>,
    commits: Arc<AtomicI64>,
    thread: JoinHandle<()>,
}

impl LiveWriter {
    fn start(stage: &Stage) -> Self {
        let connection = Connection::open(stage.join("live.db")).expect("a database");
        connection.busy_timeout(Duration::from_secs(10)).expect("a timeout");
        let (stop, commits) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI64::new(0)));
        let (stopped, counted) = (stop.clone(), commits.clone());
        let thread = std::thread::spawn(move || {
            let mut random = Random::new(7);
            connection.execute_batch("PRAGMA synchronous = OFF").expect("a setting");
            while !stopped.load(Ordering::Relaxed) {
                commit(&connection, &mut random);
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, commits, thread }
    }

    fn commits(&self) -> i64 {
        self.commits.load(Ordering::Relaxed)
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the writer writes to its end");
    }
}

fn commit(connection: &Connection, random: &mut Random) {
    let moved = random.between(1, 1000);
    let (giver, taker) = (random.between(1, ROWS), random.between(1, ROWS));
    let run = |sql: &str, values: &[i64]| {
        connection.execute(sql, rusqlite::params_from_iter(values)).expect("a statement runs");
    };
    connection.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    run("UPDATE clock SET at = at + 1", &[]);
    run("INSERT INTO debit SELECT at, 0, at, 'made by ' || at FROM clock", &[]);
    run("INSERT INTO credit SELECT 'k' || at, 0, at FROM clock", &[]);
    run(
        "UPDATE debit SET amount = amount - ?1, seen = (SELECT at FROM clock) WHERE id = ?2",
        &[moved, giver],
    );
    run(
        "UPDATE credit SET amount = amount + ?1, seen = (SELECT at FROM clock) WHERE id = 'k' || ?2",
        &[moved, taker],
    );
    connection.execute_batch("COMMIT").expect("a commit");
}

fn seed(stage: &Stage) {
    stage.sql(
        "live.db",
        &format!(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
             CREATE TABLE clock (at INTEGER NOT NULL);
             CREATE TABLE debit (id INTEGER PRIMARY KEY, amount INTEGER, seen INTEGER, note TEXT);
             CREATE TABLE credit (id TEXT PRIMARY KEY, amount INTEGER, seen INTEGER) WITHOUT ROWID;
             INSERT INTO clock VALUES ({ROWS});
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO debit SELECT i, 0, i, 'made by ' || i FROM n;
             INSERT INTO credit SELECT 'k' || id, 0, id FROM debit;"
        ),
    );
}

/// What holds at every instant of the source, and at no mixture of two.
fn one_instant(stage: &Stage, database: &str) -> i64 {
    let at = stage.value(database, "SELECT at FROM clock");
    for (sql, expected) in [
        ("SELECT (SELECT sum(amount) FROM debit) + (SELECT sum(amount) FROM credit)", 0),
        ("SELECT count(*) FROM debit", at),
        ("SELECT count(*) FROM credit", at),
        ("SELECT max(id) FROM debit", at),
        ("SELECT max(seen) FROM debit", at),
        ("SELECT max(seen) FROM credit", at),
        ("SELECT count(*) FROM clock", 1),
    ] {
        assert_eq!(stage.value(database, sql), expected, "{sql} at {at} in {database}");
    }
    at
}

#[test]
fn a_live_source_arrives_as_one_instant_however_often_the_run_is_killed() {
    for (number, to) in
        ["sqlite:copy.db", "file:out?format=parquet", "file:out?format=csv"].into_iter().enumerate()
    {
        let stage = Stage::empty();
        seed(&stage);
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: live\nmoves: [{{from: 'sqlite:live.db', to: '{to}'}}]\nlimits: {{chunk: 64KiB, workers: 2}}\n"
            ),
        );
        let writer = LiveWriter::start(&stage);
        let mut random = Random::new(number as u64);
        let mut lives = Lives::default();
        let args = ["run", "m.yaml", "--json"];
        for turn in 0..8 {
            let moment = moment(&mut random, turn, 8, Duration::from_millis(150));
            lives.live(&|| stage.command(&args), moment, turn == 3);
        }
        let before = writer.commits();
        let last = stage.done(&args);
        assert!(writer.commits() > before, "the writer wrote during the last run");
        writer.end();
        assert_eq!(last.event("result")["outcome"], "verified", "{to} {lives:?}");
        if to != "sqlite:copy.db" {
            stage.done(&["copy", to, "sqlite:copy.db"]);
        }
        let at = one_instant(&stage, "copy.db");
        let now = one_instant(&stage, "live.db");
        assert!(at <= now && lives.killed() > 0, "{at} {now} {lives:?}");
    }
}
