//! Reading the objects of a store in their order, with the requests for those that follow under way.

mod ahead;

use std::sync::Arc;

use bytes::Bytes;
use longshore_model::object::{Object, ObjectKind, Original, escape};
use longshore_model::{Code, Error, Result, Retry};

use super::Hash;
use super::entry::{ATTEMPTS, Hasher, PIECE, Sink, always_changing};
use super::metadata;
use super::shelf::ShelfWalk;
use super::walk::Found;
use crate::store::{Answer, Got, Listing, Store};
use ahead::{Ahead, Asked, Request};

/// Takes what was read of an entry.
pub(super) trait Taker: Sink {
    /// The entry whose parts follow.
    fn enter(&mut self, path: &[u8]) -> Result<()>;

    /// Where the bytes of the object are, none of which came in its one part.
    fn original(&mut self, original: Original);

    /// The object whose parts came, now that they are all there.
    fn end(&mut self, object: Object) -> Result<()>;
}

/// What is wanted of objects.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// How their bytes are hashed, if they are.
    pub(super) hash: Option<Hash>,
    /// Whether their bytes stay where they are, for the store to copy them.
    pub(super) stays: bool,
    /// The bytes that may be under way.
    pub(super) memory: u64,
}

/// Reads all that a walk finds.
pub(super) fn read(
    store: &Arc<Store>,
    mut walk: ShelfWalk,
    wanted: Wanted,
    taker: &mut impl Taker,
) -> Result<()> {
    let Wanted { hash, stays, memory } = wanted;
    let mut ahead = Ahead::new(store.clone(), memory, stays.then_some(hash));
    while let Some(first) = ahead.next(&mut walk)? {
        taker.enter(&first.found.path)?;
        match first.kind {
            Asked::Nothing if first.found.listed.is_some() => {
                let found = first.found.clone();
                at_once(store, &found, hash, taker)?;
            }
            Asked::Nothing => implied(&first.found, taker)?,
            Asked::Empty(filled) => empty(store, first, filled, hash, taker)?,
            Asked::Marker => marker(store, first, taker)?,
            Asked::Known => known(store, first, hash, taker)?,
            Asked::Whole | Asked::Part(_) => {
                object(store, first, &mut ahead, hash, &mut walk, taker)?
            }
        }
    }
    Ok(())
}

fn implied(found: &Found, taker: &mut impl Taker) -> Result<()> {
    plain(metadata::implied_folder(&found.path), taker)
}

/// Gives an object that has no bytes.
fn plain(object: Object, taker: &mut impl Taker) -> Result<()> {
    taker.begin(object.clone());
    taker.part(0, Bytes::new())?;
    taker.end(object)
}

fn folder(found: &Found, got: &Got, taker: &mut impl Taker) -> Result<()> {
    let modified = got.version.modified;
    plain(metadata::read(&found.path, ObjectKind::Folder, 0, modified, &got.attributes)?, taker)
}

fn marker(store: &Arc<Store>, mut request: Request, taker: &mut impl Taker) -> Result<()> {
    match request.answer(store)? {
        Answer::Got(got) => folder(&request.found, &got, taker),
        // It is there as long as something is in it, and the position tells of the change.
        Answer::Changed | Answer::Gone | Answer::Undivided => implied(&request.found, taker),
    }
}

/// An object that its store copies. What has changed since it was listed, and a link, whose bytes are
/// where it leads, are taken with their bytes.
fn known(
    store: &Arc<Store>,
    mut request: Request,
    hash: Option<Hash>,
    taker: &mut impl Taker,
) -> Result<()> {
    let found = request.found.clone();
    let got = match request.answer(store)? {
        Answer::Got(got) if !metadata::is_link(&got.attributes) => got,
        _ => return at_once(store, &found, hash, taker),
    };
    let (size, modified) = (got.size, got.version.modified);
    let told = metadata::read(&found.path, ObjectKind::File, size, modified, &got.attributes)?;
    let hash = hash.and_then(|hash| metadata::hash(&got.attributes, hash)).unwrap_or_default();
    let key = String::from_utf8_lossy(&found.path);
    taker.begin(told.clone());
    taker.part(0, Bytes::new())?;
    taker.original(store.original(&key, got.version.tag.as_deref()));
    taker.end(Object { hash, ..told })
}

/// An object of which the listing told only that it has no bytes.
fn empty(
    store: &Arc<Store>,
    mut request: Request,
    filled: bool,
    hash: Option<Hash>,
    taker: &mut impl Taker,
) -> Result<()> {
    let found = request.found.clone();
    match request.answer(store)? {
        Answer::Got(got) if metadata::is_folder(&got.attributes) => folder(&found, &got, taker),
        Answer::Got(got) => {
            Taking::new(hash).take(&found, got, taker)?;
            if filled { implied(&found, taker) } else { Ok(()) }
        }
        Answer::Changed | Answer::Undivided => Err(always_changing(&found)),
        Answer::Gone => {
            let key = format!("{}/", String::from_utf8_lossy(&found.path));
            match store.handle().block_on(store.get(&key, None, None))? {
                Answer::Got(got) => folder(&found, &got, taker),
                Answer::Changed | Answer::Gone | Answer::Undivided => Ok(()),
            }
        }
    }
}

/// An object with bytes. One that is in another state than was listed is taken as it is now: the
/// position tells that something has changed.
fn object(
    store: &Arc<Store>,
    first: Request,
    ahead: &mut Ahead,
    hash: Option<Hash>,
    walk: &mut ShelfWalk,
    taker: &mut impl Taker,
) -> Result<()> {
    let found = first.found.clone();
    if in_parts(store, first, ahead, hash, walk, taker)? {
        return Ok(());
    }
    ahead.drop_rest(&found);
    at_once(store, &found, hash, taker)
}

/// Takes an object without requests ahead, again while it changes.
fn at_once(
    store: &Arc<Store>,
    found: &Found,
    hash: Option<Hash>,
    taker: &mut impl Taker,
) -> Result<()> {
    let mut attempts = 1;
    loop {
        match again(store, found, hash, taker) {
            Err(error) if error.retry() == Retry::Later && attempts < ATTEMPTS => attempts += 1,
            taken => return taken,
        }
    }
}

/// Takes an object from the requests under way; whether all of it came in one state.
fn in_parts(
    store: &Arc<Store>,
    first: Request,
    ahead: &mut Ahead,
    hash: Option<Hash>,
    walk: &mut ShelfWalk,
    taker: &mut impl Taker,
) -> Result<bool> {
    let (found, mut request) = (first.found.clone(), first);
    let mut taking = Taking::new(hash);
    loop {
        let Answer::Got(got) = request.answer(store)? else { return Ok(false) };
        if taking.take(&found, got, taker)? {
            return Ok(true);
        }
        let Some(next) = ahead.next(walk)? else { return Ok(false) };
        request = next;
    }
}

/// Takes an object from its beginning to its end, in the state that it is in.
fn again(
    store: &Arc<Store>,
    found: &Found,
    hash: Option<Hash>,
    taker: &mut impl Taker,
) -> Result<()> {
    let key = String::from_utf8_lossy(&found.path).into_owned();
    let handle = store.handle();
    let Some(mut flow) = handle.block_on(store.flow(&key))? else { return gone(store, found) };
    let mut taking = Taking::new(hash);
    let mut attributes = std::mem::take(&mut flow.attributes);
    while let Some(bytes) = handle.block_on(flow.next())? {
        // They count where the object begins.
        let attributes = std::mem::take(&mut attributes);
        let got = Got { bytes, size: flow.size, version: flow.version.clone(), attributes };
        if taking.take(found, got, taker)? {
            return Ok(());
        }
    }
    // It has no bytes.
    let got = Got { bytes: Bytes::new(), size: 0, version: flow.version.clone(), attributes };
    taking.take(found, got, taker).map(drop)
}

/// An object that is taken part by part.
struct Taking {
    hasher: Option<Hasher>,
    offset: u64,
    object: Option<Object>,
}

impl Taking {
    fn new(hash: Option<Hash>) -> Self {
        Self { hasher: hash.map(Hasher::new), offset: 0, object: None }
    }

    /// Takes the next part; whether it was the last.
    fn take(&mut self, found: &Found, got: Got, taker: &mut impl Taker) -> Result<bool> {
        if self.offset == 0 {
            if metadata::is_link(&got.attributes) {
                return link(found, &got, taker).map(|()| true);
            }
            let modified = got.version.modified;
            let object =
                metadata::read(&found.path, ObjectKind::File, got.size, modified, &got.attributes)?;
            taker.begin(object.clone());
            self.object = Some(object);
        }
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&got.bytes);
        }
        let mut rest = got.bytes;
        loop {
            let part = rest.split_to(rest.len().min(PIECE));
            let length = part.len() as u64;
            taker.part(self.offset, part)?;
            self.offset += length;
            if rest.is_empty() {
                break;
            }
        }
        if self.offset < got.size {
            return Ok(false);
        }
        let hash = self.hasher.take().map(Hasher::finish).unwrap_or_default();
        if let Some(object) = self.object.take() {
            taker.end(Object { hash, ..object })?;
        }
        Ok(true)
    }
}

fn link(found: &Found, got: &Got, taker: &mut impl Taker) -> Result<()> {
    let modified = got.version.modified;
    let object = metadata::read(&found.path, ObjectKind::Link, 0, modified, &got.attributes)?;
    plain(Object { link: Some(escape(&got.bytes)), ..object }, taker)
}

/// An object that cannot be asked for any more. Where it is listed still, its key is not what the
/// listing says, and to leave it out would lose it.
fn gone(store: &Arc<Store>, found: &Found) -> Result<()> {
    let key = String::from_utf8_lossy(&found.path).into_owned();
    let listing = Listing { start: &key, ..Listing::default() };
    let page = store.handle().block_on(store.page(listing))?;
    if page.objects.iter().all(|listed| listed.key != key) {
        return Ok(());
    }
    Err(Error::new(Code::SourceUnreadable, "a store lists an object that it does not give")
        .with("object", store.shown(&key))
        .hint("A key that begins with / cannot be asked for: rename the object."))
}
