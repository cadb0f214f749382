//! Where an image is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use longshore_image::Name;
use longshore_model::{Code, Error, Result};

const ARCHIVE: &str = "archive";
const LAYOUT: &str = "oci-layout";

/// Where an image is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the state folder or a registry, by its name.
    Name(Name),
    /// `archive:FILE`: a file that `docker load`, `podman load` and `skopeo` take as well.
    Archive(PathBuf),
    /// `oci-layout:FOLDER`.
    Layout(PathBuf),
}

impl Place {
    /// Whether a text can be nothing but the place of an image.
    pub fn is_told(text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        matches!(scheme, Some(ARCHIVE | LAYOUT))
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let place = match text.split_once(':') {
            Some((ARCHIVE, path)) => Self::Archive(path.into()),
            Some((LAYOUT, path)) => Self::Layout(path.into()),
            _ => return Ok(Self::Name(text.parse()?)),
        };
        if text.ends_with(':') {
            return Err(Error::new(Code::ImageName, "the place of an image has no path")
                .with("place", text)
                .hint("Write archive:FILE or oci-layout:FOLDER."));
        }
        Ok(place)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Archive(path) => write!(f, "{ARCHIVE}:{}", path.display()),
            Self::Layout(path) => write!(f, "{LAYOUT}:{}", path.display()),
        }
    }
}
