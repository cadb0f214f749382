//! What a tree does with files, in a store: for threads that may block.

use std::sync::Arc;

use longshore_model::Result;
use object_store::Attributes;

use crate::store::{Answer, Listed, Listing, Store, Version};
use crate::tree::{Item, Stamp};

/// Keys that are removed in one step.
const REMOVED: usize = 1000;

/// The entries of a folder; `None` when nothing is in it.
pub(crate) fn list(store: &Arc<Store>, folder: &str) -> Result<Option<Vec<Item>>> {
    let start = below(folder);
    let mut items = Vec::new();
    each_page(store, &start, true, |objects, folders| {
        let name = |key: &str| key.strip_prefix(&start).unwrap_or(key).to_string();
        for one in folders {
            let stamp = Stamp { size: 0, modified: 0, changed: 0 };
            items.push(Item { name: name(&one), readable: true, folder: true, stamp });
        }
        // An object may stand for the folder itself.
        for one in objects.into_iter().filter(|one| one.key.starts_with(&start)) {
            let stamp = stamp_of(one.size, &one.version);
            items.push(Item { name: name(&one.key), readable: true, folder: false, stamp });
        }
        Ok(())
    })?;
    items.sort_by(|a: &Item, b: &Item| a.name.cmp(&b.name));
    Ok((!items.is_empty()).then_some(items))
}

/// A file's stamp; `None` when it is not there.
pub(crate) fn stamp(store: &Arc<Store>, key: &str) -> Result<Option<Stamp>> {
    let found = store.handle().block_on(store.head(key))?;
    Ok(found.map(|(size, version)| stamp_of(size, &version)))
}

/// All bytes of a file; `None` when it is not there.
pub(crate) fn read(store: &Arc<Store>, key: &str) -> Result<Option<Vec<u8>>> {
    Ok(match store.handle().block_on(store.get(key, None, None))? {
        Answer::Got(got) => Some(got.bytes.into()),
        Answer::Changed | Answer::Gone | Answer::Undivided => None,
    })
}

/// Writes a file: the old content is there or the new one.
pub(crate) fn write(store: &Arc<Store>, key: &str, bytes: Vec<u8>) -> Result<()> {
    store.handle().block_on(store.put(key, bytes.into(), Attributes::new()))
}

/// Removes a file if it is there; whether it was.
pub(crate) fn remove(store: &Arc<Store>, key: &str) -> Result<bool> {
    let was_there = store.handle().block_on(store.head(key))?.is_some();
    if was_there {
        store.handle().block_on(store.remove(&[key.to_string()]))?;
    }
    Ok(was_there)
}

/// Removes all that is in a folder and that `kept` does not hold back.
pub(crate) fn remove_all(
    store: &Arc<Store>,
    folder: &str,
    kept: impl Fn(&str) -> bool,
) -> Result<()> {
    let mut keys = Vec::new();
    each_page(store, &below(folder), false, |objects, _| {
        for one in objects.into_iter().filter(|one| !kept(&one.key)) {
            // What is listed without bytes may end in a `/`.
            keys.extend((one.size == 0).then(|| format!("{}/", one.key)));
            keys.push(one.key);
        }
        if keys.len() >= REMOVED {
            store.handle().block_on(store.remove(&std::mem::take(&mut keys)))?;
        }
        Ok(())
    })?;
    store.handle().block_on(store.remove(&keys))
}

/// Whether a folder holds something that `kept` does not hold back.
pub(crate) fn holds(store: &Arc<Store>, kept: impl Fn(&str) -> bool) -> Result<bool> {
    let mut found = false;
    let items = list(store, "")?.unwrap_or_default();
    for item in items {
        found |= !kept(&item.name);
    }
    Ok(found)
}

fn each_page(
    store: &Arc<Store>,
    start: &str,
    shallow: bool,
    mut take: impl FnMut(Vec<Listed>, Vec<String>) -> Result<()>,
) -> Result<()> {
    let mut next = None;
    loop {
        let listing = Listing { start, shallow, next, ..Listing::default() };
        let page = store.handle().block_on(store.page(listing))?;
        take(page.objects, page.folders)?;
        next = page.next;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// What the keys in a folder begin with.
fn below(folder: &str) -> String {
    if folder.is_empty() { String::new() } else { format!("{folder}/") }
}

/// The tag of a state stands where a file system tells when the node changed.
fn stamp_of(size: u64, version: &Version) -> Stamp {
    let tag = version.tag.as_deref().map(|tag| blake3::hash(tag.trim_matches('"').as_bytes()));
    let changed = tag.map_or(0, |hash| {
        let mut first = [0; 16];
        first.copy_from_slice(&hash.as_bytes()[..16]);
        i128::from_le_bytes(first)
    });
    // Headers tell seconds where a listing may tell less.
    let modified = i128::from(version.modified / 1_000_000_000) * 1_000_000_000;
    Stamp { size, modified, changed }
}
