//! Objects that come in several parts.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use bytes::Bytes;
use longshore_model::object::{Object, Piece};
use longshore_model::{Code, Error, Result};

use super::{Open, StoreWriter, metadata, out_of_order};
use crate::record::{Part, Upload, unless_stale};
use crate::store::PartUpload;

impl StoreWriter {
    pub(super) async fn append(&mut self, piece: &Piece) -> Result<()> {
        let open = self.open.as_mut().filter(|open| open.begin.name == *piece.name);
        let open = open.filter(|open| open.size == piece.offset).ok_or_else(out_of_order)?;
        open.size += piece.bytes.len() as u64;
        let mut rest = piece.bytes.clone();
        while !rest.is_empty() {
            let Some(open) = self.open.as_mut() else { return Err(out_of_order()) };
            let taken = rest.split_to(rest.len().min(open.part - open.buffer.len()));
            open.buffer.extend_from_slice(&taken);
            // What fits into one part is not uploaded in parts.
            let is_full = open.buffer.len() == open.part;
            if is_full && (open.begin.size > open.part as u64 || !rest.is_empty()) {
                self.put_part().await?;
            } else if is_full && rest.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes what was gathered as the next part. When it is the first that the store does not hold, those
    /// before it come from there.
    async fn put_part(&mut self) -> Result<()> {
        self.reap()?;
        let Some(mut open) = self.open.take() else { return Err(out_of_order()) };
        let bytes = open.buffer.split().freeze();
        if let Some(twin) = &mut open.twin {
            let _held = self.permits(bytes.len()).await?;
            if twin.holds(&self.store, &open.key, &bytes).await? {
                self.open = Some(open);
                return Ok(());
            }
        }
        self.renew(&mut open).await?;
        self.upload(&mut open, bytes).await?;
        self.open = Some(open);
        Ok(())
    }

    /// Uploads the parts that the store was found to hold.
    async fn renew(&mut self, open: &mut Open) -> Result<()> {
        let Some(twin) = open.twin.take() else { return Ok(()) };
        for number in 0..twin.parts() {
            let bytes = twin.part(&self.store, &open.key, number).await?;
            self.upload(open, bytes).await?;
        }
        Ok(())
    }

    /// Uploads the next part, unless it was uploaded before with the same bytes.
    async fn upload(&mut self, open: &mut Open, bytes: Bytes) -> Result<()> {
        let mut upload = match open.upload.take() {
            Some(upload) => upload,
            None => self.begin(open).await?,
        };
        let stale = self.stale(&open.key);
        unless_stale(upload.reap(), &self.store, stale).await?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        let number = upload.next();
        let known = self.under_way().get(&open.key).and_then(|one| one.parts.get(&number).cloned());
        match known.filter(|known| known.hash == hash) {
            Some(known) => upload.skip(known.id),
            None => {
                let permits = self.permits(bytes.len()).await?;
                let (under_way, key) = (self.under_way.clone(), open.key.clone());
                upload.put(bytes, permits, move |number, id| {
                    let mut under_way = under_way.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(upload) = under_way.get_mut(&key) {
                        upload.parts.insert(number, Part { hash, id: id.to_string() });
                    }
                });
            }
        }
        let is_news = upload.id().is_some() && open.is_news(upload.there());
        open.upload = Some(upload);
        if is_news { self.record().await } else { Ok(()) }
    }

    /// Begins an upload, or goes on with one that was begun before.
    async fn begin(&mut self, open: &Open) -> Result<PartUpload> {
        let known = self.earlier.remove(&open.key);
        let kept = |column: &str| column != "hash" && self.order.wants(column);
        let attributes = metadata::write(&open.begin, kept)?;
        metadata::must_fit(self.store.provider(), &open.begin.name, &attributes)?;
        // They come with the beginning of an upload.
        let digest = metadata::digest(&attributes);
        let (upload, recorded) = match known {
            Some(known) if known.part == open.part as u64 && known.attributes == digest => {
                let upload = PartUpload::resume(&self.store, &open.key, known.id.clone());
                (upload, Upload { resumed: true, ..known })
            }
            known => {
                if let Some(known) = known {
                    self.store.give_up_upload(&open.key, &known.id).await?;
                }
                let upload = PartUpload::begin(&self.store, &open.key, attributes).await?;
                let id = upload.id().unwrap_or_default().to_string();
                let (part, parts) = (open.part as u64, BTreeMap::new());
                (upload, Upload { id, part, attributes: digest, parts, resumed: false })
            }
        };
        if upload.id().is_some() {
            self.under_way().insert(open.key.clone(), recorded);
            self.record().await?;
        }
        Ok(upload)
    }

    /// The record that goes when an upload of an earlier process turns out to be of no use.
    fn stale(&self, key: &str) -> Option<String> {
        let resumed = self.under_way().get(key).is_some_and(|upload| upload.resumed);
        resumed.then(|| self.order.record.clone())
    }

    /// Ends an object that came in several parts.
    pub(super) async fn close(&mut self, object: &Object) -> Result<()> {
        let open = self.open.as_ref().filter(|open| open.size == object.size);
        let open = open.ok_or_else(|| {
            Error::new(Code::Internal, "an object has another size than was told")
        })?;
        if (open.upload.is_some() || open.twin.is_some()) && !open.buffer.is_empty() {
            self.put_part().await?;
        }
        let Some(mut open) = self.open.take() else { return Err(out_of_order()) };
        if open.twin.as_ref().is_some_and(|twin| twin.size() == object.size) {
            self.done(&open.key);
            return Ok(());
        }
        self.renew(&mut open).await?;
        let Open { key, buffer, size, upload, .. } = open;
        let Some(upload) = upload else { return self.whole(object, buffer.freeze()).await };
        self.done(&key);
        let (store, under_way, stale) =
            (self.store.clone(), self.under_way.clone(), self.stale(&key));
        self.tasks.spawn(async move {
            unless_stale(upload.end(size).await, &store, stale).await?;
            under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
            Ok(())
        });
        Ok(())
    }
}
