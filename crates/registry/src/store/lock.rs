//! Locks between requests and the collection of garbage, which may run in another process.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::{Repository, Store};
use crate::Fault;
use crate::fault::Result;

/// Held while it lives.
#[derive(Debug)]
pub(crate) struct Locked(#[expect(dead_code, reason = "it is unlocked when it is closed")] File);

impl Store {
    /// While it is held, nothing is swept.
    pub(crate) fn rest(&self) -> Result<Locked> {
        lock(&self.root.join("sweep.lock"), FlockOperation::LockShared)
    }

    /// While it is held, nobody rests on what is there.
    pub(crate) fn alone(&self) -> Result<Locked> {
        lock(&self.root.join("sweep.lock"), FlockOperation::LockExclusive)
    }

    /// While it is held, nobody else mends the registry.
    pub(crate) fn mend(&self) -> Result<Locked> {
        lock(&self.root.join("mend.lock"), FlockOperation::LockExclusive)
    }

    /// While it is held, nobody else changes the manifests and tags of a repository.
    pub(crate) fn change(&self, repository: &Repository) -> Result<Locked> {
        lock(&self.at(repository).join("_lock"), FlockOperation::LockExclusive)
    }

    /// The same where it matters how much the repository holds.
    pub(super) fn change_for_room(&self, repository: &Repository) -> Result<Option<Locked>> {
        self.largest(repository).map(|_| self.change(repository)).transpose()
    }

    /// The same of a repository that is there; one that is not must not begin to be.
    pub(super) fn change_of(&self, repository: &Repository) -> Result<Locked> {
        match self.has(repository) {
            true => self.change(repository),
            false => Err(Fault::NameUnknown),
        }
    }
}

fn lock(path: &Path, how: FlockOperation) -> Result<Locked> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Fault::disk("make", folder))?;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(Fault::disk("open", path))?;
    flock(&file, how).map_err(|error| Fault::disk("lock", path)(error.into()))?;
    Ok(Locked(file))
}
