//! Trees of files as they are, in the file system and in stores: every file, folder and link is an
//! object, moved byte by byte.

mod attributes;
mod entry;
mod fetch;
mod load;
mod metadata;
mod place;
mod read;
mod removal;
mod shelf;
mod source;
mod stored_twin;
mod survey;
mod target;
mod twin;
mod types;
mod upload;
mod walk;
mod write;
mod xattr;

use std::sync::LazyLock;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::Names;
use longshore_model::object::{DIALECT, WIRE};
use longshore_model::{Code, Endpoint, Error, Result};
use serde::{Deserialize, Serialize};

use crate::blocking;
use crate::store::{Provider, Server, Store};

/// Trees of files, moved as they are: in the file system, or in a store.
#[derive(Debug, Clone, Copy, Default)]
pub struct Trees {
    provider: Option<Provider>,
}

impl Trees {
    pub(crate) fn in_store(provider: Provider) -> Self {
        Self { provider: Some(provider) }
    }

    /// The options of its addresses.
    fn known(&self) -> Vec<&'static str> {
        self.about().options.iter().map(|(name, _)| *name).collect()
    }
}

const FORMAT: (&str, &str) = ("format", "objects: every file, folder and link, byte by byte");
const HASH: (&str, &str) =
    ("hash", "of the bytes of each file of a source: blake3 (the default) or sha256");
const EXCLUDE: (&str, &str) = (
    "exclude",
    "patterns of names that a source leaves out, with what is below them, by commas: *.tmp,cache/*",
);
const OWNERS: (&str, &str) = (
    "owners",
    "true: a source tells the owners in the metadata of its objects, 0:0 where there are none",
);

const CONTENT_TYPE: (&str, &str) = (
    "content-type",
    "guess: a source tells the types of files that have none by well-known endings of their names",
);

const COPY: (&str, &str) = (
    "copy",
    "server: the target, which must be in the same store, has the store copy the bytes; a source \
     reads only those of objects that carry no hash",
);

const TAGS: (&str, &str) = (
    "tags",
    "true: a source tells the tags of its objects, for a request more for each, and the target keeps \
     them, which must be S3 or Azure too",
);

/// Options that a target does not have.
const OF_SOURCES: [&str; 6] = [HASH.0, EXCLUDE.0, OWNERS.0, CONTENT_TYPE.0, COPY.0, TAGS.0];

const TARGET: TargetCapabilities = TargetCapabilities {
    writers: None,
    repair: Repair::Chunks,
    dialect: DIALECT,
    wires: &[WIRE],
    namespaces: false,
    merges: true,
    shared: false,
    names: Names::EXACT,
};

static ABOUT: About = About {
    name: "trees",
    title: "Trees of files, as they are",
    chosen_by: Some(("format", "objects")),
    local: true,
    port: None,
    schemes: &["file"],
    example: "file:/srv/uploads?format=objects",
    options: &[FORMAT, HASH, EXCLUDE, CONTENT_TYPE],
    variables: &[],
    source: SourceCapabilities {
        filter: false,
        open_ended: true,
        dialect: DIALECT,
        restart: "names of all entries, sizes and times of files and links, and modes, owners and \
                  extended attributes of folders prove the tree unchanged. If they do not, each \
                  finished chunk is read again: one that is the same stays, another is copied anew. \
                  A file that changes while it is read is read again",
    },
    target: TARGET,
};

static STORES: LazyLock<Vec<About>> = LazyLock::new(|| Provider::ALL.map(in_store).to_vec());

fn in_store(provider: Provider) -> About {
    let (name, title, schemes, example): (_, _, &'static [&'static str], _) = match provider {
        Provider::S3 => (
            "s3-objects",
            "Objects in S3, as they are",
            &["s3"],
            "s3://bucket/path?format=objects&region=eu-west-1",
        ),
        Provider::Gcs => (
            "gcs-objects",
            "Objects in Google Cloud Storage, as they are",
            &["gs"],
            "gs://bucket/path?format=objects",
        ),
        Provider::Azure => (
            "azure-objects",
            "Objects in Azure Blob Storage, as they are",
            &["az"],
            "az://container/path?format=objects&account=name",
        ),
    };
    let mut options = vec![FORMAT, HASH, EXCLUDE, OWNERS];
    match provider {
        Provider::S3 | Provider::Azure => options.extend([COPY, TAGS]),
        Provider::Gcs => options.push(COPY),
    }
    options.extend(provider.options());
    About {
        name,
        title,
        chosen_by: Some(("format", "objects")),
        local: false,
        port: Some(443),
        schemes,
        example,
        options: options.leak(),
        variables: provider.variables(),
        source: SourceCapabilities {
            filter: false,
            open_ended: true,
            dialect: DIALECT,
            restart: "keys, sizes, times and tags of all objects prove the store unchanged; a run \
                      goes on where it stopped, also within a large object. If they do not, each \
                      finished chunk is read again: one that is the same stays, another is copied \
                      anew. An object that changes while it is read is read again",
        },
        target: TARGET,
    }
}

/// How the bytes of files are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hash {
    #[default]
    Blake3,
    Sha256,
}

impl Hash {
    /// What the text of such a hash begins with.
    fn word(self) -> &'static str {
        match self {
            Hash::Blake3 => "blake3",
            Hash::Sha256 => "sha256",
        }
    }

    fn of(endpoint: &Endpoint) -> Result<Self> {
        match endpoint.options().get("hash").map(String::as_str) {
            None | Some("blake3") => Ok(Hash::Blake3),
            Some("sha256") => Ok(Hash::Sha256),
            Some(other) => Err(Error::new(Code::UrlInvalid, "this hash is not known")
                .with("hash", other)
                .hint("It is blake3 or sha256.")),
        }
    }
}

/// How a source reads.
#[derive(Debug, Clone, Default)]
struct Reading {
    hash: Hash,
    /// Whether files that have no type of content get one by their names.
    guesses: bool,
    /// Whether tags are told.
    tags: bool,
    /// The server that copies the bytes, where they do not come here.
    copies: Option<Server>,
}

impl Reading {
    fn of(endpoint: &Endpoint) -> Result<Self> {
        let guesses = chosen(endpoint, CONTENT_TYPE.0, "guess")?;
        let tags = chosen(endpoint, TAGS.0, "true")?;
        Ok(Self { hash: Hash::of(endpoint)?, guesses, tags, copies: None })
    }

    /// The same of a store.
    fn of_store(endpoint: &Endpoint, store: &Store) -> Result<Self> {
        let reading = Self::of(endpoint)?;
        let copies = chosen(endpoint, COPY.0, "server")?.then(|| store.copies());
        if copies == Some(None) || (reading.tags && !store.keeps_tags()) {
            return Err(Error::new(
                Code::UrlInvalid,
                "copies within a store and tags need requests that are signed",
            )
            .with("address", endpoint.to_string())
            .hint("Name credentials that can sign (for Azure, the key of the account), or leave out copy=server and tags=true."));
        }
        Ok(Self { copies: copies.flatten(), ..reading })
    }
}

/// Whether an option is set to the one word that it knows.
fn chosen(endpoint: &Endpoint, option: &'static str, word: &str) -> Result<bool> {
    match endpoint.options().get(option).map(String::as_str) {
        None => Ok(false),
        Some(told) if told == word => Ok(true),
        Some(other) => Err(Error::new(Code::UrlInvalid, "an option has a value that is not known")
            .with(option, other)
            .hint(format!("It is {word}, or left out."))),
    }
}

#[async_trait]
impl Connector for Trees {
    fn about(&self) -> &'static About {
        self.provider.and_then(|provider| STORES.get(provider as usize)).unwrap_or(&ABOUT)
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        endpoint.allow_options(&self.known())?;
        let told = |option: &str| endpoint.options().get(option).map(String::as_str);
        let excluded = told("exclude").unwrap_or_default().split(',');
        let excluded = excluded.filter(|one| !one.is_empty()).map(str::to_string).collect();
        Ok(Box::new(match self.provider {
            Some(provider) => {
                let store = Store::open(provider, endpoint)?;
                store.must_be_there().await?;
                let reading = Reading::of_store(endpoint, &store)?;
                let owners = told("owners") == Some("true");
                source::TreeSource::in_store(store, reading, excluded, owners)
            }
            None => {
                let (root, reading) = (endpoint.path()?.into(), Reading::of(endpoint)?);
                blocking(move || source::TreeSource::in_folder(root, reading, excluded)).await?
            }
        }))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        if let Some(option) =
            OF_SOURCES.iter().find(|option| endpoint.options().contains_key(**option))
        {
            return Err(Error::new(Code::UrlInvalid, "this option is one of a source")
                .with("option", *option)
                .hint("Give it in the address of the source; the target follows."));
        }
        endpoint.allow_options(&self.known())?;
        Ok(Box::new(match self.provider {
            Some(provider) => target::TreeTarget::in_store(Store::open(provider, endpoint)?),
            None => {
                let root = endpoint.path()?.into();
                blocking(move || target::TreeTarget::in_folder(root)).await?
            }
        }))
    }
}
