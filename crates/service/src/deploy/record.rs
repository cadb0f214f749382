//! What was deployed from here: a file for each deployment, in the state folder.

use std::fs;
use std::path::{Path, PathBuf};

use longshore_deploy::Deployment;
use longshore_image::document::annotation;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use super::{DeployOrder, Platform};
use crate::folder::write_whole;

/// A deployment that was made from here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(flatten)]
    pub platform: Platform,
    /// The name of its image.
    pub image: String,
    /// The image's digest.
    pub digest: String,
    /// The migration.
    pub migration: String,
    /// Its version.
    pub version: String,
    /// When it was deployed, as RFC 3339.
    pub deployed: String,
}

/// The records in a state folder.
#[derive(Debug, Clone)]
pub struct Records(PathBuf);

impl Record {
    pub(super) fn of(deployment: &Deployment, order: &DeployOrder<'_>, now: String) -> Self {
        let told = |name: &str| deployment.labels.get(name).cloned().unwrap_or_default();
        Self {
            name: deployment.name.clone(),
            platform: order.on.clone(),
            image: deployment.image.name.clone(),
            digest: deployment.image.digest.clone(),
            migration: told(annotation::MIGRATION),
            version: told(annotation::MIGRATION_VERSION),
            deployed: now,
        }
    }
}

impl Records {
    /// The records of a state folder, which need not be there yet.
    pub fn of(state: &Path) -> Self {
        Self(state.join("deployments"))
    }

    pub(super) fn keep(&self, record: &Record) -> Result<()> {
        fs::create_dir_all(&self.0).map_err(|error| {
            Error::io("make the folder of deployments", self.0.display(), error)
        })?;
        let json = serde_json::to_vec_pretty(record).map_err(|error| {
            Error::new(Code::Internal, "the deployment cannot be written down").because(error)
        })?;
        write_whole(&self.file(&record.name), &json)
    }

    pub(super) fn forget(&self, name: &str) -> Result<()> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("forget the deployment", self.file(name).display(), error))
            }
            _ => Ok(()),
        }
    }

    /// All of them, the newest last.
    pub fn list(&self) -> Result<Vec<Record>> {
        let unreadable = |error| Error::io("list the deployments", self.0.display(), error);
        let entries = match fs::read_dir(&self.0) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut records = Vec::new();
        for entry in entries {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                records.push(read(&path)?);
            }
        }
        records.sort_by(|a: &Record, b| (&a.deployed, &a.name).cmp(&(&b.deployed, &b.name)));
        Ok(records)
    }

    /// The deployment of a name; without one, the only one that there is.
    pub fn find(&self, name: Option<&str>) -> Result<Record> {
        let mut records = self.list()?;
        let missing = || {
            Error::new(Code::DeploymentMissing, "there is no such deployment")
                .with("folder", self.0.display().to_string())
        };
        if let Some(name) = name {
            let found = records.into_iter().find(|record| record.name == name);
            return found.ok_or_else(|| missing().with("name", name));
        }
        match (records.pop(), records.len()) {
            (Some(record), 0) => Ok(record),
            (None, _) => Err(missing()),
            (Some(newest), others) => Err(Error::new(Code::Usage, "there are several deployments")
                .with("deployments", (others + 1).to_string())
                .hint(format!("Name one, such as {}.", newest.name))),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

fn read(path: &Path) -> Result<Record> {
    let bytes = fs::read(path)
        .map_err(|error| Error::io("read what was deployed", path.display(), error))?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Error::new(Code::SpecInvalid, "the record of a deployment is not valid")
            .with("path", path.display().to_string())
            .hint("Remove the file; the deployment itself is not touched by that.")
            .because(error)
    })
}
