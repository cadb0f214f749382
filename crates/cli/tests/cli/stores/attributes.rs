//! Extended attributes of files in stores.

use std::fs;

use longshore_testkit::http_faults::HttpFaults;
use longshore_testkit::store_server::StoreKind;

use super::large::{PARTS, SIZE, nothing_is_left, uploaded};
use super::{Bucket, go, migration, write_random};
use crate::postgres::verified;
use crate::stage::Stage;
use crate::trees::attributes::{all_given, give, given, take};

const FROM: &str = "file:from?format=objects";

/// A small tree with attributes.
fn plant(stage: &Stage) {
    let from = stage.join("from");
    fs::create_dir_all(from.join("folder/empty")).expect("folders");
    for name in ["a.png", "b.png", "plain", "folder/in"] {
        fs::write(from.join(name), name).expect("a file");
    }
    write_random(&from.join("large"), (8 << 20) + 1);
    for (name, attribute, value) in [
        ("a.png", &b"user.mime_type"[..], &b"image/png"[..]),
        ("a.png", b"user.binary", b"\x00\xff\n&="),
        ("a.png", b"user.empty", b""),
        ("a.png", b"user.\xff \xc3\xa4", b"odd"),
        ("b.png", b"user.mime_type", b"application/octet-stream"),
        ("large", b"user.long", &[0xa5; 1000]),
        ("folder", b"user.of.folder", b"x"),
        ("folder/empty", b"user.of.folder", b"y"),
    ] {
        give(&from.join(name), attribute, value);
    }
}

#[test]
fn extended_attributes_come_back_from_stores() {
    for kind in [StoreKind::Moto, StoreKind::Azurite] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage);
        let to = bucket.address("p");
        migration(&stage, FROM, &to);
        verified(&go(&stage));
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
        let header = |key: &str, header: &str| {
            let target = format!("/{}/p/{key}", bucket.name);
            let got = bucket.server.request("GET", &target, &[], b"");
            assert_eq!(got.status, 200, "{key}");
            got.header(header).map(str::to_string)
        };
        let prefix = if kind == StoreKind::Moto { "x-amz-meta" } else { "x-ms-meta" };
        assert_eq!(header("a.png", "content-type").as_deref(), Some("image/png"));
        let kept = "user.binary=AP8KJj0=&user.empty=&user.%FF%20%C3%A4=b2Rk";
        assert_eq!(header("a.png", &format!("{prefix}-xattrs")).as_deref(), Some(kept));
        let no_type = Some("application/octet-stream".to_string());
        for key in ["plain", "b.png", "large"] {
            assert_eq!(header(key, "content-type"), no_type, "{key}");
        }
        stage.done(&["copy", &to, "file:back?format=objects"]);
        assert_eq!(all_given(&stage.join("back")), all_given(&stage.join("from")));
        assert_eq!(all_given(&stage.join("back")).len(), 5);
    }
}

#[test]
fn attributes_of_objects_that_differ_are_found_and_mended() {
    for kind in [StoreKind::Moto, StoreKind::S3s] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage);
        fs::remove_dir_all(stage.join("from/folder")).expect("a folder");
        migration(&stage, FROM, &bucket.address("p"));
        verified(&go(&stage));
        let told = [("content-type", "image/png"), ("x-amz-meta-xattrs", "user.empty=eA==")];
        bucket.put("p/a.png", &told, b"a.png");
        let ran = stage.run(&["verify", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        let report = ran.event("result")["report"].as_str().expect("a path").to_string();
        let report = fs::read_to_string(stage.join(&report)).expect("a report");
        assert!(report.contains("attributes"), "{report}");
        verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));

        // A mirror follows.
        take(&stage.join("from/a.png"), b"user.binary");
        give(&stage.join("from/plain"), b"user.mime_type", b"text/plain");
        take(&stage.join("from/large"), b"user.long");
        let args = ["copy", FROM, &bucket.address("p"), "--existing", "mirror"];
        stage.done(&args);
        stage.done(&["copy", &bucket.address("p"), "file:back?format=objects"]);
        assert_eq!(all_given(&stage.join("back")), all_given(&stage.join("from")));
    }
}

#[test]
fn more_than_a_store_keeps_is_refused_by_name() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    for (name, size) in [("small", 1), ("large", (8 << 20) + 1)] {
        let from = stage.join(&format!("from-{name}"));
        fs::create_dir(&from).expect("a folder");
        write_random(&from.join(name), size);
        give(&from.join(name), b"user.long", &[0xa5; 1600]);
        let from = format!("file:from-{name}?format=objects");
        let to = bucket.address(name);
        let ran = stage.run(&["copy", &from, &to]);
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        for told in ["object", name, "2048", "drop: [attributes]"] {
            assert!(ran.err.contains(told), "{told}: {}", ran.err);
        }
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: tree\nmoves: [{{from: '{from}', to: '{to}', existing: replace, \
                 columns: {{objects: {{drop: [attributes]}}}}}}]\n"
            ),
        );
        verified(&go(&stage));
    }
}

/// What others wrote into a store.
#[test]
fn attributes_that_no_folder_keeps_are_refused_by_name() {
    for attribute in ["com.apple.quarantine", "security.selinux", "system.other"] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::S3s));
        let told = format!("{attribute}=eA==");
        bucket.put("p/one", &[("x-amz-meta-xattrs", told.as_str())], b"x");
        bucket.put("p/two", &[("x-amz-meta-xattrs", "not ours")], b"x");
        let from = bucket.address("p");
        let ran = stage.run(&["copy", &from, "file:to?format=objects"]);
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        for told in ["one", attribute, "drop: [attributes]"] {
            assert!(ran.err.contains(told), "{told}: {}", ran.err);
        }
        bucket.remove("p/one");
        stage.done(&["copy", &from, "file:to?format=objects", "--existing", "replace"]);
        let name = b"user.longshore.metadata:xattrs".to_vec();
        assert_eq!(given(&stage.join("to/two")), [(name, b"not ours".to_vec())].into());
    }
}

#[test]
fn an_upload_begins_anew_when_attributes_changed() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    let proxy = HttpFaults::before(bucket.server.port());
    fs::create_dir(stage.join("from")).expect("a folder");
    write_random(&stage.join("from/big"), SIZE);
    give(&stage.join("from/big"), b"user.a", b"old");
    migration(&stage, FROM, &bucket.address_by(proxy.port(), "p"));
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    give(&stage.join("from/big"), b"user.a", b"new");
    let before = proxy.seen().len();
    verified(&go(&stage));
    assert_eq!(uploaded(&proxy, before), PARTS);
    let got = bucket.server.request("GET", &format!("/{}/p/big", bucket.name), &[], b"");
    assert_eq!(got.header("x-amz-meta-xattrs"), Some("user.a=bmV3"));
    assert!(got.body == fs::read(stage.join("from/big")).expect("a file"));
    nothing_is_left(&bucket);
}

/// The tag of an object is that of its bytes.
#[test]
fn metadata_that_changes_after_an_interruption_is_seen() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    let bytes = vec![7; 700 << 10];
    let told = |colour| [("x-amz-meta-colour", colour)];
    for name in ["a", "b", "c", "d"] {
        bucket.put(&format!("p/{name}"), &told("red"), &bytes);
    }
    migration(&stage, &bucket.address("p"), "file:to?format=objects");
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "copy.chunk-committed:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    for name in ["a", "b", "c", "d"] {
        bucket.put(&format!("p/{name}"), &told("blue"), &bytes);
    }
    verified(&go(&stage));
    for found in all_given(&stage.join("to")).into_values() {
        assert_eq!(found.into_values().next().as_deref(), Some(&b"blue"[..]));
    }
}
