//! Azurite, the server of Azure Blob Storage for tests, from the registry of npm.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{node, run};

/// The server, to the exact version.
const AZURITE: &str = "azurite@3.37.0";
/// What the server depends on is as old as this, or older.
const BEFORE: &str = "2026-11-20";
/// The script of the part that serves blobs, in the folder.
pub(crate) const SCRIPT: &str = "node_modules/azurite/dist/src/blob/main.js";

/// What the folder is made of.
pub(crate) fn stamp() -> String {
    format!("{AZURITE} {BEFORE}")
}

/// Unpacks the server and all that it depends on into `at`.
pub(crate) fn install(at: &Path) -> Result<(), String> {
    let told = |error| format!("{}: {error}", at.display());
    fs::create_dir_all(at).map_err(told)?;
    let (program, script) = node();
    let cache = at.join("cache");
    let mut npm = Command::new(program);
    npm.arg(script).args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
    npm.args(["--no-update-notifier", "--no-package-lock", "--loglevel=error", "--before", BEFORE]);
    npm.arg("--prefix").arg(at).arg("--cache").arg(&cache).arg(AZURITE).current_dir(at);
    let hint = |error| format!("{error}\nAzurite comes from the registry of npm.");
    run(&mut npm).map_err(hint)?;
    fs::remove_dir_all(&cache).map_err(told)
}
