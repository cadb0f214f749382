//! The requests for the objects that follow, under way while others are taken.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use longshore_model::{Code, Error, Result};
use tokio::task::JoinHandle;

use super::super::Hash;
use super::super::shelf::ShelfWalk;
use super::super::survey;
use super::super::walk::{EntryKind, Found};
use crate::store::{Answer, Store};

/// The part of a large object that is asked for at a time.
const RANGE: u64 = 8 << 20;
/// Requests under way, at most.
const REQUESTS: usize = 32;
/// What a request costs beside its bytes.
const REQUEST_BYTES: u64 = 16 << 10;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// A folder that is there because something is in it, or an object of a server that gives no parts.
    Nothing,
    /// The object that stands for a folder.
    Marker,
    /// An object without bytes; whether something is in the folder that it may stand for.
    Empty(bool),
    Whole,
    /// What an object is, without its bytes.
    Known,
    Part(Range<u64>),
}

/// A request under way.
pub(super) struct Request {
    pub(super) found: Arc<Found>,
    pub(super) kind: Asked,
    cost: u64,
    answer: Option<JoinHandle<Result<Answer>>>,
}

/// The requests under way, in the order of what they ask for.
pub(super) struct Ahead {
    store: Arc<Store>,
    memory: u64,
    survey: Option<Option<Hash>>,
    held: u64,
    requests: VecDeque<Request>,
    /// What is left of an object that is asked for in parts.
    rest: Option<(Arc<Found>, Range<u64>)>,
}

impl Ahead {
    /// `survey` says that bytes are not wanted, and how those are hashed of which no hash is told.
    pub(super) fn new(store: Arc<Store>, memory: u64, survey: Option<Option<Hash>>) -> Self {
        Self { store, memory, survey, held: 0, requests: VecDeque::new(), rest: None }
    }

    /// The request whose answer comes next; `None` at the end.
    pub(super) fn next(&mut self, walk: &mut ShelfWalk) -> Result<Option<Request>> {
        while self.requests.is_empty()
            || (self.requests.len() < REQUESTS && self.held < self.memory)
        {
            let Some((found, kind)) = self.wish(walk)? else { break };
            self.ask(found, kind);
        }
        let next = self.requests.pop_front();
        self.held -= next.as_ref().map_or(0, |request| request.cost);
        Ok(next)
    }

    /// What is to be asked for next.
    fn wish(&mut self, walk: &mut ShelfWalk) -> Result<Option<(Arc<Found>, Asked)>> {
        if let Some((found, rest)) = self.rest.take() {
            return Ok(Some(self.part(found, rest)));
        }
        let Some(found) = walk.next()? else { return Ok(None) };
        let found = Arc::new(found);
        let size = found.listed.as_ref().map(|listed| listed.size);
        Ok(Some(match (found.kind, size) {
            (EntryKind::Empty { filled }, _) => (found, Asked::Empty(filled)),
            (EntryKind::Folder, Some(_)) => (found, Asked::Marker),
            (_, None) => (found, Asked::Nothing),
            _ if self.survey.is_some() => (found, Asked::Known),
            (_, Some(size)) if size > RANGE => {
                let key = String::from_utf8_lossy(&found.path).into_owned();
                match self.store.handle().block_on(self.store.divides(&key))? {
                    true => self.part(found, 0..size),
                    false => (found, Asked::Nothing),
                }
            }
            _ => (found, Asked::Whole),
        }))
    }

    fn part(&mut self, found: Arc<Found>, rest: Range<u64>) -> (Arc<Found>, Asked) {
        let end = rest.end.min(rest.start + RANGE);
        self.rest = (end < rest.end).then(|| (found.clone(), end..rest.end));
        (found, Asked::Part(rest.start..end))
    }

    fn ask(&mut self, found: Arc<Found>, kind: Asked) {
        let listed = found.listed.as_ref();
        let bytes = match &kind {
            Asked::Part(range) => range.end - range.start,
            Asked::Known => listed.map_or(0, |listed| listed.size.min(survey::HELD)),
            _ => listed.map_or(0, |listed| listed.size),
        };
        let cost = bytes + REQUEST_BYTES;
        let cost = if kind == Asked::Nothing { REQUEST_BYTES } else { cost };
        self.held += cost;
        let mut key = String::from_utf8_lossy(&found.path).into_owned();
        if kind == Asked::Marker {
            key.push('/');
        }
        let range = if let Asked::Part(range) = &kind { Some(range.clone()) } else { None };
        let wanted = listed.map(|listed| listed.version.clone());
        let store = self.store.clone();
        let hash = self.survey.filter(|_| kind == Asked::Known);
        let answer = (kind != Asked::Nothing).then(|| {
            let handle = self.store.handle().clone();
            handle.spawn(async move {
                match hash {
                    Some(hash) => survey::survey(&store, &key, wanted.as_ref(), hash).await,
                    None => store.get(&key, range, wanted.as_ref()).await,
                }
            })
        });
        self.requests.push_back(Request { found, kind, cost, answer });
    }

    /// Forgets what was asked of an object beyond what was taken.
    pub(super) fn drop_rest(&mut self, found: &Arc<Found>) {
        self.rest.take_if(|(other, _)| Arc::ptr_eq(other, found));
        while let Some(request) = self.requests.pop_front_if(|one| Arc::ptr_eq(&one.found, found)) {
            self.held -= request.cost;
        }
    }
}

impl Request {
    pub(super) fn answer(&mut self, store: &Store) -> Result<Answer> {
        let Some(answer) = self.answer.take() else { return Ok(Answer::Gone) };
        store.handle().block_on(answer).map_err(|error| {
            Error::new(Code::Internal, "a request to a store ended early").because(error)
        })?
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if let Some(answer) = &self.answer {
            answer.abort();
        }
    }
}
