//! The sums over the events of a run, for whoever shows them while it goes on.

use std::collections::BTreeMap;

use crate::event::{Event, Stage, TableTotals};

/// What one table has reached.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableTally {
    /// Rows that the plan counted.
    pub rows: u64,
    /// Bytes, about.
    pub bytes: u64,
    /// Chunks.
    pub chunks: usize,
    /// Rows that are in.
    pub rows_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Chunks that are in.
    pub chunks_in: usize,
    /// Rows that were read back from the target.
    pub checked: u64,
    /// Whether the target's rows are the source's; `None` before that is known.
    pub matches: Option<bool>,
}

/// What a move has reached.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The stage that began last.
    pub stage: Option<Stage>,
    /// The tables of the move, by their names in the target.
    pub tables: BTreeMap<String, TableTally>,
    /// When the stage began, in seconds since the run did.
    pub began: f64,
    /// Rows that this attempt has done in this stage.
    pub rows: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Tally {
    /// Adds an event.
    pub fn listen(&mut self, at: f64, event: &Event) {
        match event {
            Event::MoveStarted { tables, .. } => {
                self.tables = tables.iter().map(|t| (t.table.clone(), t.into())).collect();
            }
            Event::StageStarted { stage } => self.begin(*stage, at),
            Event::Copied { table, rows, bytes, .. } => {
                self.rows += rows;
                self.bytes += bytes;
                let table = self.table(table);
                table.rows_in += rows;
                table.bytes_in += bytes;
            }
            Event::ChunkElsewhere { table, rows, bytes, .. } => {
                self.rows += rows;
                self.bytes += bytes;
                let table = self.table(table);
                table.rows_in += rows;
                table.bytes_in += bytes;
                table.chunks_in += 1;
            }
            Event::ChunkRetry { table, rows, bytes, .. }
            | Event::ChunkDropped { table, rows, bytes, .. } => {
                self.rows = self.rows.saturating_sub(*rows);
                self.bytes = self.bytes.saturating_sub(*bytes);
                let table = self.table(table);
                table.rows_in = table.rows_in.saturating_sub(*rows);
                table.bytes_in = table.bytes_in.saturating_sub(*bytes);
            }
            Event::ChunkDone { table, .. } => self.table(table).chunks_in += 1,
            Event::TableReset { table } => {
                let table = self.table(table);
                (table.rows_in, table.bytes_in, table.chunks_in) = (0, 0, 0);
            }
            Event::Checked { table, rows } => {
                self.rows += rows;
                self.table(table).checked += rows;
            }
            Event::TableVerified { table, matches, .. } => {
                self.table(table).matches = Some(*matches);
            }
            _ => {}
        }
    }

    fn begin(&mut self, stage: Stage, at: f64) {
        (self.stage, self.began, self.rows, self.bytes) = (Some(stage), at, 0, 0);
        if stage == Stage::Verify {
            for table in self.tables.values_mut() {
                table.rows = table.rows.max(table.rows_in);
                (table.checked, table.matches) = (0, None);
            }
        }
    }

    /// A table, which events may name before the move does.
    pub fn table(&mut self, name: &str) -> &mut TableTally {
        if !self.tables.contains_key(name) {
            self.tables.insert(name.to_string(), TableTally::default());
        }
        self.tables.get_mut(name).expect("inserted above")
    }

    /// The rows that a table has reached in this stage: those that are in, or those that were read back.
    pub fn reached(&self, table: &TableTally) -> u64 {
        if self.stage == Some(Stage::Verify) { table.checked } else { table.rows_in }
    }

    /// Rows expected and rows reached in this stage.
    pub fn totals(&self) -> (u64, u64) {
        self.tables.values().fold((0, 0), |(rows, reached), table| {
            let now = self.reached(table);
            (rows + table.rows.max(now), reached + now)
        })
    }

    /// Rows in a second, on average over what this attempt did in this stage.
    pub fn rate(&self, at: f64) -> f64 {
        per_second(self.rows, at - self.began)
    }

    /// Bytes in a second, in the same way.
    pub fn byte_rate(&self, at: f64) -> f64 {
        per_second(self.bytes, at - self.began)
    }

    /// The seconds that are left of this stage, when it goes on as it went.
    pub fn left(&self, at: f64) -> Option<f64> {
        let ((rows, reached), rate) = (self.totals(), self.rate(at));
        #[expect(clippy::cast_precision_loss, reason = "a guess of seconds")]
        let left = (rows > reached && rate >= 1.0).then(|| (rows - reached) as f64 / rate);
        left
    }
}

fn per_second(amount: u64, seconds: f64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let rate = if seconds > 0.0 { amount as f64 / seconds } else { 0.0 };
    rate
}

impl From<&TableTotals> for TableTally {
    fn from(totals: &TableTotals) -> Self {
        Self {
            rows: totals.rows,
            bytes: totals.bytes,
            chunks: totals.chunks,
            rows_in: totals.rows_in,
            bytes_in: totals.bytes_in,
            chunks_in: totals.chunks_in,
            ..Self::default()
        }
    }
}
