//! The steps with trees of files: ours, `cp` and rclone, each until everything is on the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_testkit::Random;
use serde_json::Value;

use crate::meter::Meter;
use crate::peers::{installed, measured};
use crate::{Failure, steps};

/// Every step, in the order of a turn.
pub(crate) const NAMES: &[&str] =
    &["cp-large", "tree-large", "rclone-large", "cp-small", "tree-small", "rclone-small"];

/// The steps that run other tools.
pub(crate) const PEERS: &[&str] = &["rclone-large", "rclone-small"];

/// At scale 1: two files of a gibibyte, and 50,000 of 4 KiB in 50 folders.
const LARGE: f64 = 1_073_741_824.0;
const SMALL: f64 = 50_000.0;
const FOLDERS: u64 = 50;

/// Makes the trees that are not there yet.
pub(crate) fn plant(dir: &Path, scale: f64) -> Result<(), Failure> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a scale")]
    let (bytes, files) = ((LARGE * scale) as u64, (SMALL * scale) as u64);
    let (large, small) = (tree(dir, "large"), tree(dir, "small"));
    if small.exists() && large.exists() {
        return Ok(());
    }
    let mut random = Random::new(1);
    fs::create_dir_all(&large)?;
    for name in ["one", "two"] {
        let mut file = File::create(large.join(name))?;
        for _ in 0..(bytes >> 20).max(1) {
            file.write_all(&noise(&mut random, 1 << 20))?;
        }
    }
    for number in 0..files {
        let folder = small.join((number % FOLDERS).to_string());
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{number}.dat")), noise(&mut random, 4096))?;
    }
    Command::new("sync").status()?;
    Ok(())
}

fn noise(random: &mut Random, bytes: usize) -> Vec<u8> {
    (0..bytes / 8).flat_map(|_| random.bits().to_le_bytes()).collect()
}

fn tree(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("tree-{name}"))
}

/// Runs a step; `None` when the tool that it runs is not there.
pub(crate) async fn run(name: &str, dir: &Path) -> Result<Option<Value>, Failure> {
    let (tool, which) = name.split_once('-').ok_or("a step without a tree")?;
    let (from, to) = (tree(dir, which), dir.join("tree-copy"));
    if to.exists() {
        fs::remove_dir_all(&to)?;
        Command::new("sync").status()?;
    }
    match tool {
        "tree" => {
            let address = |path: &Path| format!("file:{}?format=objects", path.display());
            steps::measured_copy(dir, &address(&from), &address(&to)).await.map(Some)
        }
        "cp" => synced(dir, Command::new("cp").arg("-a").arg(&from).arg(&to), &to),
        "rclone" => {
            let Some(program) = installed("rclone") else { return Ok(None) };
            let mut command = Command::new(program);
            command.args(["copy", "--transfers", "16", "--checksum"]).arg(&from).arg(&to);
            synced(dir, &mut command, &to)
        }
        _ => Err(format!("unknown step {name}").into()),
    }
}

/// A tool and the wait for the disk.
fn synced(dir: &Path, command: &mut Command, to: &Path) -> Result<Option<Value>, Failure> {
    let meter = Meter::start(dir)?;
    measured(dir, command)?;
    measured(dir, Command::new("sync").arg("-f").arg(to))?;
    meter.read().map(Some)
}
