//! Progress: a consumer of the engine's events. Bars on a terminal, lines elsewhere, JSON on
//! request.

mod bars;
mod lines;
mod screen;
mod tally;
mod transfer;

use std::sync::{Arc, Mutex, PoisonError};

use longshore_engine::{Event, Events};
use longshore_image::registry::{Listener, TransferEvent};
use longshore_service::{Service, event_line, parse_event_line};

use crate::output::Output;
use bars::Bars;
use lines::Lines;
use transfer::Transfer;

/// Shows what a run does.
#[derive(Clone)]
pub(crate) struct Progress(Arc<Mode>, Arc<Mutex<Transfer>>);

enum Mode {
    Silent(Output),
    Json(Output, Arc<Service>),
    Lines(Output, Mutex<Lines>),
    Bars(Mutex<Bars>),
}

impl Progress {
    /// The form that fits the terminal and what the caller asked for.
    pub(crate) fn new(output: &Output, service: &Arc<Service>, json: bool, quiet: bool) -> Self {
        let mode = Arc::new(if json {
            Mode::Json(output.clone(), service.clone())
        } else if quiet {
            Mode::Silent(output.clone())
        } else if output.live {
            Mode::Bars(Mutex::new(Bars::new(output.colour_errors)))
        } else {
            Mode::Lines(output.clone(), Mutex::new(Lines::default()))
        });
        Self(mode, Arc::default())
    }

    /// A stream of events that ends here.
    pub(crate) fn events(&self) -> Events {
        let mode = self.0.clone();
        Events::new(move |at, event| mode.listen(at, event))
    }

    /// Listens to images on their way.
    pub(crate) fn listener(&self) -> Listener {
        let (mode, transfer) = (self.0.clone(), self.1.clone());
        Listener::new(move |event| mode.transfer(&event, &transfer))
    }

    /// Takes a line of events that another process wrote with `--json`.
    pub(crate) fn relay(&self, line: &str) {
        if let Mode::Json(output, _) = &*self.0 {
            return output.print(&format!("{line}\n"));
        }
        // Results and errors have their own lines, which are no events of the engine.
        if let Some((at, event)) = parse_event_line(line) {
            self.0.listen(at, &event);
        }
    }

    /// Says that time has passed, about every second.
    pub(crate) fn tick(&self) {
        if let Mode::Lines(output, lines) = &*self.0 {
            let line = self.1.lock().unwrap_or_else(PoisonError::into_inner).overdue();
            if let Some(line) = line {
                output.note(&format!("{line}\n"));
            }
            let line = lines.lock().unwrap_or_else(PoisonError::into_inner).overdue();
            if let Some(line) = line {
                output.note(&line);
            }
        }
    }

    /// Says something between the lines.
    pub(crate) fn say(&self, text: &str) {
        match &*self.0 {
            Mode::Silent(output) | Mode::Json(output, _) | Mode::Lines(output, _) => {
                output.note(&format!("{text}\n"));
            }
            Mode::Bars(bars) => bars.lock().unwrap_or_else(PoisonError::into_inner).say(text),
        }
    }

    /// Takes the bars away.
    pub(crate) fn end(&self) {
        if let Mode::Bars(bars) = &*self.0 {
            bars.lock().unwrap_or_else(PoisonError::into_inner).end();
        }
    }
}

impl Mode {
    fn transfer(&self, event: &TransferEvent, transfer: &Mutex<Transfer>) {
        let mut transfer = transfer.lock().unwrap_or_else(PoisonError::into_inner);
        let said = transfer.listen(event);
        match self {
            Mode::Silent(_) => {}
            // Pieces are too many for lines.
            Mode::Json(..) if matches!(event, TransferEvent::BlobMoved { .. }) => {}
            Mode::Json(output, _) => {
                if let Ok(line) = serde_json::to_string(event) {
                    output.print(&format!("{line}\n"));
                }
            }
            Mode::Lines(output, _) => {
                if let Some(line) = said {
                    output.note(&format!("{line}\n"));
                }
            }
            Mode::Bars(bars) => {
                let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
                bars.transfer(transfer.totals(), transfer.line());
                if let Some(line) = said {
                    bars.say(&line);
                }
            }
        }
    }

    fn listen(&self, at: f64, event: &Event) {
        match self {
            Mode::Silent(_) => {}
            Mode::Json(output, service) => {
                if let Ok(line) = event_line(at, event, service.secrets()) {
                    output.print(&line);
                }
            }
            Mode::Lines(output, lines) => {
                let line = lines.lock().unwrap_or_else(PoisonError::into_inner).listen(at, event);
                if let Some(line) = line {
                    output.note(&line);
                }
            }
            Mode::Bars(bars) => {
                bars.lock().unwrap_or_else(PoisonError::into_inner).listen(at, event);
            }
        }
    }
}
