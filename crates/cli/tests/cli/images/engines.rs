//! Images in real engines of containers.

use std::fs;
use std::os::unix::fs::chown;
use std::process::Output;

use longshore_testkit::docker::Docker;
use longshore_testkit::podman::Podman;

use super::{build, migration};
use crate::stage::Stage;

/// The user that images run as.
const USER: u32 = 65532;

#[test]
fn docker_runs_what_was_built_without_it() {
    let docker = Docker::start();
    runs(&|args| docker.run(args), &["shop:1.4.0"]);
}

#[test]
fn podman_runs_what_was_built_without_it() {
    let podman = Podman::prepare();
    // Limits that the machine's own are below cannot be raised, so they stay.
    runs(&|args| podman.run(args), &["--ulimit", "host", "shop:1.4.0"]);
}

/// Loads an image and runs it, with as little as a container can have.
fn runs(engine: &dyn Fn(&[&str]) -> Output, image: &[&str]) {
    let stage = Stage::shop(500);
    migration(&stage);
    build(&stage, &["--output", "archive:shop.tar", "--index"]);
    let archive = stage.join("shop.tar");
    let loaded = engine(&["load", "--input", archive.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&loaded.stdout);
    assert!(said.contains("Loaded image: ") && said.contains("shop:1.4.0"), "{loaded:?}");
    let work = stage.join("work");
    fs::create_dir(&work).expect("a folder");
    fs::copy(stage.join("shop.db"), work.join("shop.db")).expect("a file");
    for path in [&work, &work.join("shop.db")] {
        chown(path, Some(USER), Some(USER)).expect("root gives a file away");
    }
    let volume = format!("{}:/work", work.display());
    let mut args = vec!["run", "--rm", "--network", "none", "--read-only", "--cap-drop", "ALL"];
    args.extend(["--security-opt", "no-new-privileges", "--pids-limit", "64", "--memory", "1g"]);
    args.extend(["--volume", &volume]);
    args.extend(image);
    let ran = engine(&args);
    assert!(ran.status.success(), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stdout).contains("verified: run "), "{ran:?}");
    stage.same("shop.db", "work/copy.db");
    // Other words than the image's own, and an exit code that comes through.
    let with = |words: &[&str]| engine(&[&args, words].concat()).status.code();
    assert_eq!(with(&["verify", "/migration", "--independent"]), Some(0));
    stage.sql("work/copy.db", "DELETE FROM orders WHERE id = 7");
    assert_eq!(with(&["verify", "/migration"]), Some(3));
    assert_eq!(with(&["run", "/none"]), Some(42));
}
