//! What is known of an object whose bytes its store copies.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use longshore_model::Result;
use object_store::Attribute;

use super::Hash;
use super::entry::Hasher;
use super::metadata;
use crate::store::{Answer, Described, Got, Store, Version};

/// The part of an object that is read at a time for its hash, and how many of them.
const RANGE: u64 = 8 << 20;
const AHEAD: usize = 4;
/// The bytes of one object that are in memory at most.
pub(super) const HELD: u64 = RANGE * AHEAD as u64;

/// An object without its bytes, with a hash among its metadata when one is wanted: the one that was
/// recorded with it, else that of its bytes, which are read for it and forgotten.
pub(super) async fn survey(
    store: &Arc<Store>,
    key: &str,
    wanted: Option<&Version>,
    hash: Option<Hash>,
) -> Result<Answer> {
    let Some(there) = store.describe(key).await? else { return Ok(Answer::Gone) };
    let Described { size, version, mut attributes } = there;
    if wanted.is_some_and(|wanted| !wanted.is_same(&version)) {
        return Ok(Answer::Changed);
    }
    if let Some(hash) = hash
        && metadata::hash(&attributes, hash).is_none()
        && !metadata::is_link(&attributes)
    {
        let Some(told) = hashed(store, key, size, &version, hash).await? else {
            return Ok(Answer::Changed);
        };
        let (name, hex) = told.split_once(':').unwrap_or_default();
        attributes.insert(Attribute::Metadata(name.to_string().into()), hex.to_string().into());
    }
    Ok(Answer::Got(Got { bytes: Bytes::new(), size, version, attributes }))
}

/// The hash of an object's bytes; `None` when it is not in that state any more.
async fn hashed(
    store: &Arc<Store>,
    key: &str,
    size: u64,
    version: &Version,
    hash: Hash,
) -> Result<Option<String>> {
    let mut hasher = Hasher::new(hash);
    if !store.divides(key).await? {
        let Some(mut flow) = store.flow(key).await? else { return Ok(None) };
        if !version.is_same(&flow.version) {
            return Ok(None);
        }
        while let Some(bytes) = flow.next().await? {
            hasher.update(&bytes);
        }
        return Ok(Some(hasher.finish()));
    }
    let ranges = (0..size.div_ceil(RANGE)).map(|part| part * RANGE..size.min((part + 1) * RANGE));
    let got = ranges.map(|range| store.get(key, Some(range), Some(version)));
    let mut parts = stream::iter(got).buffered(AHEAD);
    while let Some(part) = parts.next().await {
        let Answer::Got(got) = part? else { return Ok(None) };
        hasher.update(&got.bytes);
    }
    Ok(Some(hasher.finish()))
}
