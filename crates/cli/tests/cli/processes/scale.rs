//! What several processes win, and what their leases cost. The size is set from outside:
//! `LONGSHORE_SCALE_ROWS`, and `LONGSHORE_SOAK_BINARY` for a release build.

use longshore_testkit::postgres::{Postgres, Version};

use super::{Worker, migration};
use crate::stage::{Ran, Stage};

fn rows() -> u64 {
    let text = std::env::var("LONGSHORE_SCALE_ROWS").ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(40_000)
}

fn seed(server: &Postgres) -> String {
    let database = server.create("scale");
    let sql = format!(
        "CREATE TABLE orders (id bigint NOT NULL, note text);
         INSERT INTO orders SELECT i, repeat(md5(i::text), 4) FROM generate_series(1, {}) AS i;
         VACUUM ANALYZE",
        rows()
    );
    server.psql(&database, &sql);
    database
}

/// The seconds of the copy.
fn copy_seconds(ran: &Ran) -> f64 {
    let events = ran.events();
    let copy =
        |event: &&serde_json::Value| event["event"] == "stage-done" && event["stage"] == "copy";
    events.iter().find(copy).and_then(|event| event["seconds"].as_f64()).expect("a copy")
}

/// Runs so many processes into a database of their own; the seconds of the first one's copy.
fn run(stage: &Stage, count: usize, from: &str, to: &str, limits: &str) -> f64 {
    migration(stage, from, to, limits);
    let others: Vec<_> =
        (1..count).map(|index| Worker::start(stage, &format!("{index}/{count}"), &[])).collect();
    let first = Worker::start(stage, &format!("0/{count}"), &["--verify", "none"]).done();
    others.into_iter().for_each(|one| drop(one.done()));
    copy_seconds(&first)
}

#[test]
fn two_processes_are_almost_twice_as_fast_where_one_is_held_back() {
    let server = Postgres::shared(Version::V18);
    let (stage, from) = (Stage::empty(), seed(server));
    // One process would read for six seconds.
    let rate = (rows() * 140 / 6).max(100_000) / 1024;
    let limits = format!("chunk: 64KiB, workers: 2, source-rate: {rate}KiB/s");
    let seconds = |count| {
        run(&stage, count, &server.url(&from), &server.url(&server.create("scale")), &limits)
    };
    let (one, two, four) = (seconds(1), seconds(2), seconds(4));
    eprintln!(
        "copy at {rate} KiB/s for each process: one {one:.2} s, two {two:.2} s ({:.2}), four {four:.2} s ({:.2})",
        one / two,
        one / four
    );
    assert!(one / two >= 1.8, "{one} s and {two} s");
}

#[test]
fn leases_cost_next_to_nothing() {
    let server = Postgres::with(
        Version::V18,
        &["fsync=off", "full_page_writes=off", "log_min_duration_statement=0"],
    );
    let (stage, from) = (Stage::empty(), seed(&server));
    let chunk = if rows() > 1_000_000 { "64MiB" } else { "1MiB" };
    let limits = format!("chunk: {chunk}, workers: 1");
    let mut told = Vec::new();
    for count in [1, 2] {
        let to = server.create("scale");
        let seconds = run(&stage, count, &server.url(&from), &server.url(&to), &limits);
        let chunks = server.psql(&to, "SELECT count(*) FROM _longshore.entries");
        told.push(format!("{count} processes: {seconds:.2} s for {chunks} chunks"));
    }
    let log = std::fs::read_to_string(server.socket().join("log")).expect("the server's log");
    let (mut leases, mut all, mut number) = (0.0, 0.0, 0);
    for line in log.lines() {
        let Some((_, rest)) = line.split_once("duration: ") else { continue };
        let Some((milliseconds, what)) = rest.split_once(" ms ") else { continue };
        let milliseconds: f64 = milliseconds.parse().expect("a number");
        let is_lease = ["WITH held AS (SELECT token", "_longshore.leases SET", "SELECT e.entry"]
            .iter()
            .any(|start| what.contains(start));
        if is_lease {
            leases += milliseconds;
            number += 1;
        }
        if is_lease || what.contains("statement: COPY") || what.contains("_longshore") {
            all += milliseconds;
        }
    }
    let share = leases / all * 100.0;
    eprintln!(
        "{}; leases: {number} statements, {leases:.1} ms of {all:.0} ms at the target, {share:.2} %",
        told.join(", ")
    );
    // Chunks of the usual size are sixty times as large.
    let most = if rows() > 1_000_000 { 1.0 } else { 40.0 };
    assert!(share < most, "{share} %");
}
