//! Who we are, as the registry asks for it: a password with each request, or a token that its realm gives for
//! one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use longshore_model::{Code, Error, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Method, Url};
use serde::Deserialize;
use tokio::sync::{Mutex, OnceCell};

use super::address;
use super::challenge::Challenge;
use super::credentials::Credential;
use super::error::refused;
use super::transport::{Ask, Client, may_pass, read};

/// The longest answer of a realm.
const LONGEST: u64 = 1 << 20;
const CLIENT: &str = "longshore";
/// What stands for itself in a query.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b':').remove(b'/');

/// What is to be allowed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    repository: String,
    writes: bool,
    /// Another repository that is read from.
    from: Option<String>,
}

impl Scope {
    pub(super) fn read(repository: &str) -> Self {
        Self { repository: repository.to_string(), writes: false, from: None }
    }

    /// The list of repositories.
    pub(super) fn catalog() -> Self {
        Self::read("")
    }

    pub(super) fn write(repository: &str) -> Self {
        Self { writes: true, ..Self::read(repository) }
    }

    pub(super) fn and_from(&self, repository: &str) -> Self {
        Self { from: Some(repository.to_string()), ..self.clone() }
    }

    pub(super) fn repository(&self) -> &str {
        &self.repository
    }

    fn texts(&self) -> Vec<String> {
        if self.repository.is_empty() {
            return vec!["registry:catalog:*".to_string()];
        }
        let rights = if self.writes { "pull,push" } else { "pull" };
        let own = format!("repository:{}:{rights}", self.repository);
        let other = self.from.iter().map(|from| format!("repository:{from}:pull"));
        std::iter::once(own).chain(other).collect()
    }
}

/// What was earned by now. It is never shown.
#[derive(Default)]
pub(super) struct Keeper {
    credential: OnceCell<Option<Credential>>,
    basic: OnceCell<HeaderValue>,
    tokens: Mutex<BTreeMap<Scope, HeaderValue>>,
    earning: Mutex<()>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeper(***)")
    }
}

#[derive(Deserialize)]
struct Given {
    token: Option<String>,
    access_token: Option<String>,
}

impl Client {
    /// What is known to be asked for, so that no request is made in vain.
    pub(super) async fn right(&self, ask: &Ask) -> Option<HeaderValue> {
        if let Some(basic) = self.keeper.basic.get() {
            return Some(basic.clone());
        }
        self.keeper.tokens.lock().await.get(&ask.scope).cloned()
    }

    /// Does what the registry asks for; `None` when nothing can be done. `had` is what did not serve. Of
    /// those who ask for the same at the same time one asks the realm.
    pub(super) async fn earn(
        &self,
        ask: &Ask,
        headers: &HeaderMap,
        had: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>> {
        let challenges = headers.get_all(WWW_AUTHENTICATE);
        let challenges = challenges.iter().filter_map(|header| header.to_str().ok());
        let Some(challenge) = Challenge::read(challenges) else { return Ok(None) };
        let credential = self.credential(ask).await?;
        let _one = self.keeper.earning.lock().await;
        let known = self.right(ask).await;
        if known.is_some() && known.as_ref() != had {
            return Ok(known);
        }
        match (challenge, credential) {
            (Challenge::Basic, Some(Credential::Password { user, password })) if had.is_none() => {
                let basic = basic(&user, &password)?;
                let _ = self.keeper.basic.set(basic.clone());
                Ok(Some(basic))
            }
            (Challenge::Basic, _) => Ok(None),
            (Challenge::Bearer { .. }, Some(Credential::Registry(token))) if had.is_none() => {
                self.keep(ask, bearer(&token)?).await.map(Some)
            }
            (Challenge::Bearer { .. }, Some(Credential::Registry(_))) => Ok(None),
            (Challenge::Bearer { realm, service, .. }, credential) => {
                let token =
                    self.token(ask, &realm, service.as_deref(), credential.as_ref()).await?;
                self.keep(ask, bearer(&token)?).await.map(Some)
            }
        }
    }

    async fn keep(&self, ask: &Ask, right: HeaderValue) -> Result<HeaderValue> {
        self.keeper.tokens.lock().await.insert(ask.scope.clone(), right.clone());
        Ok(right)
    }

    async fn credential(&self, ask: &Ask) -> Result<Option<Credential>> {
        let (credentials, host) = (self.settings.credentials.clone(), self.host.clone());
        let repository = ask.scope.repository().to_string();
        let found = self.keeper.credential.get_or_try_init(|| async move {
            let found =
                tokio::task::spawn_blocking(move || credentials.find(&host, &repository)).await;
            found.map_err(|error| {
                Error::new(Code::Internal, "the credentials were not read").because(error)
            })?
        });
        found.await.cloned()
    }

    /// A token from a realm.
    async fn token(
        &self,
        ask: &Ask,
        realm: &str,
        service: Option<&str>,
        credential: Option<&Credential>,
    ) -> Result<String> {
        let mut asked = ask.asked.clone();
        asked.doing = "asking for a token";
        let mut url = Url::parse(realm)
            .map_err(|error| asked.odd("names no address for tokens").because(error))?;
        if !address::is_safe(&url, self.settings.plain_http) {
            return Err(asked
                .odd("asks to send credentials without TLS")
                .with("realm", url.host_str().unwrap_or_default()));
        }
        let service = service.map(|service| ("service", service.to_string()));
        let request = match credential {
            Some(Credential::Identity(identity)) => {
                let mut form: Vec<_> = service.into_iter().collect();
                form.push(("grant_type", "refresh_token".to_string()));
                form.push(("client_id", CLIENT.to_string()));
                form.push(("scope", ask.scope.texts().join(" ")));
                form.push(("refresh_token", identity.clone()));
                let request = self.http.request(Method::POST, url);
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                request.body(Bytes::from(encoded(&form)))
            }
            other => {
                let mut query: Vec<_> = service.into_iter().collect();
                query.extend(ask.scope.texts().into_iter().map(|scope| ("scope", scope)));
                let before = url.query().map(|query| format!("{query}&")).unwrap_or_default();
                if let Some(Credential::Password { user, .. }) = other {
                    query.push(("account", user.clone()));
                }
                url.set_query(Some(&format!("{before}{}", encoded(&query))));
                let request = self.http.request(Method::GET, url);
                match other {
                    Some(Credential::Password { user, password }) => {
                        request.header(AUTHORIZATION, basic(user, password)?)
                    }
                    _ => request,
                }
            }
        };
        let answer = request.send().await.map_err(|error| asked.failed(error))?;
        let status = answer.status();
        let body = read(answer, LONGEST, &asked).await?;
        if !status.is_success() {
            let error = refused(&asked, status, &body);
            return Err(if may_pass(status) { error.temporary() } else { error });
        }
        // What serde says of it could show a part of the token.
        let given: Given = serde_json::from_slice(&body).map_err(|_| asked.odd("is no token"))?;
        let token = given.token.filter(|token| !token.is_empty()).or(given.access_token);
        token.ok_or_else(|| asked.odd("has no token in it"))
    }
}

fn basic(user: &str, password: &str) -> Result<HeaderValue> {
    secret(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn bearer(token: &str) -> Result<HeaderValue> {
    secret(&format!("Bearer {token}"))
}

fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| Error::new(Code::Registry, "a token holds what cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn encoded(pairs: &[(&str, String)]) -> String {
    let pairs =
        pairs.iter().map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, QUERY)));
    pairs.collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::{Scope, encoded};

    #[test]
    fn scopes_say_what_is_to_be_allowed() {
        let scope = Scope::write("a/b").and_from("c");
        assert_eq!(scope.texts(), ["repository:a/b:pull,push", "repository:c:pull"]);
        let query = encoded(&[
            ("scope", "repository:a/b:pull,push".to_string()),
            ("x", "a&b c".to_string()),
        ]);
        assert_eq!(query, "scope=repository:a/b:pull%2Cpush&x=a%26b%20c");
    }
}
