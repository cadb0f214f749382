//! A tree as a source.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{
    ReadRequest, Reader, SharedSource, Snapshot, Source, Study, StudyRequest,
};
use longshore_model::object::{self, DIALECT, WIRE, escape, unescape};
use longshore_model::plan::{Chunk, Position, Range};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::place::Place;
use super::read::TreeReader;
use super::shelf::Shelf;
use super::walk::{EntryKind, Forest, Found};
use super::write::is_partial;
use super::{Hash, Reading};
use crate::blocking;
use crate::journal::FOLDER;
use crate::store::{Provider, Server, Store};

/// Entries of a chunk, at most.
const CHUNK_ENTRIES: u64 = 10_000;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: u64 = 256;

/// What is known of an entry, and who may know it.
const COLUMNS: [&str; 8] =
    ["name", "kind", "size", "hash", "link", "mode", "modified", "attributes"];

const COPIED: &str = "the store copies the bytes (copy=server): the hash that an object carries is taken \
                      as its own, one that carries none is read, and verification reads the copies";
const COPIED_UNSEEN: &str = "the store copies the bytes (copy=server), and without the column hash \
                             nobody reads them: sizes and attributes are all that is compared";
const UNTAGGED: &str =
    "tags of objects stay behind; tags=true at the source moves them to S3 and Azure";

/// A tree as a source.
pub(crate) struct TreeSource {
    place: Place,
    reading: Reading,
    /// Whether owners are among what is told of entries.
    owners: bool,
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
    /// Whether tags are told of objects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) tags: bool,
    /// The server that copies the bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) copies: Option<Server>,
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
    pub(super) fn in_folder(
        root: PathBuf,
        reading: Reading,
        excluded: Vec<String>,
    ) -> Result<Self> {
        match fs::metadata(&root) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => {
                return Err(Error::new(Code::UrlInvalid, "the source is a file, not a folder")
                    .with("path", root.display().to_string()));
            }
            Err(error) => return Err(Error::io("open a folder", root.display(), error)),
        }
        let owners = knows_owners();
        Ok(Self { place: Place::Folder(Forest::new(root).without(excluded)), reading, owners })
    }

    /// `owners` are those that the metadata of the objects name.
    pub(super) fn in_store(
        store: Store,
        reading: Reading,
        excluded: Vec<String>,
        owners: bool,
    ) -> Self {
        Self { place: Place::Store(Shelf::new(Arc::new(store), excluded)), reading, owners }
    }
}

impl TreeSource {
    /// What people should know of how objects are read.
    fn notes(&self, hashes: bool) -> Vec<String> {
        let mut notes = Vec::new();
        let Place::Store(shelf) = &self.place else { return notes };
        match (&self.reading.copies, hashes) {
            (Some(_), true) => notes.push(COPIED.to_string()),
            (Some(_), false) => notes.push(COPIED_UNSEEN.to_string()),
            (None, _) => {}
        }
        let has_tags = matches!(shelf.store().provider(), Provider::S3 | Provider::Azure);
        if has_tags && !self.reading.tags {
            notes.push(UNTAGGED.to_string());
        }
        notes
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
        if self.owners {
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
        let (place, reading, chunk_bytes) =
            (self.place.clone(), self.reading.clone(), request.chunk_bytes);
        let span = Span {
            hash: reading.hash,
            tags: reading.tags,
            copies: reading.copies.clone(),
            ..Span::default()
        };
        let wants = |column: &str| request.columns.iter().any(|one| one == column);
        let cut = Cut { all: span, chunk_bytes, attributes: wants("attributes") };
        let (chunks, mut notes) = blocking(move || place.in_order(|| chunks(&place, &cut))).await?;
        notes.extend(self.notes(wants("hash")));
        Ok(Study { types, chunks, wires: vec![WIRE.to_string()], notes })
    }

    async fn snapshot(&self, _readers: usize) -> Result<Box<dyn Snapshot>> {
        let (place, reading) = (self.place.clone(), self.reading.clone());
        let at = reading.clone();
        let position = blocking(move || place.in_order(|| position(&place, &at))).await?;
        Ok(Box::new(TreeSnapshot { place: self.place.clone(), reading, position }))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}

/// How a tree is cut into chunks.
struct Cut {
    /// What all chunks have in common.
    all: Span,
    /// About how large they are.
    chunk_bytes: u64,
    /// Whether attributes move.
    attributes: bool,
}

/// What was come by that people should know of.
#[derive(Default)]
struct Noticed {
    others: u64,
    shared: u64,
    denied: u64,
}

/// Cuts a tree into chunks, and says what people should know of it.
fn chunks(place: &Place, cut: &Cut) -> Result<(Vec<Chunk>, Vec<String>)> {
    let mut chunks = Vec::new();
    let (mut span, mut rows, mut bytes) = (cut.all.clone(), 0, 0);
    let mut noticed = Noticed::default();
    let mut walk = place.walk(None, None)?;
    while let Some(found) = walk.next()? {
        refuse_partial(&found)?;
        if found.kind == EntryKind::Other {
            noticed.others += 1;
            continue;
        }
        // What is gone, the position tells.
        let Some(facts) = place.examine(&found)? else { continue };
        noticed.shared += u64::from(facts.shared);
        noticed.denied += if cut.attributes { place.denied(&found)? } else { 0 };
        (rows, bytes) = (rows + 1, bytes + facts.size + ENTRY_BYTES);
        if bytes >= cut.chunk_bytes || rows >= CHUNK_ENTRIES {
            let key = escape(&place.key(&found)?);
            let next = Span { after: Some(key.clone()), ..cut.all.clone() };
            let range = Span { to: Some(key), ..std::mem::replace(&mut span, next) }.json();
            chunks.push(Chunk { range, rows, bytes });
            (rows, bytes) = (0, 0);
        }
    }
    chunks.push(Chunk { range: span.json(), rows, bytes });
    Ok((chunks, noticed.notes(place.has_own(), walk.excluded())))
}

impl Noticed {
    fn notes(&self, has_own: bool, excluded: Option<u64>) -> Vec<String> {
        let mut notes = Vec::new();
        if has_own {
            notes.push(format!("{FOLDER}, a folder of longshore's own, stays behind"));
        }
        if let Some(excluded) = excluded {
            notes.push(format!(
                "{excluded} entries stay behind by exclude, with what is below them"
            ));
        }
        for (count, what) in [
            (self.others, "sockets, pipes or devices stay behind"),
            (self.shared, "names share their bytes with others and get bytes of their own"),
            (self.denied, "extended attributes that this user may not read stay behind"),
        ] {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        }
        notes
    }
}

fn refuse_partial(found: &Found) -> Result<()> {
    let name = found.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if !is_partial(name) {
        return Ok(());
    }
    Err(Error::new(Code::Unsupported, "a name is that of a file which longshore has not finished")
        .with("name", escape(&found.path))
        .hint("Finish the run that writes into this tree, or remove the file."))
}

/// What proves that a tree is the same: names and kinds of all entries; of files and links sizes and
/// times, of folders modes, owners and extended attributes; in a store sizes, times and the tags of states.
/// Types that are guessed are another state.
fn position(place: &Place, reading: &Reading) -> Result<Position> {
    place.forget();
    let mut digest = Sha256::new();
    if reading.guesses {
        digest.update(b"/guess");
    }
    let mut walk = place.walk(None, None)?;
    while let Some(found) = walk.next()? {
        digest.update(&found.path);
        digest.update([0, found.kind.number()]);
        if let Some(facts) = place.examine(&found)? {
            digest.update(&facts.proof);
        }
    }
    let hex: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Position(format!("tree:{hex}")))
}

/// A tree in the state in which it was found.
struct TreeSnapshot {
    place: Place,
    reading: Reading,
    position: Position,
}

#[async_trait]
impl Snapshot for TreeSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        Ok(Box::new(TreeReader::start(&self.place, &self.reading, request)?))
    }

    async fn current_position(&self) -> Result<Position> {
        let (place, reading) = (self.place.clone(), self.reading.clone());
        blocking(move || place.in_order(|| position(&place, &reading))).await
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}
