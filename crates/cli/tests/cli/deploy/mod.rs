//! Images deployed: on real engines of containers, without one, and as objects of Kubernetes.

mod cluster;
mod cut;
mod engines;
mod kubernetes;
mod local;

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::images::engine;
use crate::stage::{Ran, Stage};

/// The user that images run as.
const USER: u32 = 65532;
const PATIENCE: Duration = Duration::from_secs(60);
/// What an engine writes when it begins to copy.
const BEGUN: &str = "\"event\":\"chunk-started\"";
/// So that there is time to end it.
const SLOWLY: [&str; 5] = ["--", "--workers", "1", "--source-rate", "40KiB/s"];

/// A stage with a shop in `work`, which the user of containers may write, and an image that copies it there.
fn staged(rows: u32) -> Stage {
    let stage = Stage::shop(rows);
    fs::create_dir(stage.join("work")).expect("a folder");
    fs::rename(stage.join("shop.db"), stage.join("work/shop.db")).expect("a file");
    give(&stage.join("work"));
    give(&stage.join("work/shop.db"));
    // Its plan is made where the source is, which is `/work` in the container.
    stage.write(
        "work/m.yaml",
        "longshore: v1\nname: shop\nversion: 1.4.0\n\
         moves: [{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}]\n",
    );
    let mut command = stage.command(&["build", "m.yaml", "--tag", "shop:1.4.0", "--engine"]);
    command.arg(engine()).arg("--state").arg(stage.join(".longshore"));
    let built: Ran = command.current_dir(stage.join("work")).output().expect("it runs").into();
    assert_eq!(built.code, Some(0), "{}", built.err);
    stage
}

fn give(path: &Path) {
    chown(path, Some(USER), Some(USER)).expect("root gives a file away");
}

fn volume(stage: &Stage) -> String {
    format!("{}:/work", stage.join("work").display())
}

pub(crate) fn until(done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < PATIENCE, "it does not come to that");
        sleep(Duration::from_millis(50));
    }
}
