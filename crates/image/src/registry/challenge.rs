//! What a registry asks for, by RFC 9110: `WWW-Authenticate`.

use std::collections::BTreeMap;

/// How a registry wants to be told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Name and password with each request.
    Basic,
    /// A token, which somebody else gives.
    Bearer {
        /// Who gives it.
        realm: String,
        /// For which service.
        service: Option<String>,
        /// For what, as the registry sees it.
        scope: Option<String>,
    },
}

impl Challenge {
    /// Reads headers; a token is preferred to a password.
    pub(super) fn read<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut found = None;
        for header in headers {
            for (scheme, mut parameters) in schemes(header) {
                if scheme.eq_ignore_ascii_case("bearer") {
                    let Some(realm) = parameters.remove("realm") else { continue };
                    return Some(Self::Bearer {
                        realm,
                        service: parameters.remove("service"),
                        scope: parameters.remove("scope"),
                    });
                }
                if scheme.eq_ignore_ascii_case("basic") {
                    found = Some(Self::Basic);
                }
            }
        }
        found
    }
}

/// The schemes of a header, each with its parameters.
fn schemes(header: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut found: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    for part in parts(header) {
        let part = part.trim();
        let name_end = part.find('=').unwrap_or(part.len());
        // `Bearer realm="…"` begins a scheme, `service="…"` goes on with it.
        let (scheme, parameter) = match part[..name_end].trim_end().rsplit_once(' ') {
            Some((scheme, _)) => (Some(scheme.trim()), part[scheme.len()..].trim()),
            None if name_end == part.len() => (Some(part), ""),
            None => (None, part),
        };
        if let Some(scheme) = scheme.filter(|scheme| !scheme.is_empty()) {
            found.push((scheme.to_string(), BTreeMap::new()));
        }
        if let (Some((name, value)), Some((_, parameters))) =
            (parameter.split_once('='), found.last_mut())
        {
            parameters.insert(name.trim().to_ascii_lowercase(), unquote(value.trim()));
        }
    }
    found
}

/// Splits at commas that stand in no quoted text.
fn parts(header: &str) -> Vec<&str> {
    let (mut found, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (place, character) in header.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                found.push(&header[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(&header[start..]);
    found
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return value.to_string();
    };
    let (mut text, mut escaped) = (String::new(), false);
    for character in inner.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            text.push(character);
            escaped = false;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Challenge;

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        let text = |text: &str| text.to_string();
        Some(Challenge::Bearer {
            realm: realm.to_string(),
            service: service.map(text),
            scope: scope.map(text),
        })
    }

    #[test]
    fn challenges_are_read() {
        for (header, expected) in [
            ("Basic realm=\"Registry Realm\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",\
                 scope=\"repository:a/b:pull,push\"",
                bearer(
                    "https://auth.docker.io/token",
                    Some("registry.docker.io"),
                    Some("repository:a/b:pull,push"),
                ),
            ),
            (
                "Bearer service=x , realm = \"https://a/b\\\"c\"",
                bearer("https://a/b\"c", Some("x"), None),
            ),
            ("Basic realm=\"a, b\", Bearer realm=\"https://a\"", bearer("https://a", None, None)),
            ("Bearer service=\"x\"", None),
            ("Negotiate", None),
            ("", None),
            (",,=,\"", None),
            ("Bearer realm=\"unclosed", bearer("\"unclosed", None, None)),
        ] {
            assert_eq!(Challenge::read([header].into_iter()), expected, "{header}");
        }
    }
}
