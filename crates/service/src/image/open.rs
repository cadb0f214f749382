//! Secrets that stand openly in what is about to be sealed.

use longshore_model::spec::Spec;
use longshore_model::{Code, Endpoint, Error, Result};

use crate::secret::{Secrets, without_references};

/// Refuses passwords and keys in addresses that are not references.
pub(crate) fn check_addresses(spec: &Spec) -> Result<()> {
    for one in &spec.moves {
        for (side, text) in [("from", &one.from), ("to", &one.to)] {
            let rest = without_references(text);
            if Endpoint::parse(&rest).is_ok_and(|endpoint| endpoint.has_secret()) {
                return Err(refused("a password or a key stands in an address")
                    .with("in", side)
                    .with("address", Endpoint::parse(&rest)?.to_string()));
            }
        }
    }
    Ok(())
}

/// Refuses texts in which a secret stands: one that this process was given, or one that is known by its
/// form.
pub(super) fn check_text(file: &str, text: &str, secrets: &Secrets) -> Result<()> {
    for (number, line) in text.lines().enumerate() {
        let found = match known_form(line) {
            Some(form) => Some(form),
            None => secrets.stand_in(line).then_some("the value of a secret"),
        };
        if let Some(what) = found {
            return Err(refused(&format!("{what} stands in the migration"))
                .with("file", file)
                .with("line", (number + 1).to_string()));
        }
    }
    Ok(())
}

fn refused(why: &str) -> Error {
    Error::new(Code::SecretOpen, why)
}

/// What a secret in a line is, when its form tells.
fn known_form(line: &str) -> Option<&'static str> {
    let has_private_key = line.contains("-----BEGIN ") && line.contains("PRIVATE KEY-----");
    if has_private_key {
        return Some("a private key");
    }
    if line.match_indices("://").any(|(place, _)| has_password(&line[place + 3..])) {
        return Some("an address with a password");
    }
    line.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./+=".contains(c))).find_map(token)
}

/// Whether what follows `://` has a password: `user:password@host`, the password no reference.
fn has_password(rest: &str) -> bool {
    let rest = without_references(rest);
    let ends = |c: char| c.is_whitespace() || "/\"'`,<>".contains(c);
    let authority = rest.split(ends).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    password.is_some_and(|password| !password.is_empty() && password != "***")
}

/// Tokens that their makers gave a form by which they are found.
fn token(word: &str) -> Option<&'static str> {
    let starts = |prefix: &str, length: usize| word.starts_with(prefix) && word.len() >= length;
    let all = |set: fn(&u8) -> bool| word.as_bytes().iter().all(set);
    let upper = all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if word.len() == 20 && upper && (word.starts_with("AKIA") || word.starts_with("ASIA")) {
        return Some("an access key of AWS");
    }
    let known = [
        ("ghp_", 36, "a token of GitHub"),
        ("github_pat_", 40, "a token of GitHub"),
        ("glpat-", 20, "a token of GitLab"),
        ("dckr_pat_", 20, "a token of Docker Hub"),
        ("xoxb-", 20, "a token of Slack"),
        ("AIza", 39, "a key of Google"),
        ("npm_", 36, "a token of npm"),
    ];
    let found = known.iter().find(|(prefix, length, _)| starts(prefix, *length));
    let is_jwt = starts("eyJ", 40) && word.split('.').count() == 3;
    found.map(|(.., what)| *what).or(is_jwt.then_some("a JSON web token"))
}

#[cfg(test)]
mod tests {
    use longshore_model::Code;
    use longshore_model::spec::Spec;

    use super::{check_addresses, known_form};

    #[test]
    fn open_secrets_in_addresses_are_refused_and_references_are_not() {
        for (address, refused) in [
            ("postgres://me:hunter2@db/shop", true),
            ("postgres://me:hunter2${secret:REST}@db/shop", true),
            ("s3://bucket/x?secret-access-key=abc", true),
            ("mysql://db/shop?password=abc", true),
            ("postgres://me:${secret:PW}@db/shop", false),
            ("postgres://me@db/shop?sslmode=verify-full", false),
            ("s3://bucket/x?secret-access-key=${secret:KEY}", false),
            ("${secret:SOURCE_URL}", false),
            ("sqlite:shop.db", false),
        ] {
            let found = check_addresses(&Spec::short(address, "sqlite:copy.db"));
            match found {
                Ok(()) => assert!(!refused, "{address}"),
                Err(error) => {
                    assert!(refused, "{address}: {error}");
                    assert_eq!(error.code(), Code::SecretOpen);
                    assert!(!error.to_string().contains("hunter2"), "{error}");
                }
            }
        }
    }

    #[test]
    fn secrets_are_known_by_their_form() {
        for (line, refused) in [
            ("where: \"token = 'ghp_0123456789abcdefghijABCDEFGHIJ012345'\"", true),
            ("key: AKIAIOSFODNN7EXAMPLE", true),
            ("-----BEGIN RSA PRIVATE KEY-----", true),
            ("OPTIONS (url 'amqp://me:hunter2@host/x')", true),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", true),
            ("from: postgres://me:${secret:PW}@db/shop", false),
            ("\"to\": \"postgres://me:***@db/shop\"", false),
            ("see https://example.com/a:b@c", false),
            ("-----BEGIN CERTIFICATE-----", false),
            ("AKIA", false),
            ("\"spec_digest\": \"sha256:0011\"", false),
        ] {
            assert_eq!(known_form(line).is_some(), refused, "{line}");
        }
    }
}
