//! Locks between requests and the collection of garbage, which may run in another process.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::{Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;

const TURN: &str = "sweep.turn";
/// How long requests let a collection that waits go first. It is a courtesy and no rule: nothing hangs when one who
/// holds a lock asks for another.
const COURTESY: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(1);

/// Held while it lives.
#[derive(Debug)]
pub(crate) struct Held(#[expect(dead_code, reason = "it is unlocked when it is closed")] File);

impl Store {
    /// While it is held, nothing is swept.
    pub(super) fn rest(&self) -> Result<Held> {
        // The system gives a lock to one more of many before one alone: without this, whoever collects waits as
        // long as requests overlap.
        let (turn, start) = (self.root.join(TURN), Instant::now());
        while self.is_awaited(&turn)? && start.elapsed() < COURTESY {
            sleep(STEP);
        }
        lock(&self.root.join("sweep.lock"), FlockOperation::LockShared)
    }

    /// While it is held, nobody rests on what is there.
    pub(crate) fn alone(&self) -> Result<Held> {
        let _turn = lock(&self.root.join(TURN), FlockOperation::LockExclusive)?;
        lock(&self.root.join("sweep.lock"), FlockOperation::LockExclusive)
    }

    /// Whether a collection waits to be alone.
    fn is_awaited(&self, turn: &Path) -> Result<bool> {
        match File::open(turn) {
            Ok(file) => Ok(flock(&file, FlockOperation::NonBlockingLockShared).is_err()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Fault::disk("open", turn)(error)),
        }
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
