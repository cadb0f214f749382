//! A tree as a source.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use async_trait::async_trait;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{ReadRequest, Reader, Snapshot, Source, Study, StudyRequest};
use longshore_model::object::{self, DIALECT, WIRE, escape, unescape};
use longshore_model::plan::{Chunk, Position, Range};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Hash;
use super::entry::Stamp;
use super::read::TreeReader;
use super::walk::{EntryKind, Forest};
use super::write::is_partial;
use crate::blocking;
use crate::journal::FOLDER;

/// Entries of a chunk, at most.
const CHUNK_ENTRIES: u64 = 10_000;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: u64 = 256;

/// What is known of an entry, and who may know it.
const COLUMNS: [&str; 7] = ["name", "kind", "size", "hash", "link", "mode", "modified"];

/// A tree as a source.
pub(crate) struct TreeSource {
    forest: Forest,
    hash: Hash,
}

/// The entries of a chunk: those after one key, up to another, and how their bytes are hashed at
/// both ends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Span {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(default)]
    pub(super) hash: Hash,
}

impl Span {
    pub(super) fn of(range: Option<&Range>) -> Result<Self> {
        let Some(range) = range else { return Ok(Self::default()) };
        serde_json::from_value(range.clone()).map_err(|error| {
            Error::new(Code::Internal, "a part of a tree is not understood").because(error)
        })
    }

    /// The ends as keys: of the entry before the first, and of the last.
    pub(super) fn ends(&self) -> Result<[Option<Vec<u8>>; 2]> {
        let path = |name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            unescape(name)
                .map(Some)
                .ok_or_else(|| Error::new(Code::Internal, "a name in a part of a tree is none"))
        };
        Ok([path(&self.after)?, path(&self.to)?])
    }

    fn json(&self) -> Range {
        serde_json::json!(self)
    }
}

impl TreeSource {
    pub(super) fn open(root: PathBuf, hash: Hash, excluded: Vec<String>) -> Result<Self> {
        match fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(Error::new(Code::UrlInvalid, "the source is a file, not a folder")
                    .with("path", root.display().to_string()));
            }
            Err(error) => return Err(Error::io("open a folder", root.display(), error)),
        }
        Ok(Self { forest: Forest::new(root).without(excluded), hash })
    }
}

/// Whether owners can be read and set: only root may give files away.
fn knows_owners() -> bool {
    rustix::process::geteuid().is_root()
}

#[async_trait]
impl Source for TreeSource {
    async fn catalog(&self) -> Result<Catalog> {
        let mut columns = COLUMNS.to_vec();
        if knows_owners() {
            columns.push("owner");
        }
        let tables = vec![object::table(&columns)];
        Ok(Catalog { dialect: DIALECT.to_string(), tables, ..Catalog::default() })
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let types = request
            .columns
            .iter()
            .filter_map(|name| request.table.column(name))
            .map(|column| column.logical.clone())
            .collect();
        let (forest, hash, chunk_bytes) = (self.forest.clone(), self.hash, request.chunk_bytes);
        let (chunks, notes) = blocking(move || chunks(&forest, hash, chunk_bytes)).await?;
        Ok(Study { types, chunks, wires: vec![WIRE.to_string()], notes })
    }

    async fn snapshot(&self, _readers: usize) -> Result<Box<dyn Snapshot>> {
        let forest = self.forest.clone();
        let position = blocking(move || position(&forest)).await?;
        Ok(Box::new(TreeSnapshot { forest: self.forest.clone(), hash: self.hash, position }))
    }
}

/// Cuts a tree into chunks of about so many bytes, and says what people should know of it.
fn chunks(forest: &Forest, hash: Hash, chunk_bytes: u64) -> Result<(Vec<Chunk>, Vec<String>)> {
    let mut chunks = Vec::new();
    let (mut span, mut rows, mut bytes) = (Span { hash, ..Span::default() }, 0, 0);
    let (mut others, mut shared) = (0u64, 0u64);
    let mut walk = forest.walk(None, None)?;
    while let Some(found) = walk.next()? {
        let name = found.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if is_partial(name) {
            return Err(Error::new(
                Code::Unsupported,
                "a name is that of a file which longshore has not finished",
            )
            .with("name", escape(&found.path))
            .hint("Finish the run that writes into this tree, or remove the file."));
        }
        let metadata = match fs::symlink_metadata(forest.path(&found.path)) {
            Ok(metadata) => metadata,
            // It is gone, and the position tells.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let path = forest.path(&found.path);
                return Err(Error::io("examine an entry", path.display(), error));
            }
        };
        let size = match found.kind {
            EntryKind::Other => {
                others += 1;
                continue;
            }
            EntryKind::File => metadata.len(),
            EntryKind::Folder | EntryKind::Link => 0,
        };
        shared += u64::from(found.kind == EntryKind::File && metadata.nlink() > 1);
        (rows, bytes) = (rows + 1, bytes + size + ENTRY_BYTES);
        if bytes >= chunk_bytes || rows >= CHUNK_ENTRIES {
            let key = escape(&found.key());
            let next = Span { after: Some(key.clone()), to: None, hash };
            let range = Span { to: Some(key), ..std::mem::replace(&mut span, next) }.json();
            chunks.push(Chunk { range, rows, bytes });
            (rows, bytes) = (0, 0);
        }
    }
    chunks.push(Chunk { range: span.json(), rows, bytes });
    let mut notes = Vec::new();
    if forest.path(FOLDER.as_bytes()).exists() {
        notes.push(format!("{FOLDER}, a folder of longshore's own, stays behind"));
    }
    if let Some(excluded) = walk.excluded() {
        notes.push(format!("{excluded} entries stay behind by exclude, with what is below them"));
    }
    if others > 0 {
        notes.push(format!("{others} sockets, pipes or devices stay behind"));
    }
    if shared > 0 {
        notes.push(format!(
            "{shared} names share their bytes with others and get bytes of their own"
        ));
    }
    Ok((chunks, notes))
}

/// What proves that a tree is the same: names and kinds of all entries, sizes and times of files and
/// links, modes and owners of folders.
fn position(forest: &Forest) -> Result<Position> {
    forest.forget();
    let mut digest = Sha256::new();
    let mut walk = forest.walk(None, None)?;
    while let Some(found) = walk.next()? {
        digest.update(&found.path);
        digest.update([0, found.kind as u8]);
        let path = forest.path(&found.path);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("examine an entry", path.display(), error)),
        };
        if found.kind == EntryKind::Folder {
            // Its times change with every file that comes or goes, also with those left out.
            for part in [metadata.mode(), metadata.uid(), metadata.gid()] {
                digest.update(part.to_le_bytes());
            }
        } else {
            let Stamp { size, modified, changed } = Stamp::of(&metadata);
            digest.update(size.to_le_bytes());
            for part in [modified, changed.0, changed.1] {
                digest.update(part.to_le_bytes());
            }
        }
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Position(format!("tree:{hex}")))
}

/// A tree in the state in which it was found.
struct TreeSnapshot {
    forest: Forest,
    hash: Hash,
    position: Position,
}

#[async_trait]
impl Snapshot for TreeSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        Ok(Box::new(TreeReader::start(self.forest.clone(), self.hash, request)?))
    }

    async fn current_position(&self) -> Result<Position> {
        let forest = self.forest.clone();
        blocking(move || position(&forest)).await
    }
}
