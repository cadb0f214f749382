//! What a run that is at work has reached, for whoever looks at it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use longshore_engine::report::Recorder;
use longshore_engine::{Cancel, Event, Stage, TableTally, Tally};
use longshore_model::{Code, Error, Result};

use super::book::Route;
use super::progress::{Lane, Message, Point, Progress, StepTime, TableProgress};
use crate::RunFolder;
use crate::folder::write_whole;

/// The file in a run's folder that keeps what it had reached at its end.
const FILE: &str = "progress.json";
/// Messages that are kept; older ones are in the log.
const MESSAGES: usize = 200;

/// A run that is at work.
#[derive(Default)]
pub struct Live {
    cancel: Cancel,
    recorder: Recorder,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// When the last event came, on our clock and on the run's.
    clock: Option<(Instant, f64)>,
    studying: bool,
    /// The moves that are over.
    over: Vec<BTreeMap<String, TableTally>>,
    now: Tally,
    move_index: usize,
    routes: Vec<Route>,
    lanes: BTreeMap<usize, Lane>,
    messages: VecDeque<(u64, Message)>,
    /// Counts events.
    tick: u64,
    /// The tick at which a table changed last, by its move and name.
    touched: BTreeMap<(usize, String), u64>,
}

/// How much of a progress somebody has seen.
#[derive(Debug, Clone, Default)]
pub struct Mark {
    tick: u64,
    at: Option<f64>,
}

impl Live {
    /// The request to stop.
    pub fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Adds an event of the run.
    pub fn listen(&self, at: f64, event: &Event) {
        self.recorder.listen(at, event);
        self.inner().listen(at, event);
    }

    /// Notes what an engine elsewhere has to say beside its events.
    pub(super) fn warn(&self, text: String) {
        let mut inner = self.inner();
        inner.tick += 1;
        let at = inner.at();
        inner.say(Message { at, level: "warning".to_string(), text });
    }

    /// What it has reached. With a mark of an earlier call: what has changed since of tables, samples and
    /// messages, and all of the rest.
    pub fn progress(&self, mark: &mut Mark) -> Progress {
        let (steps, performance) = (self.recorder.steps(), self.recorder.performance());
        let samples = self.recorder.samples();
        let inner = self.inner();
        let (seen, since) = (mark.tick, mark.at);
        *mark = Mark { tick: inner.tick, at: samples.last().map(|sample| sample.at).or(since) };
        let at = inner.at();
        let all = || inner.tables();
        let sum = |of: fn(&TableTally) -> u64| all().map(|(_, _, table)| of(table)).sum();
        Progress {
            stage: inner.stage(),
            steps: steps.iter().map(StepTime::from).collect(),
            elapsed: at,
            rows: sum(|table| table.rows_in),
            rows_expected: sum(|table| table.rows.max(table.rows_in)),
            bytes: sum(|table| table.bytes_in),
            bytes_expected: sum(|table| table.bytes.max(table.bytes_in)),
            checked: sum(|table| table.checked),
            rows_per_second: inner.now.rate(at),
            bytes_per_second: inner.now.byte_rate(at),
            seconds_left: inner.now.left(at),
            moves: inner.routes.clone(),
            tables: all()
                .filter(|(index, name, _)| seen == 0 || inner.touched(*index, name) > seen)
                .map(|(index, name, table)| TableProgress::of(index, name, table))
                .collect(),
            workers: inner.lanes.values().cloned().collect(),
            performance: performance.into(),
            samples: samples
                .iter()
                .filter(|sample| since.is_none_or(|since| sample.at > since))
                .map(Point::from)
                .collect(),
            messages: inner
                .messages
                .iter()
                .filter(|(tick, _)| *tick > seen)
                .map(|(_, message)| message.clone())
                .collect(),
        }
    }

    /// Keeps what it has reached beside its report.
    pub(super) fn keep(&self, folder: &RunFolder) -> Result<()> {
        let progress = self.progress(&mut Mark::default());
        let json =
            serde_json::to_vec(&Progress { workers: Vec::new(), seconds_left: None, ..progress })
                .map_err(|error| {
                Error::new(Code::Internal, "the progress cannot be written").because(error)
            })?;
        write_whole(&folder.path.join(FILE), &json)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a run had reached at its end; nothing, when it did not get so far.
pub(super) fn read(folder: &RunFolder) -> Result<Option<Progress>> {
    let path = folder.path.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            Error::io("read the progress of the run", path.display(), error.into())
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read the progress of the run", path.display(), error)),
    }
}

impl Inner {
    fn listen(&mut self, at: f64, event: &Event) {
        self.clock = Some((Instant::now(), at));
        self.tick += 1;
        if let Event::MoveStarted { index, from, to, .. } = event {
            self.begin_move(*index, from, to);
        }
        self.now.listen(at, event);
        self.lanes(at, event);
        if let Some(table) = table_of(event) {
            self.touch(table);
        }
        match event {
            Event::StudyStarted { .. } => self.studying = true,
            Event::RunStarted { .. } => self.studying = false,
            Event::StageStarted { stage: Stage::Verify } | Event::MoveStarted { .. } => {
                let all: Vec<String> = self.now.tables.keys().cloned().collect();
                all.iter().for_each(|table| self.touch(table));
            }
            _ => {}
        }
        if let Some((level, text)) = said(event) {
            self.say(Message { at, level: level.to_string(), text });
        }
    }

    fn say(&mut self, message: Message) {
        self.messages.push_back((self.tick, message));
        if self.messages.len() > MESSAGES {
            self.messages.pop_front();
        }
    }

    fn touch(&mut self, table: &str) {
        let key = (self.move_index, table.to_string());
        self.touched.insert(key, self.tick);
    }

    fn touched(&self, index: usize, name: &str) -> u64 {
        self.touched.get(&(index, name.to_string())).copied().unwrap_or_default()
    }

    /// A move begins, or begins again with both ends opened anew.
    fn begin_move(&mut self, index: usize, from: &str, to: &str) {
        if index > self.move_index {
            self.over.resize_with(index, BTreeMap::new);
            self.over[self.move_index] = std::mem::take(&mut self.now.tables);
        }
        (self.studying, self.move_index) = (false, index);
        self.lanes.clear();
        let route = Route { from: from.to_string(), to: to.to_string() };
        self.routes.truncate(index);
        self.routes.push(route);
    }

    fn lanes(&mut self, at: f64, event: &Event) {
        match event {
            Event::ChunkStarted { table, chunk, worker } => {
                let (worker, table, chunk) = (*worker, Some(table.clone()), Some(*chunk));
                self.lanes.insert(worker, Lane { worker, table, chunk, rows: 0, since: at });
            }
            Event::Copied { worker, rows, .. } => {
                let lane = self.lanes.entry(*worker).or_default();
                (lane.worker, lane.rows) = (*worker, lane.rows + rows);
            }
            Event::ChunkDone { worker, .. } => {
                let worker = *worker;
                self.lanes.insert(worker, Lane { worker, since: at, ..Lane::default() });
            }
            Event::StageDone { stage: Stage::Copy, .. } => self.lanes.clear(),
            _ => {}
        }
    }

    /// Seconds since the attempt began, now.
    fn at(&self) -> f64 {
        self.clock.map_or(0.0, |(then, at)| at + then.elapsed().as_secs_f64())
    }

    fn stage(&self) -> Option<String> {
        match self.now.stage {
            Some(stage) => Some(stage.to_string()),
            None => self.studying.then(|| "study".to_string()),
        }
    }

    fn tables(&self) -> impl Iterator<Item = (usize, &str, &TableTally)> {
        let over = self.over.iter().enumerate();
        let over = over.filter(|(index, _)| *index < self.move_index);
        let now = std::iter::once((self.move_index, &self.now.tables));
        over.chain(now).flat_map(|(index, tables)| {
            tables.iter().map(move |(name, table)| (index, name.as_str(), table))
        })
    }
}

fn table_of(event: &Event) -> Option<&str> {
    match event {
        Event::Copied { table, .. }
        | Event::ChunkRetry { table, .. }
        | Event::ChunkDropped { table, .. }
        | Event::ChunkElsewhere { table, .. }
        | Event::ChunkDone { table, .. }
        | Event::TableReset { table }
        | Event::ChunkReset { table, .. }
        | Event::Checked { table, .. }
        | Event::TableVerified { table, .. } => Some(table),
        _ => None,
    }
}

/// What an event has to say to people.
fn said(event: &Event) -> Option<(&'static str, String)> {
    Some(match event {
        Event::RunStarted { resumed: true, .. } => {
            ("info", "it goes on with what is in the target".to_string())
        }
        Event::StageDone { stage, seconds } => {
            ("info", format!("{stage} took {}", crate::number::seconds(*seconds)))
        }
        Event::StatementDone { purpose } => ("info", purpose.clone()),
        Event::ChunkRetry { table, chunk, error, .. } => {
            ("warning", format!("{table}: chunk {chunk} is tried again: {error}"))
        }
        Event::ChunkDropped { table, chunk, error, .. } => {
            ("warning", format!("{table}: chunk {chunk} is another process's: {error}"))
        }
        Event::MoveRetry { error, .. } => {
            ("warning", format!("both ends are opened anew: {error}"))
        }
        Event::TableReset { table } => {
            ("warning", format!("{table} has changed in the source and is copied again"))
        }
        Event::ChunkReset { table, chunk } => (
            "warning",
            format!("{table}: chunk {chunk} has changed in the source and is copied again"),
        ),
        Event::TableVerified { table, matches: false, .. } => ("error", format!("{table} differs")),
        _ => return None,
    })
}
