//! The collection of garbage, beside a registry that serves, also in another process.
//!
//! What no manifest needs is marked first, and swept only when a later collection finds it as it was, a while
//! later. Whoever rests on a blob, because it was there when he asked, touches it; a manifest touches all that it
//! names while nothing is swept. The while is measured by the clock that runs from the start of the machine, so
//! that a clock that is set means nothing.

mod clock;
mod history;
mod mark;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use longshore_model::{Code, Error};
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::store::{PARTS, Store, part_of, read, remove, remove_all, write};
use clock::Moment;
pub(crate) use history::History;

/// What a collection remembers for the next.
const MARKS: &str = "collection.json";
/// How many sweep at once.
const BROOMS: usize = 4;
/// How long requests that rest in a part wait while things are removed there, before it is their turn.
const TURN: Duration = Duration::from_millis(100);

/// What a collection found, and did.
#[derive(Debug, Default, Serialize)]
pub struct Collected {
    /// What is not needed, by its path in the folder of the registry.
    pub items: BTreeMap<String, Item>,
    /// Blobs that are needed.
    pub needed: usize,
    /// Bytes that were freed, or would be.
    pub freed: u64,
}

/// Something that is not needed.
#[derive(Debug, Clone, Serialize)]
pub struct Item {
    /// Its bytes.
    pub bytes: u64,
    /// Why nobody needs it, or why it stays.
    pub why: String,
    /// What becomes of it.
    pub fate: Fate,
}

/// What becomes of something that is not needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It is gone, or would be.
    Swept,
    /// It waits for a later collection: somebody may be about to need it.
    Waits,
    /// Somebody asked for it meanwhile.
    Spared,
    /// It is held.
    Held,
}

/// Something that was not needed, as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// When it was last touched, in nanoseconds since 1970.
    touched: u128,
    /// When it was first found so.
    since: Moment,
}

/// Something that nothing needs now.
#[derive(Debug)]
struct Found {
    touched: u128,
    bytes: u64,
    why: &'static str,
    /// Why it stays all the same.
    held: Option<String>,
}

/// What a collection is to do.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// How long nothing must have needed what is removed.
    pub grace: Duration,
    /// Whether manifests go to which no tag leads, nor a list, nor that they speak of one that stays. Their blobs
    /// are free for later collections.
    pub untagged: bool,
    /// Only say what would be removed.
    pub only_told: bool,
}

/// Frees what nothing has needed for a while.
///
/// # Errors
/// A manifest that cannot be read: what it needs is not known, and so nothing is removed.
pub fn collect(store: &Store, order: Order) -> longshore_model::Result<Collected> {
    let failed = |fault| failed(store, fault);
    let start = Instant::now();
    let before = marks(store)?;
    let now = Moment::now()?;
    let marked = mark::mark(store, order.untagged).map_err(failed)?;
    let mut collected = Collected { needed: marked.needed, ..Collected::default() };
    let (mut after, mut due) = (BTreeMap::new(), Vec::new());
    for (path, found) in &marked.found {
        // A moment that is still to come was told by a clock that was wrong: the while begins anew.
        let known = before.get(path).filter(|mark| mark.touched == found.touched);
        let known = known.filter(|mark| mark.since.is_before(&now));
        let since = known.map_or_else(|| now.clone(), |mark| mark.since.clone());
        let fate = match &found.held {
            Some(_) => Fate::Held,
            None if since.until(&now) >= order.grace => Fate::Swept,
            None => Fate::Waits,
        };
        let why = found.held.clone().unwrap_or_else(|| found.why.to_string());
        let item = Item { bytes: found.bytes, why, fate };
        collected.items.insert(path.clone(), item);
        match fate {
            Fate::Swept => due.push((path, found)),
            _ => drop(after.insert(path.clone(), Mark { touched: found.touched, since })),
        }
    }
    if !order.only_told {
        for path in sweep(store, &due).map_err(failed)? {
            if let Some(item) = collected.items.get_mut(&path) {
                item.fate = Fate::Spared;
            }
        }
        let forgotten = due.iter().filter_map(|(path, _)| mark::manifest_at(path));
        for repository in forgotten.map(|(repository, _)| repository).collect::<BTreeSet<_>>() {
            store.settle_manifests(&repository).map_err(failed)?;
        }
        let text = serde_json::to_vec(&after).map_err(|error| {
            Error::new(Code::Internal, "marks cannot be written").because(error)
        })?;
        write(&store.root().join(MARKS), &text).map_err(failed)?;
    }
    let swept = collected.items.values().filter(|item| item.fate == Fate::Swept);
    collected.freed = swept.map(|item| item.bytes).sum();
    if !order.only_told {
        History::add(store, &collected, start.elapsed()).map_err(failed)?;
    }
    Ok(collected)
}

/// Removes what is still as it was found, part by part, while nobody rests in it. Several at once: a disk or a
/// network may take its time for each.
fn sweep(store: &Store, due: &[(&String, &Found)]) -> crate::fault::Result<Vec<String>> {
    let mut parts = vec![Vec::new(); PARTS];
    for due in due {
        parts[part_of(due.0.rsplit('/').next().unwrap_or_default())].push(*due);
    }
    let sweeping =
        |own: &mut [Vec<(&String, &Found)>], first: usize| sweep_parts(store, own, first);
    thread::scope(|scope| {
        let shares = parts.chunks_mut(PARTS / BROOMS).enumerate();
        let brooms: Vec<_> = shares
            .map(|(number, own)| scope.spawn(move || sweeping(own, number * PARTS / BROOMS)))
            .collect();
        let mut spared = Vec::new();
        for broom in brooms {
            let swept = broom.join().map_err(|_| Fault::Disk("a sweep failed".to_string()))?;
            spared.append(&mut swept?);
        }
        Ok(spared)
    })
}

/// Sweeps some parts, the first of which has a number. Returns what was spared.
fn sweep_parts(
    store: &Store,
    parts: &mut [Vec<(&String, &Found)>],
    first: usize,
) -> crate::fault::Result<Vec<String>> {
    let mut spared = Vec::new();
    let those = (0..parts.len()).filter(|part| !parts[*part].is_empty());
    let those = those.map(|part| first + part).collect();
    store.alone_in(those, |part| {
        let (start, due) = (Instant::now(), &mut parts[part - first]);
        while start.elapsed() < TURN {
            let Some((path, found)) = due.pop() else { return Ok(true) };
            match mark::look(&store.root().join(path)) {
                Ok(seen) if seen.touched == found.touched => remove_one(store, path, &seen)?,
                _ => spared.push(path.clone()),
            }
        }
        Ok(due.is_empty())
    })?;
    Ok(spared)
}

fn remove_one(store: &Store, path: &str, seen: &mark::Seen) -> crate::fault::Result<()> {
    if let Some((repository, digest)) = mark::manifest_at(path) {
        return store.forget(&repository, &digest);
    }
    let whole = store.root().join(path);
    match seen.is_folder {
        true => remove_all(&whole),
        false => remove(&whole).map(drop),
    }
}

fn marks(store: &Store) -> longshore_model::Result<BTreeMap<String, Mark>> {
    let path = store.root().join(MARKS);
    let bytes = read(&path).map_err(|fault| failed(store, fault))?;
    // What is damaged is as good as not there: everything waits once more.
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
}

fn failed(store: &Store, fault: Fault) -> Error {
    let is_full = matches!(fault, Fault::Full);
    let error = fault.into_error("the garbage of the registry cannot be collected", store.root());
    match is_full {
        true => error.hint(
            "Make a little room for what is marked, or remove at once with --grace 0s while nobody pushes.",
        ),
        false => error,
    }
}
