//! The steps with object stores: ours and rclone, to and from the same server of S3's kind.
//!
//! Both hash every byte: ours with BLAKE3, rclone with MD5, which it keeps with what it uploads and
//! compares with what it has downloaded. Plans are made within the time that is measured, because rclone
//! lists both sides too.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use longshore_testkit::store_server::{StoreKind, StoreServer};
use serde_json::{Value, json};

use crate::meter::Meter;
use crate::peers::{measured, rclone};
use crate::{Failure, steps, trees};

/// Every step, in the order of a turn: server, direction, tree, and the tool unless it is ours.
pub(crate) const NAMES: &[&str] = &[
    "serve-up-large-rclone",
    "serve-up-large",
    "serve-down-large-rclone",
    "serve-down-large",
    "serve-up-small-rclone",
    "serve-up-small",
    "serve-down-small-rclone",
    "serve-down-small",
    "moto-up-large-rclone",
    "moto-up-large",
    "moto-down-large-rclone",
    "moto-down-large",
    "moto-up-small-rclone",
    "moto-up-small",
    "moto-down-small-rclone",
    "moto-down-small",
];

/// Whether a step runs the tool of others.
pub(crate) fn is_peer(step: &str) -> bool {
    NAMES.contains(&step) && step.ends_with("-rclone")
}

/// At scale 1: four files of 256 MiB, and 5,000 of 4 KiB in 50 folders.
const LARGE: trees::Planted =
    trees::Planted { name: "store-large", files: 4.0, bytes: 268_435_456.0, folders: 1 };
const SMALL: trees::Planted =
    trees::Planted { name: "store-small", files: 5_000.0, bytes: 4096.0, folders: 50 };

/// The bucket of each server.
const BUCKET: &str = "bench";

/// The servers of the steps, for as long as this lives.
pub(crate) struct Servers {
    _running: Vec<StoreServer>,
}

impl Servers {
    /// Starts what the steps need, and uploads what is downloaded in them.
    pub(crate) fn for_steps(steps: &[&str], dir: &Path, scale: f64) -> Result<Self, Failure> {
        let mut running = Vec::new();
        for (word, kind) in [("serve", StoreKind::Rclone), ("moto", StoreKind::Moto)] {
            let is_of = |step: &&str| NAMES.contains(step) && step.split('-').next() == Some(word);
            if !steps.iter().any(is_of) {
                continue;
            }
            trees::plant_one(dir, &LARGE.of_size(scale))?;
            trees::plant_one(dir, &SMALL.of_number(scale))?;
            let server = StoreServer::start(kind);
            let bucket = server.create_bucket(BUCKET);
            let told = json!({
                "endpoint": server.endpoint(), "bucket": bucket,
                "key": server.key(), "secret": server.secret(),
            });
            fs::write(file(dir, word), told.to_string())?;
            let there = There::find(dir, word)?;
            for tree in ["large", "small"] {
                let from = tree_of(dir, tree);
                measured(dir, &mut copy(&from, there.remote(&format!("from/{tree}"))))?;
            }
            running.push(server);
        }
        Ok(Self { _running: running })
    }
}

/// Runs a step.
pub(crate) async fn run(name: &str, dir: &Path) -> Result<Option<Value>, Failure> {
    let mut words = name.split('-');
    let mut word = || words.next().unwrap_or_default();
    let (server, direction, tree, tool) = (word(), word(), word(), word());
    let there = There::find(dir, server)?;
    let local = tree_of(dir, tree);
    let back = dir.join("store-copy");
    if back.exists() {
        fs::remove_dir_all(&back)?;
    }
    Command::new("sync").status()?;
    let stored = format!("from/{tree}");
    let read = match (direction, tool) {
        ("up", "rclone") => measured(dir, &mut copy(&local, there.remote("to")))?,
        ("up", _) => Some(ours(dir, &folder(&local), &there.address("to")).await?),
        ("down", "rclone") => {
            let meter = Meter::start(dir)?;
            measured(dir, &mut copy(there.remote(&stored), &back))?;
            measured(dir, Command::new("sync").arg("-f").arg(&back))?;
            Some(meter.read()?)
        }
        _ => Some(ours(dir, &there.address(&stored), &folder(&back)).await?),
    };
    if direction == "up" {
        measured(dir, rclone_command().arg("purge").arg(there.remote("to")))?;
    }
    Ok(read)
}

async fn ours(dir: &Path, from: &str, to: &str) -> Result<Value, Failure> {
    let meter = Meter::start(dir)?;
    steps::copy(from, to).await?;
    meter.read()
}

fn folder(path: &Path) -> String {
    format!("file:{}?format=objects", path.display())
}

fn tree_of(dir: &Path, tree: &str) -> PathBuf {
    dir.join(format!("store-{tree}"))
}

fn file(dir: &Path, word: &str) -> PathBuf {
    dir.join(format!("store-{word}.json"))
}

fn rclone_command() -> Command {
    let mut command = Command::new(rclone());
    command.arg("--config=");
    command
}

fn copy(from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Command {
    let mut command = rclone_command();
    command.args(["copy", "--transfers", "16", "--checksum"]).arg(from).arg(to);
    command
}

/// A server as a step sees it.
struct There {
    endpoint: String,
    bucket: String,
    key: String,
    secret: String,
}

impl There {
    fn find(dir: &Path, word: &str) -> Result<Self, Failure> {
        let told: Value = serde_json::from_slice(&fs::read(file(dir, word))?)?;
        let of = |name: &str| told[name].as_str().unwrap_or_default().to_string();
        let (endpoint, bucket) = (of("endpoint"), of("bucket"));
        Ok(Self { endpoint, bucket, key: of("key"), secret: of("secret") })
    }

    /// A path as ours addresses it.
    fn address(&self, path: &str) -> String {
        let Self { endpoint, bucket, key, secret } = self;
        format!(
            "s3://{bucket}/{path}?format=objects&endpoint={endpoint}&access-key-id={key}&secret-access-key={secret}"
        )
    }

    /// A path as rclone addresses it.
    fn remote(&self, path: &str) -> String {
        let Self { endpoint, bucket, key, secret } = self;
        format!(
            ":s3,provider=Other,endpoint='{endpoint}',access_key_id={key},secret_access_key={secret}:{bucket}/{path}"
        )
    }
}
