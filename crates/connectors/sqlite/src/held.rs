//! Files of a database, read beside SQLite's own connections.
//!
//! POSIX ends every lock that a process has on a file as soon as the process closes any descriptor
//! of that file, so also the locks by which SQLite keeps a snapshot
//! (<https://sqlite.org/howtocorrupt.html>, 2.2). What is opened here therefore stays open until
//! the process ends: one descriptor for each file.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Result;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

static HELD: Mutex<BTreeMap<(u64, u64), &'static File>> = Mutex::new(BTreeMap::new());

/// The file at a path as it is now; opened, unless it is held already.
pub(crate) fn file(path: &Path) -> Result<(&'static File, Metadata)> {
    let data = std::fs::metadata(path)?;
    if !data.is_file() {
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "not a file"));
    }
    let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(file) = held.get(&identity(&data)) {
        return Ok((file, data));
    }
    // Never dropped, not even when another file took the path's place in between.
    let opened: &'static File = Box::leak(Box::new(File::open(path)?));
    let data = opened.metadata()?;
    Ok((held.entry(identity(&data)).or_insert(opened), data))
}

/// At most `length` bytes from the start of a file.
pub(crate) fn start(path: &Path, length: usize) -> Result<Vec<u8>> {
    let (file, _) = file(path)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            more => filled += more,
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn identity(data: &Metadata) -> (u64, u64) {
    (data.dev(), data.ino())
}
