//! What a mirror removes from a store.

use std::collections::HashSet;
use std::sync::Arc;

use longshore_model::{Result, failpoint};

use super::metadata;
use super::shelf::Shelf;
use super::write::Order;
use crate::store::{Answer, Store};

/// Keys that are removed in one step.
const REMOVED: usize = 1000;

/// Removes what the chunk's part of the store holds and the source does not.
pub(super) fn remove_others(
    store: &Arc<Store>,
    order: &Order,
    written: &HashSet<String>,
) -> Result<()> {
    let [after, to] = order.span.ends()?;
    let shelf = Shelf::new(store.clone(), Vec::new());
    let handle = store.handle();
    shelf.in_order(|| {
        let mut walk = shelf.walk(after.as_deref(), to.clone())?;
        let mut others = Vec::new();
        while let Some(found) = walk.next()? {
            if found.listed.is_none() {
                continue;
            }
            let key = String::from_utf8_lossy(&shelf.resolve(&found)?).into_owned();
            if written.contains(&key) || handle.block_on(is_written_folder(store, written, &key))? {
                continue;
            }
            others.push(key);
            if others.len() == REMOVED {
                order.claim.check()?;
                handle.block_on(store.remove(&std::mem::take(&mut others)))?;
                failpoint::hit("trees.removal")?;
            }
        }
        order.claim.check()?;
        handle.block_on(store.remove(&others))?;
        failpoint::hit("trees.removal")
    })
}

/// Whether an object is what a server made of one that was written for a folder: some drop the `/`.
async fn is_written_folder(store: &Store, written: &HashSet<String>, key: &str) -> Result<bool> {
    if !written.contains(&format!("{key}/")) {
        return Ok(false);
    }
    let answer = store.get(key, None, None).await?;
    Ok(matches!(answer, Answer::Got(got) if metadata::is_folder(&got.attributes)))
}
