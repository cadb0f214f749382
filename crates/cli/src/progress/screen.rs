//! The terminal under the bars. The cursor rests behind the text of the last bar, with room for two
//! `^C` that the terminal itself writes there: written into the next line, as it would be behind a
//! line of full width, it would move the bars away from where they are believed to be.

use std::io::Result;
use std::sync::atomic::{AtomicBool, Ordering};

use console::Term;
use indicatif::TermLike;

/// Columns that stay free at the end of each line.
const ROOM: u16 = 5;

#[derive(Debug)]
pub(super) struct Screen {
    term: Term,
    /// A line has been written and the cursor is still in it.
    in_line: AtomicBool,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self { term: Term::buffered_stderr(), in_line: AtomicBool::new(false) }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.term.size().1.saturating_sub(ROOM).max(1)
    }

    fn height(&self) -> u16 {
        self.term.size().0
    }

    fn move_cursor_up(&self, n: usize) -> Result<()> {
        self.term.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> Result<()> {
        self.term.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> Result<()> {
        self.term.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> Result<()> {
        self.term.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> Result<()> {
        self.term.write_line(text)
    }

    /// Indicatif writes each line, and then spaces up to the full width instead of a line break.
    fn write_str(&self, text: &str) -> Result<()> {
        if text.chars().all(|c| c == ' ') {
            self.in_line.store(true, Ordering::Relaxed);
            return self.term.write_str("\x1b[K");
        }
        if self.in_line.swap(false, Ordering::Relaxed) {
            self.term.write_str("\n")?;
        }
        self.term.write_str(text)
    }

    fn clear_line(&self) -> Result<()> {
        self.in_line.store(false, Ordering::Relaxed);
        self.term.clear_line()
    }

    fn flush(&self) -> Result<()> {
        self.term.flush()
    }
}
