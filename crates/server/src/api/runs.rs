//! Runs: asked for, watched, stopped, asked for again.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use longshore_image::Name;
use longshore_model::{Code, Error, Result};
use longshore_registry::take_out;
use longshore_service::control::{
    Asked, Control, Mark, Progress, Role, Run, RunFilter, Task, User,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::images::parts;
use super::{Answer, off};
use crate::App;
use crate::endpoint::{Table, get, post};
use crate::failure::Failure;
use crate::stream;

const ALL: &str = "/api/v1/runs";
const ONE: &str = "/api/v1/runs/{id}";

/// What the page of a report may do: it holds its styles, and nothing else.
const REPORT: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'";
/// Where images are from that were taken out of the registry on this port.
const OURS: &str = "localhost";
/// Lines of a log that are answered at most.
const LINES: u64 = 2000;

#[derive(Debug, Serialize, JsonSchema)]
struct Runs {
    /// The newest first.
    runs: Vec<Run>,
    /// The run before which the rest is; nothing at the end.
    next: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Whole {
    run: Run,
    /// What it has reached; nothing before it began.
    progress: Option<Progress>,
    has: Has,
}

/// What there is of a run.
#[derive(Debug, Serialize, JsonSchema)]
struct Has {
    report: bool,
    plan: bool,
    log: bool,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Part {
    /// Where in the log to begin: `next` of the last answer.
    from: u64,
    /// At most so many lines.
    limit: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Log {
    /// Events, without those of each batch.
    lines: Vec<Value>,
    /// Where the rest begins.
    next: u64,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(get(ALL, "Lists runs, the newest first.").query::<RunFilter>().gives::<Runs>(), list)
        .with(post(ALL, "Asks for a run.").takes::<Asked>().gives::<Run>().created(), ask)
        .with(get(ONE, "A run, and what it has reached.").gives::<Whole>(), one)
        .with(
            get(
                "/api/v1/runs/{id}/events",
                "Tells of a run until it has ended, by server-sent events: `progress` about each second, first all of it and then what changed; `run` when its state changes; `end`.",
            )
            .gives_text("text/event-stream"),
            events,
        )
        .with(
            get("/api/v1/runs/{id}/log", "What a run wrote into its log.").query::<Part>().gives::<Log>(),
            log,
        )
        .with(get("/api/v1/runs/{id}/report", "The report of a run.").gives::<Value>(), report)
        .with(
            get("/api/v1/runs/{id}/report.html", "The report of a run, as a page.").gives_text("text/html"),
            report_page,
        )
        .with(get("/api/v1/runs/{id}/plan", "The plan of a run.").gives::<Value>(), plan)
        .with(post("/api/v1/runs/{id}/stop", "Asks a run to stop at a safe point.").gives::<Run>(), stop)
        .with(
            post("/api/v1/runs/{id}/retry", "Asks for the same again; it goes on with what is in the target.")
                .gives::<Run>()
                .created(),
            retry,
        )
        .with(
            post("/api/v1/runs/{id}/verify", "Asks for the target to be read back once more.")
                .gives::<Run>()
                .created(),
            verify,
        )
}

/// What a run at work has reached, in the run itself.
pub(super) fn with_progress(control: &Control, run: &mut Run) {
    let Some(live) = control.live(&run.id) else { return };
    let progress = live.progress(&mut Mark::default());
    (run.rows, run.rows_expected) = (progress.rows, progress.rows_expected);
    (run.bytes, run.bytes_expected) = (progress.bytes, progress.bytes_expected);
    run.seconds = progress.elapsed;
}

async fn list(
    State(app): State<App>,
    filter: Result<Query<RunFilter>, QueryRejection>,
) -> Answer<Runs> {
    let Query(filter) = filter?;
    let runs = off(move || {
        let limit = filter.limit.unwrap_or(50).clamp(1, 1000);
        let mut runs = app.control.runs(&filter)?;
        runs.iter_mut().for_each(|run| with_progress(&app.control, run));
        let is_full = runs.len() == limit as usize;
        let next = runs.last().filter(|_| is_full).map(|run| run.id.clone());
        Ok(Runs { runs, next })
    });
    Ok(Json(runs.await?))
}

async fn ask(
    State(app): State<App>,
    Extension(user): Extension<User>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let Json(mut asked) = asked?;
    let run = off(move || {
        user.demand(Role::Operator)?;
        asked.image = asked.image.map(|image| taken_out(&app, image)).transpose()?;
        app.control.ask(asked, &user)
    });
    let run = run.await?;
    Ok((StatusCode::CREATED, Json(run)))
}

/// The name under which an image is here that the registry on this port has; others keep the name that they have.
fn taken_out(app: &App, image: String) -> Result<String> {
    let Some(registry) = &app.registry else { return Ok(image) };
    let Ok((repository, reference)) = parts(&image) else { return Ok(image) };
    if !registry.store.has(&repository) {
        return Ok(image);
    }
    let images = app.control.images()?;
    let taken = take_out(&registry.store, &repository, &reference, images.layout())?;
    let name: Name = format!("{OURS}/{image}").parse()?;
    images.layout().tag(&taken, &name)?;
    Ok(name.to_string())
}

async fn one(State(app): State<App>, Path(id): Path<String>) -> Answer<Whole> {
    let whole = off(move || {
        let mut run = app.control.run(&id)?;
        with_progress(&app.control, &mut run);
        let progress = app.control.progress(&run)?;
        let folder = app.control.folder(&run);
        let has = |name: &str| folder.as_ref().is_some_and(|one| one.path.join(name).is_file());
        let has =
            Has { report: has("report.json"), plan: has("plan.json"), log: has("events.jsonl") };
        Ok(Whole { run, progress, has })
    });
    Ok(Json(whole.await?))
}

async fn events(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let run = app.control.run(&id)?;
    Ok(stream::of_run(app.control.clone(), &run, user)?)
}

async fn log(
    State(app): State<App>,
    Path(id): Path<String>,
    part: Result<Query<Part>, QueryRejection>,
) -> Answer<Log> {
    let Query(part) = part?;
    let log = off(move || {
        let run = app.control.run(&id)?;
        let Some(folder) = app.control.folder(&run) else {
            return Ok(Log { lines: Vec::new(), next: 0 });
        };
        let path = folder.path.join("events.jsonl");
        read_log(&path, &part).map_err(|error| Error::io("read the log", path.display(), error))
    });
    Ok(Json(log.await?))
}

/// Whole lines from a place on.
fn read_log(path: &std::path::Path, part: &Part) -> std::io::Result<Log> {
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Log { lines: Vec::new(), next: 0 });
        }
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(part.from))?;
    let (mut reader, mut lines, mut next) = (BufReader::new(file), Vec::new(), part.from);
    let limit = part.limit.unwrap_or(500).min(LINES);
    let mut text = String::new();
    while (lines.len() as u64) < limit {
        text.clear();
        let read = reader.read_line(&mut text)?;
        if !text.ends_with('\n') {
            break;
        }
        next += read as u64;
        if let Ok(value) = serde_json::from_str::<Value>(&text)
            && value["event"] != "copied"
            && value["event"] != "checked"
        {
            lines.push(value);
        }
    }
    Ok(Log { lines, next })
}

async fn report(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Failure> {
    file(app, id, "report.json", "application/json").await
}

async fn report_page(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Failure> {
    let page = file(app, id, "report.html", "text/html; charset=utf-8").await?;
    Ok(([(CONTENT_SECURITY_POLICY, REPORT)], page).into_response())
}

async fn plan(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Failure> {
    file(app, id, "plan.json", "application/json").await
}

async fn file(
    app: App,
    id: String,
    name: &'static str,
    media: &'static str,
) -> Result<Response, Failure> {
    let bytes = off(move || {
        let run = app.control.run(&id)?;
        let missing = || Error::new(Code::NotKept, "the run has none yet").with("file", name);
        let folder = app.control.folder(&run).ok_or_else(missing)?;
        let path = folder.path.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(missing()),
            Err(error) => Err(Error::io("read the file", path.display(), error)),
        }
    });
    Ok(([(CONTENT_TYPE, media)], bytes.await?).into_response())
}

async fn stop(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Answer<Run> {
    Ok(Json(app.control.stop(&id, &user).await?))
}

async fn retry(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let run = off(move || app.control.retry(&id, None, &user)).await?;
    Ok((StatusCode::CREATED, Json(run)))
}

async fn verify(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let run = off(move || app.control.retry(&id, Some(Task::Verify), &user)).await?;
    Ok((StatusCode::CREATED, Json(run)))
}
