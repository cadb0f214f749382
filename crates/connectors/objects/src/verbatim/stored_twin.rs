//! What a store holds already under the key of an object: whether it is the same.
//!
//! Of an object of one request, the recorded hash and the size tell. Of one in parts no hash is recorded,
//! because it is not known when the upload begins: its bytes are read and compared part by part.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use longshore_model::object::{Object, ObjectKind};
use longshore_model::{Code, Error, Result};

use super::metadata;
use super::source::Span;
use super::write::Order;
use crate::store::{Answer, Described, Listing, Store, Version};

/// Whether anything is in a part of a store. Where keys are not listed in their order, something may be
/// there all the same, and is written anew.
pub(super) async fn holds_some(store: &Store, span: &Span) -> Result<bool> {
    let [after, to] = span.ends()?;
    let after = after.as_deref().map(String::from_utf8_lossy);
    let listing = Listing { after: after.as_deref(), ..Listing::default() };
    let page = store.page(listing).await?;
    let is_in = |key: &str| to.as_ref().is_none_or(|to| key.as_bytes() <= to.as_slice());
    Ok(page.objects.first().is_some_and(|first| is_in(&first.key)))
}

/// Whether the store holds an object of one request as it would be written.
pub(super) async fn is_there(
    store: &Arc<Store>,
    key: &str,
    object: &Object,
    bytes: &Bytes,
    order: &Order,
) -> Result<bool> {
    let wanted = |column: &str| order.wants(column);
    if object.kind == ObjectKind::Link {
        let Answer::Got(got) = store.get(key, None, None).await? else { return Ok(false) };
        let (size, version, attributes) = (got.size, got.version, got.attributes);
        let there = Described { size, version, attributes };
        return Ok(got.bytes == *bytes && metadata::is_same(&there, object, wanted)?);
    }
    let Some(there) = store.describe(key).await? else { return Ok(false) };
    let has_bytes =
        object.kind == ObjectKind::Folder || metadata::is_hash(&there.attributes, &object.hash);
    Ok(has_bytes && there.size == bytes.len() as u64 && metadata::is_same(&there, object, wanted)?)
}

/// Whether the store holds an object that it would copy. Where nothing is told of its bytes, it is copied.
pub(super) async fn is_copied(
    store: &Store,
    key: &str,
    object: &Object,
    order: &Order,
) -> Result<bool> {
    let Some(there) = store.describe(key).await? else { return Ok(false) };
    Ok(there.size == object.size
        && metadata::is_hash(&there.attributes, &object.hash)
        && metadata::is_same(&there, object, |column| order.wants(column))?)
}

/// Whether an object stands for a folder, whose key ends in `/`. Servers before a file system refuse to
/// be asked for it.
pub(super) async fn has_marker(store: &Store, key: &str) -> Result<bool> {
    let listing = Listing { start: key, shallow: true, ..Listing::default() };
    let page = store.page(listing).await?;
    Ok(page.objects.iter().any(|listed| Some(listed.key.as_str()) == key.strip_suffix('/')))
}

/// An object in a store that is compared, part by part, with one that comes.
pub(super) struct Twin {
    size: u64,
    version: Version,
    /// The parts that were found to be the same.
    same: Vec<Range<u64>>,
}

impl Twin {
    /// What a store holds under a key, where it is of the size that comes and is described the same.
    pub(super) async fn find(
        store: &Store,
        key: &str,
        object: &Object,
        order: &Order,
    ) -> Result<Option<Self>> {
        let Some(there) = store.describe(key).await? else { return Ok(None) };
        let is_candidate = there.size == object.size
            && metadata::is_same(&there, object, |column| order.wants(column))?;
        let Described { size, version, .. } = there;
        Ok(is_candidate.then_some(Self { size, version, same: Vec::new() }))
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many parts were found to be the same.
    pub(super) fn parts(&self) -> usize {
        self.same.len()
    }

    /// Whether the next part has these bytes.
    pub(super) async fn holds(&mut self, store: &Store, key: &str, bytes: &Bytes) -> Result<bool> {
        let start = self.same.last().map_or(0, |last| last.end);
        let range = start..start + bytes.len() as u64;
        if range.end > self.size {
            return Ok(false);
        }
        let answer = store.get(key, Some(range.clone()), Some(&self.version)).await?;
        let is_same = matches!(answer, Answer::Got(got) if got.bytes == *bytes);
        if is_same {
            self.same.push(range);
        }
        Ok(is_same)
    }

    /// A part that was found to be the same.
    pub(super) async fn part(&self, store: &Store, key: &str, number: usize) -> Result<Bytes> {
        match store.get(key, self.same.get(number).cloned(), Some(&self.version)).await? {
            Answer::Got(got) => Ok(got.bytes),
            Answer::Changed | Answer::Gone | Answer::Undivided => {
                Err(Error::new(Code::Store, "an object of the target changes while it is compared")
                    .with("object", store.shown(key))
                    .temporary())
            }
        }
    }
}
