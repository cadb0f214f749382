//! Who is signed in, for the dashboard.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::SET_COOKIE;
use longshore_registry::Peer;
use longshore_service::control::{Role, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::App;
use crate::admission::cookie_of;
use crate::endpoint::{Table, delete, get, post};
use crate::failure::Failure;

const PATH: &str = "/api/v1/session";

/// Who signs in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// The token.
    token: String,
}

/// Who is signed in.
#[derive(Debug, Serialize, JsonSchema)]
struct Session {
    user: String,
    role: Role,
    /// The version of the server.
    version: String,
}

pub(super) fn add(table: Table) -> Table {
    table
        .with(get(PATH, "Says who is signed in.").gives::<Session>(), who)
        .with(
            post(PATH, "Signs in: the answer sets a cookie.")
                .open()
                .takes::<SignIn>()
                .gives::<Session>(),
            sign_in,
        )
        .with(delete(PATH, "Signs out.").open(), sign_out)
}

fn session(user: &User) -> Session {
    let version = env!("CARGO_PKG_VERSION").to_string();
    Session { user: user.name.clone(), role: user.role, version }
}

async fn who(Extension(user): Extension<User>) -> Answer<Session> {
    Ok(Json(session(&user)))
}

async fn sign_in(
    State(app): State<App>,
    peer: Option<Extension<Peer>>,
    body: Result<Json<SignIn>, JsonRejection>,
) -> Result<Response, Failure> {
    let Json(SignIn { token }) = body?;
    let from = peer.map(|Extension(peer)| peer.0.ip());
    let user = app.door.enters(&app, token.trim(), from)?;
    app.control.audit(&user, "session.begin", &user.name, "done")?;
    let cookie = cookie_of(token.trim(), app.is_secure);
    Ok(([(SET_COOKIE, cookie)], Json(session(&user))).into_response())
}

async fn sign_out(State(app): State<App>) -> Response {
    (StatusCode::NO_CONTENT, [(SET_COOKIE, cookie_of("", app.is_secure))]).into_response()
}
