//! Extended attributes of files and folders.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{XattrFlags, lgetxattr, llistxattr, lremovexattr, lsetxattr};

use super::{go, migration, picture, plant};
use crate::postgres::verified;
use crate::stage::Stage;

const FROM: &str = "file:from?format=objects";
const TO: &str = "file:to?format=objects";

const ACCESS: &[u8] = b"system.posix_acl_access";
const DEFAULT: &[u8] = b"system.posix_acl_default";

pub(crate) fn give(path: &Path, name: &[u8], value: &[u8]) {
    lsetxattr(path, name, value, XattrFlags::empty()).expect("an attribute");
}

pub(crate) fn take(path: &Path, name: &[u8]) {
    lremovexattr(path, name).expect("an attribute");
}

/// All extended attributes of an entry.
pub(crate) fn given(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut list = Vec::with_capacity(64 << 10);
    llistxattr(path, rustix::buffer::spare_capacity(&mut list)).expect("a list");
    let names = list.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let value = |name: &[u8]| {
        let mut value = Vec::with_capacity(64 << 10);
        lgetxattr(path, name, rustix::buffer::spare_capacity(&mut value)).expect("a value");
        (name.to_vec(), value)
    };
    names.map(value).collect()
}

/// Those of a whole tree.
pub(crate) fn all_given(root: &Path) -> BTreeMap<Vec<u8>, BTreeMap<Vec<u8>, Vec<u8>>> {
    let names = picture(root).into_keys();
    let one = |name: Vec<u8>| {
        let found = given(&root.join(OsStr::from_bytes(&name)));
        (name, found)
    };
    names.map(one).filter(|(_, found)| !found.is_empty()).collect()
}

/// An access list that gives one more user some rights; `others` are those of all.
fn list(user: u32, others: u16) -> Vec<u8> {
    let nobody = u32::MAX;
    let entries = [(1u16, 6u16, nobody), (2, 5, user), (4, 4, nobody), (16, 7, nobody)];
    let mut value = 2u32.to_le_bytes().to_vec();
    for (tag, rights, who) in entries.into_iter().chain([(32, others, nobody)]) {
        value.extend(tag.to_le_bytes());
        value.extend(rights.to_le_bytes());
        value.extend(who.to_le_bytes());
    }
    value
}

/// Gives some entries of a planted tree attributes of every kind.
fn plant_given(root: &Path) {
    plant(root);
    for (name, attribute, value) in [
        ("piece", &b"user.binary"[..], &b"\x00\xff\n\x80\""[..]),
        ("piece", b"user.empty", b""),
        ("piece", b"user.long", &[0xa5; 3000]),
        ("empty", b"user.\xff\xfe=&%\n", b"odd"),
        ("large.bin", b"user.mime_type", b"application/x-noise"),
        ("many", b"user.of.folder", b"x"),
        ("no entries", b"user.of.folder", b"y"),
        ("closed", b"user.of.folder", b"z"),
        ("closed/in", b"user.mime_type", b" no type "),
        ("many/010.txt", ACCESS, &list(4711, 0)),
    ] {
        give(&root.join(name), attribute, value);
    }
    // What is in a folder has its default, unless it was there before.
    give(&root.join("many/deep"), DEFAULT, &list(4712, 4));
    fs::write(root.join("many/deep/later"), "x").expect("a file");
    assert!(given(&root.join("many/deep/later")).contains_key(ACCESS));
    assert!(given(&root.join("many/deep/er")).is_empty());
    // A file that may not be written has attributes all the same.
    give(&root.join("many/011.txt"), b"user.a", b"1");
    let mode = Permissions::from_mode(0o444);
    fs::set_permissions(root.join("many/011.txt"), mode).expect("a mode");
}

#[test]
fn extended_attributes_arrive_as_they_are() {
    let stage = Stage::empty();
    let (from, to) = (stage.join("from"), stage.join("to"));
    plant_given(&from);
    let mut expected = 11;
    if rustix::process::geteuid().is_root() {
        expected += 2;
        give(&from.join("many/012.txt"), b"trusted.a", b"1");
        // Written bytes and other owners take it away.
        let rights = [&0x0200_0001u32.to_le_bytes()[..], &[0, 4, 0, 0], &[0; 12]].concat();
        give(&from.join("many/013.txt"), b"security.capability", &rights);
    }
    migration(&stage, "");
    verified(&go(&stage));
    assert_eq!(all_given(&from).len(), expected);
    assert_eq!(all_given(&to), all_given(&from));
    assert_eq!(picture(&to), picture(&from));
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
}

#[test]
fn attributes_that_differ_are_found_and_mended() {
    let stage = Stage::empty();
    let (from, to) = (stage.join("from"), stage.join("to"));
    plant_given(&from);
    migration(&stage, "");
    verified(&go(&stage));
    for spoil in [
        |to: &Path| give(&to.join("piece"), b"user.empty", b"no more"),
        |to: &Path| take(&to.join("closed"), b"user.of.folder"),
        |to: &Path| give(&to.join("many/020.txt"), b"user.extra", b""),
        |to: &Path| take(&to.join("many/010.txt"), ACCESS),
    ] {
        spoil(&to);
        let ran = stage.run(&["verify", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        let report = ran.event("result")["report"].as_str().expect("a path").to_string();
        let report = fs::read_to_string(stage.join(&report)).expect("a report");
        assert!(report.contains("attributes"), "{report}");
        verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
        assert_eq!(all_given(&to), all_given(&from));
        assert_eq!(picture(&to), picture(&from));
    }
}

#[test]
fn a_mirror_sets_attributes_alone_and_removes_those_that_are_gone() {
    let stage = Stage::empty();
    let (from, to) = (stage.join("from"), stage.join("to"));
    plant_given(&from);
    stage.done(&["copy", FROM, TO]);
    take(&from.join("piece"), b"user.long");
    give(&from.join("piece"), b"user.binary", b"other");
    take(&from.join("no entries"), b"user.of.folder");
    give(&from.join("closed"), b"user.new", b"\x01");
    give(&from.join("many/011.txt"), b"user.a", b"2");
    give(&to.join("sparse"), b"user.extra", b"");
    let names = ["piece", "no entries", "closed", "many/011.txt", "sparse", "large.bin"];
    let look = |name: &&str| {
        let there = fs::symlink_metadata(to.join(name)).expect(name);
        (there.ino(), there.mtime(), there.mtime_nsec(), there.mode())
    };
    let changed = |name: &str| {
        let there = fs::symlink_metadata(to.join(name)).expect(name);
        (there.ctime(), there.ctime_nsec())
    };
    let (before, untouched) = (names.each_ref().map(look), changed("large.bin"));
    migration(&stage, ", existing: mirror");
    verified(&go(&stage));
    assert_eq!(names.each_ref().map(look), before, "more than attributes was written");
    assert_eq!(changed("large.bin"), untouched);
    assert_eq!(all_given(&to), all_given(&from));
    assert_eq!(picture(&to), picture(&from));
}

#[test]
fn attributes_that_are_dropped_are_left_alone_on_both_sides() {
    let stage = Stage::empty();
    let (from, to) = (stage.join("from"), stage.join("to"));
    plant_given(&from);
    let dropped = ", columns: {objects: {drop: [attributes]}}";
    migration(&stage, dropped);
    verified(&go(&stage));
    assert_eq!(picture(&to).len(), picture(&from).len());
    assert!(all_given(&to).is_empty());
    give(&to.join("piece"), b"user.own", b"x");
    verified(&stage.run(&["verify", "m.yaml", "--json"]));
    migration(&stage, &format!("{dropped}, existing: mirror"));
    verified(&go(&stage));
    assert_eq!(given(&to.join("piece")).into_keys().collect::<Vec<_>>(), [b"user.own"]);
}

#[test]
fn attributes_that_change_after_an_interruption_are_seen() {
    for change in [
        |from: &Path| give(&from.join("large.bin"), b"user.new", b"x"),
        |from: &Path| give(&from.join("closed"), b"user.new", b"x"),
        |from: &Path| take(&from.join("many"), b"user.of.folder"),
    ] {
        let stage = Stage::empty();
        let (from, to) = (stage.join("from"), stage.join("to"));
        plant_given(&from);
        migration(&stage, "");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", "copy.chunk-committed:4"]);
        assert_eq!(killed.code, None, "{}", killed.err);
        change(&from);
        let ran = go(&stage);
        verified(&ran);
        let is_seen = ran.events().iter().any(|event| event["event"] == "chunk-reset");
        assert!(is_seen || ran.events().iter().any(|event| event["event"] == "chunk-confirmed"));
        assert_eq!(all_given(&to), all_given(&from));
    }
}

#[test]
fn types_of_content_are_guessed_when_asked_for() {
    let stage = Stage::empty();
    let from = stage.join("from");
    fs::create_dir_all(from.join("folder.png")).expect("a folder");
    for name in ["a.PNG", "b.json", "c.unheard", "folder.png/d.txt"] {
        fs::write(from.join(name), "x").expect("a file");
    }
    symlink("a.PNG", from.join("link.png")).expect("a link");
    give(&from.join("b.json"), b"user.mime_type", b"text/x-own");
    let guessing = "file:from?format=objects&content-type=guess";
    stage.done(&["copy", guessing, TO]);
    stage.done(&["verify", guessing, TO, "--independent"]);
    let types: Vec<_> = all_given(&stage.join("to")).into_values().flatten().collect();
    let expected = [&b"image/png"[..], b"text/x-own", b"text/plain"];
    assert_eq!(types, expected.map(|told| (b"user.mime_type".to_vec(), told.to_vec())));
    // Without the option the source tells none.
    assert_eq!(stage.run(&["verify", FROM, TO, "--independent"]).code, Some(3));
    for (from, to) in [
        ("file:from?format=objects&content-type=magic", "file:other?format=objects"),
        (FROM, "file:other?format=objects&content-type=guess"),
    ] {
        assert_eq!(stage.run(&["copy", from, to]).code, Some(2), "{from} {to}");
    }
}
