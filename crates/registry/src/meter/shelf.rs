//! What is kept, counted on the disk, where other processes add and remove too.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::fault::{Fault, Result};
use crate::store::{Store, names};

/// Counting takes at most this part of the time, and of a minute.
const SHARE: u32 = 20;
const FRESH: Duration = Duration::from_secs(5);

/// What is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shelf {
    pub(super) repositories: u64,
    pub(super) blobs: u64,
    pub(super) bytes: u64,
    taken: Instant,
    took: Duration,
}

impl Shelf {
    pub(super) fn count(store: &Store) -> Result<Self> {
        let start = Instant::now();
        let (mut blobs, mut bytes) = (0, 0);
        let folder = store.root().join("blobs");
        for algorithm in names(&folder)? {
            let folder = folder.join(algorithm);
            for entry in fs::read_dir(&folder).map_err(Fault::disk("list", &folder))? {
                let entry = entry.map_err(Fault::disk("list", &folder))?;
                match entry.metadata() {
                    Ok(there) => (blobs, bytes) = (blobs + 1, bytes + there.len()),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Fault::disk("look at", &folder)(error)),
                }
            }
        }
        let repositories = store.all_repositories()?.len() as u64;
        Ok(Self { repositories, blobs, bytes, taken: Instant::now(), took: start.elapsed() })
    }

    /// Whether it is too early to count again.
    pub(super) fn is_fresh(&self) -> bool {
        self.taken.elapsed() < FRESH.max(self.took * SHARE)
    }
}
