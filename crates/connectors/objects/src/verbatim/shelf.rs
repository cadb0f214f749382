//! The walk through the objects of a store, in the order of their keys, which is how most stores list
//! them. Of one that does not, all keys are listed and held. Folders are what keys have before a `/`,
//! whether or not an object stands for them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_model::object::escape;
use longshore_model::{Code, Error, Result, pattern};

use super::metadata;
use super::walk::{EntryKind, Found};
use crate::journal::FOLDER;
use crate::store::{Listed, Listing, Page, Store};

/// A store whose objects are walked through.
#[derive(Clone)]
pub(super) struct Shelf {
    store: Arc<Store>,
    /// Patterns of names that are left out, with what is below them.
    excluded: Arc<[String]>,
    order: Arc<Mutex<Order>>,
}

/// All keys of a store in their order, with the `/` of folders.
type Keys = Arc<[(String, Listed)]>;

/// How a store lists its keys.
enum Order {
    /// As they are ordered, as far as is known.
    Sorted,
    /// In some other way, as was found.
    Other,
    /// In some other way, and these are all.
    Held(Keys),
}

/// A walk in progress.
pub(super) struct ShelfWalk {
    shelf: Shelf,
    after: String,
    last: Option<String>,
    listed: VecDeque<Listed>,
    next: Next,
    /// All keys, and how many of them were come by, where they are held.
    held: Option<(Keys, usize)>,
    /// Found, and not given yet.
    found: VecDeque<Found>,
    /// The key that was found last.
    reached: String,
    /// The folder, with its `/`, that is left out now.
    left_out: Option<String>,
    excluded: u64,
}

enum Next {
    First,
    Page(String),
    End,
}

impl Shelf {
    pub(super) fn new(store: Arc<Store>, excluded: Vec<String>) -> Self {
        Self { store, excluded: excluded.into(), order: Arc::new(Mutex::new(Order::Sorted)) }
    }

    /// The same, of whose objects tags are told too.
    pub(super) fn with_tags(&self) -> Self {
        Self { store: Arc::new(Store::clone(&self.store).with_tags()), ..self.clone() }
    }

    /// Does something that walks from the first entry on; again where the walk finds that the store
    /// does not list its keys in their order.
    pub(super) fn in_order<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        match work() {
            Err(_) if matches!(*self.order(), Order::Other) => work(),
            done => done,
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All keys, where they are not listed in their order.
    fn held(&self) -> Result<Option<Keys>> {
        let mut order = self.order();
        if let Order::Other = *order {
            *order = Order::Held(self.list()?);
        }
        Ok(match &*order {
            Order::Held(all) => Some(all.clone()),
            Order::Sorted | Order::Other => None,
        })
    }

    /// Lists all keys, and asks which of those without bytes stand for folders.
    fn list(&self) -> Result<Keys> {
        let handle = self.store.handle();
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let page = handle.block_on(self.store.page(Listing { next, ..Listing::default() }))?;
            for listed in page.objects {
                let is_file =
                    listed.size > 0 || handle.block_on(self.store.head(&listed.key))?.is_some();
                all.push((format!("{}{}", listed.key, if is_file { "" } else { "/" }), listed));
            }
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        all.dedup_by(|(one, _), (other, _)| one == other);
        Ok(all.into())
    }

    /// Looks anew when it is walked through the next time.
    pub(super) fn forget(&self) {
        let mut order = self.order();
        if let Order::Held(_) = *order {
            *order = Order::Other;
        }
    }

    pub(super) fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// A walk through the entries whose keys are after `first`, up to `last`.
    pub(super) fn walk(&self, first: Option<&[u8]>, last: Option<Vec<u8>>) -> Result<ShelfWalk> {
        let text = |key: &[u8]| {
            String::from_utf8(key.to_vec()).map_err(|_| {
                Error::new(Code::Unsupported, "a name that is not UTF-8 cannot be a key of a store")
                    .with("name", escape(key))
            })
        };
        let after = first.map(text).transpose()?.unwrap_or_default();
        let held = self.held()?.map(|all| {
            let at = all.partition_point(|(key, _)| *key <= after);
            (all, at)
        });
        Ok(ShelfWalk {
            shelf: self.clone(),
            reached: after.clone(),
            after,
            last: last.as_deref().map(text).transpose()?,
            listed: VecDeque::new(),
            next: if held.is_some() { Next::End } else { Next::First },
            held,
            found: VecDeque::new(),
            left_out: None,
            excluded: 0,
        })
    }

    /// The key of a found object without bytes: with `/` at its end where it stands for a folder.
    pub(super) fn resolve(&self, found: &Found) -> Result<Vec<u8>> {
        let EntryKind::Empty { .. } = found.kind else { return Ok(found.key()) };
        let key = String::from_utf8_lossy(&found.path).into_owned();
        let is_file = self.store.handle().block_on(self.store.head(&key))?.is_some();
        Ok([&found.path[..], if is_file { b"" } else { b"/" }].concat())
    }

    /// Whether a found object without bytes stands for a folder, also where the server has dropped the
    /// `/` of its key.
    pub(super) fn stands_for_folder(&self, found: &Found) -> Result<bool> {
        let key = String::from_utf8_lossy(&found.path).into_owned();
        let there = self.store.handle().block_on(self.store.describe(&key))?;
        Ok(there.is_none_or(|there| metadata::is_folder(&there.attributes)))
    }

    fn excludes(&self, key: &str) -> bool {
        !self.excluded.is_empty() && {
            let name = escape(key.trim_end_matches('/').as_bytes());
            self.excluded.iter().any(|wanted| pattern::matches(wanted, &name))
        }
    }
}

impl ShelfWalk {
    /// How many entries were left out so far; `None` when there are no patterns.
    pub(super) fn excluded(&self) -> Option<u64> {
        (!self.shelf.excluded.is_empty()).then_some(self.excluded)
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            let Some((key, listed)) = self.take()? else { return Ok(None) };
            // What a folder's key is greater than the end of, all that is in it is too.
            if self.last.as_ref().is_some_and(|last| self.first_new(&key) > last.as_str()) {
                self.next = Next::End;
                self.listed.clear();
                self.held = None;
                return Ok(None);
            }
            let filled = self.enter(&key, listed)?;
            self.reached = if filled { format!("{key}/") } else { key };
        }
    }

    /// The key that a listed object has: the listing does not tell whether it ends in `/`, its place
    /// in the order may.
    fn key(&self, listed: &Listed) -> Result<String> {
        if listed.key > self.reached {
            return Ok(listed.key.clone());
        }
        let folder = format!("{}/", listed.key);
        if listed.size == 0 && folder > self.reached {
            return Ok(folder);
        }
        *self.shelf.order() = Order::Other;
        Err(Error::new(Code::SourceChanged, "a store no longer lists its keys in their order")
            .with("store", self.shelf.store.shown(""))
            .with("key", escape(listed.key.as_bytes())))
    }

    /// The first folder above a key that was not come by before, or the key.
    fn first_new<'a>(&self, key: &'a str) -> &'a str {
        folders(key).find(|folder| !self.reached.starts_with(folder)).unwrap_or(key)
    }

    /// Finds the folders above a key that were not come by before, and what has the key. Whether the
    /// latter may be the folder of what follows.
    fn enter(&mut self, key: &str, listed: Listed) -> Result<bool> {
        let is_left_out = self.left_out.as_ref().is_some_and(|folder| key.starts_with(folder));
        if is_left_out || key.split('/').next() == Some(FOLDER) {
            return Ok(false);
        }
        for folder in folders(key).filter(|folder| !self.reached.starts_with(folder)) {
            if self.shelf.excludes(folder) {
                self.excluded += 1;
                self.left_out = Some(folder.to_string());
                return Ok(false);
            }
            if folder != key && self.is_wanted(folder) {
                let path = folder.trim_end_matches('/').as_bytes().to_vec();
                self.found.push_back(Found { path, kind: EntryKind::Folder, listed: None });
            }
        }
        if !key.ends_with('/') && self.shelf.excludes(key) {
            self.excluded += 1;
            self.left_out = (listed.size == 0).then(|| format!("{key}/"));
            return Ok(false);
        }
        let kind = self.kind(key, &listed)?;
        if self.is_wanted(key) {
            let path = key.trim_end_matches('/').as_bytes().to_vec();
            self.found.push_back(Found { path, kind, listed: Some(listed) });
        }
        Ok(kind == EntryKind::Empty { filled: true })
    }

    fn is_wanted(&self, key: &str) -> bool {
        key > self.after.as_str() && self.last.as_ref().is_none_or(|last| key <= last.as_str())
    }

    /// What a listed object is.
    fn kind(&mut self, key: &str, listed: &Listed) -> Result<EntryKind> {
        if key.ends_with('/') {
            return Ok(EntryKind::Folder);
        }
        // A part of a tree ends at what is known, and of keys that are held all is.
        if listed.size > 0 || self.held.is_some() || self.last.as_deref() == Some(key) {
            return Ok(EntryKind::File);
        }
        self.fill()?;
        let folder = format!("{key}/");
        Ok(match self.listed.front().map(|next| next.key.as_str()) {
            // Keys that lie between those of a file and of a folder follow the file, and so does the
            // folder itself.
            Some(next) if next >= key && next < folder.as_str() => EntryKind::File,
            Some(next) => EntryKind::Empty { filled: next.starts_with(&folder) },
            None => EntryKind::Empty { filled: false },
        })
    }

    fn take(&mut self) -> Result<Option<(String, Listed)>> {
        if let Some((all, at)) = &mut self.held {
            let next = all.get(*at).cloned();
            *at += 1;
            return Ok(next);
        }
        self.fill()?;
        let Some(listed) = self.listed.pop_front() else { return Ok(None) };
        Ok(Some((self.key(&listed)?, listed)))
    }

    fn fill(&mut self) -> Result<()> {
        while self.listed.is_empty() {
            let next = match std::mem::replace(&mut self.next, Next::End) {
                Next::End => return Ok(()),
                Next::First => None,
                Next::Page(next) => Some(next),
            };
            let store = &self.shelf.store;
            let after = (!self.after.is_empty()).then_some(self.after.as_str());
            let listing = Listing { after, next, ..Listing::default() };
            let Page { objects, next, .. } = store.handle().block_on(store.page(listing))?;
            self.listed = objects.into();
            self.next = next.map_or(Next::End, Next::Page);
        }
        Ok(())
    }
}

/// The folders that a key leads through, each with its `/`, the outermost first.
fn folders(key: &str) -> impl Iterator<Item = &str> {
    key.match_indices('/').map(|(at, _)| &key[..=at])
}
