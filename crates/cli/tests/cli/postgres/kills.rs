//! A migration from an old server to a new one is killed again and again, while the source is
//! written to at full rate: what ends up in the target is one instant of the source.
//!
//! The size is set from outside: `LONGSHORE_SOAK_KILLS`, `LONGSHORE_SOAK_ROWS`, and
//! `LONGSHORE_SOAK_BINARY` for a release build of longshore.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use longshore_testkit::Random;
use longshore_testkit::postgres::{Postgres, Version};

use super::{migration, verified};
use crate::lives::{Lives, moment};
use crate::stage::Stage;

/// Every transaction of the writer adds a row to both tables, moves an amount from the one to the
/// other and counts itself, so that one instant is told from a mixture of two.
const WRITER: &str = "
    DO $$
    DECLARE rows bigint := (SELECT count(*) FROM debit);
        moved int; turn bigint; giver bigint; taker bigint;
    BEGIN
        LOOP
            moved := 1 + random() * 999;
            giver := 1 + random() * (rows - 1);
            taker := 1 + random() * (rows - 1);
            UPDATE clock SET at = at + 1 RETURNING at INTO turn;
            INSERT INTO debit VALUES (turn, 0, turn, 'made by ' || turn);
            INSERT INTO credit VALUES ('k' || turn, 0, turn);
            UPDATE debit SET amount = amount - moved, seen = turn
                WHERE id = giver;
            UPDATE credit SET amount = amount + moved, seen = turn
                WHERE id = 'k' || taker;
            COMMIT;
        END LOOP;
    END $$";

struct LiveWriter(Child);

impl Drop for LiveWriter {
    /// The process of a writer whose server crashed is gone already.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl LiveWriter {
    fn start(server: &Postgres, database: &str) -> Self {
        let mut psql = server.client("psql", database);
        psql.args(["-X", "-q", "-c", WRITER]).stdin(Stdio::null()).stderr(Stdio::null());
        Self(psql.spawn().expect("psql starts"))
    }

    /// Ends it in the middle of whatever it does.
    fn end(mut self, server: &Postgres, database: &str) {
        assert!(self.0.try_wait().expect("a child").is_none(), "the writer wrote to its end");
        server.terminate(database);
    }
}

fn seed(server: &Postgres, rows: i64) -> String {
    let database = server.create("live");
    server.psql(
        &database,
        &format!(
            "CREATE TABLE clock (at bigint NOT NULL);
             CREATE TABLE debit (id bigint PRIMARY KEY, amount bigint, seen bigint, note text);
             CREATE TABLE credit (id text PRIMARY KEY, amount bigint, seen bigint);
             INSERT INTO clock VALUES ({rows});
             INSERT INTO debit SELECT i, 0, i, 'made by ' || i FROM generate_series(1, {rows}) AS i;
             INSERT INTO credit SELECT 'k' || id, 0, id FROM debit;
             VACUUM ANALYZE;"
        ),
    );
    database
}

/// What holds at every instant of the source, and at no mixture of two.
fn one_instant(server: &Postgres, database: &str) -> i64 {
    let number = |sql: &str| -> i64 { server.psql(database, sql).parse().expect("a number") };
    let at = number("SELECT at FROM clock");
    for (sql, expected) in [
        ("SELECT (SELECT sum(amount) FROM debit) + (SELECT sum(amount) FROM credit)", 0),
        ("SELECT count(*) FROM debit", at),
        ("SELECT count(*) FROM credit", at),
        ("SELECT max(id) FROM debit", at),
        ("SELECT max(seen) FROM debit", at),
        ("SELECT max(seen) FROM credit", at),
        ("SELECT count(*) FROM clock", 1),
        ("SELECT count(*) FROM pg_index WHERE indrelid::regclass::text IN ('debit', 'credit')", 2),
    ] {
        assert_eq!(number(sql), expected, "{sql} at {at} in {database}");
    }
    at
}

#[test]
fn a_live_database_arrives_as_one_instant_however_often_the_run_is_killed() {
    let setting = |name: &str, default: i64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let kills = u32::try_from(setting("LONGSHORE_SOAK_KILLS", 12)).expect("a number of kills");
    let rows = setting("LONGSHORE_SOAK_ROWS", 30_000);
    let source = Postgres::start(Version::V15);
    let target = Postgres::start(Version::V18);
    let (from, to) = (seed(&source, rows), target.create("copy"));
    let stage = Stage::empty();
    let chunk = if rows > 1_000_000 { "4MiB" } else { "256KiB" };
    let limits = format!("chunk: {chunk}, workers: 2");
    migration(&stage, &source.url(&from), &target.url(&to), &limits);
    let mut random = Random::new(3);
    let mut lives = Lives::default();
    let command = || -> Command { stage.command(&["run", "m.yaml", "--json"]) };
    let span = Duration::from_millis(300 + rows.unsigned_abs() / 500);
    let mut writer = LiveWriter::start(&source, &from);
    for turn in 0..kills {
        // The servers crash while the run is on, which goes on for a moment before it is killed.
        let mut strike = || {
            let server = match turn % 8 {
                1 | 5 => &target,
                6 => &source,
                _ => return false,
            };
            server.crash();
            server.resume();
            if turn % 8 == 6 {
                writer = LiveWriter::start(&source, &from);
            }
            std::thread::sleep(Duration::from_millis(500));
            true
        };
        let at = moment(&mut random, turn, kills, span);
        lives.live_through(&command, at, turn % 8 == 3, &mut strike);
        if turn % 20 == 19 {
            // A run that was done is not done again: every twenty kills are of another migration.
            verified(&stage.run(&["run", "m.yaml", "--json"]));
            one_instant(&target, &to);
            target.psql("postgres", &format!("DROP DATABASE {to}; CREATE DATABASE {to}"));
        }
    }
    verified(&stage.run(&["run", "m.yaml", "--json"]));
    writer.end(&source, &from);
    let (at, now) = (one_instant(&target, &to), one_instant(&source, &from));
    assert!(at <= now && lives.killed() > 0, "{at} {now} {lives:?}");
    assert!(now > rows, "the writer wrote");
}
