//! Locks between requests and the collection of garbage, which may run in another process.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::{Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;

/// Held while it lives.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is unlocked when it is closed")] File);

impl Store {
    /// While it is held, nothing is swept.
    pub(super) fn rest(&self) -> Result<Held> {
        lock(&self.root.join("sweep.lock"), FlockOperation::LockShared)
    }

    /// While it is held, nobody rests on what is there.
    pub(crate) fn alone(&self) -> Result<Held> {
        lock(&self.root.join("sweep.lock"), FlockOperation::LockExclusive)
    }

    /// While it is held, nobody else changes the manifests and tags of a repository.
    pub(super) fn change(&self, repository: &Repository) -> Result<Held> {
        lock(&self.at(repository).join("_lock"), FlockOperation::LockExclusive)
    }
}

fn lock(path: &Path, how: FlockOperation) -> Result<Held> {
    if let Some(folder) = path.parent() {
        disk::make(folder).map_err(Fault::disk("make", folder))?;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(Fault::disk("open", path))?;
    flock(&file, how).map_err(|error| Fault::disk("lock", path)(error.into()))?;
    Ok(Held(file))
}
