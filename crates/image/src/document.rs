//! The JSON documents of images, as the OCI image specification 1.1 has them. Fields are written in one
//! order, so that equal images have equal bytes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use longshore_model::{Code, Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// The types of media.
pub mod media {
    /// An image for one platform.
    pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// Images for several.
    pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// How an image runs.
    pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// A layer.
    pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// Two bytes, `{}`, where a manifest has no config or no layer.
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// The configuration of an image, as Docker writes it.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// Docker's word for a manifest.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// Docker's word for an index.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
}

/// Names of annotations that every image of a migration has.
pub mod annotation {
    /// When it was made.
    pub const CREATED: &str = "org.opencontainers.image.created";
    /// The tag, in the index of a layout.
    pub const REFERENCE: &str = "org.opencontainers.image.ref.name";
    /// The whole name, in the index of a layout.
    pub const NAME: &str = "io.containerd.image.name";
    /// The digest that an artifact speaks of, in the index of a layout.
    pub const SUBJECT: &str = "dev.longshore.subject";
    /// A name for people.
    pub const TITLE: &str = "org.opencontainers.image.title";
    /// The version of what is in it.
    pub const VERSION: &str = "org.opencontainers.image.version";
    /// What is in it, for people.
    pub const DESCRIPTION: &str = "org.opencontainers.image.description";
    /// The migration's name.
    pub const MIGRATION: &str = "dev.longshore.name";
    /// The migration's version.
    pub const MIGRATION_VERSION: &str = "dev.longshore.version";
    /// The digest of the plan.
    pub const PLAN: &str = "dev.longshore.plan";
    /// The version of the engine.
    pub const ENGINE: &str = "dev.longshore.engine";
}

/// Annotations, by their names.
pub type Annotations = BTreeMap<String, String>;

/// The longest document that is read: registries take no longer manifests either.
pub const LONGEST: u64 = 4 << 20;

/// What a blob is, and which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// The type of its content.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub size: u64,
    /// What an artifact is, in an index of referrers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Where an image runs, in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What is said of it here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Descriptor {
    /// Describes a blob.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_string(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: Annotations::new(),
        }
    }

    /// Describes bytes.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Whether the blob is a list of manifests.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), media::INDEX | media::DOCKER_LIST)
    }

    /// Whether the blob is a manifest.
    pub fn is_manifest(&self) -> bool {
        matches!(self.media_type.as_str(), media::MANIFEST | media::DOCKER_MANIFEST)
    }
}

/// Where an image runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Platform {
    /// The processor, in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// The operating system: `linux`.
    pub os: String,
    /// Which kind of the processor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

impl Platform {
    /// That of this machine.
    pub fn here() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        Self { architecture: architecture.to_string(), os: "linux".to_string(), variant: None }
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/').map(str::to_string);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None) => Ok(Self { architecture, os, variant }),
            _ => Err("it is OS/ARCHITECTURE, such as linux/amd64".to_string()),
        }
    }
}

/// An image for one platform, or an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What it is, when it is no image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// How it runs.
    pub config: Descriptor,
    /// Its content, the lowest layer first.
    pub layers: Vec<Descriptor>,
    /// The manifest that it speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

/// A list of manifests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The manifests.
    pub manifests: Vec<Descriptor>,
    /// What is said of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: Annotations,
}

impl Index {
    /// A list.
    pub fn new(manifests: Vec<Descriptor>, annotations: Annotations) -> Self {
        let media_type = Some(media::INDEX.to_string());
        Self { schema_version: 2, media_type, manifests, annotations }
    }
}

/// How an image runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The processor.
    pub architecture: String,
    /// The operating system.
    pub os: String,
    /// What is run, and as whom.
    #[serde(default)]
    pub config: Runtime,
    /// The layers without compression.
    pub rootfs: RootFs,
    /// How each layer was made.
    #[serde(default)]
    pub history: Vec<History>,
}

/// What is run, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Runtime {
    /// User and group.
    pub user: String,
    /// Variables of the environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// The program.
    pub entrypoint: Vec<String>,
    /// Its arguments unless others are given.
    pub cmd: Vec<String>,
    /// Folders whose content outlives the container's root.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// The folder in which it starts.
    pub working_dir: String,
    /// What is said of it, for those who look at configs only.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: Annotations,
}

/// The layers without compression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootFs {
    /// Always `layers`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The digests of the archives.
    pub diff_ids: Vec<Digest>,
}

/// How a layer was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// By what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// Writes a document.
pub fn to_json<T: Serialize>(document: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(document)
        .map_err(|error| Error::new(Code::Internal, "a document cannot be written").because(error))
}

/// Reads a document.
pub fn from_json<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        Error::new(Code::ImageInvalid, format!("the {what} of an image is not understood"))
            .because(error)
    })
}
