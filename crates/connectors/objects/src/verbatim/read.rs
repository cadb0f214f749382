//! Reading a part of a tree, on a thread of its own.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use longshore_model::connector::{ReadRequest, Reader};
use longshore_model::object::{LISTING, Object, ObjectBatch, Original, Piece, WIRE, escape};
use longshore_model::{Batch, BatchBuilder, Code, Error, LogicalType, Result};
use tokio::sync::mpsc;

use super::Reading;
use super::entry::{self, Look, Sink};
use super::fetch::{self, Taker, Wanted};
use super::place::Place;
use super::source::Span;

/// Pieces of a batch, at most.
const PIECES: usize = 1000;
/// Batches that a store is asked for ahead.
const AHEAD: u64 = 8;

/// Reads a part of a tree.
pub(super) struct TreeReader {
    batches: mpsc::Receiver<Result<Option<Batch>>>,
    ended: bool,
}

/// The end of a channel to which nobody listens any more.
fn unheard() -> Error {
    Error::new(Code::Cancelled, "a reader was given up")
}

impl TreeReader {
    pub(super) fn start(place: &Place, reading: &Reading, request: &ReadRequest) -> Result<Self> {
        let span = Span::of(request.range.as_ref())?;
        let hash = request.range.as_ref().map_or(reading.hash, |_| span.hash);
        let tags = request.range.as_ref().map_or(reading.tags, |_| span.tags);
        let columns = request.columns.clone();
        let wants = |column: &str| columns.iter().any(|(name, _)| name == column);
        let is_tagged = tags && wants("attributes");
        let place = if is_tagged { place.with_tags() } else { place.clone() };
        // Of a target that is read to be verified nothing is taken for true.
        let stays = reading.copies.is_some() && span.copies == reading.copies;
        let look = Look {
            hash: wants("hash").then_some(hash),
            attributes: wants("attributes"),
            guesses: reading.guesses,
        };
        let (sender, batches) = mpsc::channel(1);
        let mut gathering = Gathering {
            names: columns.iter().map(|(name, _)| name.clone()).collect(),
            rows: builder(&columns),
            columns,
            pieces: request.wire.as_deref().is_some_and(|wire| wire == WIRE).then(Vec::new),
            bytes: 0,
            bound: request.batch_bytes,
            sender,
            name: Arc::from(""),
            begin: None,
        };
        let lists = request.wire.as_deref() == Some(LISTING);
        tokio::task::spawn_blocking(move || {
            let done = match lists {
                true => gathering.list(&place, &span),
                false => gathering.read(&place, &span, look, stays),
            };
            let last = done.map(|()| None);
            // Nobody listens to a reader that was dropped.
            let _ = gathering.sender.blocking_send(last);
        });
        Ok(Self { batches, ended: false })
    }
}

#[async_trait]
impl Reader for TreeReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.ended {
            return Ok(None);
        }
        match self.batches.recv().await {
            Some(Ok(None)) => {
                self.ended = true;
                Ok(None)
            }
            Some(next) => next,
            None => Err(Error::new(Code::Internal, "a reader of a tree ended without a word")),
        }
    }
}

fn builder(columns: &[(String, LogicalType)]) -> BatchBuilder {
    BatchBuilder::new(columns.iter().map(|(name, logical)| (name.as_str(), logical)))
}

/// A batch that is put together.
struct Gathering {
    names: Vec<String>,
    columns: Vec<(String, LogicalType)>,
    rows: BatchBuilder,
    /// `None` where only rows are wanted.
    pieces: Option<Vec<Piece>>,
    bytes: usize,
    bound: usize,
    sender: mpsc::Sender<Result<Option<Batch>>>,
    /// The entry at hand, and what is known of it before its bytes.
    name: Arc<str>,
    begin: Option<Arc<Object>>,
}

impl Gathering {
    fn read(&mut self, place: &Place, span: &Span, look: Look, stays: bool) -> Result<()> {
        let [after, to] = span.ends()?;
        match place {
            Place::Folder(forest) => {
                let mut walk = forest.walk(after.as_deref(), to)?;
                while let Some(found) = walk.next()? {
                    self.enter(&found.path)?;
                    if let Some(object) =
                        entry::read(&forest.path(&found.path), &found, look, self)?
                    {
                        self.end(object)?;
                    }
                }
            }
            Place::Store(shelf) => {
                let walk = shelf.walk(after.as_deref(), to)?;
                let wanted = Wanted {
                    hash: look.hash,
                    // Who wants rows alone wants to know what the bytes are.
                    stays: stays && self.pieces.is_some(),
                    memory: self.bound as u64 * AHEAD,
                };
                fetch::read(shelf.store(), walk, wanted, self)?;
            }
        }
        self.pass_on()
    }

    /// Gathers what a listing tells, and looks at no bytes.
    fn list(&mut self, place: &Place, span: &Span) -> Result<()> {
        let [after, to] = span.ends()?;
        let mut walk = place.walk(after.as_deref(), to)?;
        while let Some(found) = walk.next()? {
            self.enter(&found.path)?;
            for object in place.listed(&found)? {
                self.end(object)?;
            }
        }
        self.pass_on()
    }

    /// Passes on what was gathered, if there is anything.
    fn pass_on(&mut self) -> Result<()> {
        let rows = std::mem::replace(&mut self.rows, builder(&self.columns)).finish()?;
        self.bytes = 0;
        let batch = match &mut self.pieces {
            Some(pieces) => {
                let pieces = std::mem::take(pieces);
                if pieces.is_empty() {
                    return Ok(());
                }
                Batch::Objects(ObjectBatch { pieces, rows })
            }
            None if rows.num_rows() == 0 => return Ok(()),
            None => Batch::Rows(rows),
        };
        self.sender.blocking_send(Ok(Some(batch))).map_err(|_| unheard())
    }
}

impl Sink for Gathering {
    fn begin(&mut self, object: Object) {
        self.begin = Some(Arc::new(object));
    }

    fn part(&mut self, offset: u64, bytes: Bytes) -> Result<()> {
        // What was gathered goes first when there is no room: the last part waits for its end.
        if self.pieces.is_some() && self.bytes + bytes.len() > self.bound && self.bytes > 0 {
            self.pass_on()?;
        }
        if let Some(pieces) = &mut self.pieces {
            self.bytes += bytes.len();
            let begin = if offset == 0 { self.begin.take() } else { None };
            let name = self.name.clone();
            pieces.push(Piece { name, offset, bytes, begin, end: None, original: None });
        }
        Ok(())
    }
}

impl Taker for Gathering {
    fn enter(&mut self, path: &[u8]) -> Result<()> {
        if self.sender.is_closed() {
            return Err(unheard());
        }
        self.name = Arc::from(escape(path));
        Ok(())
    }

    fn original(&mut self, original: Original) {
        if let Some(last) = self.pieces.as_mut().and_then(|pieces| pieces.last_mut()) {
            last.original = Some(original);
        }
    }

    fn end(&mut self, object: Object) -> Result<()> {
        object.append(&self.names, &mut self.rows)?;
        self.bytes += object.name.len() + object.hash.len();
        if let Some(last) = self.pieces.as_mut().and_then(|pieces| pieces.last_mut()) {
            last.end = Some(Arc::new(object));
        }
        let many = self.pieces.as_ref().is_some_and(|pieces| pieces.len() >= PIECES);
        if many || self.bytes >= self.bound {
            self.pass_on()?;
        }
        Ok(())
    }
}
