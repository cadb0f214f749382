//! Kills, storms and rivals.

use std::fs;
use std::time::{Duration, Instant};

use longshore_testkit::http_faults::{Fault, HttpFaults};
use longshore_testkit::store_server::{StoreKind, StoreServer};

use super::{Bucket, go, kept, left_out, migration};
use crate::postgres::verified;
use crate::stage::Stage;
use crate::trees::{change, picture, plant};

#[test]
fn killed_anywhere_it_goes_on_and_ends_the_same() {
    for (kind, points) in [
        (StoreKind::S3s, &["prepare.done", "copy.batch:3", "trees.before-entry:2"][..]),
        (StoreKind::Azurite, &["trees.after-entry:3", "copy.chunk-committed:4"]),
        (StoreKind::Moto, &["copy.batch:9", "copy.done", "trees.modes-set"]),
    ] {
        killed_at(kind, points);
    }
}

#[test]
fn killed_anywhere_it_goes_on_in_gcs_and_ends_the_same() {
    killed_at(StoreKind::Gcs, &["copy.batch:3", "trees.after-entry:5", "copy.chunk-committed:2"]);
}

fn killed_at(kind: StoreKind, points: &[&str]) {
    for point in points {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage.join("from"));
        let to = bucket.address("p");
        migration(&stage, &left_out(kind), &to);
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        let began = Instant::now();
        verified(&go(&stage));
        // Whoever held the lease is known to be gone.
        assert!(began.elapsed() < Duration::from_secs(30), "{point}: it waited");
        stage.done(&["copy", &to, "file:back?format=objects"]);
        assert_eq!(picture(&stage.join("back")), kept(&stage, kind), "{point}");
    }
}

#[test]
fn a_tree_that_changed_is_not_mixed_with_what_it_was() {
    for (kind, point) in [
        (StoreKind::Moto, "copy.chunk-committed:2"),
        (StoreKind::Gcs, "copy.chunk-committed:3"),
        (StoreKind::Azurite, "trees.before-entry:3"),
    ] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage.join("from"));
        let to = bucket.address("p");
        migration(&stage, &left_out(kind), &to);
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        change(&stage.join("from"));
        verified(&go(&stage));
        stage.done(&["copy", &to, "file:back?format=objects"]);
        assert_eq!(picture(&stage.join("back")), kept(&stage, kind), "{kind:?} {point}");
    }
}

#[test]
fn one_of_two_runs_is_refused() {
    for kind in [StoreKind::S3s, StoreKind::Gcs, StoreKind::Azurite] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        let proxy = HttpFaults::before(bucket.server.port());
        plant(&stage.join("from"));
        let to = bucket.address_by(proxy.port(), "p");
        let args = ["copy", &left_out(kind), &to, "--source-rate", "2MiB/s"];
        let first = stage.start(&[&args[..], &["--state", "one"]].concat());
        let began = Instant::now();
        // It is looked for before the lease is taken, and written after.
        let begun = |seen: &String| seen.starts_with("PUT") && seen.contains("ledger.json");
        while !proxy.seen().iter().any(begun) {
            assert!(began.elapsed() < Duration::from_secs(60), "no run begins");
            std::thread::sleep(Duration::from_millis(20));
        }
        let second = stage.run(&[&args[..], &["--state", "two"]].concat());
        assert_eq!(second.code, Some(75), "{kind:?}: {}", second.err);
        assert!(second.err.contains("LS0202"), "{}", second.err);
        let ended = first.wait_with_output().expect("it ends");
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
        stage.done(&args);
    }
}

#[test]
fn storms_pass() {
    a_storm_passes(StoreKind::S3s);
}

#[test]
fn storms_pass_in_gcs() {
    a_storm_passes(StoreKind::Gcs);
}

fn a_storm_passes(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    let proxy = HttpFaults::before(bucket.server.port());
    plant(&stage.join("from"));
    for (method, part, fault, times) in [
        ("PUT", "/p/many/", Fault::Status(503), 20),
        ("PUT", "", Fault::Lost, 4),
        ("GET", "", Fault::Status(429), 4),
        ("GET", "", Fault::Reset(0), 3),
        ("HEAD", "", Fault::Status(500), 5),
        ("POST", "", Fault::Status(503), 2),
    ] {
        proxy.fail(method, part, fault, times);
    }
    let to = bucket.address_by(proxy.port(), "p");
    migration(&stage, &left_out(kind), &to);
    verified(&go(&stage));
    for (fault, times) in [
        (Fault::Reset(1000), 10),
        (Fault::Truncate(100), 10),
        (Fault::Status(503), 20),
        (Fault::Slow(100_000, Duration::from_millis(20)), 20),
    ] {
        proxy.fail("GET", "/p/", fault, times);
    }
    stage.done(&["copy", &to, "file:back?format=objects"]);
    assert_eq!(picture(&stage.join("back")), kept(&stage, kind));
}

#[test]
fn credentials_that_end_stop_the_run_and_new_ones_go_on() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::S3s));
    let proxy = HttpFaults::before(bucket.server.port());
    plant(&stage.join("from"));
    let to = bucket.address_by(proxy.port(), "p");
    migration(&stage, &left_out(StoreKind::S3s), &to);
    proxy.fail("PUT", "/p/many/1", Fault::Status(403), 10_000);
    let ran = go(&stage);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0502"), "{}", ran.err);
    proxy.mend();
    verified(&go(&stage));
}

#[test]
fn a_server_that_stops_and_comes_back_is_waited_for() {
    let server = StoreServer::start(StoreKind::S3s);
    let bucket =
        Bucket { name: server.create_bucket("longshore"), server: Box::leak(Box::new(server)) };
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, &left_out(StoreKind::S3s), &bucket.address("p"));
    let child = stage.start(&["run", "m.yaml", "--json"]);
    std::thread::sleep(Duration::from_millis(300));
    bucket.server.stop();
    std::thread::sleep(Duration::from_secs(3));
    bucket.server.resume();
    let output = child.wait_with_output().expect("it ends");
    verified(&output.into());
}

#[test]
fn an_object_that_changes_while_it_is_read_is_whole_in_one_state() {
    for kind in [StoreKind::Moto, StoreKind::S3s, StoreKind::Gcs] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        let proxy = HttpFaults::before(bucket.server.port());
        let (one, other) = (vec![b'1'; 40 << 20], vec![b'2'; 30 << 20]);
        bucket.put("p/large", &[], &one);
        proxy.fail("GET", "/p/large", Fault::Slow(4 << 20, Duration::from_millis(400)), 6);
        let from = bucket.address_by(proxy.port(), "p");
        let child = stage.start(&["copy", &from, "file:to?format=objects", "--json"]);
        let began = Instant::now();
        while !proxy.seen().iter().any(|seen| seen.contains("GET") && seen.contains("/p/large")) {
            assert!(began.elapsed() < Duration::from_secs(60), "it is not read");
            std::thread::sleep(Duration::from_millis(5));
        }
        bucket.put("p/large", &[], &other);
        let output = child.wait_with_output().expect("it ends");
        // It may have been read before it changed, and then counts as it was.
        let ran: crate::stage::Ran = output.into();
        let found = fs::read(stage.join("to/large")).ok();
        let whole = found.as_ref().is_some_and(|bytes| *bytes == one || *bytes == other);
        assert!(whole || ran.code != Some(0), "{kind:?}: two states are mixed");
        assert!(found.is_none() || whole, "{kind:?}: two states are mixed: {}", ran.err);
    }
}
