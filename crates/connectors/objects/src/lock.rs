//! The claim on a target: in the file system an advisory lock that ends with its holder, however that
//! ends; in a store a lease.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use longshore_model::ledger::Holder;
use longshore_model::{Code, Error, Result};

use crate::journal::FOLDER;
use crate::lease::Lease;
use crate::tree::Tree;

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) enum Lock {
    Folder(#[expect(dead_code, reason = "it is held")] File),
    Store(Lease),
}

impl Lock {
    /// Takes the lock on a tree, or names who holds it.
    pub(crate) fn take(tree: &Tree, holder: &Holder) -> Result<Self> {
        if let Some(store) = tree.store() {
            return Lease::take(store, holder).map(Self::Store);
        }
        tree.create_folder(FOLDER)?;
        lock(&tree.path(&format!("{FOLDER}/lock"))?, holder).map(Self::Folder)
    }

    /// Fails when the lock may be somebody else's by now.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::Store(lease) => lease.check(),
        }
    }
}

fn lock(path: &Path, holder: &Holder) -> Result<File> {
    let io = |error| Error::io("lock the target", path.display(), error);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = file.read_to_string(&mut text);
            return Err(busy(read.ok().and_then(|_| serde_json::from_str(&text).ok())));
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    let text = serde_json::to_vec(holder)
        .map_err(|e| Error::new(Code::Internal, "a holder cannot be written").because(e))?;
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    file.write_all(&text).map_err(io)?;
    Ok(file)
}

/// Another run holds the target.
pub(crate) fn busy(holder: Option<Holder>) -> Error {
    let error = Error::new(Code::TargetBusy, "another run holds the target").temporary();
    match holder {
        Some(Holder { run, host, pid, since }) => error
            .with("run", run)
            .with("host", host)
            .with("pid", pid.to_string())
            .with("since", since),
        None => error,
    }
}
