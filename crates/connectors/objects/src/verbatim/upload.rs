//! Writing one chunk into a store: many objects under way at a time, large ones in parts.
//!
//! What was uploaded of a large object is recorded beside the ledger, so that a later process goes on
//! with it. A part counts only when the bytes that are read again are the ones that were uploaded.

mod copy;
mod parts;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::object::{Object, ObjectBatch, ObjectKind, Piece, escape, unescape};
use longshore_model::spec::Existing;
use longshore_model::{Batch, Code, Error, Result, failpoint};
use object_store::Attributes;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::metadata;
use super::removal::remove_others;
use super::stored_twin::{self as twin, Twin};
use super::write::Order;
use crate::blocking;
use crate::record::{Upload, read_record};
use crate::store::{Answer, PartUpload, Store};

/// The smallest part of an upload, and the most parts that one may have: stores take 10,000.
const PART: u64 = 8 << 20;
const PARTS: u64 = 9_000;
/// After so many parts, or so long after one, what was uploaded is recorded.
const RECORDED: usize = 4;
const RECORDED_AFTER: Duration = Duration::from_secs(5);
/// The unit in which memory is counted.
const UNIT: usize = 4 << 10;
/// Requests under way, at most.
const REQUESTS: usize = 32;
/// Writes one chunk into a store.
pub(super) struct StoreWriter {
    store: Arc<Store>,
    order: Arc<Order>,
    /// Memory that is left, in units.
    room: Arc<Semaphore>,
    units: usize,
    requests: Arc<Semaphore>,
    /// Whether the store may hold the same objects already.
    compares: bool,
    tasks: JoinSet<Result<()>>,
    open: Option<Open>,
    /// A folder for which an object is written only when nothing is in it.
    folder: Option<Object>,
    /// The keys that were written, where others are removed.
    written: HashSet<String>,
    /// Uploads that were begun before, by key.
    earlier: BTreeMap<String, Upload>,
    /// The uploads under way, as they are recorded.
    under_way: Arc<Mutex<BTreeMap<String, Upload>>>,
    recorded: bool,
}

/// An object whose end has not come.
struct Open {
    key: String,
    begin: Arc<Object>,
    part: usize,
    size: u64,
    buffer: BytesMut,
    /// What the store holds under its key, as long as it is found to be the same.
    twin: Option<Twin>,
    /// None as long as all of it fits into one request.
    upload: Option<PartUpload>,
    /// How many parts were there when it was recorded, and when.
    recorded: (usize, Instant),
}

impl StoreWriter {
    pub(super) async fn start(store: Arc<Store>, order: Order, memory: usize) -> Result<Self> {
        let earlier = match store.get(&order.record, None, None).await? {
            Answer::Got(got) => read_record(&store.shown(&order.record), &got.bytes)?,
            Answer::Changed | Answer::Gone | Answer::Undivided => BTreeMap::new(),
        };
        let tags = order.span.tags && order.wants("attributes");
        let store = if tags { Arc::new(Store::clone(&store).with_tags()) } else { store };
        let units = (memory / UNIT).max(1);
        // A chunk that is written again is written whatever the store tells of what it holds.
        let compares =
            order.merges() && !order.replaces && twin::holds_some(&store, &order.span).await?;
        Ok(Self {
            compares,
            store,
            order: Arc::new(order),
            room: Arc::new(Semaphore::new(units)),
            units,
            requests: Arc::new(Semaphore::new(REQUESTS)),
            tasks: JoinSet::new(),
            open: None,
            folder: None,
            written: HashSet::new(),
            recorded: !earlier.is_empty(),
            earlier,
            under_way: Arc::default(),
        })
    }

    async fn piece(&mut self, piece: Piece) -> Result<()> {
        if piece.offset == 0 {
            self.give_up();
        }
        if let (Some(object), Some(original)) = (&piece.end, &piece.original) {
            return self.copy(object, original.clone()).await;
        }
        match (&piece.end, piece.offset) {
            (Some(object), 0) => return self.whole(object, piece.bytes.clone()).await,
            (None, 0) => {
                let begin = piece.begin.clone().ok_or_else(out_of_order)?;
                self.open(key_of(&piece.name)?, begin).await?;
            }
            _ => {}
        }
        self.append(&piece).await?;
        match &piece.end {
            Some(object) => self.close(object).await,
            None => Ok(()),
        }
    }

    async fn open(&mut self, key: String, begin: Arc<Object>) -> Result<()> {
        self.settle_folder(Some(&key)).await?;
        let part = begin.size.div_ceil(PARTS).next_multiple_of(1 << 20).max(PART);
        let twin = match self.compares && begin.size > part {
            true => Twin::find(&self.store, &key, &begin, &self.order).await?,
            false => None,
        };
        self.open = Some(Open {
            key,
            begin,
            part: usize::try_from(part).map_err(|_| out_of_order())?,
            size: 0,
            buffer: BytesMut::new(),
            twin,
            upload: None,
            recorded: (0, Instant::now()),
        });
        Ok(())
    }

    /// Writes an object in one request.
    async fn whole(&mut self, object: &Object, bytes: Bytes) -> Result<()> {
        let key = key_of(&object.name)?;
        self.settle_folder(Some(&key)).await?;
        let bytes = match object.kind {
            ObjectKind::Folder => {
                self.folder = Some(object.clone());
                return Ok(());
            }
            ObjectKind::Link => {
                object.link.as_deref().and_then(unescape).unwrap_or_default().into()
            }
            ObjectKind::File => bytes,
        };
        let attributes = metadata::write(object, |column| self.order.wants(column))?;
        self.put(key, object.clone(), attributes, bytes).await
    }

    /// Writes an object for the folder at hand, where what comes next does not imply it.
    async fn settle_folder(&mut self, next: Option<&str>) -> Result<()> {
        let Some(folder) = self.folder.take() else { return Ok(()) };
        let key = format!("{}/", key_of(&folder.name)?);
        let mut attributes = metadata::write(&folder, |column| self.order.wants(column))?;
        let is_implied = attributes.is_empty() && next.is_some_and(|next| next.starts_with(&key));
        // What the store has there may say otherwise; where it need not be, a mirror removes it.
        let is_kept = self.order.existing == Existing::Append;
        if is_implied && !(is_kept && twin::has_marker(&self.store, &key).await?) {
            return Ok(());
        }
        metadata::mark_folder(&mut attributes);
        self.put(key, folder, attributes, Bytes::new()).await
    }

    /// Writes an object in one request, unless the store holds it.
    async fn put(
        &mut self,
        key: String,
        object: Object,
        attributes: Attributes,
        bytes: Bytes,
    ) -> Result<()> {
        self.reap()?;
        metadata::must_fit(self.store.provider(), &object.name, &attributes)?;
        self.done(&key);
        let permits = self.permits(bytes.len()).await?;
        let (store, order) = (self.store.clone(), self.order.clone());
        let compares = self.compares;
        self.tasks.spawn(async move {
            let _held = permits;
            if compares && twin::is_there(&store, &key, &object, &bytes, &order).await? {
                return Ok(());
            }
            store.put(&key, bytes, attributes).await
        });
        Ok(())
    }

    fn done(&mut self, key: &str) {
        if self.order.removes() {
            self.written.insert(key.to_string());
        }
    }

    /// Leaves an object whose end never came. Its upload may serve for it yet.
    fn give_up(&mut self) {
        let Some(open) = self.open.take() else { return };
        let left = self.under_way().remove(&open.key);
        self.earlier.extend(left.map(|upload| (open.key, upload)));
    }

    /// Writes down which uploads are under way, and what is there of them.
    async fn record(&mut self) -> Result<()> {
        let mut uploads = self.earlier.clone();
        uploads.extend(self.under_way().clone());
        let text = serde_json::to_vec(&uploads).map_err(|error| {
            Error::new(Code::Internal, "uploads cannot be written").because(error)
        })?;
        self.recorded = true;
        self.store.put(&self.order.record, text.into(), Attributes::new()).await?;
        failpoint::hit("stores.upload-recorded")
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Upload>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for memory and for a request that may be made.
    async fn permits(&self, bytes: usize) -> Result<impl Sized + Send + use<>> {
        let units = bytes.div_ceil(UNIT).clamp(1, self.units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let closed = |_| Error::new(Code::Internal, "a writer of a store ended early");
        let request = self.requests.clone().acquire_owned().await.map_err(closed)?;
        let memory = self.room.clone().acquire_many_owned(units).await.map_err(closed)?;
        Ok((request, memory))
    }

    /// Looks whether something that is under way has failed.
    fn reap(&mut self) -> Result<()> {
        while let Some(ended) = self.tasks.try_join_next() {
            ended.map_err(early)??;
        }
        Ok(())
    }

    async fn commit(&mut self, entry: Entry) -> Result<()> {
        self.give_up();
        self.settle_folder(None).await?;
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(early)??;
        }
        for (key, upload) in std::mem::take(&mut self.earlier) {
            self.store.give_up_upload(&key, &upload.id).await?;
        }
        if self.recorded {
            self.store.remove(std::slice::from_ref(&self.order.record)).await?;
        }
        let claim = self.order.claim.clone();
        if self.order.removes() {
            self.order.must_be_all(entry.fingerprint.rows)?;
            failpoint::hit("trees.before-removal")?;
            let (store, order) = (self.store.clone(), self.order.clone());
            let written = std::mem::take(&mut self.written);
            blocking(move || remove_others(&store, &order, &written)).await?;
        }
        if self.order.replaces {
            let (table, chunk) = (self.order.table, self.order.chunk);
            let claim = claim.clone();
            blocking(move || claim.remove_entry(table, chunk)).await?;
        }
        failpoint::hit("trees.before-entry")?;
        blocking(move || claim.put_entry(&entry)).await?;
        failpoint::hit("trees.after-entry")
    }
}

impl Open {
    /// Whether so many parts are worth a record.
    fn is_news(&mut self, there: usize) -> bool {
        let (told, since) = self.recorded;
        let new = there.saturating_sub(told);
        let is_news = new >= RECORDED || (new > 0 && since.elapsed() > RECORDED_AFTER);
        if is_news {
            self.recorded = (there, Instant::now());
        }
        is_news
    }
}

#[async_trait]
impl Writer for StoreWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Objects(ObjectBatch { pieces, .. }) = batch else {
            return Err(Error::new(
                Code::Unsupported,
                "a store of objects takes objects, not rows",
            )
            .hint("Ask for rows in files with ?format=parquet, csv or jsonl."));
        };
        for piece in pieces {
            self.piece(piece).await?;
        }
        Ok(())
    }

    async fn offer(&mut self, _: RecordBatch) -> Result<()> {
        Err(Error::new(Code::Unsupported, "a store of objects takes objects, not rows"))
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        StoreWriter::commit(&mut self, entry).await
    }
}

fn key_of(name: &str) -> Result<String> {
    let bytes = unescape(name).filter(|path| {
        path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
    });
    let bytes = bytes.ok_or_else(|| {
        Error::new(Code::SourceUnreadable, "a name leads out of its tree").with("name", name)
    })?;
    String::from_utf8(bytes).map_err(|error| {
        Error::new(Code::Unsupported, "a name that is not UTF-8 cannot be a key of a store")
            .with("name", escape(error.as_bytes()))
            .hint("Rename the file, or leave it out with ?exclude= in the address of the source.")
    })
}

fn early(error: tokio::task::JoinError) -> Error {
    Error::new(Code::Internal, "a request to a store ended early").because(error)
}

fn out_of_order() -> Error {
    Error::new(Code::Internal, "a part of an object came without those before it")
}
