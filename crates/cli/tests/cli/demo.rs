use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::stage::Stage;

#[test]
fn the_demo_proves_itself_and_can_be_repeated() {
    let stage = Stage::empty();
    for _ in 0..2 {
        let ran = stage.done(&["demo", "--rows", "60000"]);
        for part in [
            "killed with SIGKILL",
            "kept from the ledger",
            "hold the same in 18 tables",
            "pushed to the registry in the box: ",
            "pulled from it to another place: ",
            "under the image's digest",
            "proved      run ",
            "report: ",
        ] {
            assert!(ran.out.contains(part), "{part} in {}", ran.out);
        }
    }
}

#[test]
fn the_demo_replaces_only_its_own_folder() {
    let stage = Stage::empty();
    stage.write("shop.db", "precious");
    let ran = stage.run(&["demo", "--rows", "2000", "--keep", "."]);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(stage.join("shop.db")).expect("still there"), "precious");
}

/// Processes whose parent is `child`.
fn children(child: &Child) -> Vec<PathBuf> {
    let parent = format!("PPid:\t{}\n", child.id());
    let processes = std::fs::read_dir("/proc").expect("the processes").flatten();
    processes
        .map(|process| process.path())
        .filter(|process| {
            let status = std::fs::read_to_string(process.join("status"));
            status.is_ok_and(|status| status.contains(&parent))
        })
        .collect()
}

fn soon(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_signal_ends_the_demo_and_its_migration() {
    let stage = Stage::empty();
    let mut demo = stage.start(&["demo", "--rows", "200000"]);
    let mut lines = BufReader::new(demo.stdout.take().expect("piped")).lines();
    let running = lines.by_ref().any(|line| line.expect("text").contains("The run, killed"));
    assert!(running, "the demo reaches its run");
    let mut started = Vec::new();
    soon("no migration started", || {
        started = children(&demo);
        !started.is_empty()
    });
    let id = demo.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    assert_eq!(demo.wait().expect("it ends").code(), Some(130));
    let alive = |process: &Path| {
        let line = std::fs::read_to_string(process.join("cmdline"));
        line.is_ok_and(|line| line.contains("longshore"))
    };
    soon("the migration goes on", || !started.iter().any(|process| alive(process)));
}
