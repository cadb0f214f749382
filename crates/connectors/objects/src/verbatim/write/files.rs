//! Files, folders and links of a tree, made and removed one at a time.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use longshore_model::{Code, Error, Result};
use rustix::fs::{Gid, Uid};

/// A part of zeros of this size becomes a hole.
const HOLE: usize = 64 << 10;
/// What the owner of a folder must be allowed while it is filled.
pub(super) const FILLED: u32 = 0o700;

pub(super) fn failed(path: &Path, error: std::io::Error) -> Error {
    Error::io("write an entry", path.display(), error)
}

/// Allows the owner of a folder to fill it.
pub(super) fn open_folder(folder: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(mode | FILLED))
}

/// Removes a folder with all that is in it, also where folders do not allow it.
pub(super) fn remove_all(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_all(folder)?;
            fs::remove_dir_all(folder)
        }
        removed => removed,
    }
}

fn open_all(folder: &Path) -> std::io::Result<()> {
    open_folder(folder, 0)?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_all(&entry.path())?;
        }
    }
    Ok(())
}

/// What the name of a file that is not whole begins with; the number of its chunk follows.
const PARTIAL: &str = ".longshore-part-";

/// Whether a name is one that files have until they are whole.
pub(in crate::verbatim) fn is_partial(name: &[u8]) -> bool {
    let number = name.strip_prefix(PARTIAL.as_bytes());
    number.is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
}

/// The name of a file until it is whole.
pub(super) fn partial(path: &Path, chunk: usize) -> PathBuf {
    path.with_file_name(format!("{PARTIAL}{chunk}"))
}

/// An empty file; what is there under its name goes.
pub(super) fn create(path: &Path) -> Result<File> {
    let open = || {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).custom_flags(libc::O_NOFOLLOW);
        options.mode(0o600).open(path)
    };
    match open() {
        Ok(file) => Ok(file),
        // A link, or a file that may not be written: an earlier try has made it.
        Err(error)
            if error.kind() == ErrorKind::PermissionDenied
                || error.raw_os_error() == Some(libc::ELOOP) =>
        {
            fs::remove_file(path).map_err(|error| failed(path, error))?;
            open().map_err(|error| failed(path, error))
        }
        Err(error) => Err(failed(path, error)),
    }
}

pub(super) fn make_folder(path: &Path) -> Result<()> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let there = fs::symlink_metadata(path).map_err(|error| failed(path, error))?;
            match there.is_dir() {
                true => Ok(()),
                // A link would lead out of the tree.
                false => Err(Error::new(Code::TargetNotEmpty, "a folder's name is taken")
                    .with("path", path.display().to_string())),
            }
        }
        Err(error) => Err(failed(path, error)),
    }
}

pub(super) fn make_link(to: &OsStr, path: &Path) -> Result<()> {
    let make = || std::os::unix::fs::symlink(to, path);
    match make() {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            fs::remove_file(path).map_err(|error| failed(path, error))?;
            make().map_err(|error| failed(path, error))
        }
        made => made.map_err(|error| failed(path, error)),
    }
}

/// Writes a part; zeros become a hole.
pub(in crate::verbatim) fn write_sparse(
    file: &mut File,
    offset: u64,
    bytes: &[u8],
) -> std::io::Result<()> {
    if bytes.len() >= HOLE && bytes.iter().all(|byte| *byte == 0) {
        return file.seek(SeekFrom::Start(offset + bytes.len() as u64)).map(drop);
    }
    file.write_all(bytes)
}

pub(super) fn owner(text: &str) -> Option<(Uid, Gid)> {
    let (user, group) = text.split_once(':')?;
    Some((Uid::from_raw(user.parse().ok()?), Gid::from_raw(group.parse().ok()?)))
}
