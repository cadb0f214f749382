//! Stores that hold objects already: mirrors, and stores to which objects are added.

use std::fs;
use std::os::unix::fs::symlink;

use longshore_testkit::http_faults::HttpFaults;
use longshore_testkit::store_server::StoreKind;

use super::{Bucket, go, kept, left_out, write_random};
use crate::postgres::verified;
use crate::stage::Stage;
use crate::trees::{picture, plant};

fn migration(stage: &Stage, from: &str, to: &str, existing: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: tree\nlimits: {{chunk: 1MiB}}\n\
             moves: [{{from: '{from}', to: '{to}', existing: {existing}}}]\n"
        ),
    );
}

/// The objects that were written by way of a proxy since it had seen so much.
fn written(proxy: &HttpFaults, before: usize) -> Vec<String> {
    let is_write = |seen: &String| {
        (seen.starts_with("PUT") || seen.starts_with("POST"))
            && !seen.contains(".longshore")
            && !seen.contains("delete")
            && !seen.contains("comp=batch")
    };
    proxy.seen().into_iter().skip(before).filter(is_write).collect()
}

fn a_mirror_is_just_the_source(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    let proxy = HttpFaults::before(bucket.server.port());
    plant(&stage.join("from"));
    let to = bucket.address_by(proxy.port(), "p");
    stage.done(&["copy", &left_out(kind), &to]);
    let mut bytes = bucket.get("p/large.bin").expect("an object");
    bytes[3_000_000] ^= 1;
    bucket.put("p/large.bin", &[], &bytes);
    bucket.remove("p/many/007.txt");
    bucket.put("p/many/007.txt.extra", &[], b"x");
    bucket.put("p/gone/deep/er", &[], b"too much");
    bucket.put("p/zz", &[], b"zz");
    bucket.put("pine", &[], b"not in the path");
    fs::write(stage.join("from/many/008.txt"), "new").expect("a file");
    fs::remove_file(stage.join("from/link")).expect("a link");
    symlink("many/002.txt", stage.join("from/link")).expect("a link");
    migration(&stage, &left_out(kind), &to, "mirror");
    let plan = stage.done(&["plan", "m.yaml"]).out;
    assert!(plan.contains("REMOVED: gone/, gone/deep/,"), "{plan}");
    let before = proxy.seen().len();
    verified(&go(&stage));
    let puts = written(&proxy, before);
    let is_told = |name: &str| puts.iter().any(|put| put.contains(name));
    for name in ["large.bin", "007.txt", "008.txt", "/link"] {
        assert!(is_told(name), "{kind:?}: {name} was not written: {puts:?}");
    }
    // Some servers give no parts of objects, with which to compare, and none for folders.
    let may_be_new = |put: &&String| {
        kind == StoreKind::Rclone && (put.contains("sparse") || put.contains("no%20entries"))
    };
    let few = puts.iter().filter(|put| !may_be_new(put)).count();
    assert!(few <= 4, "{kind:?}: {puts:?}");
    for key in ["p/many/007.txt.extra", "p/gone/deep/er", "p/zz"] {
        assert_eq!(bucket.get(key), None, "{kind:?}: {key}");
    }
    assert!(bucket.get("pine").is_some());
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    stage.done(&["copy", &format!("{to}&owners=true"), "file:back?format=objects"]);
    assert_eq!(picture(&stage.join("back")), kept(&stage, kind), "{kind:?}");
}

#[test]
fn a_mirror_in_rclone_is_just_the_source() {
    a_mirror_is_just_the_source(StoreKind::Rclone);
}

#[test]
fn a_mirror_in_s3s_is_just_the_source() {
    a_mirror_is_just_the_source(StoreKind::S3s);
}

#[test]
fn a_mirror_in_moto_is_just_the_source() {
    a_mirror_is_just_the_source(StoreKind::Moto);
}

#[test]
fn a_mirror_in_gcs_is_just_the_source() {
    a_mirror_is_just_the_source(StoreKind::Gcs);
}

#[test]
fn a_mirror_in_azurite_is_just_the_source() {
    a_mirror_is_just_the_source(StoreKind::Azurite);
}

#[test]
fn a_mirror_that_is_killed_anywhere_ends_the_same() {
    for (kind, points) in [
        (StoreKind::S3s, &["prepare.done", "trees.before-removal"][..]),
        (StoreKind::Azurite, &["copy.batch:3", "trees.removal"]),
        (StoreKind::Moto, &["finish.done"]),
    ] {
        a_mirror_is_killed_at(kind, points);
    }
}

#[test]
fn a_mirror_in_gcs_that_is_killed_anywhere_ends_the_same() {
    a_mirror_is_killed_at(StoreKind::Gcs, &["copy.batch:2", "trees.removal"]);
}

fn a_mirror_is_killed_at(kind: StoreKind, points: &[&str]) {
    for point in points {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        plant(&stage.join("from"));
        let to = bucket.address("p");
        bucket.put("p/0", &[], b"too much");
        bucket.put("p/many/001.txt", &[], b"other");
        bucket.put("p/many/zzz", &[], b"too much");
        migration(&stage, &left_out(kind), &to, "mirror");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        if *point == "prepare.done" {
            assert!(bucket.get("p/0").is_some(), "removed too early");
        }
        verified(&go(&stage));
        stage.done(&["copy", &format!("{to}&owners=true"), "file:back?format=objects"]);
        assert_eq!(picture(&stage.join("back")), kept(&stage, kind), "{kind:?} {point}");
    }
}

#[test]
fn large_objects_are_compared_part_by_part() {
    for kind in [StoreKind::Moto, StoreKind::Gcs, StoreKind::Azurite] {
        let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
        let proxy = HttpFaults::before(bucket.server.port());
        fs::create_dir(stage.join("from")).expect("a folder");
        let path = stage.join("from/big");
        write_random(&path, (40 << 20) + 11);
        let to = bucket.address_by(proxy.port(), "p");
        migration(&stage, "file:from?format=objects", &to, "mirror");
        verified(&go(&stage));
        let before = proxy.seen().len();
        verified(&go(&stage));
        let puts = written(&proxy, before);
        assert!(puts.is_empty(), "{kind:?}: {puts:?}");
        // Other bytes at the end, with size and time the same.
        let time = fs::metadata(&path).expect("a file").modified().expect("a time");
        let mut bytes = fs::read(&path).expect("a file");
        bytes[(40 << 20) + 3] ^= 1;
        fs::write(&path, &bytes).expect("a file");
        let file = fs::File::options().write(true).open(&path).expect("a file");
        file.set_modified(time).expect("a time");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", "trees.before-entry"]);
        assert_eq!(killed.code, None, "{}", killed.err);
        verified(&go(&stage));
        assert!(bucket.get("p/big") == Some(bytes), "{kind:?}: the object differs");
        // A shorter one of other time.
        write_random(&path, 30 << 20);
        verified(&go(&stage));
        assert!(bucket.get("p/big") == fs::read(&path).ok(), "{kind:?}: the object differs");
    }
}

#[test]
fn a_recorded_hash_that_lies_is_found_and_mended() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Moto));
    fs::create_dir(stage.join("from")).expect("a folder");
    fs::write(stage.join("from/one"), "true").expect("a file");
    migration(&stage, "file:from?format=objects", &bucket.address("p"), "mirror");
    verified(&go(&stage));
    let target = format!("/{}/p/one", bucket.name);
    let there = bucket.server.request("HEAD", &target, &[], b"");
    let told = |name: &'static str| (name, there.header(name).expect(name));
    let lies = [told("x-amz-meta-blake3"), told("x-amz-meta-mtime")];
    bucket.put("p/one", &lies, b"lies");
    let ran = go(&stage);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
    assert_eq!(bucket.get("p/one").as_deref(), Some(&b"true"[..]));
}

#[test]
fn objects_are_added_to_a_store_that_keeps_its_own() {
    for kind in [StoreKind::S3s, StoreKind::Azurite] {
        objects_are_added(kind);
    }
}

#[test]
fn objects_are_added_to_gcs_that_keeps_its_own() {
    objects_are_added(StoreKind::Gcs);
}

fn objects_are_added(kind: StoreKind) {
    let (stage, bucket) = (Stage::empty(), Bucket::of(kind));
    plant(&stage.join("from"));
    let told = [("content-type", "image/png")];
    let held = ["p/0", "p/mine/deep/one", "p/many/zzz", "p/zz"];
    for key in held {
        bucket.put(key, &told, key.as_bytes());
    }
    bucket.put("p/many/001.txt", &told, b"of the target");
    let to = bucket.address("p");
    migration(&stage, &left_out(kind), &to, "append");
    let plan = stage.done(&["plan", "m.yaml"]).out;
    assert!(plan.contains("are kept: 0, "), "{plan}");
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "trees.before-entry:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    verified(&go(&stage));
    bucket.remove("p/many/002.txt");
    assert_eq!(stage.run(&["verify", "m.yaml"]).code, Some(3));
    verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
    for key in held {
        assert_eq!(bucket.get(key).as_deref(), Some(key.as_bytes()), "{kind:?}: {key}");
    }
    verified(&go(&stage));
    bucket.put("p/many/zzz", &told, b"other");
    assert_eq!(stage.run(&["verify", "m.yaml"]).code, Some(3));
    for key in ["many/001.txt", "many/002.txt", "large.bin"] {
        let there = bucket.get(&format!("p/{key}"));
        assert!(there == fs::read(stage.join("from").join(key)).ok(), "{kind:?}: {key}");
    }
}
