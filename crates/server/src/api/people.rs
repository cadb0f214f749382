//! Tokens, and the audit log.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Extension, Path, Query, State};
use hyper::StatusCode;
use longshore_service::control::{AuditEntry, Role, Token, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, off};
use crate::App;
use crate::endpoint::{Table, delete, get, post};
use crate::failure::Failure;

const TOKENS: &str = "/api/v1/tokens";

#[derive(Debug, Serialize, JsonSchema)]
struct Tokens {
    tokens: Vec<Token>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// Who gets it.
    name: String,
    /// What it allows.
    role: Role,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MadeToken {
    name: String,
    role: Role,
    /// The token: shown this once, kept only as a hash.
    token: String,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Part {
    /// Only entries before this one.
    before: Option<i64>,
    /// At most so many.
    limit: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Audited {
    /// The newest first.
    entries: Vec<AuditEntry>,
    /// The entry before which the rest is; nothing at the end.
    next: Option<i64>,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(
            get(TOKENS, "Lists the tokens, without what is secret of them.")
                .admin()
                .gives::<Tokens>(),
            list,
        )
        .with(
            post(TOKENS, "Makes a token.")
                .admin()
                .takes::<NewToken>()
                .gives::<MadeToken>()
                .created(),
            make,
        )
        .with(delete("/api/v1/tokens/{name}", "Revokes a token.").admin(), revoke)
        .with(
            get("/api/v1/audit", "What was done, the newest first.")
                .admin()
                .query::<Part>()
                .gives::<Audited>(),
            audit,
        )
}

async fn list(State(app): State<App>, Extension(user): Extension<User>) -> Answer<Tokens> {
    let tokens = off(move || app.control.tokens(&user)).await?;
    Ok(Json(Tokens { tokens }))
}

async fn make(
    State(app): State<App>,
    Extension(user): Extension<User>,
    new: Result<Json<NewToken>, JsonRejection>,
) -> Result<(StatusCode, Json<MadeToken>), Failure> {
    let Json(NewToken { name, role }) = new?;
    let made = off(move || {
        let token = app.control.make_token(&name, role, &user)?;
        Ok(MadeToken { name, role, token })
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

async fn revoke(
    State(app): State<App>,
    Extension(user): Extension<User>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    off(move || app.control.revoke_token(&name, &user)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn audit(
    State(app): State<App>,
    Extension(user): Extension<User>,
    part: Result<Query<Part>, QueryRejection>,
) -> Answer<Audited> {
    let Query(part) = part?;
    let audited = off(move || {
        let limit = part.limit.unwrap_or(100).clamp(1, 1000);
        let entries = app.control.audited(part.before, limit, &user)?;
        let is_full = entries.len() == limit as usize;
        let next = entries.last().filter(|_| is_full).map(|entry| entry.id);
        Ok(Audited { entries, next })
    });
    Ok(Json(audited.await?))
}
