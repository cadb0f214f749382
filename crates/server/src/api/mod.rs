//! The API, version 1. What it takes and gives is a promise: `docs/reference/openapi.json` holds it.

mod images;
mod migrate;
mod migrations;
mod people;
mod runs;
mod schedules;
mod session;

use std::time::Duration;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get as route;
use hyper::header::{CONTENT_TYPE, HeaderName};
use longshore_model::{Code, Error, Result};
use longshore_service::control::{Run, RunFilter, RunState};
use schemars::JsonSchema;
use serde::Serialize;

use crate::endpoint::{Table, get};
use crate::failure::Failure;
use crate::{App, metrics, pages};

/// What handlers answer.
type Answer<T> = std::result::Result<Json<T>, Failure>;

/// The longest body of a request: migrations are small.
const LONGEST: usize = 4 << 20;

/// How long ago the registry may have been measured for the overview, which is asked for again and again.
const MEASURED: Duration = Duration::from_secs(15);

/// What every answer says to browsers.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// How everything stands.
#[derive(Debug, Serialize, JsonSchema)]
struct Overview {
    /// The version of the server.
    version: String,
    /// When it was started, RFC 3339.
    started: String,
    /// How many runs are in which state; those that ended, by how.
    runs: std::collections::BTreeMap<String, u64>,
    /// How many migrations are kept.
    migrations: usize,
    /// How many images the registry has; nothing without a registry.
    images: Option<usize>,
    /// What the registry holds.
    registry: Option<images::Holdings>,
    /// Runs at work or waiting.
    running: Vec<Run>,
    /// Runs that ended last.
    recent: Vec<Run>,
}

/// All endpoints.
pub(crate) fn table() -> Table {
    let table = Table::default()
        .with(
            get("/healthz", "Says that the process is there.").open().gives_text("text/plain"),
            healthy,
        )
        .with(
            get("/readyz", "Says that requests can be answered.").open().gives_text("text/plain"),
            ready,
        )
        .with(get("/metrics", "The numbers, for Prometheus.").gives_text(metrics::PAGE), numbers)
        .with(get("/api/v1/openapi.json", "This description.").open(), openapi)
        .with(get("/api/v1/overview", "How everything stands.").gives::<Overview>(), overview);
    let table = session::add(table);
    let table = migrations::add(table);
    let table = runs::add(table);
    let table = images::add(table);
    let table = schedules::add(table);
    let table = people::add(table);
    migrate::add(table)
}

/// The routes of the API and of the dashboard.
pub(crate) fn router(app: App) -> Router {
    let api = table().router(&app);
    let pages =
        Router::new().route("/", route(pages::index)).route("/assets/{*name}", route(pages::file));
    api.merge(pages)
        .fallback(nowhere)
        .method_not_allowed_fallback(no_such_method)
        .layer(axum::extract::DefaultBodyLimit::max(LONGEST))
        .layer(from_fn(headers))
        .layer(from_fn_with_state(app.clone(), metrics::count))
        .with_state(app)
}

async fn headers(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let mut answer = next.run(request).await;
    for (name, value) in HEADERS {
        // Reports are pages of their own, whose styles stand in them.
        if !answer.headers().contains_key(*name) {
            answer
                .headers_mut()
                .insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
    }
    if is_api && !answer.headers().contains_key("cache-control") {
        answer.headers_mut().insert("cache-control", HeaderValue::from_static("no-store"));
    }
    answer
}

async fn healthy() -> &'static str {
    "ok\n"
}

async fn ready(State(app): State<App>) -> std::result::Result<&'static str, Failure> {
    off(move || app.control.counts()).await?;
    Ok("ok\n")
}

async fn numbers(State(app): State<App>) -> std::result::Result<Response, Failure> {
    let text = off(move || metrics::page(&app)).await?;
    Ok(([(CONTENT_TYPE, metrics::PAGE)], text).into_response())
}

async fn openapi() -> Json<serde_json::Value> {
    Json(crate::openapi::document())
}

async fn overview(State(app): State<App>) -> Answer<Overview> {
    let overview = off(move || {
        let control = &app.control;
        let of = |state: &str, limit| {
            let filter = RunFilter {
                state: Some(state.to_string()),
                limit: Some(limit),
                ..RunFilter::default()
            };
            control.runs(&filter)
        };
        let mut running = Vec::new();
        for state in [RunState::Stopping, RunState::Running, RunState::Queued] {
            running.extend(of(state.as_str(), 50)?);
        }
        running.iter_mut().for_each(|run| runs::with_progress(control, run));
        let registry = images::holdings(&app, MEASURED)?;
        Ok(Overview {
            version: env!("CARGO_PKG_VERSION").to_string(),
            started: control.started().to_string(),
            runs: control.counts()?.into_iter().collect(),
            migrations: control.migrations()?.len(),
            images: registry.as_ref().map(|holdings| holdings.capacity.images),
            registry,
            running,
            recent: of(RunState::Ended.as_str(), 20)?,
        })
    });
    Ok(Json(overview.await?))
}

async fn nowhere() -> Failure {
    Failure(
        Error::new(Code::NotKept, "there is no such address")
            .hint("The description of the API is at /api/v1/openapi.json."),
    )
}

async fn no_such_method() -> Response {
    let failure =
        Failure(Error::new(Code::RequestInvalid, "the address does not know this method"));
    let mut answer = failure.into_response();
    *answer.status_mut() = hyper::StatusCode::METHOD_NOT_ALLOWED;
    answer
}

/// Does what blocks where it may.
async fn off<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Error::new(Code::Internal, "a request failed").because(error)))
}
