//! The sums over the events of one stage.

use std::collections::BTreeMap;

use longshore_engine::{Event, Stage};

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
    pub(crate) stage: Option<Stage>,
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
                self.table(table).rows_in += rows;
            }
            _ => {}
        }
    }

    fn begin(&mut self, stage: Stage, at: f64) {
        (self.stage, self.began, self.rows, self.bytes) = (Some(stage), at, 0, 0);
        if stage == Stage::Verify {
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

    /// `45 %, 5 s left, 12.3 MiB/s, 1,234 of 2,000 rows, 600 rows/s`: what matters most
    /// comes first, for narrow terminals. The time left follows from what this attempt has reached.
    pub(crate) fn line(&self, at: f64) -> String {
        if self.stage == Some(Stage::References) {
            return "the names in the rows are looked for".to_string();
        }
        let (rows, rows_in) = self.totals();
        let elapsed = at - self.began;
        let rate = per_second(self.rows, elapsed);
        let mut parts = Vec::new();
        if let Some(share) = (u128::from(rows_in) * 100).checked_div(u128::from(rows)) {
            parts.push(format!("{share} %"));
        }
        if let Some(left) = (rows - rows_in).checked_div(rate).filter(|_| rows > rows_in) {
            parts.push(format!("{} left", whole_seconds(left + 1)));
        }
        if self.bytes > 0 {
            parts.push(format!("{}/s", size(per_second(self.bytes, elapsed))));
        }
        parts.push(match rows {
            0 => counted(rows_in, "row"),
            _ => format!("{} of {}", grouped(rows_in), counted(rows, "row")),
        });
        parts.push(format!("{} rows/s", grouped(rate)));
        parts.join(", ")
    }
}

/// A time that is a guess, without a fraction.
fn whole_seconds(left: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown in minutes and seconds")]
    let text = seconds(left as f64);
    text.replace(".0 s", " s")
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

#[cfg(test)]
mod tests {
    use longshore_engine::{Event, Stage};

    use super::{TableTally, Tally};

    #[test]
    fn the_line_says_first_what_matters_most() {
        let mut tally = Tally::default();
        let whole = TableTally { rows: 2_000, chunks: 2, ..TableTally::default() };
        tally.tables.insert("orders".to_string(), whole);
        tally.listen(1.0, &Event::StageStarted { stage: Stage::Copy });
        let copied = Event::Copied {
            table: "orders".to_string(),
            worker: 0,
            rows: 500,
            bytes: 5 << 20,
            held: 0.0,
        };
        tally.listen(2.0, &copied);
        let line = "25 %, 4 s left, 5.0 MiB/s, 500 of 2,000 rows, 500 rows/s";
        assert_eq!(tally.line(2.0), line);
        assert_eq!(Tally::default().line(0.0), "0 rows, 0 rows/s");
    }
}
