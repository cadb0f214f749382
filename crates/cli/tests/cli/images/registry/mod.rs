//! Images in a real registry: pushed, pulled, promoted; interrupted, tampered with, refused.

mod access;
mod interrupted;
mod ours;
mod tampered;
mod travel;
mod upkeep;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::stage::{Ran, Stage};

/// What a stage with a built image holds.
const HELD: [&str; 6] = [".longshore", "shop.db", "m.yaml", "plan.json", "mine.key", "mine.pub"];

/// A stage with a small shop and its image under a name, signed with `mine.key`, and with the evidence of a
/// run. Made once for all tests, and copied.
fn sealed(name: &str) -> Stage {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let made = super::engine().with_extension("sealed");
        if !made.exists() {
            let beside = made.with_extension(std::process::id().to_string());
            std::fs::create_dir(&beside).expect("a folder");
            let stage = sealed_shop();
            HELD.iter().for_each(|held| copy(&stage.join(held), &beside.join(held)));
            // Another process may have been first.
            if std::fs::rename(&beside, &made).is_err() {
                std::fs::remove_dir_all(&beside).expect("a folder");
            }
        }
        made
    });
    let stage = Stage::empty();
    for held in HELD {
        copy(&made.join(held), &stage.join(held));
    }
    stage.done(&["tag", "shop:1.4.0", name]);
    stage.done(&["rm", "shop:1.4.0"]);
    stage
}

fn sealed_shop() -> Stage {
    let stage = Stage::shop(50);
    super::migration(&stage);
    stage.done(&["plan", "m.yaml", "--output", "plan.json"]);
    super::build(&stage, &["--index", "--plan", "plan.json"]);
    stage.done(&["key", "mine"]);
    stage.done(&["sign", "shop:1.4.0", "--key", "mine.key"]);
    stage.done(&["run", "shop:1.4.0"]);
    stage.done(&["attest", "shop:1.4.0", "--key", "mine.key"]);
    stage
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("cp starts").success(), "{}", from.display());
}

/// An empty stage that trusts the key of another.
fn elsewhere(trusting: &Stage) -> Stage {
    let stage = Stage::empty();
    copy(&trusting.join("mine.pub"), &stage.join("mine.pub"));
    copy(&trusting.join("shop.db"), &stage.join("shop.db"));
    stage
}

/// The last line of JSON that a command printed.
fn told(ran: &Ran) -> Value {
    ran.events().pop().expect("a line")
}

/// Runs a command that must fail in a way.
fn refused(stage: &Stage, args: &[&str], exit: i32, words: &[&str]) -> Ran {
    let ran = stage.run(args);
    assert_eq!(ran.code, Some(exit), "{args:?}\n{}\n{}", ran.out, ran.err);
    for word in words {
        assert!(ran.err.contains(word), "{word}: {}", ran.err);
    }
    ran
}

/// The blobs of a folder of images, the largest first: their bytes and digests.
fn blobs(images: &Path) -> Vec<(u64, String)> {
    let folder = fs::read_dir(images.join("blobs/sha256")).expect("blobs");
    let mut found: Vec<(u64, String)> = folder
        .map(|entry| {
            let entry = entry.expect("an entry");
            let name = entry.file_name().into_string().expect("UTF-8");
            (entry.metadata().expect("a file").len(), name)
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found
}
