//! Addresses of sources and targets.

use std::collections::BTreeMap;
use std::fmt;

use crate::{Code, Error, Result};

/// An address: `scheme:path?option=value`, or `scheme://user:password@host:port/path`. Secrets in
/// it are resolved; `Display` and `Debug` print it without the password and without options that
/// look secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: String,
    rest: String,
    options: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Endpoint {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| Error::new(Code::UrlInvalid, format!("an address {why}"));
        let (scheme, rest) = text.split_once(':').ok_or_else(|| wrong("has no scheme"))?;
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        if scheme.is_empty() || !scheme.chars().all(valid) {
            return Err(wrong("has no scheme"));
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut options = BTreeMap::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, "true"));
            let value = percent_decode(value).ok_or_else(|| wrong("has a wrong % escape"))?;
            if options.insert(key.to_string(), value).is_some() {
                return Err(wrong("names an option twice").with("option", key));
            }
        }
        if rest.is_empty() || rest == "//" {
            return Err(wrong("names nothing after its scheme").with("scheme", scheme));
        }
        let (scheme, rest) = (scheme.to_ascii_lowercase(), rest.to_string());
        Ok(Self { scheme, rest, options, environment: BTreeMap::new() })
    }

    /// The same with what the environment says of the variables that its connector knows. Options go
    /// before it.
    pub fn with_environment(self, environment: BTreeMap<String, String>) -> Self {
        Self { environment, ..self }
    }

    /// What [`Self::with_environment`] was given.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The scheme, in lower case.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme and the options, as it was written: it may hold a password.
    pub fn location(&self) -> &str {
        &self.rest
    }

    /// The local path of systems that live in the file system: `sqlite:shop.db`,
    /// `sqlite:///srv/shop.db`, `file://localhost/srv`.
    pub fn path(&self) -> Result<String> {
        let path = match self.rest.strip_prefix("//") {
            None => self.rest.as_str(),
            Some(rest) if rest.starts_with('/') => rest,
            Some(rest) if rest.starts_with("localhost/") => &rest["localhost".len()..],
            Some(_) => {
                return Err(Error::new(
                    Code::UrlInvalid,
                    "an address of a local path names a host",
                )
                .with("address", self.to_string())
                .hint(format!("Write {0}:relative/path or {0}:///absolute/path.", self.scheme)));
            }
        };
        percent_decode(path)
            .ok_or_else(|| Error::new(Code::UrlInvalid, "an address has a wrong % escape"))
    }

    /// The bucket or container of a cloud store, and the path in it without `/` at its ends:
    /// `s3://bucket/a/b/`.
    pub fn bucket(&self) -> Result<(String, String)> {
        let wrong = |problem: &str| {
            Error::new(Code::UrlInvalid, problem.to_string())
                .with("address", self.to_string())
                .hint(format!("Write {0}://name, or {0}://name/path.", self.scheme))
        };
        let named = self.rest.strip_prefix("//").filter(|rest| !rest.starts_with('/'));
        let named = named.ok_or_else(|| wrong("an address of a store names no bucket"))?;
        let (bucket, path) = named.split_once('/').unwrap_or((named, ""));
        if bucket.contains('@') {
            return Err(wrong("an address of a store has a user before its bucket"));
        }
        let decoded =
            |text| percent_decode(text).ok_or_else(|| wrong("an address has a wrong % escape"));
        Ok((decoded(bucket)?, decoded(path)?.trim_matches('/').to_string()))
    }

    /// The port of the first host that it names, where it names one.
    pub fn port(&self) -> Option<u16> {
        let rest = self.rest.strip_prefix("//")?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let first = host.split(',').next().unwrap_or_default();
        // The colons of a bare address of IPv6 stand in brackets.
        first.rsplit_once(':').filter(|(_, port)| !port.contains(']'))?.1.parse().ok()
    }

    /// Whether it holds what [`fmt::Display`] hides: a password, or an option that looks secret.
    pub fn has_secret(&self) -> bool {
        let user = self.rest.strip_prefix("//").and_then(|rest| rest.rsplit_once('@'));
        let password = user.and_then(|(user, _)| user.split_once(':')).map(|(_, text)| text);
        password.is_some_and(|text| !text.is_empty())
            || self.options.iter().any(|(key, value)| is_secret(key) && !value.is_empty())
    }

    /// The options after `?`.
    pub fn options(&self) -> &BTreeMap<String, String> {
        &self.options
    }

    /// Refuses options that are not in `known`.
    pub fn allow_options(&self, known: &[&str]) -> Result<()> {
        match self.options.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => Err(Error::new(Code::UrlInvalid, "an address has an unknown option")
                .with("option", key.clone())
                .hint(format!("Known options of {}: {}.", self.scheme, known.join(", ")))),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rest = match self.rest.strip_prefix("//").and_then(|rest| rest.rsplit_once('@')) {
            Some((user, host)) => match user.split_once(':') {
                Some((user, _)) => format!("//{user}:***@{host}"),
                None => self.rest.clone(),
            },
            None => self.rest.clone(),
        };
        write!(f, "{}:{rest}", self.scheme)?;
        for (index, (key, value)) in self.options.iter().enumerate() {
            let value = if is_secret(key) { "***" } else { value };
            write!(f, "{}{key}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// Whether the value of an option is one that is never shown.
fn is_secret(option: &str) -> bool {
    let option = option.to_ascii_lowercase();
    ["pass", "secret", "token", "key"].iter().any(|word| option.contains(word))
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let digit = |at: usize| char::from(*tail.get(at)?).to_digit(16);
            bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn paths_and_options() {
        for (text, path) in [
            ("sqlite:shop.db", "shop.db"),
            ("SQLITE:///srv/a%20b.db", "/srv/a b.db"),
            ("file:out?format=csv", "out"),
            ("file://localhost/srv", "/srv"),
        ] {
            assert_eq!(Endpoint::parse(text).and_then(|e| e.path()).expect(text), path);
        }
        for wrong in
            ["", "shop.db", ":x", "sqlite:", "file://", "a b:c", "file:x?a=1&a=2", "file:x?a=%zz"]
        {
            assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Endpoint::parse("file://host/x").expect("an address").path().is_err());
        let endpoint = Endpoint::parse("file:x?format=csv").expect("an address");
        assert!(endpoint.allow_options(&["format"]).is_ok());
        assert!(endpoint.allow_options(&["fmt"]).is_err());
    }

    #[test]
    fn buckets_and_paths() {
        for (text, bucket, path) in [
            ("s3://shop", "shop", ""),
            ("s3://shop/", "shop", ""),
            ("s3://shop/a/b%20c/?region=x", "shop", "a/b c"),
        ] {
            let found = Endpoint::parse(text).and_then(|endpoint| endpoint.bucket()).expect(text);
            assert_eq!(found, (bucket.to_string(), path.to_string()));
        }
        for wrong in ["s3:shop", "s3:///shop", "s3://key:secret@shop/a", "s3://shop/%zz"] {
            let error = Endpoint::parse(wrong).expect(wrong).bucket().expect_err(wrong);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let endpoint = Endpoint::parse("postgres://me:hunter2@db/x?sslpassword=hunter2&a=b");
        let shown = format!("{0} {0:?}", endpoint.expect("an address"));
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("me:***@db"), "{shown}");
    }
}
