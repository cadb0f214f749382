//! `POST /migrate`: a migration in one request, for simple callers.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use longshore_model::spec::{Move, Spec};
use longshore_model::{Code, Error, Result};
use longshore_service::control::{Control, Ending, Run, RunState, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::interval;

use super::off;
use crate::App;
use crate::endpoint::{Table, post};
use crate::failure::Failure;

/// How often it is looked whether the server ends.
const LOOK: Duration = Duration::from_millis(500);

/// What is to be moved.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The source's address. `${secret:NAME}` stands for a secret of the server.
    source: String,
    /// The target's address.
    target: String,
    /// What of it: names or patterns of tables, or parts of a move as a migration file has them. Everything, when
    /// it is empty.
    #[serde(default)]
    tasks: Vec<Part>,
    /// Whether the answer waits for the end.
    #[serde(default = "waits")]
    wait: bool,
}

fn waits() -> bool {
    true
}

/// A part of what moves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Part {
    /// A table, or a pattern of tables; `!` excludes.
    Tables(String),
    /// A move without its addresses: `tables`, `columns`, `where`, `types`, `rename`, `existing`.
    Move(serde_json::Map<String, serde_json::Value>),
}

/// What came of it.
#[derive(Debug, Serialize, JsonSchema)]
struct Came {
    /// `verified`, `copied`, `rejected`, `different`, `failed` or `cancelled`; `queued` when nobody waits.
    status: String,
    /// The same for people.
    message: String,
    /// The run.
    run: String,
    /// Rows that are in.
    rows: u64,
    /// Bytes of them.
    bytes: u64,
    /// How long it took.
    seconds: f64,
    /// Why it did not end well, with every cause.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    error: Vec<String>,
}

pub(super) fn add(table: Table) -> Table {
    table.with(
        post("/migrate", "Runs a migration, and answers when it has ended.")
            .takes::<Asked>()
            .gives::<Came>(),
        migrate,
    )
}

async fn migrate(
    State(app): State<App>,
    Extension(user): Extension<User>,
    asked: std::result::Result<Json<Asked>, JsonRejection>,
) -> std::result::Result<Response, Failure> {
    let Json(asked) = asked?;
    let waits = asked.wait;
    let spec = spec(asked)?;
    let control = app.control.clone();
    // Listened to before it begins, so that its end is not missed.
    let mut changes = control.changes();
    let run = off(move || app.control.ask_once(spec, &user)).await?;
    if !waits {
        return Ok((StatusCode::ACCEPTED, Json(came(&run))).into_response());
    }
    let ended = ended(&control, &mut changes, run).await?;
    let status = match ended.outcome {
        Some(Ending::Verified | Ending::Copied) => StatusCode::OK,
        Some(Ending::Rejected | Ending::Different) => StatusCode::UNPROCESSABLE_ENTITY,
        Some(Ending::Cancelled) => StatusCode::CONFLICT,
        _ => StatusCode::BAD_GATEWAY,
    };
    Ok((status, Json(came(&ended))).into_response())
}

/// Waits for the end of a run.
async fn ended(control: &Arc<Control>, changes: &mut Receiver<Run>, run: Run) -> Result<Run> {
    let mut look = interval(LOOK);
    loop {
        tokio::select! {
            change = changes.recv() => match change {
                Ok(change) if change.id == run.id && change.state == RunState::Ended => return Ok(change),
                Ok(_) => {}
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    let now = kept(control, &run.id).await?;
                    if now.state == RunState::Ended {
                        return Ok(now);
                    }
                }
            },
            _ = look.tick() => if control.is_leaving() {
                return Err(Error::new(Code::Cancelled, "the server ends, and the run with it at a safe point")
                    .with("run", run.id)
                    .hint("Ask for it again; it goes on with what is in the target."));
            },
        }
    }
}

async fn kept(control: &Arc<Control>, id: &str) -> Result<Run> {
    let (control, id) = (control.clone(), id.to_string());
    off(move || control.run(&id)).await
}

/// The migration that is asked for.
fn spec(asked: Asked) -> Result<Spec> {
    let mut spec = Spec::short(&asked.source, &asked.target);
    let Some(whole) = spec.moves.pop() else { return Ok(spec) };
    let mut tables = Vec::new();
    for part in asked.tasks {
        match part {
            Part::Tables(pattern) => tables.push(pattern),
            Part::Move(part) => spec.moves.push(filled(part, &asked.source, &asked.target)?),
        }
    }
    if spec.moves.is_empty() || !tables.is_empty() {
        spec.moves.insert(0, Move { tables, ..whole });
    }
    Ok(spec)
}

fn filled(
    mut part: serde_json::Map<String, serde_json::Value>,
    source: &str,
    target: &str,
) -> Result<Move> {
    part.insert("from".to_string(), source.into());
    part.insert("to".to_string(), target.into());
    serde_json::from_value(part.into()).map_err(|error| {
        Error::new(Code::RequestInvalid, "a task is not understood")
            .hint("A task is a pattern of tables, or a move of a migration file without `from` and `to`.")
            .because(error)
    })
}

fn came(run: &Run) -> Came {
    let status = run.outcome.map_or(run.state.as_str(), Ending::as_str).to_string();
    let message = match run.outcome {
        Some(Ending::Verified) => "everything arrived, and was read back".to_string(),
        Some(Ending::Copied) => "everything was copied".to_string(),
        Some(Ending::Rejected) => "rows are in reject files instead of the target".to_string(),
        Some(Ending::Different) => "source and target differ".to_string(),
        Some(_) => run.error.first().cloned().unwrap_or_else(|| "it did not end well".to_string()),
        None => "it is asked for".to_string(),
    };
    Came {
        status,
        message,
        run: run.id.clone(),
        rows: run.rows,
        bytes: run.bytes,
        seconds: run.seconds,
        error: run.error.clone(),
    }
}
