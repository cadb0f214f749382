//! Locks that keep what is being worked with.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use longshore_model::{Error, Result};
use rustix::fs::{FlockOperation, flock};

/// A layout in use: while one is held, no other process sweeps. The file is never removed.
#[derive(Debug)]
pub struct Hold(File);

impl Hold {
    /// Holds a layout together with others; waits while somebody sweeps.
    pub fn of(root: &Path) -> Result<Self> {
        let path = root.join("in-use");
        let failed = |error: io::Error| Error::io("hold the images", path.display(), error);
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(failed)?;
        flock(&file, FlockOperation::LockShared).map_err(|error| failed(error.into()))?;
        Ok(Self(file))
    }

    /// Takes it alone, unless another process holds it too.
    pub fn alone(&self) -> bool {
        flock(&self.0, FlockOperation::NonBlockingLockExclusive).is_ok()
    }

    /// Lets others hold it again beside this one.
    pub fn together(&self) -> Result<()> {
        flock(&self.0, FlockOperation::LockShared)
            .map_err(|error| Error::io("hold the images", "in-use", error.into()))
    }
}
