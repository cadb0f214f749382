//! Images in a real Docker engine.

use std::fs;
use std::os::unix::fs::chown;

use longshore_testkit::docker::Docker;

use super::{build, migration};
use crate::stage::Stage;

/// The user that images run as.
const USER: u32 = 65532;

#[test]
fn docker_runs_what_was_built_without_it() {
    let docker = Docker::start();
    let stage = Stage::shop(500);
    migration(&stage);
    build(&stage, &["--output", "archive:shop.tar", "--index"]);
    let archive = stage.join("shop.tar");
    let loaded = docker.run(&["load", "--input", archive.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&loaded.stdout);
    assert!(said.contains("Loaded image: shop:1.4.0"), "{loaded:?}");
    let work = stage.join("work");
    fs::create_dir(&work).expect("a folder");
    fs::copy(stage.join("shop.db"), work.join("shop.db")).expect("a file");
    for path in [&work, &work.join("shop.db")] {
        chown(path, Some(USER), Some(USER)).expect("root gives a file away");
    }
    let volume = format!("{}:/work", work.display());
    // As little as a container can have.
    let mut args = vec!["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"];
    args.extend(["--security-opt", "no-new-privileges", "--pids-limit", "64", "--memory", "1g"]);
    args.extend(["--volume", &volume, "shop:1.4.0"]);
    let ran = docker.run(&args);
    assert!(ran.status.success(), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("verified: run "), "{ran:?}");
    stage.same("shop.db", "work/copy.db");
    // Other words than the image's own, and an exit code that comes through.
    let with = |words: &[&str]| docker.run(&[&args, words].concat()).status.code();
    assert_eq!(with(&["verify", "/migration", "--independent"]), Some(0));
    stage.sql("work/copy.db", "DELETE FROM orders WHERE id = 7");
    assert_eq!(with(&["verify", "/migration"]), Some(3));
    assert_eq!(with(&["run", "/none"]), Some(42));
}
