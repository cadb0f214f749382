//! The claim on a target folder: an advisory lock that ends with its holder, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use longshore_model::ledger::Holder;
use longshore_model::{Code, Error, Result};

/// A held lock; dropping it lets go.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, or names who holds it.
    pub(crate) fn take(path: &Path, holder: &Holder) -> Result<Self> {
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
            Err(TryLockError::WouldBlock) => return Err(busy(&mut file)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let text = serde_json::to_vec(holder)
            .map_err(|e| Error::new(Code::Internal, "a holder cannot be written").because(e))?;
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        file.write_all(&text).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn busy(file: &mut File) -> Error {
    let error = Error::new(Code::TargetBusy, "another run holds the target").temporary();
    let mut text = String::new();
    match file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str(&text).ok()) {
        Some(Holder { run, host, pid, since }) => error
            .with("run", run)
            .with("host", host)
            .with("pid", pid.to_string())
            .with("since", since),
        None => error,
    }
}
