//! What a registry does, in numbers.

mod shelf;
mod spread;
mod text;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};

use spread::Spread;

pub use text::{NumberPage, Sort};

/// The route of a request whose path is none of a registry.
const NOWHERE: &str = "none";
/// The status of a request whose client went away before it was answered.
const CUT: &str = "cut";

/// The numbers of a registry since it was started.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    received: AtomicU64,
    sent: AtomicU64,
    connections: AtomicU64,
    tally: Mutex<Tally>,
    shelf: Mutex<Option<shelf::Shelf>>,
}

#[derive(Debug)]
struct Tally {
    requests: BTreeMap<Kind, u64>,
    seconds: BTreeMap<&'static str, Spread>,
    at_hand: u64,
    uploads: u64,
    /// How long no request was at hand, without the while that is on.
    idle: Duration,
    /// Since when no request is at hand, when none is.
    idle_since: Option<Instant>,
}

/// What requests are counted by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    route: &'static str,
    method: &'static str,
    status: String,
}

/// A request at hand, until it is dropped.
pub(crate) struct Watch {
    meter: Arc<Meter>,
    start: Instant,
    route: &'static str,
    method: &'static str,
    status: Option<StatusCode>,
    is_upload: bool,
}

impl Default for Meter {
    fn default() -> Self {
        let now = Instant::now();
        let tally = Tally {
            requests: BTreeMap::new(),
            seconds: BTreeMap::new(),
            at_hand: 0,
            uploads: 0,
            idle: Duration::ZERO,
            idle_since: Some(now),
        };
        Self {
            started: now,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            tally: Mutex::new(tally),
            shelf: Mutex::default(),
        }
    }
}

impl Meter {
    pub(crate) fn received(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// The number of connections now.
    pub(crate) fn connected(&self, connections: usize) {
        self.connections.store(connections as u64, Ordering::Relaxed);
    }

    /// A request begins.
    pub(crate) fn begin(self: &Arc<Self>, method: &Method) -> Watch {
        let start = Instant::now();
        let mut tally = self.tally();
        tally.at_hand += 1;
        if let Some(since) = tally.idle_since.take() {
            tally.idle += start - since;
        }
        drop(tally);
        let (route, method) = (NOWHERE, name(method));
        Watch { meter: self.clone(), start, route, method, status: None, is_upload: false }
    }

    fn end(&self, watch: &Watch) {
        let now = Instant::now();
        let status = watch.status.map_or(CUT.to_string(), |status| status.as_str().to_string());
        let kind = Kind { route: watch.route, method: watch.method, status };
        let mut tally = self.tally();
        *tally.requests.entry(kind).or_default() += 1;
        tally.seconds.entry(watch.route).or_default().add(now - watch.start);
        tally.uploads -= u64::from(watch.is_upload);
        tally.at_hand -= 1;
        if tally.at_hand == 0 {
            tally.idle_since = Some(now);
        }
    }

    /// How long it counts, and how much of that no request was at hand.
    pub fn times(&self) -> (Duration, Duration) {
        let now = Instant::now();
        let tally = self.tally();
        let is_on = tally.idle_since.map(|since| now.saturating_duration_since(since));
        (now - self.started, tally.idle + is_on.unwrap_or_default())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        // Numbers are whole after each step, also where one that held them failed.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// What it asks for is known.
    pub(crate) fn leads_to(&mut self, route: &'static str, is_upload: bool) {
        (self.route, self.is_upload) = (route, is_upload);
        self.meter.tally().uploads += u64::from(is_upload);
    }

    /// The answer begins.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.meter.end(self);
    }
}

/// Names of methods are few, whatever clients send.
fn name(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    known.into_iter().find(|one| method == one).unwrap_or("other")
}
