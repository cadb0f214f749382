//! `cargo x docs`: the reference pages, which the binary itself writes.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::Stdio;

use crate::steps::{cargo, root, say};

const FOLDER: &str = "docs/reference";

/// Writes the pages anew.
pub(crate) fn write() -> bool {
    let folder = root().join(FOLDER);
    if let Err(error) = std::fs::create_dir_all(&folder) {
        say(&format!("{FOLDER} cannot be made: {error}\n"));
        return false;
    }
    generate(&folder)
}

/// Whether the pages are what the binary writes today.
pub(crate) fn check() -> bool {
    let fresh = std::env::temp_dir().join(format!("longshore-reference-{}", std::process::id()));
    let same = std::fs::create_dir(&fresh).is_ok() && generate(&fresh) && compare(&fresh);
    let _ = std::fs::remove_dir_all(&fresh);
    same
}

fn generate(folder: &Path) -> bool {
    let mut command = cargo(&["run", "--quiet", "--locked", "-p", "longshore-cli", "--"]);
    let status = command.arg("reference").arg(folder).stdin(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn compare(fresh: &Path) -> bool {
    let (written, committed) = match (pages(fresh), pages(&root().join(FOLDER))) {
        (Ok(written), Ok(committed)) => (written, committed),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("the pages cannot be read: {error}\n"));
            return false;
        }
    };
    let names: Vec<_> = written.keys().chain(committed.keys()).collect();
    let stale: std::collections::BTreeSet<_> =
        names.into_iter().filter(|name| written.get(*name) != committed.get(*name)).collect();
    for name in &stale {
        say(&format!("{FOLDER}/{name} is stale: run cargo x docs\n"));
    }
    if stale.is_empty() {
        say(&format!("{} pages are as the binary writes them\n", written.len()));
    }
    stale.is_empty()
}

/// The pages of a folder, by name.
fn pages(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut pages = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        pages.insert(name, std::fs::read(entry.path())?);
    }
    Ok(pages)
}
