//! Progress as plain lines: one for each table and stage, and one every ten seconds.

use std::time::Instant;

use longshore_engine::{Event, Tally};

use super::tally;
use longshore_service::number::{counted, seconds, size};

const EVERY: f64 = 10.0;

pub(crate) struct Lines {
    tally: Tally,
    start: Instant,
    /// The run's time minus ours.
    offset: f64,
    last: f64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { tally: Tally::default(), start: Instant::now(), offset: 0.0, last: 0.0 }
    }
}

impl Lines {
    /// Adds an event; returns what there is to say.
    pub(crate) fn listen(&mut self, at: f64, event: &Event) -> Option<String> {
        self.offset = at - self.start.elapsed().as_secs_f64();
        self.tally.listen(at, event);
        match self.describe(event) {
            Some(text) => {
                self.last = at;
                Some(format!("{text}\n"))
            }
            None => self.overdue(),
        }
    }

    /// The state of things, when nothing has been said for a while.
    pub(crate) fn overdue(&mut self) -> Option<String> {
        let at = self.start.elapsed().as_secs_f64() + self.offset;
        if at - self.last < EVERY {
            return None;
        }
        let stage = self.tally.stage?;
        self.last = at;
        Some(format!("{stage}: {}\n", tally::line(&self.tally, at)))
    }

    fn describe(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::StudyDone { table, rows, bytes, seconds: took } => {
                let (rows, took) = (counted(*rows, "row"), seconds(*took));
                format!("study: {table}, {rows}, {}, in {took}", size(*bytes))
            }
            Event::RunStarted { run, name, version, resumed, .. } => {
                let how = if *resumed { "goes on" } else { "begins" };
                format!("run {run} of {name} {version} {how}")
            }
            Event::MoveStarted { from, to, tables, .. } => {
                let (chunks, chunks_in) = tables
                    .iter()
                    .fold((0, 0), |sum, table| (sum.0 + table.chunks, sum.1 + table.chunks_in));
                format!("{from} → {to}: {chunks_in} of {chunks} chunks are in")
            }
            Event::StageDone { stage, seconds: took } => {
                format!("{stage}: took {}", seconds(*took))
            }
            Event::SessionAwaited { process, .. } => {
                format!("prepare: process {process} waits for process 0")
            }
            Event::ChunkDropped { table, chunk, .. } => {
                format!("copy: {table}, chunk {chunk} is another process's now")
            }
            Event::ChunkDone { table, .. } | Event::ChunkElsewhere { table, .. } => {
                let tally = self.tally.tables.get(table)?;
                if tally.chunks == 0 || tally.chunks_in != tally.chunks {
                    return None;
                }
                let (rows, bytes) = (counted(tally.rows_in, "row"), size(tally.bytes_in));
                format!("copy: {table}, {rows}, {bytes}, is in")
            }
            Event::ChunkRetry { table, chunk, attempt, error, pause_seconds, .. } => format!(
                "copy: {table}, chunk {chunk} failed at attempt {attempt} and is tried again in {}: {error}",
                seconds(*pause_seconds)
            ),
            Event::MoveRetry { attempt, error, pause_seconds, .. } => format!(
                "attempt {attempt} failed; both ends are opened anew in {}: {error}",
                seconds(*pause_seconds)
            ),
            Event::TableReset { table } => {
                format!("copy: {table} has changed in the source and is copied again")
            }
            Event::ChunkReset { table, chunk } => {
                format!(
                    "prepare: {table}, chunk {chunk} has changed in the source and is copied again"
                )
            }
            Event::StatementDone { purpose } => format!("finish: {purpose}"),
            Event::TableVerified { table, rows, matches } => {
                let verdict = if *matches { "equal" } else { "DIFFERENT" };
                format!("verify: {table}, {}, {verdict}", counted(*rows, "row"))
            }
            _ => return None,
        })
    }
}
