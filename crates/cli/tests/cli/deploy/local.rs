//! Deployments without containers.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::Value;

use super::{BEGUN, SLOWLY, USER, staged, until, volume};
use crate::stage::{Ran, Stage};

/// A stage whose folder others may pass, so that engines can be another user there.
fn open_stage(rows: u32) -> Stage {
    let stage = staged(rows);
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o711)).expect("a mode");
    stage
}

#[test]
fn without_containers_the_engine_runs_confined() {
    let stage = open_stage(300);
    let volume = volume(&stage);
    let how = ["deploy", "shop:1.4.0", "--on", "local", "--name", "here", "--volume", &volume];
    let ran = stage.done(&[&how[..], &["--cpus", "0.5", "--json"]].concat());
    stage.same("work/shop.db", "work/copy.db");
    let owner = fs::metadata(stage.join("work/copy.db")).expect("a file").uid();
    assert_eq!(owner, USER, "it was another user");
    let told = ran.event("deployed");
    let measures = told["isolation"].as_array().expect("measures");
    assert_eq!(measures.len(), 6, "{told}");
    for measure in measures {
        assert_eq!(measure["holds"], true, "every kernel since 5.13 grants this: {measure}");
    }
    assert!(stage.done(&["report"]).out.contains("verified"), "the report is here");
    assert!(stage.done(&["status"]).out.contains("done (0)"));
    assert!(stage.done(&["logs"]).out.contains("\"outcome\":\"verified\""));
    // It sees nothing that it was not given: not even root's engine may read or write elsewhere.
    fs::create_dir(stage.join("elsewhere")).expect("a folder");
    fs::copy(stage.join("work/shop.db"), stage.join("elsewhere/shop.db")).expect("a file");
    fs::set_permissions(stage.path(), fs::Permissions::from_mode(0o700)).expect("a mode");
    let outside = format!("{}", stage.join("elsewhere/state").display());
    let refused = stage.run(&[&how[..], &["--", "--state", &outside]].concat());
    assert_eq!(refused.code, Some(42), "{}\n{}", refused.out, refused.err);
    assert!(refused.out.contains(" is closed to others"), "{}", refused.out);
    assert!(refused.err.contains("ermission denied"), "{}", refused.err);
    assert!(!stage.join("elsewhere/state").exists(), "nothing is written");
    let moved = ["deploy", "shop:1.4.0", "--on", "local", "--volume", "/srv:/elsewhere"];
    let refused = stage.run(&moved);
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    stage.done(&["undeploy", "here"]);
    assert!(!stage.join(".longshore/local/here").exists());
}

#[test]
fn a_confined_engine_that_was_killed_goes_on_where_it_was() {
    let stage = open_stage(20_000);
    let volume = volume(&stage);
    let how = ["deploy", "shop:1.4.0", "--on", "local", "--name", "slow", "--volume", &volume];
    let slowly = [&how[..], &["--detach"], &SLOWLY].concat();
    // Two at once are one.
    let both = [&how[..], &["--detach", "--json"], &SLOWLY].concat();
    let children = [stage.start(&both), stage.start(&both)];
    let mut told = children.map(|child| {
        let ran: Ran = child.wait_with_output().expect("it ends").into();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.event("deployed")["how"].clone()
    });
    told.sort_by_key(Value::to_string);
    assert_eq!(told, ["joined", "started"]);
    let copies = || stage.done(&["logs"]).out.contains(BEGUN);
    until(copies);
    let joined = stage.done(&[&how[..], &["--detach", "--json"]].concat());
    assert_eq!(joined.event("deployed")["how"], "joined");
    let process = fs::read(stage.join(".longshore/local/slow/process.json")).expect("a file");
    let process: Value = serde_json::from_slice(&process).expect("JSON");
    let id = process["engine"]["id"].to_string();
    let killed = std::process::Command::new("kill").args(["-KILL", &id]).status();
    let killed = killed.expect("kill starts");
    assert!(killed.success());
    assert_eq!(stage.run(&["logs", "--follow"]).code, Some(137));
    stage.done(&slowly);
    until(copies);
    let stopped = stage.done(&["stop"]).out;
    assert!(stopped.contains("stopped (130)"), "{stopped}");
    stage.done(&how);
    stage.same("work/shop.db", "work/copy.db");
}

#[test]
fn a_confined_engine_that_runs_out_of_memory_says_so() {
    let stage = open_stage(10);
    // The plan knows nothing of this row, which is larger than what it may have.
    stage.sql("work/shop.db", "INSERT INTO orders VALUES (11, 'x', 1, zeroblob(150000000), 1)");
    let volume = volume(&stage);
    let how = ["deploy", "shop:1.4.0", "--on", "local", "--volume", &volume];
    // SQLite cannot read it; or it can, and the engine cannot take it.
    let unread = stage.run(&[&how[..], &["--memory", "64MiB"]].concat());
    assert_eq!(unread.code, Some(1), "{}\n{}", unread.out, unread.err);
    assert!(unread.err.contains("--memory SIZE"), "{}", unread.err);
    let refused = stage.run(&[&how[..], &["--memory", "250MiB"]].concat());
    assert_eq!(refused.code, Some(42), "{}\n{}", refused.out, refused.err);
    assert!(refused.err.contains("ran out of memory"), "{}", refused.err);
    stage.done(&[&how[..], &["--memory", "2GiB"]].concat());
    stage.same("work/shop.db", "work/copy.db");
}
