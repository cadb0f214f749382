//! Where the entries of a tree are: a folder or a store. What differs between the two stays behind
//! this.

use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use longshore_model::object::{Object, ObjectKind, escape};
use longshore_model::{Error, Result};

use super::entry::{Stamp, nanoseconds};
use super::shelf::{Shelf, ShelfWalk};
use super::walk::{EntryKind, Forest, Found, Walk};
use super::xattr::Node;
use crate::journal::FOLDER;

/// Where entries are.
#[derive(Clone)]
pub(super) enum Place {
    Folder(Forest),
    Store(Shelf),
}

/// A walk through them.
pub(super) enum Entries {
    Folder(Walk),
    Store(ShelfWalk),
}

/// What is known of an entry that is not read yet.
pub(super) struct Facts {
    pub(super) size: u64,
    /// Whether it has its bytes in common with other names.
    pub(super) shared: bool,
    /// What is the same as long as the entry is.
    pub(super) proof: Vec<u8>,
}

impl Place {
    /// The same, of whose objects tags are told too.
    pub(super) fn with_tags(&self) -> Self {
        match self {
            Self::Folder(forest) => Self::Folder(forest.clone()),
            Self::Store(shelf) => Self::Store(shelf.with_tags()),
        }
    }

    /// A walk through the entries whose keys are after `first`, up to `last`.
    pub(super) fn walk(&self, first: Option<&[u8]>, last: Option<Vec<u8>>) -> Result<Entries> {
        Ok(match self {
            Self::Folder(forest) => Entries::Folder(forest.walk(first, last)?),
            Self::Store(shelf) => Entries::Store(shelf.walk(first, last)?),
        })
    }

    /// Looks at a found entry; `None` when it is gone.
    pub(super) fn examine(&self, found: &Found) -> Result<Option<Facts>> {
        match self {
            Self::Folder(forest) => examine(forest, found),
            Self::Store(_) => Ok(Some(listed(found))),
        }
    }

    /// How many attributes of a found entry stay behind because the user may not read them.
    pub(super) fn denied(&self, found: &Found) -> Result<u64> {
        let Self::Folder(forest) = self else { return Ok(0) };
        if !matches!(found.kind, EntryKind::File | EntryKind::Folder) {
            return Ok(0);
        }
        let path = forest.path(&found.path);
        let failed = |error: rustix::io::Errno| {
            Error::io("read extended attributes", path.display(), error.into())
        };
        Node::At(&path).denied().map_err(failed)
    }

    /// What a listing tells of a found entry: an object, two where a file has the name of a folder, or
    /// none where it is gone or moves nowhere.
    pub(super) fn listed(&self, found: &Found) -> Result<Vec<Object>> {
        let path = &found.path;
        Ok(match (self, found.kind) {
            (_, EntryKind::Other) => Vec::new(),
            (_, EntryKind::Folder) => vec![bare(path, ObjectKind::Folder, 0, None)],
            (Self::Folder(_), EntryKind::Link) => vec![bare(path, ObjectKind::Link, 0, None)],
            (Self::Folder(forest), _) => {
                let metadata = metadata(&forest.path(path))?;
                let file = |one: Metadata| {
                    bare(path, ObjectKind::File, one.len(), Some(nanoseconds(&one)))
                };
                metadata.map(file).into_iter().collect()
            }
            (Self::Store(shelf), kind) => {
                let size = found.listed.as_ref().map_or(0, |listed| listed.size);
                let folder = bare(path, ObjectKind::Folder, 0, None);
                let file = bare(path, ObjectKind::File, size, None);
                match kind {
                    _ if size == 0 && shelf.stands_for_folder(found)? => vec![folder],
                    EntryKind::Empty { filled: true } => vec![file, folder],
                    _ => vec![file],
                }
            }
        })
    }

    /// The key of a found entry, asked for where the listing does not tell.
    pub(super) fn key(&self, found: &Found) -> Result<Vec<u8>> {
        match self {
            Self::Folder(_) => Ok(found.key()),
            Self::Store(shelf) => shelf.resolve(found),
        }
    }

    /// Forgets what was listed: the next walk looks anew.
    pub(super) fn forget(&self) {
        match self {
            Self::Folder(forest) => forest.forget(),
            Self::Store(shelf) => shelf.forget(),
        }
    }

    /// Does something that walks from the first entry on.
    pub(super) fn in_order<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match self {
            Self::Folder(_) => work(),
            Self::Store(shelf) => shelf.in_order(work),
        }
    }

    /// Whether something of longshore's own is among the entries, which walks leave out.
    pub(super) fn has_own(&self) -> bool {
        match self {
            Self::Folder(forest) => forest.path(FOLDER.as_bytes()).exists(),
            Self::Store(_) => false,
        }
    }
}

impl Entries {
    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>> {
        match self {
            Self::Folder(walk) => walk.next(),
            Self::Store(walk) => walk.next(),
        }
    }

    /// How many entries were left out so far; `None` when there are no patterns.
    pub(super) fn excluded(&self) -> Option<u64> {
        match self {
            Self::Folder(walk) => walk.excluded(),
            Self::Store(walk) => walk.excluded(),
        }
    }
}

/// An object of which no more is known than a listing tells.
fn bare(path: &[u8], kind: ObjectKind, size: u64, modified: Option<i64>) -> Object {
    Object {
        name: escape(path),
        kind,
        size,
        hash: String::new(),
        link: None,
        mode: None,
        modified,
        owner: None,
        attributes: None,
    }
}

/// What the file system says of an entry; `None` when it is gone.
fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("examine an entry", path.display(), error)),
    }
}

fn examine(forest: &Forest, found: &Found) -> Result<Option<Facts>> {
    let path = forest.path(&found.path);
    let Some(metadata) = metadata(&path)? else { return Ok(None) };
    let mut proof = Vec::with_capacity(32);
    if found.kind == EntryKind::Folder {
        // Its times change with every file that comes or goes, also with those left out.
        for part in [metadata.mode(), metadata.uid(), metadata.gid()] {
            proof.extend(part.to_le_bytes());
        }
        let attributes = Node::At(&path).text("read extended attributes", &path)?;
        proof.extend(attributes.unwrap_or_default().into_bytes());
    } else {
        let Stamp { size, modified, changed } = Stamp::of(&metadata);
        proof.extend(size.to_le_bytes());
        for part in [modified, changed.0, changed.1] {
            proof.extend(part.to_le_bytes());
        }
    }
    let is_file = found.kind == EntryKind::File;
    let size = if is_file { metadata.len() } else { 0 };
    Ok(Some(Facts { size, shared: is_file && metadata.nlink() > 1, proof }))
}

fn listed(found: &Found) -> Facts {
    let Some(listed) = &found.listed else {
        return Facts { size: 0, shared: false, proof: Vec::new() };
    };
    let mut proof = listed.size.to_le_bytes().to_vec();
    // A tag may be that of the bytes alone.
    proof.extend(listed.version.modified.to_le_bytes());
    proof.extend(listed.version.tag.iter().flat_map(|tag| tag.bytes()));
    Facts { size: listed.size, shared: false, proof }
}
