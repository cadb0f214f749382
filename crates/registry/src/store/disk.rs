//! Files whose names never stand for a part of them, also when the power fails.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::Fault;
use crate::fault::Result;

/// Writes a file beside and gives it its name.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let beside = path.with_file_name(format!(".{}-{number}", std::process::id()));
    let failed = Fault::disk("write", path);
    let written = folder_of(path)
        .and_then(|()| File::create(&beside))
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| publish(&beside, path));
    written.map_err(|error| {
        // What stays has no name that means anything.
        let _ = fs::remove_file(&beside);
        failed(error)
    })
}

/// Gives a file, all of which is on the disk, its name.
pub(super) fn publish(from: &Path, to: &Path) -> io::Result<()> {
    folder_of(to)?;
    fs::rename(from, to)?;
    match to.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), make)
}

/// Makes a folder, whose name is on the disk before anything is written into it.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Marks a file as asked for now. Says whether it is there.
pub(super) fn touch(path: &Path) -> Result<bool> {
    let now = FileTimes::new().set_modified(SystemTime::now());
    match File::options().append(true).open(path).and_then(|file| file.set_times(now)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::disk("mark", path)(error)),
    }
}

/// Removes a file. Says whether it was there.
pub(crate) fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::disk("remove", path)(error)),
    }
}

/// Reads a file, if it is there.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault::disk("read", path)(error)),
    }
}

/// The names in a folder that begin like no hidden file, sorted by their bytes; none if it is not there.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::disk("list", folder)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Fault::disk("list", folder))?;
        if let Ok(name) = entry.file_name().into_string()
            && !name.starts_with('.')
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
