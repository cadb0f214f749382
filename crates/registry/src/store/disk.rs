//! Files whose names never stand for a part of them, also when the power fails.

use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use longshore_model::failpoint;
use ring::rand::{SecureRandom, SystemRandom};

use crate::Fault;
use crate::fault::Result;

/// Writes a file beside and gives it its name.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = beside(path);
    let failed = Fault::disk("write", path);
    let written = folder_of(path)
        .and_then(|()| File::create(&beside))
        .and_then(|mut file| {
            file.write_all(bytes)?;
            sync(&file)
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
    pass("registry.rename")?;
    fs::rename(from, to)?;
    to.parent().map_or(Ok(()), sync_folder)
}

/// Waits until the bytes of a file are on the disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    pass("registry.file-sync")?;
    file.sync_all()
}

/// Waits until the names in a folder are on the disk: those that were given, and those that were taken.
fn sync_folder(folder: &Path) -> io::Result<()> {
    pass("registry.folder-sync")?;
    File::open(folder)?.sync_all()?;
    pass("registry.folder-synced")
}

/// A name beside another, which no other process has, also one of another machine or container.
fn beside(path: &Path) -> PathBuf {
    static PROCESS: OnceLock<u64> = OnceLock::new();
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let process = PROCESS.get_or_init(|| {
        let mut random = [0; 8];
        // Without random bytes the process's number has to do.
        match SystemRandom::new().fill(&mut random) {
            Ok(()) => u64::from_le_bytes(random),
            Err(_) => u64::from(std::process::id()),
        }
    });
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{process:016x}-{number}"))
}

/// Whether a name is one that [`write`] gives to what it has begun.
pub(crate) fn is_beside(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|rest| rest.split_once('-'));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    parts.is_some_and(|(process, number)| is_number(process) && is_number(number))
}

/// A point at which a test ends the process, or fails what is done.
fn pass(name: &'static str) -> io::Result<()> {
    failpoint::hit(name).map_err(io::Error::other)
}

fn folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), make)
}

/// Makes a folder, whose name is on the disk before anything is written into it.
pub(super) fn make(folder: &Path) -> io::Result<()> {
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
    sync_folder(parent.unwrap_or(Path::new(".")))
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

/// Removes a file. Says whether it was there. It may come back when the power fails before the folder is settled.
pub(crate) fn remove(path: &Path) -> Result<bool> {
    pass("registry.removal").map_err(Fault::disk("remove", path))?;
    match fs::remove_file(path) {
        Ok(()) => {
            pass("registry.removed").map_err(Fault::disk("remove", path))?;
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::disk("remove", path)(error)),
    }
}

/// Makes what was removed from a folder stay so, whatever happens to the power.
pub(crate) fn settle(folder: &Path) -> Result<()> {
    match sync_folder(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Fault::disk("settle", folder)(error))
        }
        _ => Ok(()),
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove_all(folder: &Path) -> Result<()> {
    let removed = pass("registry.removal")
        .and_then(|()| fs::remove_dir_all(folder))
        .and_then(|()| pass("registry.removed"));
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Fault::disk("remove", folder)(error))
        }
        _ => Ok(()),
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
    let mut names = Vec::new();
    each_name(folder, |name| names.push(name.to_string()))?;
    names.sort_unstable();
    Ok(names)
}

/// Shows the names in a folder that begin like no hidden file, in any order.
pub(super) fn each_name(folder: &Path, mut show: impl FnMut(&str)) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Fault::disk("list", folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(Fault::disk("list", folder))?;
        if let Some(name) = entry.file_name().to_str().filter(|name| !name.starts_with('.')) {
            show(name);
        }
    }
    Ok(())
}
