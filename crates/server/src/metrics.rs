//! The numbers in the form that Prometheus reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use longshore_model::Result;
use longshore_registry::{NumberPage, Sort};
use longshore_service::control::{Mark, Progress};

use crate::App;

/// The type of the page.
pub(crate) const PAGE: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Numbers begin with this.
const PREFIX: &str = "longshore_";

/// Requests that were answered.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeMap<Kind, (u64, Duration)>>);

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    method: String,
    route: String,
    status: u16,
}

/// Counts a request.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_string();
    // Methods are few, whatever clients send.
    let known = ["GET", "HEAD", "POST", "DELETE"];
    let method =
        known.into_iter().find(|one| request.method() == one).unwrap_or("other").to_string();
    let start = std::time::Instant::now();
    let answer = next.run(request).await;
    let kind = Kind { method, route, status: answer.status().as_u16() };
    let mut all = app.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    let entry = all.entry(kind).or_default();
    *entry = (entry.0 + 1, entry.1 + start.elapsed());
    answer
}

/// All numbers.
pub(crate) fn page(app: &App) -> Result<String> {
    let mut page = NumberPage::of(PREFIX);
    page.head("build_info", Sort::Gauge, "The version that serves.");
    page.line("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.gauge("up_seconds", "Seconds since the start.", app.control.up().as_secs_f64());
    requests(app, &mut page);
    page.head("runs", Sort::Gauge, "Runs that are kept, by where they stand or how they ended.");
    for (state, count) in app.control.counts()? {
        page.line("runs", &[("state", &state)], count);
    }
    at_work(app, &mut page)?;
    let mut text = page.text();
    if let Some(registry) = &app.registry {
        let told = registry.house.meter.text(&registry.store);
        text.push_str(&told.map_err(|fault| {
            fault.into_error("the registry cannot be measured", registry.store.root())
        })?);
    }
    Ok(text)
}

fn requests(app: &App, page: &mut NumberPage) {
    let all = app.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    page.head("http_requests_total", Sort::Counter, "Requests to the API and the dashboard.");
    for (kind, (count, _)) in all.iter() {
        let status = kind.status.to_string();
        let labels = [("method", &*kind.method), ("route", &*kind.route), ("status", &*status)];
        page.line("http_requests_total", &labels, count);
    }
    page.head("http_request_seconds_total", Sort::Counter, "Seconds until their answers began.");
    for (kind, (_, seconds)) in all.iter() {
        let status = kind.status.to_string();
        let labels = [("method", &*kind.method), ("route", &*kind.route), ("status", &*status)];
        page.line("http_request_seconds_total", &labels, seconds.as_secs_f64());
    }
}

/// A number of a run.
struct Figure {
    name: &'static str,
    sort: Sort,
    about: &'static str,
    of: fn(&Progress) -> Vec<(&'static str, f64)>,
}

#[expect(clippy::cast_precision_loss, reason = "numbers of Prometheus are floats")]
const FIGURES: &[Figure] = &[
    Figure {
        name: "run_rows",
        sort: Sort::Gauge,
        about: "Rows of a run that are in.",
        of: |progress| vec![("", progress.rows as f64)],
    },
    Figure {
        name: "run_rows_expected",
        sort: Sort::Gauge,
        about: "Rows that its plan counted.",
        of: |progress| vec![("", progress.rows_expected as f64)],
    },
    Figure {
        name: "run_rows_checked",
        sort: Sort::Gauge,
        about: "Rows that were read back from its target.",
        of: |progress| vec![("", progress.checked as f64)],
    },
    Figure {
        name: "run_bytes",
        sort: Sort::Gauge,
        about: "Bytes of a run that are in.",
        of: |progress| vec![("", progress.bytes as f64)],
    },
    Figure {
        name: "run_bytes_expected",
        sort: Sort::Gauge,
        about: "Bytes that its plan counted, about.",
        of: |progress| vec![("", progress.bytes_expected as f64)],
    },
    Figure {
        name: "run_seconds",
        sort: Sort::Gauge,
        about: "Seconds since its attempt began.",
        of: |progress| vec![("", progress.elapsed)],
    },
    Figure {
        name: "run_performance_ratio",
        sort: Sort::Gauge,
        about: "P: all time of the copy by the time in which a worker had a batch in hand; 1 is the best.",
        of: |progress| vec![("", progress.performance.ratio)],
    },
    Figure {
        name: "run_wait_seconds",
        sort: Sort::Gauge,
        about: "Seconds of its workers, by what they waited for.",
        of: |progress| {
            let waits = &progress.performance.waits;
            vec![
                ("source", waits.source),
                ("target", waits.target),
                ("own", waits.own),
                ("limits", waits.limits),
            ]
        },
    },
];

/// The runs that are at work: few, so that their ids may be labels.
fn at_work(app: &App, page: &mut NumberPage) -> Result<()> {
    let mut runs = Vec::new();
    for (id, live) in app.control.at_work() {
        let run = app.control.run(&id)?;
        runs.push((run, live.progress(&mut Mark::default())));
    }
    runs.sort_by(|a, b| a.0.id.cmp(&b.0.id));
    page.head("run_stage", Sort::Gauge, "The stage of a run that is at work.");
    for (run, progress) in &runs {
        let stage = progress.stage.as_deref().unwrap_or("waiting");
        page.line(
            "run_stage",
            &[("run", &run.id), ("migration", &run.migration), ("stage", stage)],
            1,
        );
    }
    for figure in FIGURES {
        page.head(figure.name, figure.sort, figure.about);
        for (run, progress) in &runs {
            for (what, value) in (figure.of)(progress) {
                let mut labels = vec![("run", &*run.id), ("migration", &*run.migration)];
                if !what.is_empty() {
                    labels.push(("for", what));
                }
                page.line(figure.name, &labels, value);
            }
        }
    }
    Ok(())
}
