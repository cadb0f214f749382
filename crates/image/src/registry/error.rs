//! What a registry said when it did not do what it was asked, as an error. Nothing of a request but its
//! repository gets into one, so that no credential can.

use longshore_model::{Code, Error};
use reqwest::StatusCode;
use serde::Deserialize;

/// How much of the registry's own words is shown.
const SHOWN: usize = 200;

#[derive(Deserialize)]
struct Body {
    errors: Vec<Said>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Said {
    code: String,
    message: Option<String>,
}

/// What was asked of a registry.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) doing: &'static str,
    pub(super) registry: String,
    pub(super) repository: String,
}

/// An error from an answer that is no success.
pub(super) fn refused(asked: &Asked, status: StatusCode, body: &[u8]) -> Error {
    let (code, message) = said(body);
    let error = match status.as_u16() {
        429 | 408 | 500.. => asked.error(Code::Registry, "failed"),
        401 | 403 => asked.error(Code::RegistryRefused, "was refused"),
        404 => asked.error(Code::RegistryRefused, "found nothing"),
        300..=399 => asked.error(Code::Registry, "was led elsewhere too often"),
        _ => asked.error(Code::RegistryRefused, "was refused"),
    };
    let mut error = error.with("status", status.as_u16().to_string());
    if let Some(code) = &code {
        error = error.with("code", code.clone());
    }
    if let Some(message) = message {
        error = error.with("message", message);
    }
    match status.as_u16() {
        401 => error.hint(format!(
            "Log in with `docker login {0}` or `podman login {0}`, with an account that may do this.",
            asked.registry
        )),
        403 => error.hint("The account that is logged in may not do this in the repository; ask who runs the registry."),
        404 => error.hint("Check the name: host, repository, tag. Some registries say so too when an account may not see it."),
        413 => error.hint("The registry takes no blobs or manifests of this size, or a proxy before it does not."),
        429 => error.hint("The registry gets too many requests from this account or address; try again later."),
        _ => error,
    }
}

impl Asked {
    /// An error on this request.
    pub(super) fn error(&self, code: Code, how: &str) -> Error {
        let error = Error::new(code, format!("{} {how}", self.doing))
            .with("registry", self.registry.clone());
        match self.repository.is_empty() {
            true => error,
            false => error.with("repository", self.repository.clone()),
        }
    }

    /// An error of an answer that no registry should give.
    pub(super) fn odd(&self, why: &str) -> Error {
        self.error(Code::Registry, &format!("got an answer that {why}"))
            .hint("It may be no registry, or a proxy may stand before it.")
    }

    /// An error of a connection.
    pub(super) fn failed(&self, error: reqwest::Error) -> Error {
        // An address may have a signature in its query.
        let error = error.without_url();
        let made = self.error(Code::Registry, "failed");
        match tls_cause(&error) {
            Some(rustls::Error::InvalidMessage(_)) => made
                .hint("It speaks plain HTTP. --plain-http allows that; what is sent can then be read and changed on the way.")
                .because(error),
            Some(rustls::Error::InvalidCertificate(_)) => made
                .hint("Name the authority that signed its certificate with --ca FILE.")
                .because(error),
            Some(_) => made.because(error),
            None => made
                .hint("Check the host and port, and whether it can be reached from here.")
                .because(error)
                .temporary(),
        }
    }
}

/// The first code and message of the registry's own.
/// The code that a registry gives its refusal.
pub(super) fn code_of(body: &[u8]) -> Option<String> {
    said(body).0
}

fn said(body: &[u8]) -> (Option<String>, Option<String>) {
    let Ok(Body { errors }) = serde_json::from_slice::<Body>(body) else { return (None, None) };
    let Some(first) = errors.into_iter().next() else { return (None, None) };
    let some = |text: String| Some(shown(&text)).filter(|text| !text.is_empty());
    (some(first.code), first.message.and_then(some))
}

/// A foreign text without what could move a terminal's cursor.
pub(super) fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect()
}

/// What TLS says, which errors of input and output wrap without being its cause.
fn tls_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref::<rustls::Error>() {
        return Some(found);
    }
    let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    inner
        .and_then(|inner| tls_cause(inner))
        .or_else(|| error.source().and_then(|source| tls_cause(source)))
}

#[cfg(test)]
mod tests {
    use longshore_model::{Code, Kind};
    use reqwest::StatusCode;

    use super::{Asked, refused};

    #[test]
    fn errors_tell_the_registrys_own_words_without_tricks() {
        let asked = Asked {
            doing: "pushing a blob",
            registry: "r.example".to_string(),
            repository: "a/b".to_string(),
        };
        let body = br#"{"errors":[{"code":"DENIED","message":"no\u001b[2J way","detail":{}}]}"#;
        let error = refused(&asked, StatusCode::FORBIDDEN, body);
        assert_eq!(error.code(), Code::RegistryRefused);
        assert_eq!(error.kind(), Kind::Permission);
        let expected = "pushing a blob was refused (registry: r.example, repository: a/b, \
                        status: 403, code: DENIED, message: no [2J way)";
        assert_eq!(error.to_string(), expected);
        for (status, code) in [(503, Code::Registry), (404, Code::RegistryRefused)] {
            let status = StatusCode::from_u16(status).expect("a status");
            let error = refused(&asked, status, b"<html>");
            assert_eq!(error.code(), code);
            assert!(!error.to_string().contains("html"), "{error}");
        }
    }
}
