//! The walk through a tree: every entry once, in the order of its key's bytes, as stores list theirs.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_model::object::escape;
use longshore_model::{Error, Result, pattern};

use crate::journal::FOLDER;
use crate::store::Listed;

/// Folders of at least so many entries are kept, so that the chunks of one list it once.
const LARGE: usize = 4096;
/// How many of them.
const KEPT: usize = 4;

/// What an entry is, as its folder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    File,
    Folder,
    Link,
    /// A socket, a pipe or a device.
    Other,
    /// An object of a store without bytes, of which the listing does not tell whether it is a file or
    /// stands for a folder.
    Empty {
        /// Whether there are objects in the folder that it may stand for.
        filled: bool,
    },
}

impl EntryKind {
    /// A number for it in the proof that a tree is the same.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::File => 0,
            Self::Folder => 1,
            Self::Link => 2,
            Self::Other => 3,
            Self::Empty { filled } => 4 + u8::from(filled),
        }
    }
}

/// The names in one folder, in the order of their bytes, close together in memory. Those of folders
/// end in `/`.
#[derive(Debug)]
struct Names {
    bytes: Vec<u8>,
    /// Where each begins and ends, and what it is.
    places: Vec<(u32, u32, EntryKind)>,
}

/// The root of a tree, and the large folders that were listed last.
#[derive(Debug, Clone)]
pub(crate) struct Forest {
    root: PathBuf,
    kept: Arc<Mutex<VecDeque<Kept>>>,
    /// Patterns of names that are left out, with what is below them.
    excluded: Arc<[String]>,
}

type Kept = (PathBuf, Arc<Names>);

/// A walk in progress.
pub(crate) struct Walk {
    forest: Forest,
    levels: Vec<Level>,
    /// Entries after this one are not given.
    last: Option<Vec<u8>>,
    excluded: u64,
}

struct Level {
    /// The key of the folder; empty for the root.
    key: Vec<u8>,
    names: Arc<Names>,
    next: usize,
}

/// One entry of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The path below the root, parts with `/` between them.
    pub(crate) path: Vec<u8>,
    pub(crate) kind: EntryKind,
    /// What the listing of a store says; `None` in the file system, and for a folder that is there only
    /// because objects are in it.
    pub(crate) listed: Option<Listed>,
}

impl Found {
    /// What the entry is ordered by: its path, which for a folder ends in `/`, so that a folder comes
    /// right before what is in it.
    pub(crate) fn key(&self) -> Vec<u8> {
        let end: &[u8] = if self.kind == EntryKind::Folder { b"/" } else { b"" };
        [&self.path, end].concat()
    }
}

impl Names {
    fn of(folder: &Path) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let kind = match () {
                () if kind.is_symlink() => EntryKind::Link,
                () if kind.is_dir() => EntryKind::Folder,
                () if kind.is_file() => EntryKind::File,
                () => EntryKind::Other,
            };
            let start = bytes.len();
            bytes.extend_from_slice(entry.file_name().as_bytes());
            if kind == EntryKind::Folder {
                bytes.push(b'/');
            }
            let place = |at: usize| {
                u32::try_from(at).map_err(|_| std::io::Error::other("too many names in a folder"))
            };
            places.push((place(start)?, place(bytes.len())?, kind));
        }
        let name = |&(start, end, _): &(u32, u32, EntryKind)| &bytes[start as usize..end as usize];
        places.sort_unstable_by(|one, other| name(one).cmp(name(other)));
        Ok(Self { bytes, places })
    }

    fn name(&self, at: usize) -> &[u8] {
        let (start, end, _) = self.places[at];
        &self.bytes[start as usize..end as usize]
    }

    /// The first place whose name is not below another.
    fn first_from(&self, name: &[u8]) -> usize {
        self.places
            .partition_point(|(start, end, _)| &self.bytes[*start as usize..*end as usize] < name)
    }
}

impl Forest {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, kept: Arc::default(), excluded: Arc::default() }
    }

    /// The same without the names that patterns match, and what is below them.
    pub(crate) fn without(self, patterns: Vec<String>) -> Self {
        Self { excluded: patterns.into(), ..self }
    }

    fn excludes(&self, path: &[u8]) -> bool {
        !self.excluded.is_empty() && {
            let name = escape(path);
            self.excluded.iter().any(|wanted| pattern::matches(wanted, &name))
        }
    }

    /// The absolute form of a path below the root.
    pub(crate) fn path(&self, below: &[u8]) -> PathBuf {
        if below.is_empty() {
            return self.root.clone();
        }
        self.root.join(std::ffi::OsString::from_vec(below.to_vec()))
    }

    /// A walk through the entries whose keys are after `first`, up to `last`.
    pub(crate) fn walk(&self, first: Option<&[u8]>, last: Option<Vec<u8>>) -> Result<Walk> {
        let mut walk = Walk { forest: self.clone(), levels: Vec::new(), last, excluded: 0 };
        walk.enter(Vec::new())?;
        if let Some(first) = first {
            walk.skip(first)?;
        }
        Ok(walk)
    }

    fn list(&self, below: &[u8]) -> Result<Arc<Names>> {
        let path = self.path(below);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = kept.iter().find(|(known, _)| *known == path) {
            return Ok(names.clone());
        }
        drop(kept);
        let names = Names::of(&path);
        let names = names.map_err(|error| Error::io("list a folder", path.display(), error))?;
        let names = Arc::new(names);
        if names.places.len() >= LARGE {
            kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_front((path, names.clone()));
            kept.truncate(KEPT);
        }
        Ok(names)
    }

    /// Forgets what was listed: the tree is looked at anew.
    pub(crate) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Walk {
    fn enter(&mut self, key: Vec<u8>) -> Result<()> {
        let names = self.forest.list(&key)?;
        self.levels.push(Level { key, names, next: 0 });
        Ok(())
    }

    /// Goes to behind an entry, which need not be there.
    fn skip(&mut self, key: &[u8]) -> Result<()> {
        for part in key.split_inclusive(|byte| *byte == b'/') {
            let Some(level) = self.levels.last_mut() else { return Ok(()) };
            let at = level.names.first_from(part);
            let is_there = at < level.names.places.len() && level.names.name(at) == part;
            level.next = at + usize::from(is_there);
            if !is_there || level.names.places[at].2 != EntryKind::Folder {
                return Ok(());
            }
            let below = [&level.key, part].concat();
            self.enter(below)?;
        }
        Ok(())
    }

    /// How many entries were left out so far; `None` when there are no patterns.
    pub(crate) fn excluded(&self) -> Option<u64> {
        (!self.forest.excluded.is_empty()).then_some(self.excluded)
    }

    /// The next entry; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>> {
        loop {
            let Some(level) = self.levels.last_mut() else { return Ok(None) };
            if level.next == level.names.places.len() {
                self.levels.pop();
                continue;
            }
            let at = level.next;
            level.next += 1;
            let (name, kind) = (level.names.name(at), level.names.places[at].2);
            let key = [&level.key, name].concat();
            let path = key.strip_suffix(b"/").unwrap_or(&key).to_vec();
            if path == FOLDER.as_bytes() {
                continue;
            }
            if self.forest.excludes(&path) {
                self.excluded += 1;
                continue;
            }
            if self.last.as_ref().is_some_and(|last| key > *last) {
                self.levels.clear();
                return Ok(None);
            }
            if kind == EntryKind::Folder {
                self.enter(key)?;
            }
            return Ok(Some(Found { path, kind, listed: None }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EntryKind, Forest};

    #[test]
    fn a_walk_can_be_cut_anywhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path();
        for path in ["a/b/c", "a!x", "a/b.txt", "b", "z/empty", ".longshore/ledger.json"] {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
            std::fs::write(path, "x").expect("a file");
        }
        std::fs::create_dir(root.join("a/empty")).expect("a folder");
        std::os::unix::fs::symlink("nowhere", root.join("link")).expect("a link");
        let forest = Forest::new(root.to_path_buf());
        let walk = |first: Option<&[u8]>, last: Option<Vec<u8>>| {
            let mut walk = forest.walk(first, last).expect("a walk");
            let mut found = Vec::new();
            while let Some(one) = walk.next().expect("an entry") {
                found.push(one);
            }
            found
        };
        let all = walk(None, None);
        let names: Vec<_> = all.iter().map(|one| String::from_utf8_lossy(&one.path)).collect();
        let expected =
            ["a!x", "a", "a/b.txt", "a/b", "a/b/c", "a/empty", "b", "link", "z", "z/empty"];
        assert_eq!(names, expected);
        assert_eq!(all[7].kind, EntryKind::Link);
        assert!(all.is_sorted_by_key(super::Found::key));
        for cut in 0..all.len() {
            let at = all[cut].key();
            let (before, after) = (walk(None, Some(at.clone())), walk(Some(&at), None));
            assert_eq!([before, after].concat(), all, "cut at {cut}");
        }
        let some = forest.clone().without(vec!["a/*".to_string(), "?!x".to_string()]);
        let mut walk_some = some.walk(None, None).expect("a walk");
        let mut left = Vec::new();
        while let Some(one) = walk_some.next().expect("an entry") {
            left.push(String::from_utf8_lossy(&one.path).into_owned());
        }
        assert_eq!(left, ["a", "b", "link", "z", "z/empty"]);
        // What a cut was made at may be gone.
        std::fs::remove_file(root.join("a/b/c")).expect("a file");
        assert_eq!(walk(Some(b"a/b/c"), None), all[5..]);
        std::fs::remove_dir(root.join("a/b")).expect("a folder");
        assert_eq!(walk(Some(b"a/b/"), None), all[5..]);
    }
}
