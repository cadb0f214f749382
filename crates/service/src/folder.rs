//! The folder of one run.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use longshore_engine::Event;
use longshore_engine::report::{Report, render_html};
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::secret::Secrets;
use crate::store::RunFolder;

/// Writes a file so that its old content is there until the new one is, whole.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = File::create(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        Error::io("write the file", path.display(), error)
    })
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "event", rename = "report")]
struct ReportLine<R> {
    report: R,
}

/// A report as one line of JSON, for whoever cannot read the folder of its run.
pub fn report_line(report: &Report) -> Result<String> {
    serde_json::to_string(&ReportLine { report })
        .map_err(|error| Error::new(Code::Internal, "the report cannot be written").because(error))
}

/// A report out of a line that [`report_line`] made.
pub fn parse_report_line(line: &str) -> Option<Report> {
    serde_json::from_str::<ReportLine<Report>>(line).ok().map(|line| line.report)
}

impl RunFolder {
    /// Writes `report.json` and `report.html`, without the values of secrets, and returns the
    /// report as it was written.
    pub(crate) fn write_report(&self, report: &Report, secrets: &Secrets) -> Result<Report> {
        let broken = |error: serde_json::Error| {
            Error::new(Code::Internal, "the report cannot be written").because(error)
        };
        let mut json = serde_json::to_value(report).map_err(broken)?;
        secrets.redact_json(&mut json);
        let mut text = serde_json::to_string_pretty(&json).map_err(broken)?;
        text.push('\n');
        let clean: Report = serde_json::from_value(json).map_err(broken)?;
        write_whole(&self.path.join("report.html"), render_html(&clean).as_bytes())?;
        write_whole(&self.path.join("report.json"), text.as_bytes())?;
        Ok(clean)
    }

    /// Reads the report.
    pub fn report(&self) -> Result<Report> {
        let path = self.path.join("report.json");
        let bytes = std::fs::read(&path).map_err(|error| {
            Error::io("read the report of the run", path.display(), error)
                .hint("A run that was killed leaves no report; run the migration again to go on.")
        })?;
        serde_json::from_slice(&bytes).map_err(|error| {
            Error::new(Code::SpecInvalid, "the report is not valid")
                .with("path", path.display().to_string())
                .because(error)
        })
    }
}

/// The events of a run, one JSON object a line, in `events.jsonl`.
#[derive(Clone)]
pub(crate) struct EventLog(Arc<Mutex<State>>);

struct State {
    file: BufWriter<File>,
    error: Option<std::io::Error>,
}

#[derive(Serialize)]
struct Line<'a> {
    at: f64,
    #[serde(flatten)]
    event: &'a Event,
}

impl EventLog {
    pub(crate) fn create(folder: &RunFolder) -> Result<Self> {
        let path = folder.path.join("events.jsonl");
        let file = File::create(&path)
            .map_err(|error| Error::io("write the events", path.display(), error))?;
        Ok(Self(Arc::new(Mutex::new(State { file: BufWriter::new(file), error: None }))))
    }

    /// Adds an event. A failure is kept for [`Self::close`]: it must not end the run.
    pub(crate) fn add(&self, at: f64, event: &Event, secrets: &Secrets) {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.error.is_some() {
            return;
        }
        let frequent = matches!(event, Event::Copied { .. } | Event::Checked { .. });
        let written = event_line(at, event, secrets).and_then(|line| {
            state.file.write_all(line.as_bytes())?;
            if frequent { Ok(()) } else { state.file.flush() }
        });
        state.error = written.err();
    }

    /// Writes what is left; an error when any event is missing from the file.
    pub(crate) fn close(&self) -> Result<()> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let flushed = state.file.flush();
        match state.error.take().or(flushed.err()) {
            None => Ok(()),
            Some(error) => Err(Error::io("write all events", "events.jsonl", error)),
        }
    }
}

/// One event as a line of JSON, with the seconds since the start under `at`.
pub fn event_line(at: f64, event: &Event, secrets: &Secrets) -> std::io::Result<String> {
    let mut value = serde_json::to_value(Line { at: (at * 1000.0).round() / 1000.0, event })?;
    if !secrets.is_empty() {
        secrets.redact_json(&mut value);
    }
    Ok(format!("{value}\n"))
}

/// The event of such a line, with its time; `None` for what is no event of the engine.
pub fn parse_event_line(line: &str) -> Option<(f64, Event)> {
    #[derive(serde::Deserialize)]
    struct Told {
        at: f64,
        #[serde(flatten)]
        event: Event,
    }
    let told: Told = serde_json::from_str(line).ok()?;
    Some((told.at, told.event))
}
