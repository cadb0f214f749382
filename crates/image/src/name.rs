//! Names of images: `host/repository:tag@digest`.

use std::fmt;
use std::str::FromStr;

use longshore_model::{Code, Error, Result};

use crate::Digest;

/// Where names without a host lead, as everywhere in this field.
pub const DOCKER_HUB: &str = "docker.io";
/// The tag of a name that has neither tag nor digest.
pub(crate) const LATEST: &str = "latest";
/// The longest that a repository's path may be, with its host.
const LONGEST: usize = 255;

/// The name of an image in a registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// The host with its port, when it has one.
    pub host: String,
    /// The repository in it.
    pub repository: String,
    /// The tag.
    pub tag: Option<String>,
    /// The digest, which says it exactly.
    pub digest: Option<Digest>,
}

impl Name {
    /// What names the image in its repository: the digest, or else the tag.
    pub fn reference(&self) -> &str {
        let tag = self.tag.as_deref().unwrap_or(LATEST);
        self.digest.as_ref().map_or(tag, Digest::as_str)
    }

    /// The host and the repository.
    pub fn place(&self) -> String {
        format!("{}/{}", self.host, self.repository)
    }

    /// The same repository, another digest.
    pub fn at(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }

    /// The same repository, another tag.
    pub fn tagged(&self, tag: &str) -> Self {
        Self { tag: Some(tag.to_string()), digest: None, ..self.clone() }
    }

    /// The same host, another repository.
    pub fn within(&self, repository: &str) -> Self {
        Self { repository: repository.to_string(), ..self.clone() }
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(Code::ImageName, format!("the name of an image {why}"))
                .with("name", text.chars().take(300).collect::<String>())
        };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        let (host, path) = match rest.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path),
            _ => (DOCKER_HUB, rest),
        };
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag.to_string())),
            None => (path, None),
        };
        if !host_is_sound(host) {
            return Err(wrong("has a host that cannot be one"));
        }
        if !repository.split('/').all(is_component) {
            return Err(wrong("has a repository that cannot be one")
                .hint("It is made of lower-case letters, digits and single . _ - between them."));
        }
        if tag.as_deref().is_some_and(|tag| !is_tag(tag)) {
            return Err(wrong("has a tag that cannot be one")
                .hint("It has up to 128 letters, digits, _ . and -, and begins with none of the last two."));
        }
        let official = host == DOCKER_HUB && !repository.contains('/');
        let repository = format!("{}{repository}", if official { "library/" } else { "" });
        if host.len() + repository.len() + 1 > LONGEST {
            return Err(wrong("is too long"));
        }
        let tag = match digest {
            None => tag.or_else(|| Some(LATEST.to_string())),
            Some(_) => tag,
        };
        Ok(Self { host: host.to_string(), repository, tag, digest })
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether the first part of a path is a host, which Docker tells in this way.
fn is_host(part: &str) -> bool {
    part == "localhost" || part.contains(['.', ':', '[']) || part.contains(char::is_uppercase)
}

fn host_is_sound(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let port = rest.strip_prefix(':').or(rest.is_empty().then_some("1"));
            return address.parse::<std::net::Ipv6Addr>().is_ok()
                && port.is_some_and(|port| port.parse::<u16>().is_ok());
        }
        None => host.split_once(':').unwrap_or((host, "1")),
    };
    let label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label) && port.parse::<u16>().is_ok()
}

/// Whether a text can be the name of a repository.
pub fn is_repository(text: &str) -> bool {
    text.len() <= LONGEST && text.split('/').all(is_component)
}

/// A part of a repository's path: letters and digits, with `.`, `_`, `__` or any number of `-` between.
fn is_component(part: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(alphanumeric);
    let bytes = part.as_bytes();
    ends(bytes.first().copied())
        && ends(bytes.last().copied())
        && bytes.split(|byte| alphanumeric(*byte)).all(|between| {
            matches!(between, b"" | b"." | b"_" | b"__") || between.iter().all(|byte| *byte == b'-')
        })
}

/// Whether a text can be a tag.
pub fn is_tag(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_read_as_docker_reads_them() {
        for (text, expected) in [
            ("shop", "docker.io/library/shop:latest"),
            ("shop:1.4.0", "docker.io/library/shop:1.4.0"),
            ("team/shop:1", "docker.io/team/shop:1"),
            ("localhost/shop", "localhost/shop:latest"),
            ("localhost:5000/shop:v1", "localhost:5000/shop:v1"),
            ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
            ("[::1]:5000/a", "[::1]:5000/a:latest"),
            (
                "harbor.example.com/data-team/shop__x:A.b-c",
                "harbor.example.com/data-team/shop__x:A.b-c",
            ),
        ] {
            assert_eq!(text.parse::<Name>().expect(text).to_string(), expected);
        }
        let digest = format!("sha256:{}", "0".repeat(64));
        let name: Name = format!("ghcr.io/a/b:1@{digest}").parse().expect("a name");
        assert_eq!(name.reference(), digest);
        assert_eq!(name.tag.as_deref(), Some("1"));
        assert_eq!(format!("ghcr.io/a/b@{digest}").parse::<Name>().expect("a name").tag, None);
    }

    #[test]
    fn tricks_are_refused() {
        let long = "a".repeat(300);
        for text in [
            "",
            "/",
            "a//b",
            "../etc/passwd",
            "host.example/../x",
            "a/../b",
            "UPPER",
            "a b",
            "a:",
            "a:b:c",
            "a:.x",
            "a:-x",
            "a@sha256:12",
            "a@md5:12",
            "host.example:99999/a",
            "host..example/a",
            "-a.example/b",
            "a.-b/c",
            "a/b.",
            "a/.b",
            "a/b..c",
            "a/b___c",
            "a?x=1",
            "a#b",
            "a\nb",
            "host.example:80@evil/a",
            "[::1/a",
            &long,
        ] {
            assert!(text.parse::<Name>().is_err(), "{text}");
        }
    }
}
