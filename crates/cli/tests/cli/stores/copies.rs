//! Copies within one store, whose bytes the store moves.

use std::collections::BTreeSet;
use std::fs;

use longshore_testkit::http_faults::{Fault, HttpFaults};
use longshore_testkit::store_server::StoreKind;

use super::large::{SIZE, nothing_is_left};
use super::{Bucket, go, kept, left_out, migration, write_random};
use crate::postgres::verified;
use crate::stage::Stage;
use crate::trees::{picture, plant};

/// A bucket with a proxy before it, and the addresses of a source and a target in it.
struct Shop {
    stage: Stage,
    bucket: Bucket,
    proxy: HttpFaults,
}

impl Shop {
    fn of(kind: StoreKind) -> Self {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        let proxy = HttpFaults::before(bucket.server.port());
        Self { stage, bucket, proxy }
    }

    fn from(&self) -> String {
        format!("{}&copy=server", self.bucket.address_by(self.proxy.port(), "p"))
    }

    fn to(&self) -> String {
        self.bucket.address_by(self.proxy.port(), "q")
    }

    /// The requests of a method for objects below a path.
    fn asked(&self, method: &str, path: &str) -> usize {
        let path = format!("/{}/{path}/", self.bucket.name);
        let is_one = |seen: &&String| {
            seen.starts_with(method) && seen.contains(&path) && !seen.contains(".longshore")
        };
        self.proxy.seen().iter().filter(is_one).count()
    }
}

#[test]
fn a_store_copies_what_was_written_into_it_and_nobody_reads_it() {
    for kind in [StoreKind::Moto, StoreKind::S3s] {
        let shop = Shop::of(kind);
        let stage = &shop.stage;
        plant(&stage.join("from"));
        stage.done(&["copy", &left_out(kind), &shop.bucket.address("p")]);
        let (from, to) = (shop.from(), shop.to());
        let plan = stage.done(&["plan", &from, &to]);
        assert!(plan.out.contains("copy=server"), "{}", plan.out);
        migration(stage, &from, &to);
        verified(&go(stage));
        // Links, and what may stand for a folder, are read.
        let (read, checked) = (shop.asked("GET", "p"), shop.asked("GET", "q"));
        assert!(read < 30 && checked > 250, "{kind:?}: {read} and {checked}");
        let back = format!("{}&owners=true", shop.bucket.address("q"));
        stage.done(&["copy", &back, "file:back?format=objects"]);
        assert_eq!(picture(&stage.join("back")), kept(stage, kind));
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
        // A hash that is not that of the bytes is found when the copy is verified.
        let told = [("x-amz-meta-blake3", "0".repeat(64))];
        let told: Vec<_> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
        shop.bucket.put("p/many/007.txt", &told, b"other");
        let ran = stage.run(&["copy", &from, &shop.bucket.address("r")]);
        assert_eq!(ran.code, Some(42), "another address is another server: {}", ran.err);
        let ran = stage.run(&["copy", &from, &to.replace("/q?", "/r?"), "--json"]);
        assert_eq!(ran.code, Some(3), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn what_other_tools_have_written_is_read_once_and_copied_as_it_is() {
    let shop = Shop::of(StoreKind::Moto);
    let told = [("content-type", "image/png"), ("x-amz-meta-colour", "red")];
    shop.bucket.put("p/a%20b/%C3%A4%2B%25.png", &told, b"picture");
    shop.bucket.put("p/plain", &[], b"plain");
    shop.bucket.put("p/empty", &[], b"");
    let (from, to) = (shop.from(), shop.to());
    migration(&shop.stage, &from, &to);
    verified(&go(&shop.stage));
    let got = shop.bucket.server.request(
        "GET",
        &format!("/{}/q/a%20b/%C3%A4%2B%25.png", shop.bucket.name),
        &[],
        b"",
    );
    assert_eq!((got.status, got.body.as_slice()), (200, &b"picture"[..]));
    assert_eq!(got.header("content-type"), Some("image/png"));
    assert_eq!(got.header("x-amz-meta-colour"), Some("red"));
    assert!(got.header("x-amz-meta-blake3").is_some() && got.header("x-amz-meta-mtime").is_some());
    verified(&shop.stage.run(&["verify", "m.yaml", "--independent", "--json"]));
}

#[test]
fn without_hashes_no_byte_is_read_at_all() {
    let shop = Shop::of(StoreKind::Moto);
    shop.bucket.put("p/one", &[], b"one");
    shop.bucket.put("p/two", &[], b"two");
    let text = format!(
        "longshore: v1\nname: tree\nmoves:\n  - from: '{}'\n    to: '{}'\n    columns: {{ objects: {{ drop: [hash] }} }}\n",
        shop.from(),
        shop.to()
    );
    shop.stage.write("m.yaml", &text);
    let plan = shop.stage.done(&["plan", "m.yaml"]);
    assert!(plan.out.contains("sizes and attributes are all"), "{}", plan.out);
    verified(&go(&shop.stage));
    assert_eq!(shop.asked("GET", "p"), 0, "{:?}", shop.proxy.seen());
    assert_eq!(shop.bucket.get("q/two").as_deref(), Some(&b"two"[..]));
}

#[test]
fn a_large_object_is_copied_in_parts_and_a_kill_leaves_none() {
    for kind in [StoreKind::Moto, StoreKind::S3s] {
        let shop = Shop::of(kind);
        fs::create_dir(shop.stage.join("from")).expect("a folder");
        write_random(&shop.stage.join("from/big"), SIZE);
        shop.stage.done(&["copy", "file:from?format=objects", &shop.bucket.address("p")]);
        let (from, to) = (shop.from(), shop.to());
        migration(&shop.stage, &from, &to);
        let killed = shop.stage.run(&["run", "m.yaml", "--failpoint", "stores.upload-recorded:1"]);
        assert_eq!(killed.code, None, "{}", killed.err);
        verified(&go(&shop.stage));
        let parts = shop.proxy.seen();
        let parts =
            parts.iter().filter(|seen| seen.starts_with("PUT") && seen.contains("partNumber"));
        assert_eq!(parts.count(), 2, "{kind:?}");
        let (there, here) = (shop.bucket.get("q/big"), fs::read(shop.stage.join("from/big")).ok());
        assert!(there == here, "{kind:?}: the object differs");
        nothing_is_left(&shop.bucket);
    }
}

#[test]
fn a_store_that_is_busy_and_an_object_that_changes_are_asked_again() {
    let shop = Shop::of(StoreKind::Moto);
    for number in 0..20 {
        shop.bucket.put(&format!("p/{number}"), &[], b"bytes");
    }
    let (from, to) = (shop.from(), shop.to());
    shop.proxy.fail("PUT", "/q/7", Fault::Status(412), 1);
    shop.proxy.fail("PUT", "/q/8", Fault::Status(503), 2);
    shop.proxy.fail("PUT", "/q/9", Fault::Lost, 2);
    migration(&shop.stage, &from, &to);
    verified(&go(&shop.stage));
    assert_eq!(shop.proxy.left(), 0);
    // What is denied is not asked for again.
    shop.proxy.fail("PUT", "/r/7", Fault::Status(403), 1);
    let ran = shop.stage.run(&["copy", &from, &to.replace("/q?", "/r?")]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0502") && !ran.err.contains("Signature"), "{}", ran.err);
}

#[test]
fn a_mirror_within_a_store_copies_what_differs() {
    let shop = Shop::of(StoreKind::Moto);
    for name in ["same", "other", "gone"] {
        shop.bucket.put(&format!("p/{name}"), &[], name.as_bytes());
    }
    let (from, to) = (shop.from(), shop.to());
    shop.stage.done(&["copy", &from, &to]);
    shop.bucket.put("p/other", &[], b"changed");
    shop.bucket.remove("p/gone");
    let before = shop.asked("PUT", "q");
    shop.stage.done(&["copy", &from, &to, "--existing", "mirror"]);
    assert_eq!(shop.asked("PUT", "q") - before, 1, "{:?}", shop.proxy.seen());
    assert_eq!(shop.bucket.get("q/other").as_deref(), Some(&b"changed"[..]));
    assert_eq!(shop.bucket.get("q/gone"), None);
}

#[test]
fn copies_that_no_server_can_make_are_refused() {
    let shop = Shop::of(StoreKind::Moto);
    shop.bucket.put("p/one", &[], b"one");
    let other = Bucket::of(StoreKind::S3s);
    for to in ["file:to?format=objects".to_string(), other.address("q")] {
        let ran = shop.stage.run(&["plan", &shop.from(), &to]);
        assert_eq!(ran.code, Some(42), "{}{}", ran.out, ran.err);
        assert!(ran.err.contains("copy=server"), "{}", ran.err);
    }
    for (from, word) in [
        (format!("{}&anonymous=true", shop.from()), "signed"),
        (shop.from().replace("copy=server", "copy=client"), "not known"),
    ] {
        let ran = shop.stage.run(&["plan", &from, &shop.to()]);
        assert_ne!(ran.code, Some(0));
        assert!(ran.err.contains(word), "{}", ran.err);
    }
    let to = shop.from().replace("/p?", "/q?");
    let ran = shop.stage.run(&["plan", &shop.bucket.address("p"), &to]);
    assert!(ran.err.contains("one of a source"), "{}", ran.err);
}

#[test]
fn azure_copies_also_between_the_containers_of_an_account() {
    copies_also_into_another_bucket(StoreKind::Azurite);
}

#[test]
fn google_copies_also_between_buckets() {
    copies_also_into_another_bucket(StoreKind::Gcs);
}

fn copies_also_into_another_bucket(kind: StoreKind) {
    let shop = Shop::of(kind);
    let stage = &shop.stage;
    plant(&stage.join("from"));
    stage.done(&["copy", &left_out(kind), &shop.bucket.address("p")]);
    let other = Bucket::of(kind);
    let elsewhere = other.address_by(shop.proxy.port(), "q");
    for to in [shop.to(), elsewhere] {
        let before = shop.asked("GET", "p");
        migration(stage, &shop.from(), &to);
        assert!(stage.done(&["plan", "m.yaml"]).out.contains("copy=server"));
        verified(&go(stage));
        // Links, and what may stand for a folder, are read.
        let read = shop.asked("GET", "p") - before;
        assert!(read < 30, "{read}");
        let _ = fs::remove_dir_all(stage.join("back"));
        stage.done(&["copy", &format!("{to}&owners=true"), "file:back?format=objects"]);
        assert_eq!(picture(&stage.join("back")), kept(stage, kind));
        verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    }
}

#[test]
fn azure_copies_what_others_have_written_in_blocks_and_again() {
    let told = [("x-ms-blob-content-type", "image/png"), ("x-ms-meta-colour", "red")];
    let shop = copies_what_others_have_written(StoreKind::Azurite, told, "x-ms-meta-colour");
    // A chunk that is taken again copies them again.
    let block = |seen: &String| {
        let (_, query) = seen.split_once("/q/large/big?comp=block&")?;
        query.split('&').next().map(str::to_string)
    };
    let blocks: BTreeSet<String> = shop.proxy.seen().iter().filter_map(block).collect();
    assert_eq!(blocks.len(), 2, "{blocks:?}");
}

#[test]
fn google_copies_what_others_have_written_and_again() {
    let told = [("content-type", "image/png"), ("x-amz-meta-colour", "red")];
    copies_what_others_have_written(StoreKind::Gcs, told, "x-goog-meta-colour");
}

fn copies_what_others_have_written(kind: StoreKind, told: [(&str, &str); 2], colour: &str) -> Shop {
    let shop = Shop::of(kind);
    shop.bucket.put("p/a%20b/%C3%A4%2B%25.png", &told, b"picture");
    for number in 0..20 {
        shop.bucket.put(&format!("p/{number}"), &[], b"bytes");
    }
    shop.bucket.put("p/empty", &[], b"");
    fs::create_dir(shop.stage.join("from")).expect("a folder");
    write_random(&shop.stage.join("from/big"), SIZE);
    let into = shop.bucket.address("p/large");
    shop.stage.done(&["copy", "file:from?format=objects", &into]);
    shop.proxy.fail("PUT", "/q/7", Fault::Status(412), 1);
    shop.proxy.fail("PUT", "/q/8", Fault::Status(503), 2);
    shop.proxy.fail("PUT", "/q/9", Fault::Lost, 2);
    migration(&shop.stage, &shop.from(), &shop.to());
    verified(&go(&shop.stage));
    assert_eq!(shop.proxy.left(), 0);
    let got = |key: &str| {
        shop.bucket.server.request("GET", &format!("/{}/{key}", shop.bucket.name), &[], b"")
    };
    let picture = got("q/a%20b/%C3%A4%2B%25.png");
    assert_eq!((picture.status, picture.body.as_slice()), (200, &b"picture"[..]));
    assert_eq!(picture.header("content-type"), Some("image/png"));
    assert_eq!(picture.header(colour), Some("red"));
    assert_eq!((got("q/empty").status, got("q/empty").body.len()), (200, 0));
    let (there, here) =
        (shop.bucket.get("q/large/big"), fs::read(shop.stage.join("from/big")).ok());
    assert!(there == here, "the object differs");
    verified(&shop.stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    shop
}
