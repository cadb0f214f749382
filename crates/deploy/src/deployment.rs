//! What is deployed, and what becomes of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// One description of a deployment, for every platform.
#[derive(Debug, Clone, Serialize)]
pub struct Deployment {
    /// Its name, which is that of the container.
    pub name: String,
    /// The image.
    pub image: Sealed,
    /// What the engine is told to do.
    pub command: Vec<String>,
    /// Variables that are no secrets.
    pub environment: BTreeMap<String, String>,
    /// The names of its secrets. Each is a file in [`crate::SECRETS`], and the variable `NAME_FILE` leads to it.
    pub secrets: Vec<String>,
    /// The folder that holds these files, where the platform runs on this machine.
    pub secrets_folder: Option<PathBuf>,
    /// Folders of the machine that it sees.
    pub mounts: Vec<Mount>,
    /// The network that it joins; the platform's own default without it.
    pub network: Option<String>,
    /// The user and group that it runs as; the image's own without it.
    pub user: Option<String>,
    /// What it may use.
    pub limits: Limits,
    /// What is said of it.
    pub labels: BTreeMap<String, String>,
}

/// An image by its digest.
#[derive(Debug, Clone, Serialize)]
pub struct Sealed {
    /// The name that it has for people.
    pub name: String,
    /// Its digest: of the list of platforms, where it is one.
    pub digest: String,
    /// Every digest by which an engine may know just these bytes for its platform: of the configuration, of the
    /// manifest, of the list.
    pub known_as: Vec<String>,
}

/// What a deployment may use.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Processors, such as 1.5.
    pub cpus: Option<f64>,
    /// Processes and threads.
    pub processes: u32,
}

/// A folder or file of the machine, and where a deployment sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// On the machine.
    pub from: PathBuf,
    /// In the container.
    pub to: PathBuf,
    /// Whether it must not be changed.
    pub read_only: bool,
}

impl FromStr for Mount {
    type Err = Error;

    /// Reads `FROM:TO` or `FROM:TO:ro`, as Docker writes it.
    fn from_str(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::new(Code::Usage, why.to_string())
                .with("volume", text)
                .hint("Write FOLDER:PLACE or FOLDER:PLACE:ro, both as whole paths, such as /srv/shop:/work.")
        };
        let parts: Vec<&str> = text.split(':').collect();
        let (from, to, read_only) = match parts[..] {
            [from, to] | [from, to, "rw"] => (from, to, false),
            [from, to, "ro"] => (from, to, true),
            _ => return Err(wrong("a volume is not understood")),
        };
        if !from.starts_with('/') || !to.starts_with('/') {
            return Err(wrong("a volume needs whole paths"));
        }
        Ok(Self { from: from.into(), to: to.into(), read_only })
    }
}

/// Refuses a name that some platform does not take, or that would be a path.
pub fn demand_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_one = !name.is_empty() && name.len() <= 63 && name.chars().all(plain);
    if is_one && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(());
    }
    Err(Error::new(Code::Usage, "the name of a deployment is not understood")
        .with("name", name)
        .hint(
            "Names are of up to 63 small letters, digits and -, which is neither first nor last.",
        ))
}

/// How a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It has not been started.
    Created,
    /// It runs.
    Running {
        /// Since when, as RFC 3339, where that is known.
        since: Option<String>,
    },
    /// It has ended.
    Ended {
        /// The exit code of its engine.
        exit: i64,
        /// Whether the machine took its memory away.
        out_of_memory: bool,
        /// When, as RFC 3339, where that is known.
        at: Option<String>,
    },
}

/// A deployment that is there.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// What is said of it.
    pub labels: BTreeMap<String, String>,
}

/// A line that a deployment wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// To its standard output: JSON, unless it was told otherwise.
    Out(String),
    /// To its standard error.
    Error(String),
}

#[cfg(test)]
mod tests {
    use super::{Mount, demand_name};

    #[test]
    fn names_are_those_of_every_platform() {
        for name in ["shop", "shop-2", &"a".repeat(63)] {
            demand_name(name).expect(name);
        }
        for name in ["", "../x", "a/b", ".", "Shop", "-a", "a-", &"a".repeat(64), "a b"] {
            assert!(demand_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn volumes_are_written_as_for_docker() {
        let read = |text: &str| text.parse::<Mount>().map(|one| (one.from, one.to, one.read_only));
        assert_eq!(read("/a:/b").expect("a volume"), ("/a".into(), "/b".into(), false));
        assert_eq!(read("/a:/b:ro").expect("a volume"), ("/a".into(), "/b".into(), true));
        for wrong in ["", "/a", "a:/b", "/a:b", "/a:/b:x", "/a:/b:ro:z", "name:/work"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
