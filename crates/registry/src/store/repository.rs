//! Names of repositories and tags.

use std::fmt;
use std::str::FromStr;

use longshore_image::{is_repository, is_tag};

use crate::Fault;

/// The name of a repository, which is safe as a path: it has no `.`, `..` or `_` at the beginning of a part.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository(String);

impl Repository {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Repository {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        match is_repository(text) {
            true => Ok(Self(text.to_string())),
            false => Err(Fault::NameInvalid),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A tag, which is safe as the name of a file.
pub(crate) fn tag(text: &str) -> Result<&str, Fault> {
    match is_tag(text) {
        true => Ok(text),
        false => Err(Fault::TagInvalid),
    }
}
