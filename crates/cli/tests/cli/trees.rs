//! Trees of files, moved as they are.

pub(crate) mod attributes;
mod file_systems;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::postgres::verified;
use crate::stage::{Ran, Stage};

/// A tree of many small files, some large ones, and what breaks tools.
pub(crate) fn plant(root: &Path) {
    fs::create_dir_all(root.join("many/deep/er")).expect("folders");
    for number in 0..300 {
        let text = format!("file number {number}\n").repeat(number % 40);
        fs::write(root.join(format!("many/{number:03}.txt")), text).expect("a file");
    }
    let noise: Vec<u8> =
        (0..5_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(root.join("large.bin"), &noise).expect("a file");
    fs::write(root.join("piece"), &noise[..1 << 20]).expect("a file");
    fs::write(root.join("piece and one"), &noise[..(1 << 20) + 1]).expect("a file");
    fs::write(root.join("empty"), "").expect("a file");
    let sparse = fs::File::create(root.join("sparse")).expect("a file");
    sparse.set_len(20 << 20).expect("a size");
    std::os::unix::fs::FileExt::write_at(&sparse, b"end", (20 << 20) - 3).expect("an end");
    for name in [
        &b"new\nline"[..],
        b"\xff\xfe",
        b"100%",
        b"quo'te\"",
        " sp ace ".as_bytes(),
        "ä".as_bytes(),
        "a\u{308}".as_bytes(),
    ] {
        fs::write(root.join(OsStr::from_bytes(name)), name).expect("a file");
    }
    fs::create_dir(root.join("no entries")).expect("a folder");
    symlink("many/001.txt", root.join("link")).expect("a link");
    symlink("/nowhere/at all", root.join("broken")).expect("a link");
    symlink("..", root.join("many/up")).expect("a link");
    fs::set_permissions(root.join("empty"), Permissions::from_mode(0o4751)).expect("a mode");
    let old = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_007, 123_456_789);
    let file = fs::File::options().write(true).open(root.join("piece")).expect("a file");
    file.set_modified(old).expect("a time");
    fs::create_dir(root.join("closed")).expect("a folder");
    fs::write(root.join("closed/in"), "in").expect("a file");
    fs::set_permissions(root.join("closed"), Permissions::from_mode(0o555)).expect("a mode");
}

/// Everything that is kept of a tree.
pub(crate) fn picture(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut found = BTreeMap::new();
    look(root, Path::new(""), &mut found);
    found
}

fn look(root: &Path, below: &Path, found: &mut BTreeMap<Vec<u8>, String>) {
    for entry in fs::read_dir(root.join(below)).expect("a folder").flatten() {
        let path = below.join(entry.file_name());
        if path == Path::new(".longshore") {
            continue;
        }
        let there = fs::symlink_metadata(root.join(&path)).expect("an entry");
        let facts = format!("{:o} {}:{}", there.mode(), there.uid(), there.gid());
        let told = if there.is_symlink() {
            format!("{} → {:?}", there.uid(), fs::read_link(root.join(&path)).expect("a link"))
        } else if there.is_dir() {
            look(root, &path, found);
            facts
        } else {
            let bytes = fs::read(root.join(&path)).expect("a file");
            let sum: u64 = bytes.iter().zip(1u64..).map(|(byte, at)| u64::from(*byte) * at).sum();
            format!("{facts} {}.{} {} {sum}", there.mtime(), there.mtime_nsec(), bytes.len())
        };
        found.insert(path.into_os_string().into_vec(), told);
    }
}

fn migration(stage: &Stage, more: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: tree\nlimits: {{chunk: 1MiB}}\n\
             moves: [{{from: 'file:from?format=objects', to: 'file:to?format=objects'{more}}}]\n"
        ),
    );
}

fn go(stage: &Stage) -> Ran {
    stage.run(&["run", "m.yaml", "--json"])
}

#[test]
fn a_tree_arrives_as_it_is() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, "");
    let ran = go(&stage);
    verified(&ran);
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
    let blocks = fs::metadata(stage.join("to/sparse")).expect("a file").blocks();
    assert!(blocks * 512 < 4 << 20, "{blocks} blocks of a file that is nearly empty");
    let chunks = ran.events().iter().filter(|event| event["event"] == "chunk-done").count();
    assert!(chunks > 4, "{chunks} chunks");
    // A second run of the same finds everything done; another is refused.
    verified(&go(&stage));
    let other = stage.run(&["copy", "file:from?format=objects", "file:to?format=objects"]);
    assert_eq!(other.code, Some(43), "{}", other.err);
}

#[test]
fn what_is_excluded_stays_behind() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    let from = "file:from?format=objects&exclude=many/0*,closed,*.bin";
    stage.done(&["copy", from, "file:to?format=objects"]);
    let mut expected = picture(&stage.join("from"));
    expected.retain(|name, _| {
        !(name.starts_with(b"many/0") || name.starts_with(b"closed") || name.ends_with(b".bin"))
    });
    assert_eq!(picture(&stage.join("to")), expected);
    stage.done(&["verify", from, "file:to?format=objects", "--independent"]);
    let plan = stage.done(&["plan", from, "file:other?format=objects"]);
    assert!(plan.out.contains("entries stay behind by exclude"), "{}", plan.out);
    let at_target = ["copy", from, "file:other?format=objects&exclude=*.bin"];
    let ran = stage.run(&at_target);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
}

#[test]
fn a_chunk_that_begins_with_a_folder_makes_those_above_it() {
    let stage = Stage::empty();
    // With its own folder as many as a chunk has, so that the next one begins with `b`.
    let folder = stage.join("from/a");
    fs::create_dir_all(folder.join("b")).expect("folders");
    fs::write(folder.join("b/inside"), "x").expect("a file");
    for number in 0..9_999 {
        fs::write(folder.join(format!("a{number}")), "").expect("a file");
    }
    let (from, to) = ("file:from?format=objects", "file:to?format=objects");
    stage.done(&["copy", from, to, "--workers", "2"]);
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
}

#[test]
fn files_and_folders_that_changed_places_are_mended() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    let (from, to) = ("file:from?format=objects", "file:to?format=objects");
    stage.done(&["copy", from, to]);
    fs::remove_dir_all(stage.join("to/many")).expect("a folder");
    fs::write(stage.join("to/many"), "a file").expect("a file");
    fs::remove_file(stage.join("to/large.bin")).expect("a file");
    fs::create_dir_all(stage.join("to/large.bin/deep")).expect("folders");
    fs::write(stage.join("to/large.bin/deep/one"), "x").expect("a file");
    assert_eq!(stage.run(&["verify", from, to]).code, Some(3));
    stage.done(&["verify", from, to, "--repair"]);
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
}

#[test]
fn the_source_chooses_the_hash_for_both_ends() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    let (from, to) = ("file:from?format=objects&hash=sha256", "file:to?format=objects");
    stage.done(&["copy", from, to]);
    stage.done(&["verify", from, to]);
    stage.done(&["verify", from, to, "--independent"]);
    fs::write(stage.join("to/many/000.txt"), "other").expect("a file");
    assert_eq!(stage.run(&["verify", from, to]).code, Some(3));
    stage.done(&["verify", from, to, "--repair"]);
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
}

#[test]
fn killed_anywhere_it_goes_on_and_ends_the_same() {
    for point in [
        "prepare.done",
        "copy.batch:3",
        "trees.before-entry:2",
        "trees.after-entry:3",
        "copy.chunk-committed:4",
        "copy.done",
        "trees.modes-set",
    ] {
        let stage = Stage::empty();
        plant(&stage.join("from"));
        migration(&stage, "");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        verified(&go(&stage));
        assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")), "{point}");
    }
}

#[test]
fn what_is_wrong_missing_or_too_much_is_named_and_mended() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, "");
    verified(&go(&stage));
    let to = stage.join("to");
    let mut bytes = fs::read(to.join("large.bin")).expect("a file");
    bytes[3_000_000] ^= 1;
    let times = fs::metadata(to.join("large.bin")).expect("a file").modified().expect("a time");
    fs::write(to.join("large.bin"), bytes).expect("a file");
    let file = fs::File::options().write(true).open(to.join("large.bin")).expect("a file");
    file.set_modified(times).expect("a time");
    fs::remove_file(to.join("many/007.txt")).expect("a file");
    fs::write(to.join("many/007.txt.extra"), "x").expect("a file");
    let ran = stage.run(&["verify", "m.yaml", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let report = ran.event("result")["report"].as_str().expect("a path").to_string();
    let report = fs::read_to_string(stage.join(&report)).expect("a report");
    for named in ["large.bin", "many/007.txt", "many/007.txt.extra"] {
        assert!(report.contains(&format!("name='{named}'")), "{named}: {report}");
    }
    verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
    assert_eq!(picture(&to), picture(&stage.join("from")));
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
}

/// Changes in every chunk of a planted tree: of bytes and links, what is new, gone, or of another kind.
pub(crate) fn change(root: &Path) {
    fs::write(root.join("many/000.txt"), "changed").expect("a file");
    fs::write(root.join("many/000.txt.new"), "new").expect("a file");
    fs::remove_file(root.join("link")).expect("a link");
    symlink("many/002.txt", root.join("link")).expect("a link");
    for name in ["many/001.txt", "many/200.txt", "piece", "100%"] {
        fs::remove_file(root.join(name)).expect("a file");
    }
    fs::remove_dir_all(root.join("many/deep")).expect("a folder");
    fs::write(root.join("many/deep"), "a file now").expect("a file");
    fs::remove_file(root.join("many/150.txt")).expect("a file");
    fs::create_dir_all(root.join("many/150.txt/and")).expect("a folder");
    fs::write(root.join("many/150.txt/and/more"), "more").expect("a file");
}

#[test]
fn a_tree_that_changed_is_not_mixed_with_what_it_was() {
    for point in ["prepare.done", "copy.chunk-committed:2", "trees.before-entry:3", "copy.done"] {
        let stage = Stage::empty();
        plant(&stage.join("from"));
        migration(&stage, "");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: {}", killed.err);
        let before = picture(&stage.join("from"));
        change(&stage.join("from"));
        let ran = go(&stage);
        verified(&ran);
        let to = picture(&stage.join("to"));
        // What is complete stays as it is, and the report says that the source is another.
        let wanted = if point == "copy.done" { before } else { picture(&stage.join("from")) };
        assert_eq!(to, wanted, "{point}");
        let events = ran.events();
        let kept = events.iter().filter(|event| event["event"] == "chunk-confirmed").count();
        let reset = events.iter().filter(|event| event["event"] == "chunk-reset").count();
        assert!(point != "copy.chunk-committed:2" || kept + reset > 1, "{point}");
    }
}

#[test]
fn a_tree_that_changed_since_its_plan_arrives_as_it_is_now() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, "");
    stage.done(&["plan", "m.yaml", "--output", "plan.json"]);
    change(&stage.join("from"));
    verified(&stage.run(&["run", "m.yaml", "--plan", "plan.json", "--json"]));
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
}

#[test]
fn trees_and_tables_are_not_mixed_and_full_folders_are_left_alone() {
    let stage = Stage::shop(10);
    plant(&stage.join("from"));
    for (from, to, word) in [
        ("sqlite:shop.db", "file:to?format=objects", "takes objects"),
        ("file:from?format=objects", "sqlite:copy.db", "objects"),
        ("file:from?format=objects", "file:to?format=parquet", "objects"),
    ] {
        let ran = stage.run(&["copy", from, to]);
        assert_eq!(ran.code, Some(42), "{from} {to}: {}\n{}", ran.out, ran.err);
        assert!(ran.err.contains(word), "{}", ran.err);
    }
    for to in ["file:from/inside?format=objects", "file:.?format=objects"] {
        let ran = stage.run(&["copy", "file:from?format=objects", to]);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.err);
        assert!(ran.err.contains("inside of each other"), "{}", ran.err);
    }
    std::os::unix::fs::symlink("from", stage.join("alias")).expect("a link");
    for (to, word) in [
        ("alias", "are the same"),
        ("./from/", "are the same"),
        ("alias/inside", "inside of each other"),
        ("new/../from/inside", "inside of each other"),
    ] {
        let (held, to) = (picture(&stage.join("from")), format!("file:{to}?format=objects"));
        let args = ["copy", "file:from?format=objects", &to, "--existing", "replace"];
        let ran = stage.run(&args);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.err);
        assert!(ran.err.contains(word), "{to}: {}", ran.err);
        assert_eq!(picture(&stage.join("from")), held, "{to}");
    }
    fs::hard_link(stage.join("shop.db"), stage.join("other.db")).expect("a link");
    for to in ["sqlite:./shop.db", "sqlite:other.db"] {
        let ran = stage.run(&["copy", "sqlite:shop.db", to, "--existing", "replace"]);
        assert_eq!(ran.code, Some(2), "{to}: {}", ran.err);
    }
    fs::create_dir_all(stage.join("full")).expect("a folder");
    fs::write(stage.join("full/mine"), "x").expect("a file");
    let args = ["copy", "file:from?format=objects", "file:full?format=objects"];
    let ran = stage.run(&args);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert_eq!(fs::read_to_string(stage.join("full/mine")).expect("a file"), "x");
    assert!(!stage.join("full/large.bin").exists());
}
