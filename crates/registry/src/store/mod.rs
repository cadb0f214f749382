//! What a registry keeps, in a folder that can be read by hand:
//!
//! ```text
//! registry.json                           the version of this layout
//! policy.yaml                             what its owner wants of repositories, if he wrote it
//! collection.json                         what the last collection found that nothing needs
//! blobs/ALGORITHM/HEX                     contents, each once for all repositories
//! repositories/NAME/_blobs/ALGORITHM/HEX      the blobs that the repository has; empty files
//! repositories/NAME/_manifests/ALGORITHM/HEX  its manifests: their media types, as JSON
//! repositories/NAME/_referrers/ALGORITHM/HEX/ the descriptors of what speaks of a manifest
//! repositories/NAME/_tags/TAG                 digests; their times are those of the last push
//! repositories/NAME/_holds/ALGORITHM/HEX      why and how long a manifest is held, as JSON
//! uploads/ID/                             what is being uploaded
//! sweep/                                  locks between requests and collections
//! ```
//!
//! Everything is written beside and renamed. The time of a blob and of a link is when it was last asked for by
//! somebody who may rest on its being there.

mod blobs;
mod disk;
mod holds;
mod lists;
mod lock;
mod manifests;
mod mend;
mod protect;
mod quota;
mod repository;
mod tags;
mod uploads;

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use longshore_image::{Digest, Hasher};
use longshore_model::{Code, Error};

use crate::fault::Result;
use crate::policy::{self, Policies};

pub(crate) use disk::{is_beside, names, read, remove, remove_all, write};
pub use holds::{Held, Hold};
pub use lists::Page;
pub(crate) use lock::{PARTS, part_of};
pub use manifests::Kept;
pub(crate) use manifests::{Named, Need};
pub(crate) use protect::subject_of;
pub use repository::Repository;
pub use uploads::Upload;

const MARKER: &str = "registry.json";
const LAYOUT: &str = "{\"layout\":1}\n";

/// The contents of a registry.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
    /// The digests of uploads so far, to spare reading them again.
    hashers: Mutex<HashMap<String, Hasher>>,
    policies: Policies,
    tags: tags::Tags,
}

impl Store {
    /// Opens the contents in a folder, and makes it where nothing is.
    pub fn open(root: &Path) -> longshore_model::Result<Self> {
        let marker = root.join(MARKER);
        let failed = |error| Error::io("open the registry", root.display(), error);
        let wrong = |why: &str, hint: &str| {
            Error::new(Code::TargetNotEmpty, why)
                .with("path", root.display().to_string())
                .hint(hint)
        };
        if marker.exists() {
            if fs::read_to_string(&marker).map_err(failed)? != LAYOUT {
                return Err(wrong(
                    "the folder holds a registry of another version",
                    "Use the version of longshore that made it, or a newer one.",
                ));
            }
        } else {
            // Files that were begun and have no name of their own are what a killed process left.
            // The policy may be written before the first start.
            let is_named = |name: &OsString| {
                !name.as_encoded_bytes().starts_with(b".") && name != policy::FILE
            };
            let entries =
                if root.is_dir() { Some(fs::read_dir(root).map_err(failed)?) } else { None };
            if entries.into_iter().flatten().flatten().any(|entry| is_named(&entry.file_name())) {
                return Err(wrong(
                    "the folder holds something that is no registry",
                    "Name an empty folder, or one that is not there yet.",
                ));
            }
            // First, so that one that is killed here is a registry when it is opened again.
            disk::write(&marker, LAYOUT.as_bytes()).map_err(|fault| {
                Error::new(Code::Io, format!("the registry cannot be made: {fault:?}"))
            })?;
        }
        let store = Self {
            root: root.to_path_buf(),
            hashers: Mutex::default(),
            policies: Policies::read(root)?,
            tags: tags::Tags::default(),
        };
        for folder in [store.blobs(), store.repositories(), store.uploads()] {
            disk::make(&folder).map_err(failed)?;
        }
        Ok(store)
    }

    /// Opens the contents in a folder that is a registry already.
    pub fn open_there(root: &Path) -> longshore_model::Result<Self> {
        match root.join(MARKER).exists() {
            true => Self::open(root),
            false => Err(Error::new(Code::NotFound, "the folder holds no registry")
                .with("path", root.display().to_string())
                .hint("Name the folder that `longshore registry serve` was given as --root.")),
        }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What its owner wants of repositories.
    pub(crate) fn policies(&self) -> &Policies {
        &self.policies
    }

    fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    fn repositories(&self) -> PathBuf {
        self.root.join("repositories")
    }

    fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        under(&self.blobs(), digest)
    }

    pub(crate) fn at(&self, repository: &Repository) -> PathBuf {
        self.repositories().join(repository.as_str())
    }

    /// Whether something was ever pushed to a repository.
    pub fn has(&self, repository: &Repository) -> bool {
        self.at(repository).is_dir()
    }
}

/// The file of a digest below a folder.
fn under(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(digest.algorithm()).join(digest.hex())
}

/// The digests of the files `ALGORITHM/HEX` below a folder, sorted.
fn digests_in(folder: &Path) -> Result<Vec<Digest>> {
    let mut found = Vec::new();
    for algorithm in names(folder)? {
        let hexes = names(&folder.join(&algorithm))?;
        let digests = hexes.iter().map(|hex| format!("{algorithm}:{hex}").parse::<Digest>());
        found.extend(digests.filter_map(std::result::Result::ok));
    }
    Ok(found)
}
