//! A cluster of Kubernetes: what is given to it, and what can be asked of it.

mod jobs;
mod logs;
mod objects;
mod pods;

use std::path::PathBuf;
use std::str::FromStr;

use longshore_model::{Code, Error, Result};
use serde::Serialize;

pub use jobs::{Kubernetes, Place};
pub use objects::yaml;

/// What a cluster needs to be told beside the deployment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Cluster {
    /// The namespace; the one that is current where it is applied without it.
    pub namespace: Option<String>,
    /// The object that holds the secrets, each under its name; one that is made for the deployment without it.
    pub secret: Option<String>,
    /// The object by which the cluster may pull the image.
    pub pull_secret: Option<String>,
    /// The ports that source and target listen at.
    pub ports: Vec<u16>,
    /// Volumes that it sees.
    pub claims: Vec<Claim>,
    /// The processes that run the migration together; 0 and 1 are one.
    pub processes: u32,
}

/// A volume of the cluster, and where a deployment sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The name of the PersistentVolumeClaim.
    pub name: String,
    /// Its place in the container.
    pub to: PathBuf,
    /// Whether it must not be changed.
    pub read_only: bool,
}

impl FromStr for Claim {
    type Err = Error;

    /// Reads `NAME:PLACE` or `NAME:PLACE:ro`.
    fn from_str(text: &str) -> Result<Self> {
        let parts: Vec<&str> = text.split(':').collect();
        let (name, to, read_only) = match parts[..] {
            [name, to] => (name, to, false),
            [name, to, "ro"] => (name, to, true),
            _ => ("", "", false),
        };
        if name.is_empty() || !to.starts_with('/') {
            return Err(Error::new(Code::Usage, "a claim is not understood")
                .with("claim", text)
                .hint("Write NAME:PLACE or NAME:PLACE:ro, such as shop-data:/work."));
        }
        Ok(Self { name: name.to_string(), to: to.into(), read_only })
    }
}
