//! Progress as bars: the tables at work, and the whole.

use std::collections::BTreeMap;
use std::io::{Write, stderr};
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use longshore_engine::{Event, Stage, Tally};

use super::screen::Screen;
use super::tally::line;
use longshore_service::number::{counted, grouped, seconds};

/// Bars of tables at one time, besides that of the whole.
const TABLES: usize = 11;

/// Terminals with fewer columns get shorter names and bars.
const NARROW: u16 = 72;

pub(crate) struct Bars {
    tally: Tally,
    screen: MultiProgress,
    whole: Option<ProgressBar>,
    tables: BTreeMap<String, ProgressBar>,
    layout: Layout,
    /// Tables whose study began.
    studied: usize,
}

impl Bars {
    pub(crate) fn new(colour: bool) -> Self {
        Self {
            tally: Tally::default(),
            screen: MultiProgress::with_draw_target(target()),
            whole: None,
            tables: BTreeMap::new(),
            layout: Layout::new(Term::stderr().size().1, colour),
            studied: 0,
        }
    }

    pub(crate) fn listen(&mut self, at: f64, event: &Event) {
        self.tally.listen(at, event);
        match event {
            Event::StudyStarted { table } => {
                self.studied += 1;
                let message = format!("table {}: {table}", self.studied);
                self.whole("study").set_message(message);
            }
            Event::StageStarted { stage } => {
                self.clear();
                self.whole(stage.as_str());
            }
            Event::StageDone { stage, seconds: took } => {
                self.clear();
                self.say(&format!("{stage:8} took {}", seconds(*took)));
            }
            Event::StatementDone { purpose } => {
                let purpose = purpose.clone();
                let stage = self.tally.stage.map_or("", Stage::as_str);
                self.whole(stage).set_message(purpose);
            }
            Event::ChunkStarted { table, .. } => self.show(table),
            Event::Copied { table, .. } | Event::Checked { table, .. } => self.advance(at, table),
            Event::SessionAwaited { process, .. } => {
                self.say(&format!("process {process} waits for process 0"));
            }
            Event::ChunkDropped { table, chunk, .. } => {
                self.say(&format!("{table}: chunk {chunk} is another process's now"));
            }
            Event::ChunkDone { table, .. } | Event::ChunkElsewhere { table, .. } => {
                if matches!(event, Event::ChunkElsewhere { .. }) {
                    self.advance(at, table);
                }
                let done = self
                    .tally
                    .tables
                    .get(table)
                    .is_some_and(|t| t.chunks > 0 && t.chunks_in >= t.chunks);
                if done {
                    self.hide(table);
                }
            }
            Event::ChunkRetry { table, chunk, error, .. } => {
                self.say(&format!("{table}: chunk {chunk} is tried again: {error}"));
            }
            Event::MoveRetry { error, .. } => {
                self.say(&format!("both ends are opened anew: {error}"));
            }
            Event::TableReset { table } => {
                self.say(&format!("{table} has changed in the source and is copied again"));
            }
            Event::ChunkReset { table, chunk } => {
                let changed = "has changed in the source and is copied again";
                self.say(&format!("{table}: chunk {chunk} {changed}"));
            }
            Event::TableVerified { table, rows, matches } => {
                self.hide(table);
                if !matches {
                    self.say(&format!("{table}: {}, DIFFERENT", counted(*rows, "row")));
                }
            }
            _ => {}
        }
    }

    /// Shows how far an image is on its way.
    pub(crate) fn transfer(&mut self, (moved, bytes): (u64, u64), line: String) {
        let bar = self.whole("copy");
        bar.set_prefix("image");
        bar.set_length(bytes);
        bar.set_position(moved);
        bar.set_message(line);
    }

    /// Says something above the bars.
    pub(crate) fn say(&self, text: &str) {
        // A failure means that the terminal is gone; nobody is left to be told.
        self.screen.suspend(|| {
            let _ = writeln!(stderr().lock(), "{text}");
        });
    }

    /// Takes all bars away.
    pub(crate) fn end(&mut self) {
        self.clear();
    }

    fn clear(&mut self) {
        for bar in std::mem::take(&mut self.tables).into_values().chain(self.whole.take()) {
            self.screen.remove(&bar);
        }
        // A failure to draw shows on the next bar; there is nothing to tell anyone before.
        let _ = self.screen.clear();
    }

    fn whole(&mut self, stage: &str) -> &ProgressBar {
        let (screen, layout) = (&self.screen, self.layout);
        let bar = self.whole.get_or_insert_with(|| {
            let bar = screen.add(ProgressBar::no_length().with_style(spinner()));
            bar.enable_steady_tick(Duration::from_millis(200));
            if stage == "copy" || stage == "verify" {
                bar.set_style(layout.whole());
            }
            bar
        });
        bar.set_prefix(stage.to_string());
        bar
    }

    fn show(&mut self, table: &str) {
        if self.tables.contains_key(table) || self.tables.len() >= TABLES {
            return;
        }
        let rows = self.tally.table(table).rows;
        let bar = ProgressBar::new(rows).with_style(self.layout.table());
        let bar = match &self.whole {
            Some(whole) => self.screen.insert_before(whole, bar),
            None => self.screen.add(bar),
        };
        bar.set_prefix(table.to_string());
        self.tables.insert(table.to_string(), bar);
    }

    fn hide(&mut self, table: &str) {
        if let Some(bar) = self.tables.remove(table) {
            bar.finish_and_clear();
            self.screen.remove(&bar);
        }
    }

    fn advance(&mut self, at: f64, table: &str) {
        self.show(table);
        let one = self.tally.table(table).clone();
        let rows_in = self.tally.reached(&one);
        let rows = one.rows.max(rows_in);
        if let Some(bar) = self.tables.get(table) {
            bar.set_length(rows);
            bar.set_position(rows_in);
            bar.set_message(format!("{} of {}", grouped(rows_in), counted(rows, "row")));
        }
        let ((rows, rows_in), line) = (self.tally.totals(), line(&self.tally, at));
        let stage = self.tally.stage.map_or("", Stage::as_str);
        let bar = self.whole(stage);
        bar.set_length(rows);
        bar.set_position(rows_in);
        bar.set_message(line);
    }
}

fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen::new()), 10)
}

fn spinner() -> ProgressStyle {
    style("{prefix:8!} {spinner} {wide_msg}")
}

/// How wide names and bars are.
#[derive(Debug, Clone, Copy)]
struct Layout {
    name: usize,
    bar: usize,
    colour: bool,
}

impl Layout {
    fn new(columns: u16, colour: bool) -> Self {
        let (name, bar) = if columns < NARROW { (12, 8) } else { (24, 20) };
        Self { name, bar, colour }
    }

    fn table(self) -> ProgressStyle {
        style(&format!("  {{prefix:{}!}} {{bar:{}}} {{wide_msg}}", self.name, self.bar))
    }

    fn whole(self) -> ProgressStyle {
        let colour = if self.colour { ".green" } else { "" };
        style(&format!("{{prefix:{}!}} {{bar:{}{colour}}} {{wide_msg}}", self.name + 2, self.bar))
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a valid template")
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn every_layout_is_valid() {
        for columns in [0, 40, 80, 200] {
            for colour in [false, true] {
                let layout = Layout::new(columns, colour);
                let (_, _) = (layout.table(), layout.whole());
            }
        }
    }
}
