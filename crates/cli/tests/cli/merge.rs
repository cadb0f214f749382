//! Trees that hold objects already: mirrors, and trees to which objects are added.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use crate::postgres::verified;
use crate::stage::{Ran, Stage};
use crate::trees::{picture, plant};

const FROM: &str = "file:from?format=objects";
const TO: &str = "file:to?format=objects";

/// The points at which a run is killed.
const POINTS: [&str; 9] = [
    "prepare.done",
    "copy.batch:3",
    "trees.before-removal:2",
    "trees.removal:2",
    "trees.before-entry:2",
    "trees.after-entry:3",
    "copy.done",
    "trees.modes-set",
    "finish.done",
];

fn migration(stage: &Stage, existing: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: tree\nlimits: {{chunk: 1MiB}}\n\
             moves: [{{from: '{FROM}', to: '{TO}', existing: {existing}}}]\n"
        ),
    );
}

fn go(stage: &Stage) -> Ran {
    stage.run(&["run", "m.yaml", "--json"])
}

/// Which file a path is, and when it was touched last.
fn nodes(root: &Path, names: &[&str]) -> Vec<(u64, i64, i64)> {
    let node = |name: &&str| {
        let there = fs::symlink_metadata(root.join(name)).expect(name);
        (there.ino(), there.ctime(), there.ctime_nsec())
    };
    names.iter().map(node).collect()
}

/// Makes of a copy what a mirror must mend, in every way that a tree can differ.
fn spoil(stage: &Stage) {
    let to = stage.join("to");
    let write = |name: &str, text: &str| fs::write(to.join(name), text).expect(name);
    let remove = |name: &str| fs::remove_file(to.join(name)).expect(name);
    // Bytes that differ with size and time the same.
    let path = to.join("large.bin");
    let before = fs::metadata(&path).expect("a file").modified().expect("a time");
    let mut bytes = fs::read(&path).expect("a file");
    bytes[4_999_999] ^= 1;
    fs::write(&path, bytes).expect("a file");
    let file = fs::File::options().write(true).open(&path).expect("a file");
    file.set_modified(before).expect("a time");
    // A mode, a time, a size.
    fs::set_permissions(to.join("piece"), Permissions::from_mode(0o600)).expect("a mode");
    let file = fs::File::options().write(true).open(to.join("empty")).expect("a file");
    file.set_modified(before - Duration::from_secs(1)).expect("a time");
    write("many/008.txt", "other");
    remove("many/009.txt");
    // Files, folders and links in each other's places.
    fs::remove_dir_all(to.join("closed")).expect("a folder");
    write("closed", "a file");
    remove("many/010.txt");
    fs::create_dir_all(to.join("many/010.txt/deep")).expect("folders");
    write("many/010.txt/deep/one", "x");
    remove("many/011.txt");
    symlink("../large.bin", to.join("many/011.txt")).expect("a link");
    remove("link");
    write("link", "a file");
    remove("broken");
    symlink("elsewhere", to.join("broken")).expect("a link");
    // A link in a folder's place leads out of the tree.
    fs::create_dir_all(stage.join("outside/er")).expect("folders");
    stage.write("outside/held", "mine");
    fs::remove_dir_all(to.join("many/deep")).expect("a folder");
    symlink("../../outside", to.join("many/deep")).expect("a link");
    // Bytes in common with files outside, the same and others.
    remove("many/012.txt");
    fs::hard_link(stage.join("outside/held"), to.join("many/012.txt")).expect("a link");
    fs::hard_link(to.join("many/013.txt"), stage.join("outside/thirteen")).expect("a link");
    fs::set_permissions(to.join("many/013.txt"), Permissions::from_mode(0o700)).expect("a mode");
    // What the source lacks.
    write("Large.bin", "another case");
    write("many/zzz", "too much");
    fs::create_dir_all(to.join("gone/deep/er")).expect("folders");
    write("gone/deep/er/one", "x");
    symlink("nowhere", to.join("gone/link")).expect("a link");
    fs::set_permissions(to.join("gone/deep"), Permissions::from_mode(0o500)).expect("a mode");
    write(".longshore-part-7", "half");
    write("many/.longshore-part-0", "half");
    let made = std::process::Command::new("mkfifo").arg(to.join("pipe")).status();
    assert!(made.expect("mkfifo").success());
}

fn outside_is_as_it_was(stage: &Stage) {
    assert_eq!(fs::read_to_string(stage.join("outside/held")).expect("a file"), "mine");
    let there = fs::metadata(stage.join("outside/thirteen")).expect("a file");
    assert_eq!(there.mode() & 0o777, 0o700);
    let found: Vec<_> = picture(&stage.join("outside")).into_keys().collect();
    assert_eq!(found, [&b"er"[..], b"held", b"thirteen"]);
}

#[test]
fn a_mirror_is_just_the_source_and_leaves_what_is_the_same() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    stage.done(&["copy", FROM, TO]);
    spoil(&stage);
    migration(&stage, "mirror");
    let plan = stage.done(&["plan", "m.yaml"]).out;
    let plan: Vec<&str> = plan.split_whitespace().collect();
    let plan = plan.join(" ");
    for told in [
        "5 objects (457 B) differ and will be written over",
        "6 objects (278 B) will be added",
        "14 objects (36 B) are not in the source and will be REMOVED: \
         .longshore-part-7, Large.bin, closed, gone/, gone/deep/, …",
    ] {
        assert!(plan.contains(told), "{told}: {plan}");
    }
    let same = ["sparse", "many/014.txt", "piece and one", "many/up", "no entries"];
    let before = nodes(&stage.join("to"), &same);
    let spoiled = nodes(&stage.join("to"), &["piece", "empty", "large.bin"]);
    verified(&go(&stage));
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
    assert!(!stage.join("to/pipe").exists());
    assert_eq!(nodes(&stage.join("to"), &same), before, "they were written again");
    let mended = nodes(&stage.join("to"), &["piece", "empty", "large.bin"]);
    assert_eq!(spoiled[0].0, mended[0].0, "a mode needs no bytes");
    assert_eq!(spoiled[1].0, mended[1].0, "a time needs no bytes");
    assert_ne!(spoiled[2].0, mended[2].0, "a file changes as a whole");
    outside_is_as_it_was(&stage);
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    // Nothing is left to do, and nothing is done.
    let all: Vec<String> = picture(&stage.join("to"))
        .into_keys()
        .filter_map(|name| String::from_utf8(name).ok())
        .filter(|name| !name.starts_with("closed"))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let before = nodes(&stage.join("to"), &all);
    verified(&go(&stage));
    assert_eq!(nodes(&stage.join("to"), &all), before);
}

#[test]
fn a_mirror_that_is_killed_anywhere_ends_the_same() {
    for point in POINTS {
        let stage = Stage::empty();
        plant(&stage.join("from"));
        stage.done(&["copy", FROM, TO]);
        spoil(&stage);
        migration(&stage, "mirror");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        if point == "prepare.done" {
            assert!(stage.join("to/gone/deep/er/one").exists(), "removed too early");
        }
        verified(&go(&stage));
        assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")), "{point}");
        outside_is_as_it_was(&stage);
    }
}

#[test]
fn a_mirror_follows_its_source_from_run_to_run() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, "mirror");
    verified(&go(&stage));
    let (from, to) = (stage.join("from"), stage.join("to"));
    let same = nodes(&to, &["large.bin", "many/001.txt"]);
    fs::write(from.join("new"), "new").expect("a file");
    fs::remove_file(from.join("many/000.txt")).expect("a file");
    verified(&go(&stage));
    assert_eq!(picture(&to), picture(&from));
    // Killed, and then the source changes once more.
    fs::write(from.join("newer"), "newer").expect("a file");
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "copy.chunk-committed:2"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    fs::remove_dir_all(from.join("many/deep")).expect("a folder");
    verified(&go(&stage));
    assert_eq!(picture(&to), picture(&from));
    assert_eq!(nodes(&to, &["large.bin", "many/001.txt"]), same);
    // What somebody else does to the target is undone.
    fs::write(to.join("mine"), "x").expect("a file");
    fs::write(to.join("new"), "NEW").expect("a file");
    assert_eq!(stage.run(&["verify", "m.yaml"]).code, Some(3));
    verified(&go(&stage));
    assert_eq!(picture(&to), picture(&from));
}

#[test]
fn a_mirror_does_not_remove_what_its_source_no_longer_shows() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    migration(&stage, "mirror");
    verified(&go(&stage));
    fs::rename(stage.join("from"), stage.join("away")).expect("a folder");
    fs::create_dir(stage.join("from")).expect("a folder");
    let held = picture(&stage.join("to"));
    for command in ["plan", "run"] {
        let ran = stage.run(&[command, "m.yaml"]);
        assert_eq!(ran.code, Some(43), "{command}: {}", ran.err);
        assert!(ran.err.contains("remove everything"), "{}", ran.err);
    }
    assert_eq!(picture(&stage.join("to")), held);
    // In the middle of a run.
    fs::remove_dir(stage.join("from")).expect("a folder");
    fs::rename(stage.join("away"), stage.join("from")).expect("a folder");
    fs::write(stage.join("to/many/extra"), "x").expect("a file");
    let args = ["run", "m.yaml", "--json", "--source-rate", "4MiB/s", "--workers", "1"];
    let child = stage.start(&args);
    std::thread::sleep(Duration::from_millis(800));
    fs::rename(stage.join("from/many"), stage.join("away")).expect("a folder");
    let ran: Ran = child.wait_with_output().expect("it ends").into();
    assert_eq!(ran.code, Some(43), "{}\n{}", ran.out, ran.err);
    assert!(stage.join("to/many/001.txt").exists() && stage.join("to/many/extra").exists());
    fs::rename(stage.join("away"), stage.join("from/many")).expect("a folder");
    verified(&go(&stage));
    assert_eq!(picture(&stage.join("to")), picture(&stage.join("from")));
}

#[test]
fn tables_are_no_mirror() {
    let stage = Stage::shop(10);
    for to in ["sqlite:copy.db", "file:out?format=parquet"] {
        let ran = stage.run(&["copy", "sqlite:shop.db", to, "--existing", "mirror"]);
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        assert!(ran.err.contains("truncate"), "{}", ran.err);
    }
}

/// A tree with objects that the source lacks, and some that it has.
fn hold(stage: &Stage) -> BTreeMap<Vec<u8>, String> {
    let to = stage.join("to");
    fs::create_dir_all(to.join("mine/deep")).expect("folders");
    fs::create_dir_all(to.join("many")).expect("folders");
    for name in ["mine/one", "mine/deep/two", "many/0", "many/zzz", ".hidden", "zz"] {
        fs::write(to.join(name), name).expect("a file");
    }
    symlink("/nowhere", to.join("mine/link")).expect("a link");
    let held = picture(&to).into_iter().filter(|(name, _)| name != b"many").collect();
    fs::write(to.join("many/001.txt"), "of the target").expect("a file");
    fs::write(to.join("link"), "no link").expect("a file");
    held
}

fn both(stage: &Stage, held: &BTreeMap<Vec<u8>, String>) -> BTreeMap<Vec<u8>, String> {
    let mut both = picture(&stage.join("from"));
    both.extend(held.clone());
    both
}

#[test]
fn objects_are_added_to_a_tree_that_keeps_its_own() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    let held = hold(&stage);
    migration(&stage, "append");
    let plan = stage.done(&["plan", "m.yaml"]).out;
    let words: Vec<&str> = plan.split_whitespace().collect();
    let plan = words.join(" ");
    assert!(
        plan.contains("9 objects (44 B) are not in the source and are kept: .hidden"),
        "{plan}"
    );
    assert!(plan.contains("2 objects (") && plan.contains("will be written over"), "{plan}");
    let mine = nodes(&stage.join("to"), &["mine/one", "many/zzz"]);
    verified(&go(&stage));
    assert_eq!(picture(&stage.join("to")), both(&stage, &held));
    assert_eq!(nodes(&stage.join("to"), &["mine/one", "many/zzz"]), mine);
    verified(&stage.run(&["verify", "m.yaml", "--independent", "--json"]));
    verified(&stage.run(&["verify", "m.yaml", "--level", "sample", "--json"]));
    // What was added and is lost is mended, and what is kept stays.
    fs::remove_file(stage.join("to/many/002.txt")).expect("a file");
    fs::write(stage.join("to/many/003.txt"), "spoilt").expect("a file");
    let ran = stage.run(&["verify", "m.yaml", "--json"]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    let report = ran.event("result")["report"].as_str().expect("a path").to_string();
    let report = fs::read_to_string(stage.join(&report)).expect("a report");
    for named in ["many/002.txt", "many/003.txt"] {
        assert!(report.contains(&format!("name='{named}'")), "{named}: {report}");
    }
    assert!(!report.contains("mine/one"), "{report}");
    verified(&stage.run(&["verify", "m.yaml", "--repair", "--json"]));
    assert_eq!(picture(&stage.join("to")), both(&stage, &held));
    // The same again, after a change of the source.
    fs::write(stage.join("from/new"), "new").expect("a file");
    fs::remove_file(stage.join("from/many/005.txt")).expect("a file");
    let mut held = held;
    held.extend(picture(&stage.join("to")).remove_entry(&b"many/005.txt"[..]));
    verified(&go(&stage));
    assert_eq!(picture(&stage.join("to")), both(&stage, &held));
}

#[test]
fn what_is_kept_is_proved_to_be_what_it_was() {
    let spoil = |stage: &Stage| fs::write(stage.join("to/mine/one"), "spoilt").expect("a file");
    let remove = |stage: &Stage| fs::remove_file(stage.join("to/many/zzz")).expect("a file");
    for change in [&spoil as &dyn Fn(&Stage), &remove] {
        let stage = Stage::empty();
        plant(&stage.join("from"));
        hold(&stage);
        migration(&stage, "append");
        verified(&go(&stage));
        change(&stage);
        let now = picture(&stage.join("to"));
        let ran = stage.run(&["verify", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        let ran = stage.run(&["verify", "m.yaml", "--repair"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        assert_eq!(picture(&stage.join("to")), now, "a repair touched what is kept");
    }
}

#[test]
fn an_addition_that_is_killed_anywhere_ends_the_same() {
    for point in POINTS.iter().filter(|point| !point.contains("removal")) {
        let stage = Stage::empty();
        plant(&stage.join("from"));
        let held = hold(&stage);
        migration(&stage, "append");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        verified(&go(&stage));
        assert_eq!(picture(&stage.join("to")), both(&stage, &held), "{point}");
    }
}

#[test]
fn an_addition_whose_source_changes_meanwhile_is_made_anew() {
    let stage = Stage::empty();
    plant(&stage.join("from"));
    let held = hold(&stage);
    migration(&stage, "append");
    let killed = stage.run(&["run", "m.yaml", "--failpoint", "copy.batch:4"]);
    assert_eq!(killed.code, None, "{}", killed.err);
    fs::write(stage.join("from/zzzz"), "new").expect("a file");
    verified(&go(&stage));
    assert_eq!(picture(&stage.join("to")), both(&stage, &held));
}

#[test]
fn a_folder_and_a_file_of_one_name_are_not_added_to_each_other() {
    for (name, is_file) in [("mine", true), ("zz", false)] {
        let stage = Stage::empty();
        hold(&stage);
        fs::create_dir(stage.join("from")).expect("a folder");
        match is_file {
            true => fs::write(stage.join("from").join(name), "x").expect("a file"),
            false => fs::create_dir(stage.join("from").join(name)).expect("a folder"),
        }
        let held = picture(&stage.join("to"));
        let ran = stage.run(&["copy", FROM, TO, "--existing", "append"]);
        assert_eq!(ran.code, Some(43), "{}", ran.err);
        assert!(ran.err.contains(&format!("to/{name}")), "{}", ran.err);
        assert_eq!(picture(&stage.join("to")), held);
    }
}
