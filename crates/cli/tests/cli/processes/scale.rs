//! What several processes win. The size is set from outside: `LONGSHORE_SCALE_ROWS`, and
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
