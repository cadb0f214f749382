//! File access: everything that touches files by name goes through here, in the file system or in a
//! store.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_model::{Code, Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blocks::Blocks;
use crate::content::Content;
use crate::journal::FOLDER;
use crate::new_file::{NamedFile, NewFile};
use crate::store::Store;
use crate::stored;

/// What every temporary name begins with.
pub(crate) const TEMPORARY: &str = ".tmp-";

/// A folder and what is below it, addressed by relative paths with `/` between the parts.
#[derive(Clone)]
pub(crate) struct Tree {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Folder(PathBuf),
    Store(Arc<Store>),
}

/// What proves that a file is the same as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) size: u64,
    /// Nanoseconds since 1970 of the last change of the content, and of the content or the node.
    pub(crate) modified: i128,
    pub(crate) changed: i128,
}

/// One entry of a folder.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// The name; lossy when `readable` is false.
    pub(crate) name: String,
    /// Whether the name is UTF-8 and the entry could be examined.
    pub(crate) readable: bool,
    pub(crate) folder: bool,
    pub(crate) stamp: Stamp,
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(""))
    }
}

impl Stamp {
    /// Whether both are of one state. Some stores tell the tag of a state, which stands for the time of
    /// the change, only of an object that is asked for.
    pub(crate) fn is_same(self, other: Self) -> bool {
        let changed = self.changed == other.changed || self.changed == 0 || other.changed == 0;
        (self.size, self.modified) == (other.size, other.modified) && changed
    }

    pub(crate) fn of(metadata: &fs::Metadata) -> Self {
        let nanos =
            |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
        Self {
            size: metadata.len(),
            modified: nanos(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanos(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl Tree {
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        Self { place: Place::Folder(root.into()) }
    }

    /// The folder at a path; of a file, the folder that it is in and its name.
    pub(crate) fn at(path: PathBuf) -> Result<(Self, Option<String>)> {
        let metadata = fs::metadata(&path)
            .map_err(|error| Error::io("open the source", path.display(), error))?;
        if metadata.is_dir() {
            return Ok((Self::new(path), None));
        }
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or_else(|| Error::new(Code::UrlInvalid, "an address does not name a file"))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Ok((Self::new(folder.unwrap_or(Path::new("."))), Some(name.to_string())))
    }

    pub(crate) fn in_store(store: Arc<Store>) -> Self {
        Self { place: Place::Store(store) }
    }

    /// The store that it is in.
    pub(crate) fn store(&self) -> Option<&Arc<Store>> {
        match &self.place {
            Place::Folder(_) => None,
            Place::Store(store) => Some(store),
        }
    }

    /// The folder of the file system that it is; empty in a store.
    pub(crate) fn root(&self) -> &Path {
        match &self.place {
            Place::Folder(root) => root,
            Place::Store(_) => Path::new(""),
        }
    }

    /// Where a file is, for people; `""` is the root.
    pub(crate) fn shown(&self, relative: &str) -> String {
        match &self.place {
            Place::Folder(root) if relative.is_empty() => root.display().to_string(),
            Place::Folder(root) => root.join(relative).display().to_string(),
            Place::Store(store) => store.shown(relative),
        }
    }

    /// The absolute form of a relative path; refused when it leads out of the tree.
    pub(crate) fn path(&self, relative: &str) -> Result<PathBuf> {
        check(relative)?;
        Ok(self.root().join(relative))
    }

    /// The entries of a folder (`""` is the root), by name; `None` when it is not there.
    pub(crate) fn list(&self, folder: &str) -> Result<Option<Vec<Item>>> {
        if let Place::Store(store) = &self.place {
            return stored::list(store, folder);
        }
        let path = if folder.is_empty() { self.root().to_path_buf() } else { self.path(folder)? };
        let io = |error| Error::io("list a folder", path.display(), error);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        let mut items = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io)?;
            let name = entry.file_name();
            // Follows links: a data file may be one.
            let metadata = match fs::metadata(entry.path()) {
                Ok(metadata) => metadata,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    entry.metadata().map_err(io)?
                }
                Err(error) => return Err(io(error)),
            };
            items.push(Item {
                readable: name.to_str().is_some() && !metadata.is_symlink(),
                name: name.to_string_lossy().into_owned(),
                folder: metadata.is_dir(),
                stamp: Stamp::of(&metadata),
            });
        }
        items.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(items))
    }

    /// A file's stamp; `None` when it is not there.
    pub(crate) fn stamp(&self, relative: &str) -> Result<Option<Stamp>> {
        if let Place::Store(store) = &self.place {
            return stored::stamp(store, check(relative)?);
        }
        let path = self.path(relative)?;
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(Stamp::of(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("examine a file", path.display(), error)),
        }
    }

    /// Makes a file. In a store, `record` tells of the upload as long as it is under way.
    pub(crate) fn create(&self, relative: &str, record: &str) -> Result<NewFile> {
        if let Place::Store(store) = &self.place {
            return NewFile::object(store, check(relative)?, record.to_string());
        }
        let temporary = temporary_name(relative);
        let path = self.path(&temporary)?;
        let file = File::create(&path);
        let file = file.map_err(|error| Error::io("make a file", path.display(), error))?;
        Ok(NewFile::File(NamedFile::new(file, path, temporary)))
    }

    /// Opens a data file for reading.
    pub(crate) fn open(&self, relative: &str) -> Result<Content> {
        if let Place::Store(store) = &self.place {
            return match Blocks::open(store, check(relative)?)? {
                Some(blocks) => Ok(Content::stored(relative, blocks)),
                None => Err(Error::new(Code::NotFound, "could not open a file")
                    .with("path", self.shown(relative))),
            };
        }
        let path = self.path(relative)?;
        let file = File::open(&path);
        let file = file.map_err(|error| Error::io("open a file", path.display(), error))?;
        Content::new(relative, file)
    }

    /// Reads a JSON file; `None` when it is not there.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, relative: &str) -> Result<Option<T>> {
        let Some(bytes) = self.read(relative)? else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::new(Code::SourceUnreadable, "a file of longshore's own is damaged")
                .with("path", self.shown(relative))
                .because(error)
        })
    }

    fn read(&self, relative: &str) -> Result<Option<Vec<u8>>> {
        if let Place::Store(store) = &self.place {
            return stored::read(store, check(relative)?);
        }
        let path = self.path(relative)?;
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read a file", path.display(), error)),
        }
    }

    /// Writes a JSON file: after a crash at any moment the old content is there or the new one.
    pub(crate) fn write_json(&self, relative: &str, value: &impl Serialize) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(value)
            .map_err(|e| Error::new(Code::Internal, "a value cannot be written").because(e))?;
        bytes.push(b'\n');
        if let Place::Store(store) = &self.place {
            return stored::write(store, check(relative)?, bytes);
        }
        let temporary = temporary_name(relative);
        let path = self.path(&temporary)?;
        let io = |error| Error::io("write a file", path.display(), error);
        let mut file = File::create(&path).map_err(io)?;
        file.write_all(&bytes).map_err(io)?;
        file.sync_all().map_err(io)?;
        drop(file);
        self.publish(&temporary, relative)
    }

    /// Gives a synced temporary file its final name, durably.
    pub(crate) fn publish(&self, temporary: &str, relative: &str) -> Result<()> {
        let (from, to) = (self.path(temporary)?, self.path(relative)?);
        fs::rename(&from, &to).map_err(|e| Error::io("rename a file", to.display(), e))?;
        self.sync_folder(parent(relative))
    }

    /// Makes the names in a folder durable.
    pub(crate) fn sync_folder(&self, folder: &str) -> Result<()> {
        if self.store().is_some() {
            return Ok(());
        }
        let path = if folder.is_empty() { self.root().to_path_buf() } else { self.path(folder)? };
        sync(&path)
    }

    /// Makes a folder, and those above it, durably.
    pub(crate) fn create_folder(&self, folder: &str) -> Result<()> {
        if self.store().is_some() {
            return Ok(());
        }
        let path = if folder.is_empty() { self.root().to_path_buf() } else { self.path(folder)? };
        let missing: Vec<_> = path.ancestors().take_while(|p| !p.exists()).collect();
        for path in missing.into_iter().rev().filter(|path| !path.as_os_str().is_empty()) {
            match fs::create_dir(path) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(Error::io("make a folder", path.display(), error)),
            }
            match path.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => sync(parent)?,
                _ => sync(Path::new("."))?,
            }
        }
        Ok(())
    }

    /// Removes a file if it is there; whether it was.
    pub(crate) fn remove_file(&self, relative: &str) -> Result<bool> {
        if let Place::Store(store) = &self.place {
            return stored::remove(store, check(relative)?);
        }
        let path = self.path(relative)?;
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::io("remove a file", path.display(), error)),
        }
    }

    /// Removes a folder of longshore's own with all that is in it, if it is there.
    pub(crate) fn remove_folder(&self, folder: &str) -> Result<()> {
        if let Place::Store(store) = &self.place {
            return stored::remove_all(store, check(folder)?, |_| false);
        }
        let path = self.path(folder)?;
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove a folder", path.display(), error))
            }
            _ => Ok(()),
        }
    }

    /// Whether it holds anything but longshore's own.
    pub(crate) fn holds_something(&self) -> Result<bool> {
        if let Place::Store(store) = &self.place {
            return stored::holds(store, |name| name == FOLDER);
        }
        let failed = |error| Error::io("list a folder", self.root().display(), error);
        let entries = match fs::read_dir(self.root()) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            if entry.map_err(failed)?.file_name() != FOLDER {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes everything but longshore's own.
    pub(crate) fn empty(&self) -> Result<()> {
        if let Place::Store(store) = &self.place {
            let own = format!("{FOLDER}/");
            return stored::remove_all(store, "", |key| key.starts_with(&own));
        }
        let root = self.root();
        let failed = |path: &Path, error| Error::io("remove an entry", path.display(), error);
        for entry in fs::read_dir(root).map_err(|error| failed(root, error))? {
            let entry = entry.map_err(|error| failed(root, error))?;
            if entry.file_name() == FOLDER {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(|error| failed(&path, error))?;
            let removed =
                if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    /// Removes what unfinished writes left in a folder.
    pub(crate) fn remove_temporaries(&self, folder: &str) -> Result<()> {
        // What a store has, it has all of.
        if self.store().is_some() {
            return Ok(());
        }
        for item in self.list(folder)?.unwrap_or_default() {
            if item.name.starts_with(TEMPORARY) && !item.folder && item.readable {
                self.remove_file(&join(folder, &item.name))?;
            }
        }
        Ok(())
    }
}

/// Refuses a path that leads out of the tree.
fn check(relative: &str) -> Result<&str> {
    if relative.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(
            Error::new(Code::SpecInvalid, "a path leads out of its folder").with("path", relative)
        );
    }
    Ok(relative)
}

/// A name under which a file is written before it is complete, in the same folder. No two are the
/// same in one process, and a target has one process at a time.
pub(crate) fn temporary_name(relative: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (folder, name) = relative.rsplit_once('/').unwrap_or(("", relative));
    let (number, process) = (NEXT.fetch_add(1, Ordering::Relaxed), std::process::id());
    join(folder, &format!("{TEMPORARY}{process}-{number}-{name}"))
}

/// A path in a folder; `""` is the root.
pub(crate) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_string() } else { format!("{folder}/{name}") }
}

/// The folder that a path is in.
pub(crate) fn parent(relative: &str) -> &str {
    relative.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn sync(path: &Path) -> Result<()> {
    let io = |error| Error::io("make a folder durable", path.display(), error);
    File::open(path).map_err(io)?.sync_all().map_err(io)
}
