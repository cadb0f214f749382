//! What several processes win, and what their leases cost. The size is set from outside: `LONGSHORE_SCALE_ROWS`, and
//! `LONGSHORE_SOAK_BINARY` for a release build. In a short copy the time until all have joined weighs.

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
    // How long one process reads, and what two must win by at least.
    let (length, least) = if rows() >= 1_000_000 { (30, 1.8) } else { (6, 1.2) };
    let rate = (rows() * 140 / length).max(100_000) / 1024;
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
    assert!(one / two >= least, "{one} s and {two} s");
}

#[test]
fn leases_cost_the_target_little() {
    // Nobody waits for a disk: what is waited for at a commit is no statement's time.
    let settings = [
        "fsync=off",
        "full_page_writes=off",
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.max=20000",
    ];
    let server = Postgres::with(Version::V18, &settings);
    let (stage, from, to) = (Stage::empty(), seed(&server), server.create("leased"));
    server.psql(&to, "CREATE EXTENSION pg_stat_statements SCHEMA public");
    // Small chunks where there are few rows, and those of the default where there are many.
    let limits = if rows() >= 1_000_000 { "workers: 2" } else { "chunk: 1MiB, workers: 2" };
    run(&stage, 2, &server.url(&from), &server.url(&to), limits);
    let spent = |of: &str| {
        let sql = format!(
            "SELECT coalesce(sum(total_exec_time), 0), coalesce(sum(calls), 0)
             FROM pg_stat_statements JOIN pg_database d ON d.oid = dbid
             WHERE d.datname = '{to}' AND query !~ 'pg_stat_statements' AND {of}"
        );
        let answer = server.psql(&to, &sql);
        let (millis, calls) = answer.trim().split_once('|').expect("two numbers");
        (millis.parse::<f64>().expect("a time"), calls.parse::<u64>().expect("a number"))
    };
    let asks = "query ~ '_longshore.leases' AND query !~ '^CREATE|^COMMIT'";
    let (leases, all) = (spent(asks), spent("true"));
    let share = leases.0 / all.0;
    eprintln!(
        "{} statements about leases took {:.1} ms of the target's {:.0} ms: {:.2} %",
        leases.1,
        leases.0,
        all.0,
        share * 100.0
    );
    assert!(leases.1 > 0 && share < 0.05, "{share}");
}
