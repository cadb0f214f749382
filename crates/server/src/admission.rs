//! Who is let in: tokens in a header or in a cookie, requests of other pages, and those who guess.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap};
use longshore_model::{Code, Error, Result};
use longshore_registry::Peer;
use longshore_service::control::{Role, User};

use crate::App;
use crate::failure::Failure;

/// The cookie of the dashboard.
const NAME: &str = "longshore";
/// The header that a page of another site cannot set.
const OWN: &str = "x-longshore";
/// Seconds for which a browser keeps the cookie.
const KEPT: u32 = 12 * 60 * 60;
/// Wrong tokens that are looked at, from one address in a while.
const TRIES: u32 = 10;
const WHILE: Duration = Duration::from_secs(60);
/// Addresses that are remembered; when there are more, old ones are forgotten.
const ADDRESSES: usize = 10_000;
/// How often the use of a token is noted.
const NOTED: Duration = Duration::from_secs(60);

/// What an endpoint asks of whoever comes.
#[derive(Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) role: Option<Role>,
    pub(crate) changes: bool,
}

/// Remembers who tried wrong tokens, and who came.
#[derive(Default)]
pub(crate) struct Door {
    wrong: Mutex<HashMap<IpAddr, (Instant, u32)>>,
    noted: Mutex<HashMap<String, Instant>>,
}

/// Lets a request through, with the user who makes it.
pub(crate) async fn admit(
    State((app, gate)): State<(App, Gate)>,
    mut request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
    match user(&app, gate, request.headers(), from) {
        Ok(Some(user)) => drop(request.extensions_mut().insert(user)),
        Ok(None) => {}
        Err(error) => return Failure(error).into_response(),
    }
    next.run(request).await
}

fn user(app: &App, gate: Gate, headers: &HeaderMap, from: Option<IpAddr>) -> Result<Option<User>> {
    let Some(role) = gate.role else { return Ok(None) };
    let (token, by_cookie) = match (bearer(headers), cookie(headers)) {
        (Some(token), _) => (token, false),
        (None, Some(token)) => (token, true),
        (None, None) => {
            return Err(Error::new(Code::TokenUnknown, "the request names no token"));
        }
    };
    let user = app.door.known(app, token, from)?;
    if by_cookie && gate.changes && !headers.contains_key(OWN) {
        return Err(Error::new(Code::CrossSite, "the request comes from another page"));
    }
    user.demand(role)?;
    Ok(Some(user))
}

impl Door {
    /// Who signs in with a token. After some wrong ones from an address, none from there is looked at for a while.
    pub(crate) fn enters(&self, app: &App, token: &str, from: Option<IpAddr>) -> Result<User> {
        if from.is_some_and(|from| self.is_shut(from)) {
            return Err(shut());
        }
        self.known(app, token, from)
    }

    /// Who has a token. After some wrong ones from an address, wrong ones from there hear nothing else for a while;
    /// who has a right one is not kept out by those who guess from behind the same proxy.
    fn known(&self, app: &App, token: &str, from: Option<IpAddr>) -> Result<User> {
        let user = app.control.user(token).map_err(|error| {
            let Some(from) = from.filter(|_| error.code() == Code::TokenUnknown) else {
                return error;
            };
            self.was_wrong(from);
            if self.is_shut(from) { shut() } else { error }
        })?;
        if self.is_news(&user.name) {
            app.control.used(&user)?;
        }
        Ok(user)
    }

    fn is_shut(&self, from: IpAddr) -> bool {
        let wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.get(&from).is_some_and(|(since, tries)| since.elapsed() < WHILE && *tries > TRIES)
    }

    fn was_wrong(&self, from: IpAddr) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if wrong.len() >= ADDRESSES {
            wrong.retain(|_, (since, _)| since.elapsed() < WHILE);
        }
        let entry = wrong.entry(from).or_insert((Instant::now(), 0));
        if entry.0.elapsed() >= WHILE {
            *entry = (Instant::now(), 0);
        }
        entry.1 += 1;
    }

    fn is_news(&self, name: &str) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = noted.get(name).is_none_or(|at| at.elapsed() >= NOTED);
        if is_news {
            noted.insert(name.to_string(), Instant::now());
        }
        is_news
    }
}

fn shut() -> Error {
    Error::new(Code::TooManyTries, "too many wrong tokens were tried")
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs =
        all.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == NAME).map(|(_, value)| value)
}

/// The cookie that holds a token, for the dashboard; an empty one takes it away.
pub(crate) fn cookie_of(token: &str, is_secure: bool) -> String {
    let secure = if is_secure { "; Secure" } else { "" };
    let age = if token.is_empty() { 0 } else { KEPT };
    format!("{NAME}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}")
}
