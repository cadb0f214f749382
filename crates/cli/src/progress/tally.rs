//! The sums over the events of one stage.

use std::collections::BTreeMap;

use longshore_engine::Event;

use longshore_service::number::{counted, grouped, per_second, seconds, size};

/// What one table has reached.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableTally {
    pub(crate) rows: u64,
    pub(crate) chunks: usize,
    pub(crate) rows_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) chunks_in: usize,
}

/// What a move has reached.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) stage: &'static str,
    pub(crate) tables: BTreeMap<String, TableTally>,
    /// When the stage began, in seconds since the run did.
    began: f64,
    /// What this attempt has done in this stage.
    rows: u64,
    bytes: u64,
}

impl Tally {
    /// Adds an event.
    pub(crate) fn listen(&mut self, at: f64, event: &Event) {
        match event {
            Event::MoveStarted { tables, .. } => {
                self.tables = tables.iter().map(|t| (t.table.clone(), t.into())).collect();
            }
            Event::StageStarted { stage } => self.begin(stage, at),
            Event::Copied { table, rows, bytes, .. } => {
                self.rows += rows;
                self.bytes += bytes;
                let table = self.table(table);
                table.rows_in += rows;
                table.bytes_in += bytes;
            }
            Event::ChunkRetry { table, rows, bytes, .. } => {
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
                self.table(table).rows_in += rows;
            }
            _ => {}
        }
    }

    fn begin(&mut self, stage: &'static str, at: f64) {
        (self.stage, self.began, self.rows, self.bytes) = (stage, at, 0, 0);
        if stage == "verify" {
            for table in self.tables.values_mut() {
                table.rows = table.rows.max(table.rows_in);
                (table.rows_in, table.bytes_in) = (0, 0);
            }
        }
    }

    /// A table, which events may name before the move does.
    pub(crate) fn table(&mut self, name: &str) -> &mut TableTally {
        self.tables.entry(name.to_string()).or_default()
    }

    /// Rows expected and rows in.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.tables.values().fold((0, 0), |(rows, rows_in), table| {
            (rows + table.rows.max(table.rows_in), rows_in + table.rows_in)
        })
    }

    /// `45 %, 1,234 of 2,000 rows, 12.3 MiB/s, about 5 s left`. The time left follows from what
    /// this attempt has reached so far.
    pub(crate) fn line(&self, at: f64) -> String {
        let (rows, rows_in) = self.totals();
        let elapsed = at - self.began;
        let rate = per_second(self.rows, elapsed);
        let mut out = match rows {
            0 => counted(rows_in, "row"),
            _ => format!(
                "{} %, {} of {}",
                u128::from(rows_in) * 100 / u128::from(rows),
                grouped(rows_in),
                counted(rows, "row")
            ),
        };
        out.push_str(&format!(", {} rows/s", grouped(rate)));
        if self.bytes > 0 {
            out.push_str(&format!(", {}/s", size(per_second(self.bytes, elapsed))));
        }
        if let Some(left) = (rows - rows_in).checked_div(rate).filter(|_| rows > rows_in) {
            #[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
            let left = (left + 1) as f64;
            out.push_str(&format!(", about {} left", seconds(left)));
        }
        out
    }
}

impl From<&longshore_engine::TableTotals> for TableTally {
    fn from(totals: &longshore_engine::TableTotals) -> Self {
        Self {
            rows: totals.rows,
            chunks: totals.chunks,
            rows_in: totals.rows_in,
            bytes_in: totals.bytes_in,
            chunks_in: totals.chunks_in,
        }
    }
}
