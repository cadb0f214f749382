//! What is asked for, worked out: which migration, or which image, where.

use longshore_image::document::annotation;
use longshore_model::spec::VerifyLevel;
use longshore_model::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Control;
use super::book::{Kept, Task};
use crate::Place;

/// Where a run is at work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    /// In the process of the control plane.
    #[default]
    Here,
    /// On this machine, by the image's own engine, confined.
    Local,
    /// In a container of Docker.
    Docker,
    /// In a container of Podman.
    Podman,
}

/// A run that is asked for: of a migration that is kept, or of an image.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    /// The migration.
    pub migration: Option<String>,
    /// Its version; the last one, when none is named.
    pub version: Option<String>,
    /// The image, instead of a migration.
    pub image: Option<String>,
    /// Where it runs.
    pub on: Where,
    /// What is done.
    pub task: Task,
    /// How much is verified: `full`, `sample`, `count` or `none`; as the migration says, when it is missing.
    pub verify: Option<Amount>,
}

/// How much is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// Every row.
    Full,
    /// Some chunks of each table.
    Sample,
    /// How many rows there are.
    Count,
    /// Nothing.
    None,
}

impl Control {
    /// What a run that is asked for needs.
    pub(super) fn order(&self, asked: &Asked) -> Result<Kept> {
        match (&asked.migration, &asked.image) {
            (Some(name), None) => self.order_migration(name, asked),
            (None, Some(image)) => self.order_image(image, asked),
            _ => Err(Error::new(Code::Usage, "either a migration or an image is run")
                .hint("Name one of them.")),
        }
    }

    fn order_migration(&self, name: &str, asked: &Asked) -> Result<Kept> {
        if asked.on != Where::Here {
            return Err(Error::new(Code::Usage, "a migration that is no image runs here")
                .with("migration", name)
                .hint("Build an image of it, and name the image."));
        }
        let versions = self.versions(name)?;
        let version = match &asked.version {
            None => versions.into_iter().next(),
            Some(version) => versions.into_iter().find(|one| one.version == *version),
        };
        let version = version.ok_or_else(|| {
            super::missing("there is no such version")
                .with("migration", name)
                .with("version", asked.version.clone().unwrap_or_default())
        })?;
        let spec = longshore_model::spec::Spec::parse(&version.spec, name)?;
        let verify = asked.verify.map_or(Some(spec.verify), Amount::level);
        Ok(Kept { verify, spec: version.spec, ..Kept::of(&spec, asked.task)? })
    }

    fn order_image(&self, image: &str, asked: &Asked) -> Result<Kept> {
        if asked.on == Where::Here {
            return Err(Error::new(Code::Usage, "an image runs by its own engine")
                .hint("Say where: local, docker or podman."));
        }
        if asked.task != Task::Run || asked.verify.is_some() {
            return Err(Error::new(Code::Unsupported, "an image does what is sealed in it")
                .hint("Leave `task` and `verify` out."));
        }
        let images = self.images()?;
        let place: Place = image.parse()?;
        let found = images.find(&place).map_err(|error| match error.code() {
            Code::ImageMissing => error
                .hint("Push it into the registry of this server, and name it as REPOSITORY:TAG."),
            _ => error,
        })?;
        let inspected = images.inspect(&found, None)?;
        let said = |name: &str| inspected.annotations.get(name).cloned().unwrap_or_default();
        Ok(Kept {
            spec: String::new(),
            is_whole: true,
            migration: said(annotation::MIGRATION),
            version: said(annotation::MIGRATION_VERSION),
            image: Some(image.to_string()),
            on: asked.on,
            task: Task::Run,
            verify: None,
            deployment: None,
        })
    }
}

impl Amount {
    fn level(self) -> Option<VerifyLevel> {
        match self {
            Self::Full => Some(VerifyLevel::Full),
            Self::Sample => Some(VerifyLevel::Sample),
            Self::Count => Some(VerifyLevel::Count),
            Self::None => None,
        }
    }
}
