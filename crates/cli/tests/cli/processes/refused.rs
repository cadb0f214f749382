//! What several processes are refused.

use longshore_testkit::postgres::{Postgres, Version};

use super::{SHOP, Worker, migration};
use crate::stage::Stage;

#[test]
fn wrong_numbers_of_processes_are_refused() {
    let stage = Stage::shop(10);
    for wrong in [
        "3/3", "4/3", "0/0", "0", "/", "1/", "/2", "-1/2", "+0/2", "a/b", "0/2/3", "0/1001", " 0/2",
    ] {
        let ran = stage.run(&["run", "sqlite:shop.db", "sqlite:copy.db", "--process", wrong]);
        assert_eq!(ran.code, Some(2), "{wrong}: {}", ran.err);
        assert!(!stage.join("copy.db").exists(), "{wrong}");
    }
    let lonely = stage.run(&["run", "sqlite:shop.db", "sqlite:copy.db", "--lease", "5"]);
    assert_eq!(lonely.code, Some(2), "{}", lonely.err);
}

#[test]
fn targets_that_one_process_loads_refuse_several_before_anything_is_done() {
    let stage = Stage::shop(10);
    for to in ["sqlite:copy.db", "file:copy?format=parquet", "file:copy?format=objects"] {
        for process in ["0/2", "1/2"] {
            let ran = stage.run(&["run", "sqlite:shop.db", to, "--process", process]);
            assert_eq!(ran.code, Some(42), "{to}: {}", ran.err);
            assert!(ran.err.contains("several processes"), "{}", ran.err);
        }
        // One of one is no matter.
        if !to.ends_with("objects") {
            stage.done(&["run", "sqlite:shop.db", to, "--process", "0/1", "--dry-run"]);
        }
    }
    assert!(!stage.join("copy.db").exists() && !stage.join("copy").exists());
}

#[test]
fn reject_files_are_refused_to_several() {
    let server = Postgres::shared(Version::V18);
    let (from, to) = (server.create("rejects"), server.create("rejects"));
    server.psql(&from, "CREATE TABLE t (id int PRIMARY KEY)");
    let stage = Stage::empty();
    migration(&stage, &server.url(&from), &server.url(&to), "");
    let ran = stage.run(&["run", "m.yaml", "--process", "0/2", "--on-reject", "divert"]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("reject files"), "{}", ran.err);
}

#[test]
fn who_waits_for_nobody_gives_up() {
    let server = Postgres::shared(Version::V18);
    let (from, to) = (server.create("nobody"), server.create("nobody"));
    server.psql(&from, SHOP);
    let stage = Stage::empty();
    migration(&stage, &server.url(&from), &server.url(&to), "");
    let waits = Worker::start(&stage, "1/2", &["--wait", "2"]).end();
    assert_eq!(waits.code, Some(75), "{}", waits.err);
    assert!(waits.err.contains("LS0207") && waits.err.contains("index 0"), "{}", waits.err);
    assert_eq!(server.psql(&to, "SELECT count(*) FROM pg_class WHERE relname = 'orders'"), "0");
    // Another migration's session is none of ours.
    let other = Stage::empty();
    migration(&other, &server.url(&from), &server.url(&to), "chunk: 64KiB, source-rate: 100KiB/s");
    let mut first = Worker::start(&other, "0/2", &[]);
    first.wait_for("copied", 1);
    let mut waits = Worker::start(&stage, "1/2", &["--wait", "2"]);
    waits.wait_for("session-awaited", 1);
    std::thread::sleep(std::time::Duration::from_secs(3));
    assert!(waits.runs(), "the target is held: it may be ours soon");
    first.kill();
    let waits = waits.end();
    assert_eq!(waits.code, Some(75), "{}", waits.err);
    assert_eq!(super::chunks([&waits]).len(), 0);
}
