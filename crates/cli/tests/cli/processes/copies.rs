//! Processes that nothing happens to.

use longshore_testkit::postgres::{Postgres, Version};

use super::{ROWS, SHOP, Worker, chunks, exactly_once, migration, rows_told};
use crate::stage::Stage;

#[test]
fn three_processes_copy_every_chunk_once_and_the_first_verifies() {
    let source = Postgres::shared(Version::V15);
    let target = Postgres::shared(Version::V18);
    let (from, to) = (source.create("several"), target.create("several"));
    source.psql(&from, SHOP);
    let stage = Stage::empty();
    let limits = "chunk: 64KiB, workers: 2, source-rate: 1MiB/s";
    migration(&stage, &source.url(&from), &target.url(&to), limits);
    // The others may be there first.
    let mut others: Vec<_> =
        ["1/3", "2/3"].iter().map(|one| Worker::start(&stage, one, &[])).collect();
    others.iter_mut().for_each(|one| one.wait_for("session-awaited", 1));
    let first = Worker::start(&stage, "0/3", &[]);
    let first = first.done();
    assert_eq!(first.event("result")["outcome"], "verified");
    let others: Vec<_> = others.into_iter().map(Worker::done).collect();
    for one in &others {
        assert_eq!(one.event("result")["outcome"], "copied");
        assert!(!chunks([one]).is_empty(), "{}", one.out);
    }
    let done = chunks(others.iter().chain([&first]));
    assert!(done.values().all(|times| *times == 1), "{done:?}");
    let entries = target.psql(&to, "SELECT count(*) FROM _longshore.entries");
    assert_eq!(entries, done.len().to_string());
    assert_eq!(rows_told(&first), ROWS, "the first tells of all rows: {}", first.out);
    exactly_once((source, &from), (target, &to));
    // Who comes when all is done has nothing to do.
    let late = Worker::start(&stage, "1/3", &[]).done();
    assert_eq!(chunks([&late]).len(), 0);
    let again = Worker::start(&stage, "0/3", &[]).done();
    assert_eq!(again.event("result")["outcome"], "verified");
}

#[test]
fn one_of_one_is_a_run_as_any_other() {
    let server = Postgres::shared(Version::V18);
    let (from, to) = (server.create("alone"), server.create("alone"));
    server.psql(&from, SHOP);
    let stage = Stage::empty();
    migration(&stage, &server.url(&from), &server.url(&to), "chunk: 64KiB");
    let ran = stage.done(&["run", "m.yaml", "--json", "--process", "0/1"]);
    assert_eq!(ran.event("result")["outcome"], "verified");
    let sql = "SELECT to_regclass('_longshore.leases') IS NULL";
    assert_eq!(server.psql(&to, sql), "t", "one process has no leases");
}
