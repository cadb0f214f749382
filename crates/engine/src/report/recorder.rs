//! The listener that turns the stream of events into the figures of a report.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::event::{Event, Stage};

use super::{Performance, Sample, Step, Waits};

/// The most samples that are kept; twice as far apart when they are full.
const SAMPLES: usize = 400;

/// The seconds between two samples at the start.
const FIRST_INTERVAL: f64 = 0.05;

/// The most separate spans of work that are kept to merge with later ones.
const SPANS: usize = 4096;

/// Listens to the events of one run. Clones share one record; every method may be called from any
/// thread, and takes no longer than a few additions.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    began: Option<f64>,
    now: f64,
    steps: Vec<Step>,
    open: Option<(Stage, f64)>,
    curve: Curve,
    busy: Busy,
    /// When each worker's chunk last gave a batch to the target.
    given: HashMap<usize, f64>,
    /// Rows and bytes of each worker's chunk that is not in yet.
    pending: HashMap<usize, (u64, u64)>,
    waits: Waits,
    table_seconds: HashMap<String, f64>,
}

/// What had arrived at moments with equal distances.
#[derive(Debug)]
struct Curve {
    interval: f64,
    samples: Vec<Sample>,
    rows: u64,
    bytes: u64,
}

/// The time in which at least one worker had a batch in hand: the union of all spans.
#[derive(Debug, Default)]
struct Busy {
    settled: f64,
    horizon: f64,
    spans: Vec<(f64, f64)>,
}

impl Recorder {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event; `at` is in seconds, on any clock that all events share. The first event is
    /// the beginning of the run.
    pub fn listen(&self, at: f64, event: &Event) {
        self.record().take(at, event);
    }

    /// The stages in the order of their first start; the time of stages of one name adds up. One
    /// that has not ended counts up to the last event.
    pub fn steps(&self) -> Vec<Step> {
        let record = self.record();
        let mut steps = record.steps.clone();
        if let Some((stage, since)) = record.open {
            add_step(&mut steps, stage, record.now - since);
        }
        steps
    }

    /// What had arrived over time, at even distances but for the last.
    pub fn samples(&self) -> Vec<Sample> {
        let record = self.record();
        let mut samples = record.curve.samples.clone();
        let last = Sample {
            at: record.now - record.began.unwrap_or(record.now),
            rows: record.curve.rows,
            bytes: record.curve.bytes,
        };
        if samples.last().is_none_or(|sample| sample.at < last.at) {
            samples.push(last);
        } else if let Some(sample) = samples.last_mut() {
            *sample = last;
        }
        samples
    }

    /// How busy the workers were in the `copy` stage. A batch is in hand until the target took it,
    /// the last one of a chunk until the commit is through. A copy without any batch had nothing
    /// to be idle from: its P is 1.
    pub fn performance(&self) -> Performance {
        let record = self.record();
        let open = match record.open {
            Some((Stage::Copy, since)) => record.now - since,
            _ => 0.0,
        };
        let done = record.steps.iter().find(|step| step.name == "copy");
        let total = done.map_or(0.0, |step| step.seconds) + open;
        let busy = record.busy.seconds().min(total);
        let (idle, ratio) = if busy > 0.0 { (total - busy, total / busy) } else { (0.0, 1.0) };
        Performance { total, idle, ratio, waits: record.waits }
    }

    /// Seconds of workers in the chunks of a table, summed over all of them.
    pub fn table_seconds(&self, table: &str) -> f64 {
        self.record().table_seconds.get(table).copied().unwrap_or(0.0)
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn take(&mut self, at: f64, event: &Event) {
        self.now = self.now.max(at);
        let since_began = at - *self.began.get_or_insert(at);
        match event {
            Event::StageStarted { stage } => {
                self.close(at);
                self.open = Some((*stage, at));
            }
            Event::StageDone { stage, seconds } => {
                self.open = None;
                add_step(&mut self.steps, *stage, *seconds);
            }
            Event::ChunkStarted { worker, .. } => {
                self.given.remove(worker);
                self.pending.remove(worker);
            }
            Event::Copied { rows, bytes, held, worker, .. } => {
                self.curve.advance(since_began);
                self.curve.rows += rows;
                self.curve.bytes += bytes;
                self.work(at - held, at);
                self.given.insert(*worker, at);
                let pending = self.pending.entry(*worker).or_default();
                *pending = (pending.0 + rows, pending.1 + bytes);
            }
            Event::MoveRetry { .. } => {
                self.curve.advance(since_began);
                for (rows, bytes) in std::mem::take(&mut self.pending).into_values() {
                    self.curve.rows = self.curve.rows.saturating_sub(rows);
                    self.curve.bytes = self.curve.bytes.saturating_sub(bytes);
                }
            }
            Event::ChunkElsewhere { rows, bytes, .. } => {
                self.curve.advance(since_began);
                self.curve.rows += rows;
                self.curve.bytes += bytes;
            }
            Event::ChunkRetry { rows, bytes, .. } | Event::ChunkDropped { rows, bytes, .. } => {
                self.curve.advance(since_began);
                self.curve.rows = self.curve.rows.saturating_sub(*rows);
                self.curve.bytes = self.curve.bytes.saturating_sub(*bytes);
            }
            Event::ChunkDone { table, worker, seconds, waits, .. } => {
                self.pending.remove(worker);
                // Until the commit is through, the target works on what it was given.
                if let Some(given) = self.given.remove(worker) {
                    self.work(given, at);
                }
                self.waits.add(*waits);
                *self.table_seconds.entry(table.clone()).or_default() += seconds;
            }
            Event::RunDone { .. } => {
                self.close(at);
                self.curve.advance(since_began);
            }
            _ => {}
        }
    }

    /// Notes that somebody worked on a batch, when it is part of the copy.
    fn work(&mut self, from: f64, to: f64) {
        if let Some((Stage::Copy, since)) = self.open {
            self.busy.add(from.max(since), to);
        }
    }

    /// Ends a stage that an error cut off.
    fn close(&mut self, at: f64) {
        if let Some((stage, since)) = self.open.take() {
            add_step(&mut self.steps, stage, at - since);
        }
    }
}

fn add_step(steps: &mut Vec<Step>, stage: Stage, seconds: f64) {
    match steps.iter_mut().find(|step| step.name == stage.as_str()) {
        Some(step) => step.seconds += seconds,
        None => steps.push(Step { name: stage.to_string(), seconds }),
    }
}

impl Default for Curve {
    fn default() -> Self {
        Self { interval: FIRST_INTERVAL, samples: Vec::new(), rows: 0, bytes: 0 }
    }
}

impl Curve {
    /// Notes what had arrived at every sampling moment up to `at`.
    fn advance(&mut self, at: f64) {
        loop {
            #[expect(clippy::cast_precision_loss, reason = "at most 400")]
            let next = self.samples.len() as f64 * self.interval;
            if next > at {
                return;
            }
            self.samples.push(Sample { at: next, rows: self.rows, bytes: self.bytes });
            if self.samples.len() == SAMPLES {
                let mut even = false;
                self.samples.retain(|_| {
                    even = !even;
                    even
                });
                self.interval *= 2.0;
            }
        }
    }
}

impl Busy {
    /// Adds a span. Spans come in the order of their ends, about.
    fn add(&mut self, start: f64, end: f64) {
        let (mut start, mut end) = (start.max(self.horizon), end);
        if start >= end {
            return;
        }
        while let Some(&(first, last)) = self.spans.last()
            && last >= start
        {
            (start, end) = (start.min(first), end.max(last));
            self.spans.pop();
        }
        self.spans.push((start, end));
        if self.spans.len() > SPANS {
            let old = self.spans.drain(..SPANS / 2);
            let (sum, horizon) =
                old.fold((0.0, self.horizon), |(sum, _), (start, end)| (sum + end - start, end));
            self.settled += sum;
            self.horizon = horizon;
        }
    }

    fn seconds(&self) -> f64 {
        self.settled + self.spans.iter().map(|(start, end)| end - start).sum::<f64>()
    }
}
