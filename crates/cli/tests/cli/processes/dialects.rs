//! Several processes with MySQL and MariaDB, whose views of a source cannot be joined.

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, Worker, chunks, migration};
use crate::stage::{Ran, Stage};

const LEASE: &[&str] = &["--lease", "2"];

const SLOW: &str = "chunk: 128KiB, memory: 1MiB, workers: 1, source-rate: 150KiB/s";

const MYSQL_SHOP: &str = "
    CREATE TABLE orders (id BIGINT PRIMARY KEY, note VARCHAR(100));
    CREATE TABLE log (what VARCHAR(40), number INT);
    SET SESSION cte_max_recursion_depth = 20000;
    INSERT INTO orders WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
        SELECT i, CONCAT('Bestellung ', i) FROM n;
    INSERT INTO log WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
        SELECT 'twice', i DIV 2 FROM n;
    ANALYZE TABLE orders, log;";

fn verified(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(ran.event("result")["outcome"], "verified", "{}", ran.out);
}

/// The target holds what its ledger says, no lease is left, and no chunk was told twice.
fn whole(stage: &Stage, server: &Mysql, database: &str, runs: &[Ran]) {
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    assert_eq!(server.sql(database, "SELECT COUNT(*) FROM _longshore_leases").trim(), "0");
    let done = chunks(runs);
    assert!(done.values().all(|times| *times == 1), "{done:?}");
}

fn killed_and_asleep(flavor: Flavor) {
    let (source, target) = (Postgres::shared(Version::V18), Mysql::shared(flavor));
    let (from, to) = (source.create("several"), target.create("several"));
    source.psql(&from, SHOP);
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url(&to), SLOW);
    let start = |process: &str| Worker::start(&stage, process, LEASE);
    let (mut first, mut second, mut third) = (start("0/3"), start("1/3"), start("2/3"));
    second.wait_for("copied", 2);
    second.signal("STOP");
    third.wait_for("copied", 2);
    let mut ended = vec![third.kill()];
    first.wait_for("chunk-done", 2);
    ended.push(first.kill());
    let third = start("2/3");
    let first = start("0/3").done();
    verified(&first);
    ended.extend([first, third.done()]);
    let entries =
        |server: &Mysql| server.sql(&to, "SELECT * FROM _longshore_entries ORDER BY 1, 2");
    let before = entries(target);
    second.signal("CONT");
    ended.push(second.done());
    assert_eq!(before, entries(target), "who slept wrote nothing");
    whole(&stage, target, &to, &ended);
}

#[test]
fn processes_with_mysql_are_killed_and_put_to_sleep() {
    killed_and_asleep(Flavor::MySql);
}

#[test]
fn processes_with_mariadb_are_killed_and_put_to_sleep() {
    killed_and_asleep(Flavor::MariaDb);
}

#[test]
fn sources_that_cannot_be_joined_are_read_where_they_stand_still() {
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let (source, target) = (Mysql::start(flavor), Mysql::shared(flavor));
        let (from, to) = (source.create("still"), target.create("still"));
        let shop = match flavor {
            Flavor::MySql => MYSQL_SHOP.to_string(),
            Flavor::MariaDb => {
                MYSQL_SHOP.replace("cte_max_recursion_depth", "max_recursive_iterations")
            }
        };
        source.sql(&from, &shop);
        let stage = Stage::empty();
        migration(&stage, &source.url(&from), &target.url(&to), SLOW);
        let (second, first) =
            (Worker::start(&stage, "1/2", LEASE), Worker::start(&stage, "0/2", LEASE));
        let runs = [first.done(), second.done()];
        verified(&runs[0]);
        assert!(!chunks([&runs[1]]).is_empty(), "{}", runs[1].out);
        whole(&stage, target, &to, &runs);
    }
}

#[test]
fn a_process_that_would_read_another_state_of_the_source_is_refused() {
    let source = Mysql::start(Flavor::MySql);
    let target = Postgres::shared(Version::V18);
    let (from, to) = (source.create("moving"), target.create("moving"));
    source.sql(&from, MYSQL_SHOP);
    let stage = Stage::empty();
    migration(&stage, &source.url(&from), &target.url(&to), SLOW);
    let mut first = Worker::start(&stage, "0/2", LEASE);
    first.wait_for("copied", 1);
    source.sql(&from, "INSERT INTO log VALUES ('late', 1)");
    let second = Worker::start(&stage, "1/2", LEASE).end();
    assert_eq!(second.code, Some(42), "{}", second.err);
    for word in ["LS0106", "another position", "one process"] {
        assert!(second.err.contains(word), "{word}: {}", second.err);
    }
    assert_eq!(chunks([&second]).len(), 0);
    // The first does all of it.
    verified(&first.done());
    assert_eq!(target.psql(&to, "SELECT count(*) FROM log"), "12000");
}
