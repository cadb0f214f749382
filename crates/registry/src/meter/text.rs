//! The numbers in the form that Prometheus reads.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::shelf::Shelf;
use super::{Meter, Tally};
use crate::collect::History;
use crate::fault::Result;
use crate::store::Store;

/// Pages of numbers begin with this.
const PREFIX: &str = "longshore_registry_";

/// What becomes of a number.
#[derive(Debug, Clone, Copy)]
pub enum Sort {
    /// It only grows.
    Counter,
    /// It grows and falls.
    Gauge,
    /// Counts of what was at most as large as bounds.
    Histogram,
}

impl Meter {
    /// All numbers, those of the store with them. It may take as long as counting files does.
    pub fn text(&self, store: &Store) -> Result<String> {
        let mut page = NumberPage::of(PREFIX);
        self.traffic(&mut page);
        self.work(&mut page);
        shelf(&self.shelf(store)?, &mut page);
        collections(&History::read(store)?, &mut page);
        Ok(page.text())
    }

    fn traffic(&self, page: &mut NumberPage) {
        let tally = self.tally();
        requests(&tally, page);
        let bytes = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        page.head("bytes_total", Sort::Counter, "Bytes of connections, with what TLS adds.");
        page.line("bytes_total", &[("direction", "in")], bytes(&self.received));
        page.line("bytes_total", &[("direction", "out")], bytes(&self.sent));
        page.gauge("connections", "Connections now.", bytes(&self.connections));
        page.gauge("requests_in_flight", "Requests at hand now.", tally.at_hand);
        page.gauge("uploads_in_flight", "Requests at hand that write blobs.", tally.uploads);
    }

    fn work(&self, page: &mut NumberPage) {
        let (total, idle) = self.times();
        let (total, idle) = (total.as_secs_f64(), idle.as_secs_f64());
        page.head("up_seconds_total", Sort::Counter, "Seconds since the start.");
        page.line("up_seconds_total", &[], total);
        page.head("idle_seconds_total", Sort::Counter, "Seconds in which no request was at hand.");
        page.line("idle_seconds_total", &[], idle);
        let told = "All time by the time in which requests were at hand: 1 is always busy.";
        let busy = total - idle;
        let ratio = if busy > 0.0 { total / busy } else { f64::INFINITY };
        page.gauge("utilisation", told, Number(ratio));
    }

    fn shelf(&self, store: &Store) -> Result<Shelf> {
        let mut kept = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        match *kept {
            Some(shelf) if shelf.is_fresh() => Ok(shelf),
            _ => Ok(*kept.insert(Shelf::count(store)?)),
        }
    }
}

fn requests(tally: &Tally, page: &mut NumberPage) {
    page.head("requests_total", Sort::Counter, "Requests that ended.");
    for (kind, count) in &tally.requests {
        let labels =
            [("method", kind.method), ("route", kind.route), ("status", kind.status.as_str())];
        page.line("requests_total", &labels, count);
    }
    let told = "Seconds from the head of a request to the end of its answer.";
    page.head("request_seconds", Sort::Histogram, told);
    for (route, spread) in &tally.seconds {
        for (bound, count) in spread.within() {
            let bound = bound.to_string();
            page.line("request_seconds_bucket", &[("route", route), ("le", &bound)], count);
        }
        let all = [("route", *route), ("le", "+Inf")];
        page.line("request_seconds_bucket", &all, spread.count());
        page.line("request_seconds_sum", &[("route", route)], spread.sum());
        page.line("request_seconds_count", &[("route", route)], spread.count());
    }
}

fn shelf(shelf: &Shelf, page: &mut NumberPage) {
    page.gauge("store_repositories", "Repositories that have something.", shelf.repositories);
    page.gauge("store_blobs", "Blobs on the disk, each once.", shelf.blobs);
    page.gauge("store_bytes", "Bytes of the blobs on the disk.", shelf.bytes);
}

fn collections(history: &History, page: &mut NumberPage) {
    let counts: BTreeMap<&str, (&str, u64)> = BTreeMap::from([
        ("collections_total", ("Collections of garbage in this folder.", history.runs)),
        ("collected_items_total", ("What they removed: blobs, links, uploads.", history.items)),
        ("collected_bytes_total", ("Bytes that they freed.", history.bytes)),
    ]);
    for (name, (told, count)) in counts {
        page.head(name, Sort::Counter, told);
        page.line(name, &[], count);
    }
    let told = "When the last collection ended, in seconds since 1970; 0 before the first.";
    page.gauge("last_collection_timestamp_seconds", told, history.ended);
    page.gauge("last_collection_seconds", "How long the last collection took.", history.seconds);
}

/// A page of numbers, in the text format of Prometheus.
#[derive(Debug)]
pub struct NumberPage {
    prefix: &'static str,
    text: String,
}

impl NumberPage {
    /// An empty page; the names of its numbers begin with a prefix.
    pub fn of(prefix: &'static str) -> Self {
        Self { prefix, text: String::new() }
    }

    /// Says what a number is.
    pub fn head(&mut self, name: &str, sort: Sort, told: &str) {
        let sort = match sort {
            Sort::Counter => "counter",
            Sort::Gauge => "gauge",
            Sort::Histogram => "histogram",
        };
        let prefix = self.prefix;
        // Text in memory takes all that is written to it.
        let _ = write!(self.text, "# HELP {prefix}{name} {told}\n# TYPE {prefix}{name} {sort}\n");
    }

    /// A number.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.text, "{}{name}{labels} {value}", self.prefix);
    }

    /// A number that grows and falls, and what it is.
    pub fn gauge(&mut self, name: &str, told: &str, value: impl Display) {
        self.head(name, Sort::Gauge, told);
        self.line(name, &[], value);
    }

    /// The page.
    pub fn text(self) -> String {
        self.text
    }
}

/// A value of a label.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A number as Prometheus writes it.
struct Number(f64);

impl Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.is_finite() {
            true => write!(f, "{}", self.0),
            false => f.write_str("+Inf"),
        }
    }
}
