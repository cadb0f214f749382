//! Trees of files as they are: every file, folder and link is an object, moved byte by byte.

mod entry;
mod load;
mod read;
mod source;
mod target;
mod walk;
mod write;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::Names;
use longshore_model::object::{DIALECT, WIRE};
use longshore_model::{Code, Endpoint, Error, Result};
use serde::{Deserialize, Serialize};

use crate::blocking;

/// Trees of files, moved as they are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trees;

static ABOUT: About = About {
    name: "trees",
    title: "Trees of files, as they are",
    chosen_by: Some(("format", "objects")),
    local: true,
    schemes: &["file"],
    example: "file:/srv/uploads?format=objects",
    options: &[
        ("format", "objects: every file, folder and link of the tree, byte by byte"),
        ("hash", "of the bytes of each file of a source: blake3 (the default) or sha256"),
        (
            "exclude",
            "patterns of names that a source leaves out, with what is below them, by commas: *.tmp,cache/*",
        ),
    ],
    source: SourceCapabilities {
        filter: false,
        open_ended: false,
        dialect: DIALECT,
        restart: "names of all entries, sizes and times of files and links, and modes and owners of \
                  folders prove the tree unchanged; a run goes on where it stopped as long as they \
                  are the same. A file that changes while it is read is read again",
    },
    target: TargetCapabilities {
        writers: None,
        repair: Repair::Chunks,
        dialect: DIALECT,
        wires: &[WIRE],
        namespaces: false,
        names: Names::EXACT,
    },
};

/// How the bytes of files are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hash {
    #[default]
    Blake3,
    Sha256,
}

impl Hash {
    fn of(endpoint: &Endpoint) -> Result<Self> {
        endpoint.allow_options(&["format", "hash", "exclude"])?;
        match endpoint.options().get("hash").map(String::as_str) {
            None | Some("blake3") => Ok(Hash::Blake3),
            Some("sha256") => Ok(Hash::Sha256),
            Some(other) => Err(Error::new(Code::UrlInvalid, "this hash is not known")
                .with("hash", other)
                .hint("It is blake3 or sha256.")),
        }
    }
}

#[async_trait]
impl Connector for Trees {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        let (hash, root) = (Hash::of(endpoint)?, endpoint.path()?.into());
        let told = endpoint.options().get("exclude").map(String::as_str).unwrap_or_default();
        let excluded = told.split(',').filter(|one| !one.is_empty()).map(str::to_string).collect();
        Ok(Box::new(blocking(move || source::TreeSource::open(root, hash, excluded)).await?))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        if let Some(option) =
            ["hash", "exclude"].iter().find(|o| endpoint.options().contains_key(**o))
        {
            return Err(Error::new(Code::UrlInvalid, "this option is one of a source")
                .with("option", *option)
                .hint("Give it in the address of the source; the target follows."));
        }
        endpoint.allow_options(&["format"])?;
        let root = endpoint.path()?.into();
        Ok(Box::new(blocking(move || target::TreeTarget::open(root)).await?))
    }
}
