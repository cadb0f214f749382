//! The steps with trees of files: ours, `cp` and rclone, each until everything is on the disk.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_testkit::Random;
use serde_json::Value;

use crate::meter::Meter;
use crate::peers::{measured, rclone};
use crate::{Failure, steps};

/// Every step, in the order of a turn.
pub(crate) const NAMES: &[&str] =
    &["cp-large", "tree-large", "rclone-large", "cp-small", "tree-small", "rclone-small"];

/// The steps that run other tools.
pub(crate) const PEERS: &[&str] = &["rclone-large", "rclone-small"];

/// What the names of copies begin with.
const COPY: &str = "tree-copy-";

/// A tree of files of noise.
#[derive(Clone, Copy)]
pub(crate) struct Planted {
    pub(crate) name: &'static str,
    pub(crate) files: f64,
    pub(crate) bytes: f64,
    pub(crate) folders: u64,
}

impl Planted {
    /// With as many files, larger or smaller by a factor.
    pub(crate) fn of_size(self, scale: f64) -> Self {
        Self { bytes: (self.bytes * scale).max(4096.0), ..self }
    }

    /// With more or fewer files by a factor.
    pub(crate) fn of_number(self, scale: f64) -> Self {
        Self { files: (self.files * scale).max(1.0), ..self }
    }
}

/// At scale 1: two files of a gibibyte, and 50,000 of 4 KiB in 50 folders.
const LARGE: Planted =
    Planted { name: "tree-large", files: 2.0, bytes: 1_073_741_824.0, folders: 1 };
const SMALL: Planted = Planted { name: "tree-small", files: 50_000.0, bytes: 4096.0, folders: 50 };

/// Makes the trees that are not there yet.
pub(crate) fn plant(dir: &Path, scale: f64) -> Result<(), Failure> {
    plant_one(dir, &LARGE.of_size(scale))?;
    plant_one(dir, &SMALL.of_number(scale))
}

/// Makes a tree that is not there yet.
pub(crate) fn plant_one(dir: &Path, planted: &Planted) -> Result<(), Failure> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "sizes")]
    let (bytes, files) = (planted.bytes as usize, planted.files as u64);
    let root = dir.join(planted.name);
    if root.exists() {
        return Ok(());
    }
    let mut random = Random::new(1);
    for number in 0..files {
        let folder = root.join((number % planted.folders).to_string());
        fs::create_dir_all(&folder)?;
        let mut file = File::create(folder.join(format!("{number}.dat")))?;
        let mut left = bytes;
        while left > 0 {
            let part = left.min(1 << 20);
            file.write_all(&noise(&mut random, part))?;
            left -= part;
        }
    }
    Command::new("sync").status()?;
    Ok(())
}

fn noise(random: &mut Random, bytes: usize) -> Vec<u8> {
    (0..bytes.div_ceil(8)).flat_map(|_| random.bits().to_le_bytes()).take(bytes).collect()
}

/// Removes what was copied.
pub(crate) fn clear(dir: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(COPY)) {
            fs::remove_dir_all(path)?;
        }
    }
    Command::new("sync").status()?;
    Ok(())
}

fn tree(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("tree-{name}"))
}

/// Runs a step; `None` when the tool that it runs is not there.
pub(crate) async fn run(name: &str, dir: &Path) -> Result<Option<Value>, Failure> {
    let (tool, which) = name.split_once('-').ok_or("a step without a tree")?;
    // Small files stay until the end: for minutes, ext4 looks for other inodes than those that were freed, one by one.
    if which != "small" {
        clear(dir)?;
    }
    let (from, to) = (tree(dir, which), dir.join(format!("{COPY}{}", std::process::id())));
    match tool {
        "tree" => {
            let address = |path: &Path| format!("file:{}?format=objects", path.display());
            steps::measured_copy(dir, &address(&from), &address(&to)).await.map(Some)
        }
        "cp" => synced(dir, Command::new("cp").arg("-a").arg(&from).arg(&to), &to),
        "rclone" => {
            let mut command = Command::new(rclone());
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
