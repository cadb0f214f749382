//! One entry of a tree: what the file system says of it, and the bytes of a file.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use bytes::Bytes;
use longshore_model::object::{Object, ObjectKind, escape};
use longshore_model::{Code, Error, Result};
use sha2::Digest;

use super::walk::{EntryKind, Found};
use super::xattr::Node;
use super::{Hash, attributes, types};

/// The part of a file that is read at a time.
pub(super) const PIECE: usize = 1 << 20;
/// How often a file is read that changes meanwhile.
pub(super) const ATTEMPTS: u32 = 5;
/// Of the mode, what `chmod` sets.
pub(super) const PERMISSIONS: u32 = 0o7777;

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) modified: i64,
    pub(super) changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.len(),
            modified: nanoseconds(metadata),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Nanoseconds since 1970, which end in the year 2262.
pub(super) fn nanoseconds(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// What is looked for in an entry beside what every look tells.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// How its bytes are hashed, if they are.
    pub(super) hash: Option<Hash>,
    pub(super) attributes: bool,
    /// Whether a file that has no type of content gets one by its name.
    pub(super) guesses: bool,
}

impl Look {
    fn attributes(self, node: Node<'_>, path: &Path, found: &Found) -> Result<Option<String>> {
        if !self.attributes {
            return Ok(None);
        }
        let failed = |error: rustix::io::Errno| {
            Error::io("read extended attributes", path.display(), error.into())
        };
        let mut entries = node.entries().map_err(failed)?;
        if self.guesses && found.kind == EntryKind::File && attributes::lacks_type(&entries) {
            let guessed = types::guess(&found.path);
            entries
                .extend(guessed.map(|one| (attributes::CONTENT_TYPE.to_string(), one.to_string())));
        }
        attributes::text(&entries)
    }
}

/// Takes the parts of an object in their order; from the beginning again when an earlier try is void.
pub(super) trait Sink {
    /// What is known of the object whose parts follow. Its hash is not yet.
    fn begin(&mut self, object: Object);

    /// A part of it, `offset` bytes from its beginning.
    fn part(&mut self, offset: u64, bytes: Bytes) -> Result<()>;
}

/// Reads an entry. `None` when it is neither file, folder nor link, or is gone: the state of the
/// tree that was planned for has passed, which the position tells.
pub(super) fn read(
    path: &Path,
    found: &Found,
    look: Look,
    sink: &mut impl Sink,
) -> Result<Option<Object>> {
    let failed = |error| Error::io("read an entry", path.display(), error);
    match found.kind {
        // The latter is in stores only.
        EntryKind::Other | EntryKind::Empty { .. } => Ok(None),
        EntryKind::File => read_file(path, found, look, sink),
        EntryKind::Folder | EntryKind::Link => {
            let there = match fs::symlink_metadata(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                there => there.map_err(failed)?,
            };
            let is_link = found.kind == EntryKind::Link;
            let link = match is_link {
                true => Some(fs::read_link(path).map_err(failed)?),
                false => None,
            };
            let object = Object {
                name: escape(&found.path),
                kind: if is_link { ObjectKind::Link } else { ObjectKind::Folder },
                size: 0,
                hash: String::new(),
                link: link.map(|to| escape(to.as_os_str().as_bytes())),
                mode: (!is_link).then(|| there.mode() & PERMISSIONS),
                modified: None,
                owner: Some(owner(&there)),
                attributes: match is_link {
                    true => None,
                    false => look.attributes(Node::At(path), path, found)?,
                },
            };
            sink.begin(object.clone());
            sink.part(0, Bytes::new())?;
            Ok(Some(object))
        }
    }
}

pub(super) fn owner(metadata: &Metadata) -> String {
    format!("{}:{}", metadata.uid(), metadata.gid())
}

fn read_file(
    path: &Path,
    found: &Found,
    look: Look,
    sink: &mut impl Sink,
) -> Result<Option<Object>> {
    let failed = |error| Error::io("read a file", path.display(), error);
    for _ in 0..ATTEMPTS {
        // A link that has taken the file's place leads elsewhere.
        let opened = OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW).open(path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(failed)?,
        };
        let before = file.metadata().map_err(failed)?;
        // A change of them is one of the file.
        let attributes = look.attributes(Node::Open(&file), path, found)?;
        let object = Object { attributes, ..file_object(found, &before) };
        sink.begin(object.clone());
        let hash =
            content(&mut file, before.len(), look.hash, sink).map_err(|error| match error {
                Trouble::Read(error) => failed(error),
                Trouble::Sink(error) => error,
            })?;
        let after = file.metadata().map_err(failed)?;
        if Stamp::of(&before) == Stamp::of(&after) {
            let hash = hash.unwrap_or_default();
            return Ok(Some(Object { hash, ..object }));
        }
    }
    Err(always_changing(found))
}

/// A file as its metadata tells it.
fn file_object(found: &Found, metadata: &Metadata) -> Object {
    Object {
        name: escape(&found.path),
        kind: ObjectKind::File,
        size: metadata.len(),
        hash: String::new(),
        link: None,
        mode: Some(metadata.mode() & PERMISSIONS),
        modified: Some(nanoseconds(metadata)),
        owner: Some(owner(metadata)),
        attributes: None,
    }
}

pub(super) fn always_changing(found: &Found) -> Error {
    Error::new(Code::SourceChanged, "a file changes whenever it is read")
        .with("name", escape(&found.path))
        .hint("Stop what writes to it, or leave it out, and start again.")
}

enum Trouble {
    Read(std::io::Error),
    Sink(Error),
}

/// Reads a file to its end and hashes it. An empty file has one empty part.
fn content(
    file: &mut File,
    size: u64,
    hash: Option<Hash>,
    sink: &mut impl Sink,
) -> std::result::Result<Option<String>, Trouble> {
    let mut hasher = hash.map(Hasher::new);
    let mut offset = 0;
    loop {
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        // One byte more finds the end of a file that is not larger than it says.
        let mut bytes = Vec::with_capacity(left.min(PIECE - 1) + 1);
        let limit = bytes.capacity() as u64;
        file.by_ref().take(limit).read_to_end(&mut bytes).map_err(Trouble::Read)?;
        let length = bytes.len() as u64;
        if let Some(hasher) = &mut hasher {
            hasher.update(&bytes);
        }
        if length > 0 || offset == 0 {
            sink.part(offset, bytes.into()).map_err(Trouble::Sink)?;
        }
        offset += length;
        if length < limit {
            return Ok(hasher.map(Hasher::finish));
        }
    }
}

pub(super) enum Hasher {
    Blake3(Box<blake3::Hasher>),
    Sha256(sha2::Sha256),
}

impl Hasher {
    pub(super) fn new(hash: Hash) -> Self {
        match hash {
            Hash::Blake3 => Self::Blake3(Box::default()),
            Hash::Sha256 => Self::Sha256(sha2::Sha256::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => drop(hasher.update(bytes)),
            Self::Sha256(hasher) => hasher.update(bytes),
        }
    }

    pub(super) fn finish(self) -> String {
        match self {
            Self::Blake3(hasher) => format!("blake3:{}", hasher.finalize().to_hex()),
            Self::Sha256(hasher) => {
                let digest = hasher.finalize();
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("sha256:{hex}")
            }
        }
    }
}
