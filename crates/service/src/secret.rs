//! Secrets: references in a migration, resolved when it runs, and kept out of everything shown.

use std::collections::BTreeMap;
use std::sync::Mutex;

use longshore_model::{Code, Endpoint, Error, Result, Retry};
use serde_json::Value;

/// Finds a secret by its name; `None` when there is none.
pub type Lookup = dyn Fn(&str) -> Result<Option<String>> + Send + Sync;

const OPEN: &str = "${secret:";

/// Values shorter than this are not searched for in texts: they would match everywhere.
const SHORTEST: usize = 4;
/// Values shorter than this may well be words of a migration.
const TELLING: usize = 8;

/// Resolves references to secrets and remembers the values, to take them out of texts.
pub struct Secrets {
    lookup: Box<Lookup>,
    seen: Mutex<Vec<String>>,
}

/// Whether a text refers to a secret.
pub(crate) fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// The names of the secrets that a text refers to.
pub(crate) fn named_in(text: &str) -> impl Iterator<Item = &str> {
    text.split(OPEN).skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name)
}

/// A text without its references to secrets.
pub(crate) fn without_references(text: &str) -> String {
    let mut parts = text.split(OPEN);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    out
}

impl Secrets {
    pub(crate) fn new(lookup: Box<Lookup>) -> Self {
        Self { lookup, seen: Mutex::new(Vec::new()) }
    }

    /// Replaces every `${secret:NAME}` by its value.
    pub(crate) fn resolve(&self, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            out.push_str(&rest[..at]);
            let tail = &rest[at + OPEN.len()..];
            let end = tail
                .find('}')
                .ok_or_else(|| Error::new(Code::SpecInvalid, "a reference to a secret has no }"))?;
            let name = &tail[..end];
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(plain) {
                return Err(Error::new(Code::SpecInvalid, "a secret has a wrong name")
                    .with("secret", name)
                    .hint("Names of secrets are of letters, digits and _."));
            }
            out.push_str(&self.value(name)?);
            rest = &tail[end + 1..];
        }
        out.push_str(rest);
        if is_in(text) {
            self.remember(&out);
        }
        Ok(out)
    }

    /// Whether there is a secret or a variable of a name.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        (self.lookup)(name).is_ok_and(|value| value.is_some())
    }

    /// The value of a secret.
    pub(crate) fn value(&self, name: &str) -> Result<String> {
        let value = (self.lookup)(name)?.ok_or_else(|| {
            Error::new(Code::SecretMissing, "a secret is not set").with("secret", name).hint(
                format!(
                    "Set the environment variable {name}, or {name}_FILE to a file that holds it."
                ),
            )
        })?;
        self.remember(&value);
        Ok(value)
    }

    /// What the environment says of variables that a connector knows. Values that open doors are
    /// taken out of texts.
    pub(crate) fn variables(
        &self,
        known: &[(&'static str, &'static str)],
    ) -> Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        for (name, _) in known {
            let Some(value) = (self.lookup)(name)? else { continue };
            if ["KEY", "SECRET", "TOKEN"].iter().any(|word| name.contains(word)) {
                self.remember(&value);
            }
            found.insert((*name).to_string(), value);
        }
        Ok(found)
    }

    /// Remembers a value, and the path in it when it is an address: messages name paths alone.
    fn remember(&self, value: &str) {
        let path = Endpoint::parse(value).and_then(|endpoint| endpoint.path());
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for text in [Some(value.to_string()), path.ok()].into_iter().flatten() {
            if text.len() >= SHORTEST && !seen.contains(&text) {
                seen.push(text);
            }
        }
        seen.sort_by_key(|text| std::cmp::Reverse(text.len()));
    }

    /// Whether there is nothing to take out.
    pub fn is_empty(&self) -> bool {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_empty()
    }

    /// Whether the value of a secret stands in a text: one that is long enough to be no word of it.
    pub(crate) fn stand_in(&self, text: &str) -> bool {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.iter().any(|secret| secret.len() >= TELLING && text.contains(secret.as_str()))
    }

    /// A text without the values of secrets.
    pub fn redact(&self, text: &str) -> String {
        let seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.iter().fold(text.to_string(), |text, secret| text.replace(secret.as_str(), "***"))
    }

    /// An error without the values of secrets.
    pub fn redact_error(&self, error: Error) -> Error {
        let chain = error.chain();
        if chain.iter().all(|line| self.redact(line) == *line)
            && self.redact(error.advice()) == error.advice()
        {
            return error;
        }
        let mut clean = Error::new(error.code(), self.redact(error.message()))
            .hint(self.redact(error.advice()));
        for (key, value) in error.context() {
            clean = clean.with(key, self.redact(value));
        }
        if chain.len() > 1 {
            clean = clean.because(self.redact(&chain[1..].join(": ")));
        }
        match error.retry() {
            Retry::Never => clean,
            Retry::Later => clean.temporary(),
            Retry::Reopened => clean.reopened(),
        }
    }

    /// Takes the values of secrets out of every text of a JSON value.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.redact(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(fields) => fields.values_mut().for_each(|item| self.redact_json(item)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_model::{Code, Error};

    use super::Secrets;

    fn secrets() -> Secrets {
        Secrets::new(Box::new(|name| {
            Ok(match name {
                "PW" => Some("hunter2".to_string()),
                "URL" => Some("sqlite:/srv/hidden.db".to_string()),
                _ => None,
            })
        }))
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("sqlite:a.db", "sqlite:a.db"),
            ("pg://me:${secret:PW}@db/${secret:PW}", "pg://me:hunter2@db/hunter2"),
            ("${secret:URL}", "sqlite:/srv/hidden.db"),
        ] {
            assert_eq!(secrets().resolve(text).expect(text), expected);
        }
    }

    #[test]
    fn variables_of_connectors_are_found_and_hidden() {
        let secrets = Secrets::new(Box::new(|name| {
            Ok(match name {
                "AWS_SECRET_ACCESS_KEY" => Some("hunter2".to_string()),
                "AWS_REGION" => Some("eu-west-1".to_string()),
                _ => None,
            })
        }));
        let known = [("AWS_REGION", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_ROLE_ARN", "")];
        let found = secrets.variables(&known).expect("variables");
        assert_eq!(found.len(), 2);
        assert_eq!(secrets.redact("hunter2 in eu-west-1"), "*** in eu-west-1");
    }

    #[test]
    fn missing_and_misspelt_references_are_errors() {
        for (text, code) in [
            ("${secret:NONE}", Code::SecretMissing),
            ("${secret:PW", Code::SpecInvalid),
            ("${secret:}", Code::SpecInvalid),
            ("${secret:a b}", Code::SpecInvalid),
        ] {
            assert_eq!(secrets().resolve(text).expect_err(text).code(), code, "{text}");
        }
    }

    #[test]
    fn values_are_taken_out_of_errors_and_json() {
        let secrets = secrets();
        secrets.resolve("${secret:URL} ${secret:PW}").expect("both are set");
        let error = Error::io(
            "open the database",
            "/srv/hidden.db",
            std::io::Error::other("hunter2 is no password"),
        )
        .temporary();
        let clean = secrets.redact_error(error);
        let text = format!("{clean:?} {}", clean.advice());
        assert!(!text.contains("hidden") && !text.contains("hunter2"), "{text}");
        assert_eq!(clean.retry(), longshore_model::Retry::Later);
        let mut json = serde_json::json!({"a": ["x hunter2 y"], "b": 1});
        secrets.redact_json(&mut json);
        assert_eq!(json, serde_json::json!({"a": ["x *** y"], "b": 1}));
    }
}
