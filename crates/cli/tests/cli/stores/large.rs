//! Large objects: in parts, and gone on with in a new process.

use std::fs;

use longshore_testkit::http_faults::{Fault, HttpFaults};
use longshore_testkit::store_server::StoreKind;

use super::{Bucket, go, migration, write_random};
use crate::postgres::verified;
use crate::stage::Stage;

/// Parts of 8 MiB that the object has, and its bytes.
pub(super) const PARTS: usize = 13;
pub(super) const SIZE: usize = 12 * (8 << 20) + 4711;

#[test]
fn objects_of_every_size_around_a_part_move() {
    for kind in [StoreKind::Moto, StoreKind::Gcs, StoreKind::Azurite, StoreKind::Rclone] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        fs::create_dir(stage.join("from")).expect("a folder");
        for size in [0, 1, (8 << 20) - 1, 8 << 20, (8 << 20) + 1, 16 << 20, (16 << 20) + 1] {
            write_random(&stage.join(&format!("from/{size}")), size);
        }
        let there = bucket.address("sizes");
        stage.done(&["copy", "file:from?format=objects", &there]);
        stage.done(&["copy", &there, "file:back?format=objects"]);
        for entry in fs::read_dir(stage.join("from")).expect("a folder").flatten() {
            let name = entry.file_name();
            let bytes = |folder: &str| fs::read(stage.join(folder).join(&name)).expect("a file");
            assert!(bytes("from") == bytes("back"), "{kind:?}: {name:?} differs");
        }
    }
}

/// The parts that were uploaded by way of a proxy since it was asked last.
pub(super) fn uploaded(proxy: &HttpFaults, before: usize) -> usize {
    let is_part = |seen: &&String| seen.starts_with("PUT") && seen.contains("partNumber=");
    proxy.seen().iter().skip(before).filter(is_part).count()
}

#[test]
fn a_killed_upload_goes_on_with_the_parts_that_are_there() {
    for kind in [StoreKind::Moto, StoreKind::S3s, StoreKind::Gcs] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        let proxy = HttpFaults::before(bucket.server.port());
        fs::create_dir(stage.join("from")).expect("a folder");
        write_random(&stage.join("from/big"), SIZE);
        let to = bucket.address_by(proxy.port(), "p");
        migration(&stage, "file:from?format=objects", &to);
        let killed = stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:2"]);
        assert_eq!(killed.code, None, "{}", killed.err);
        let (before, first) = (proxy.seen().len(), uploaded(&proxy, 0));
        verified(&go(&stage));
        let second = uploaded(&proxy, before);
        assert!(first + second >= PARTS, "{kind:?}: {first} and {second} parts");
        assert!(second <= PARTS - 4, "{kind:?}: {first} and {second} parts");
        let (there, here) = (bucket.get("p/big"), fs::read(stage.join("from/big")).ok());
        assert!(there == here, "{kind:?}: the object differs");
        nothing_is_left(&bucket);
    }
}

/// No record of an upload, and none that has not ended.
pub(super) fn nothing_is_left(bucket: &Bucket) {
    let listed = bucket.server.request("GET", &format!("/{}?list-type=2", bucket.name), &[], b"");
    assert!(!listed.text().contains("uploads-"), "{}", listed.text());
    if matches!(bucket.server.kind(), StoreKind::Moto | StoreKind::Gcs) {
        let open = bucket.server.request("GET", &format!("/{}?uploads=", bucket.name), &[], b"");
        assert_eq!(open.status, 200);
        assert!(!open.text().contains("<UploadId>"), "{}", open.text());
    }
}

#[test]
fn an_upload_is_given_up_with_its_run() {
    an_upload_is_given_up(StoreKind::Moto);
}

#[test]
fn an_upload_is_given_up_with_its_run_in_gcs() {
    an_upload_is_given_up(StoreKind::Gcs);
}

fn an_upload_is_given_up(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    fs::create_dir(stage.join("from")).expect("a folder");
    write_random(&stage.join("from/big"), SIZE);
    migration(&stage, "file:from?format=objects", &bucket.address("p"));
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    // What was uploaded of another state serves for nothing.
    fs::write(stage.join("from/big"), "small").expect("a file");
    verified(&go(&stage));
    assert_eq!(bucket.get("p/big").as_deref(), Some(&b"small"[..]));
    nothing_is_left(&bucket);

    // Nor does it for another run.
    migration(&stage, "file:from?format=objects", &bucket.address("q"));
    write_random(&stage.join("from/big"), SIZE);
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    let from = "file:from?format=objects";
    stage.done(&["copy", from, &bucket.address("q"), "--existing", "replace"]);
    nothing_is_left(&bucket);
}

#[test]
fn an_upload_that_the_store_forgot_begins_anew() {
    a_forgotten_upload_begins_anew(StoreKind::S3s);
}

#[test]
fn an_upload_that_the_store_forgot_begins_anew_in_gcs() {
    a_forgotten_upload_begins_anew(StoreKind::Gcs);
}

fn a_forgotten_upload_begins_anew(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    fs::create_dir(stage.join("from")).expect("a folder");
    write_random(&stage.join("from/big"), SIZE);
    migration(&stage, "file:from?format=objects", &bucket.address("p"));
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    let record = bucket.get("p/.longshore/uploads-0/0-0.json").expect("a record");
    let record: serde_json::Value = serde_json::from_slice(&record).expect("JSON");
    let id = record["big"]["id"].as_str().expect("an id");
    let target = format!("/{}/p/big?uploadId={id}", bucket.name);
    // Moto fails at it while a last part comes in.
    let forget = || bucket.server.request("DELETE", &target, &[], b"").status;
    assert!((0..5).map(|_| forget()).any(|status| matches!(status, 204 | 404)), "{kind:?}");
    verified(&go(&stage));
    let (there, here) = (bucket.get("p/big"), fs::read(stage.join("from/big")).ok());
    assert!(there == here, "the object differs");
    nothing_is_left(&bucket);
}

#[test]
fn a_part_whose_answer_is_lost_is_uploaded_again() {
    a_lost_part_is_uploaded_again(StoreKind::S3s);
}

#[test]
fn a_part_whose_answer_is_lost_is_uploaded_again_in_gcs() {
    a_lost_part_is_uploaded_again(StoreKind::Gcs);
}

fn a_lost_part_is_uploaded_again(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    let proxy = HttpFaults::before(bucket.server.port());
    fs::create_dir(stage.join("from")).expect("a folder");
    write_random(&stage.join("from/big"), SIZE);
    proxy.fail("PUT", "partNumber=3", Fault::Lost, 2);
    proxy.fail("PUT", "partNumber=5", Fault::Status(503), 3);
    proxy.fail("POST", "uploadId=", Fault::Status(500), 1);
    proxy.fail("POST", "uploadId=", Fault::Lost, 1);
    let there = bucket.address_by(proxy.port(), "p");
    stage.done(&["copy", "file:from?format=objects", &there]);
    proxy.fail("GET", "p/big", Fault::Reset(1 << 20), 3);
    proxy.fail("GET", "p/big", Fault::Truncate(3 << 20), 2);
    proxy.fail("GET", "p/big", Fault::Status(429), 2);
    stage.done(&["copy", &there, "file:back?format=objects"]);
    let bytes = |folder: &str| fs::read(stage.join(folder).join("big")).expect("a file");
    assert!(bytes("from") == bytes("back"), "the object differs");
}
