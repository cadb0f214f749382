//! Locks between requests and the collection of garbage, which may run in another process.
//!
//! Digests fall into parts. A request rests in the parts of what it counts on, and a collection sweeps one part after
//! the other while nobody rests in it: a push that takes its time at the disk holds up neither the rest of the
//! collection nor other pushes.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use longshore_image::Digest;
use rustix::fs::{FlockOperation, flock};

use super::{Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;

/// The parts into which digests fall. A request opens a file for each in which it rests.
pub(crate) const PARTS: usize = 32;
/// How long requests let a collection that waits go first. It is a courtesy and no rule: nothing hangs when one who
/// holds a lock asks for another.
const COURTESY: Duration = Duration::from_millis(500);
/// How long a collection looks for parts that are free before it asks for its turn in one that is not.
const PATIENCE: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_millis(1);

/// Held while it lives.
#[derive(Debug)]
pub(crate) struct Locked(
    #[expect(dead_code, reason = "they are unlocked when they are closed")] Vec<File>,
);

/// The part of a digest, or of another name.
pub(crate) fn part_of(hex: &str) -> usize {
    let first = hex.get(..2).and_then(|two| usize::from_str_radix(two, 16).ok());
    first.unwrap_or(0) % PARTS
}

impl Store {
    /// While it is held, none of these is swept.
    pub(super) fn rest<'a>(&self, on: impl IntoIterator<Item = &'a Digest>) -> Result<Locked> {
        self.rest_in(on.into_iter().map(|digest| part_of(digest.hex())).collect())
    }

    /// While it is held, nothing is swept.
    pub(crate) fn rest_everywhere(&self) -> Result<Locked> {
        self.rest_in((0..PARTS).collect())
    }

    fn rest_in(&self, parts: BTreeSet<usize>) -> Result<Locked> {
        let mut files = Vec::with_capacity(parts.len());
        for part in parts {
            // The system gives a lock to one more of many before one alone: without this, whoever collects waits as
            // long as requests overlap.
            let (turn, start) = (self.turn(part), Instant::now());
            while is_awaited(&turn)? && start.elapsed() < COURTESY {
                sleep(STEP);
            }
            files.extend(lock(&self.sweeping(part), FlockOperation::LockShared)?);
        }
        Ok(Locked(files))
    }

    /// Works in parts while nobody rests in them: where nobody does, before it waits for others. The work says
    /// whether it is done with a part, or goes on later.
    pub(crate) fn alone_in(
        &self,
        mut parts: Vec<usize>,
        mut work: impl FnMut(usize) -> Result<bool>,
    ) -> Result<()> {
        let mut moved = Instant::now();
        while !parts.is_empty() {
            let mut left = Vec::new();
            for part in parts {
                let is_done = match self.alone_now(part)? {
                    Some(_held) => {
                        moved = Instant::now();
                        work(part)?
                    }
                    None if moved.elapsed() > PATIENCE => {
                        let _held = self.alone(part)?;
                        moved = Instant::now();
                        work(part)?
                    }
                    None => false,
                };
                if !is_done {
                    left.push(part);
                }
            }
            parts = left;
            // Whoever waits has to wake up before it is asked for again.
            sleep(STEP);
        }
        Ok(())
    }

    /// Works while nobody rests on a digest.
    pub(super) fn alone_with(
        &self,
        digest: &Digest,
        mut work: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        self.alone_in(vec![part_of(digest.hex())], |_| work().map(|()| true))
    }

    /// Waits until all that rested on something when it was called has ended.
    pub(crate) fn others_ended(&self) -> Result<()> {
        self.alone_in((0..PARTS).collect(), |_| Ok(true))
    }

    /// While it is held, nobody else mends the registry.
    pub(crate) fn mend(&self) -> Result<Locked> {
        lock(&self.root.join("mend.lock"), FlockOperation::LockExclusive)
            .map(|file| Locked(file.into_iter().collect()))
    }

    /// While it is held, nobody else changes the manifests and tags of a repository.
    pub(crate) fn change(&self, repository: &Repository) -> Result<Locked> {
        lock(&self.at(repository).join("_lock"), FlockOperation::LockExclusive)
            .map(|file| Locked(file.into_iter().collect()))
    }

    fn alone_now(&self, part: usize) -> Result<Option<File>> {
        lock(&self.sweeping(part), FlockOperation::NonBlockingLockExclusive)
    }

    fn alone(&self, part: usize) -> Result<Option<File>> {
        let _turn = lock(&self.turn(part), FlockOperation::LockExclusive)?;
        lock(&self.sweeping(part), FlockOperation::LockExclusive)
    }

    fn sweeping(&self, part: usize) -> PathBuf {
        self.root.join("sweep").join(format!("{part:02}.lock"))
    }

    fn turn(&self, part: usize) -> PathBuf {
        self.root.join("sweep").join(format!("{part:02}.turn"))
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

/// Whether a collection waits for its turn.
fn is_awaited(turn: &Path) -> Result<bool> {
    match File::open(turn) {
        Ok(file) => Ok(flock(&file, FlockOperation::NonBlockingLockShared).is_err()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::disk("open", turn)(error)),
    }
}

/// Locks a file. None when others hold it and it is not waited for.
fn lock(path: &Path, how: FlockOperation) -> Result<Option<File>> {
    if let Some(folder) = path.parent() {
        disk::make(folder).map_err(Fault::disk("make", folder))?;
    }
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(Fault::disk("open", path))?;
    match flock(&file, how) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(Fault::disk("lock", path)(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::{scope, sleep};
    use std::time::Duration;

    use longshore_image::Digest;

    use super::{PARTS, part_of};
    use crate::Store;

    #[test]
    fn who_rests_holds_up_only_its_own_part() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("registry")).expect("a registry");
        let digest = Digest::of(b"one");
        let (own, is_resting) = (part_of(digest.hex()), AtomicBool::new(true));
        let held = store.rest([&digest, &digest]).expect("held");
        let mut order = Vec::new();
        scope(|scope| {
            scope.spawn(|| {
                sleep(Duration::from_millis(400));
                is_resting.store(false, Ordering::SeqCst);
                drop(held);
            });
            let work = |part| {
                assert!(part != own || !is_resting.load(Ordering::SeqCst));
                order.push(part);
                Ok(true)
            };
            store.alone_in((0..PARTS).collect(), work).expect("alone");
        });
        assert_eq!((order.len(), order.last()), (PARTS, Some(&own)));
    }

    #[test]
    fn requests_that_overlap_for_ever_let_a_collection_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&folder.path().join("registry")).expect("a registry");
        let (digest, is_over) = (Digest::of(b"one"), AtomicBool::new(false));
        scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let _held = store.rest([&digest]).expect("held");
                        sleep(Duration::from_millis(20));
                    }
                });
            }
            sleep(Duration::from_millis(50));
            store.others_ended().expect("ended");
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
