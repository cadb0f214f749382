//! The one place that writes to the standard output and the standard error.

use std::io::{ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_model::{Error, Result};

/// The terminal, or what stands in its place.
#[derive(Clone)]
pub(crate) struct Output {
    shared: Arc<Mutex<State>>,
    /// Whether the standard output may hold colours.
    pub(crate) colour: bool,
    /// Whether the standard error may hold colours.
    pub(crate) colour_errors: bool,
    /// Whether the standard error is a terminal that can move its cursor.
    pub(crate) live: bool,
}

#[derive(Default)]
struct State {
    closed: bool,
    error: Option<std::io::Error>,
}

/// How a text is shown on a terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    Bold,
    Red,
    Green,
    Yellow,
    Dim,
}

impl Output {
    /// The terminal of this process. `NO_COLOR` and `TERM=dumb` are honoured.
    pub(crate) fn of_process() -> Self {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        let colours = set("NO_COLOR").is_none() && !dumb;
        Self {
            shared: Arc::default(),
            colour: colours && stdout().is_terminal(),
            colour_errors: colours && stderr().is_terminal(),
            live: !dumb && stderr().is_terminal(),
        }
    }

    /// Writes to the standard output. A reader that has gone is no error: what follows is dropped.
    /// Any other failure shows when [`Self::close`] is called.
    pub(crate) fn print(&self, text: &str) {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return;
        }
        let mut stream = stdout().lock();
        if let Err(error) = stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
            state.closed = true;
            state.error = (error.kind() != ErrorKind::BrokenPipe).then_some(error);
        }
    }

    /// Writes to the standard error. A failure there cannot be told to anyone.
    pub(crate) fn note(&self, text: &str) {
        let _ = stderr().lock().write_all(text.as_bytes());
    }

    /// An error when something that was printed is lost.
    pub(crate) fn close(&self) -> Result<()> {
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        match state.error.take() {
            None => Ok(()),
            Some(error) => Err(Error::io("write to the standard output", "stdout", error)),
        }
    }

    /// A text for the standard output, with a style when it may have one.
    pub(crate) fn styled(&self, style: Style, text: &str) -> String {
        if self.colour { paint(style, text) } else { text.to_string() }
    }

    /// A text for the standard error, with a style when it may have one.
    pub(crate) fn styled_note(&self, style: Style, text: &str) -> String {
        if self.colour_errors { paint(style, text) } else { text.to_string() }
    }
}

fn paint(style: Style, text: &str) -> String {
    let code = match style {
        Style::Bold => "1",
        Style::Red => "1;31",
        Style::Green => "32",
        Style::Yellow => "33",
        Style::Dim => "2",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}
