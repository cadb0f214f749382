//! How much a registry holds, and whose it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;

use longshore_image::Digest;
use serde::Serialize;

use crate::fault::{Fault, Result};
use crate::store::{Named, Repository, Store, read};

/// What a registry holds. `unique` of all repositories, `shared`, `loose`, `uploads` and `books` are together
/// `total`, which is the length of all files in its folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Each repository.
    pub repositories: BTreeMap<String, Share>,
    /// Bytes that one repository alone has.
    pub unique: u64,
    /// Bytes that several have, each once.
    pub shared: u64,
    /// Bytes that none has; collections of garbage free them.
    pub loose: u64,
    /// Bytes of uploads that were not ended.
    pub uploads: u64,
    /// Bytes of links, tags and all that keeps order.
    pub books: u64,
    /// All bytes on the disk.
    pub total: u64,
    /// What the repositories would take if each manifest had its own copy of all that it names.
    pub apart: u64,
}

/// What a repository has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// How many tags.
    pub tags: usize,
    /// How many manifests.
    pub manifests: usize,
    /// How many blobs beside them.
    pub blobs: usize,
    /// Its bytes, each blob once: the capacity, deduplicated.
    pub bytes: u64,
    /// Its bytes if each manifest had its own copy of all that it names: the capacity, not deduplicated.
    pub apart: u64,
    /// Of its bytes, those that no other repository has.
    pub unique: u64,
    /// Of its bytes, those that others have too.
    pub shared: u64,
    /// Blobs and manifests that it should have and the disk has not.
    pub missing: usize,
}

/// Measures a registry, also while it serves: what changes meanwhile may be counted or not.
pub fn usage(store: &Store) -> longshore_model::Result<Usage> {
    let failed = |fault: Fault| fault.into_error("the registry cannot be measured", store.root());
    measure(store).map_err(failed)
}

fn measure(store: &Store) -> Result<Usage> {
    let mut usage = Usage::default();
    let sizes = sizes(store)?;
    let mut owners: HashMap<Digest, usize> = HashMap::new();
    let mut contents = Vec::new();
    for repository in store.all_repositories()? {
        let own = store.contents(&repository)?;
        for digest in &own {
            *owners.entry(digest.clone()).or_default() += 1;
        }
        contents.push((repository, own));
    }
    for (repository, own) in &contents {
        let share = share(store, repository, own, &sizes, &owners)?;
        usage.unique += share.unique;
        usage.apart += share.apart;
        usage.repositories.insert(repository.to_string(), share);
    }
    for (digest, size) in &sizes {
        match owners.get(digest) {
            None => usage.loose += size,
            Some(1) => {}
            Some(_) => usage.shared += size,
        }
    }
    usage.uploads = bytes_below(&store.root().join("uploads"))?;
    usage.total = bytes_below(store.root())?;
    let known = usage.unique + usage.shared + usage.loose + usage.uploads;
    usage.books = usage.total.saturating_sub(known);
    Ok(usage)
}

fn share(
    store: &Store,
    repository: &Repository,
    own: &HashSet<Digest>,
    sizes: &HashMap<Digest, u64>,
    owners: &HashMap<Digest, usize>,
) -> Result<Share> {
    let manifests = store.manifests(repository)?;
    let mut share = Share {
        tags: store.all_tags(repository)?.len(),
        manifests: manifests.len(),
        blobs: own.len() - manifests.iter().filter(|digest| own.contains(*digest)).count(),
        ..Share::default()
    };
    for digest in own {
        let Some(size) = sizes.get(digest) else {
            share.missing += 1;
            continue;
        };
        share.bytes += size;
        match owners.get(digest) {
            Some(1) => share.unique += size,
            _ => share.shared += size,
        }
    }
    share.apart = apart(store, own, &manifests, sizes)?;
    Ok(share)
}

/// Bytes if each manifest had its own copy of its blobs. What no manifest names counts once.
fn apart(
    store: &Store,
    own: &HashSet<Digest>,
    manifests: &[Digest],
    sizes: &HashMap<Digest, u64>,
) -> Result<u64> {
    let size = |digest: &Digest| sizes.get(digest).copied().unwrap_or_default();
    let mut unnamed = own.clone();
    let mut bytes = 0;
    for manifest in manifests {
        unnamed.remove(manifest);
        bytes += size(manifest);
        // What a damaged one names is not known.
        let text = read(&store.blob(manifest))?.unwrap_or_default();
        let Ok(named) = Named::of(&text) else { continue };
        for need in
            named.needs.iter().filter(|need| !need.is_manifest && own.contains(&need.digest))
        {
            unnamed.remove(&need.digest);
            bytes += size(&need.digest);
        }
    }
    Ok(bytes + unnamed.iter().map(size).sum::<u64>())
}

/// The blobs on the disk with their bytes.
fn sizes(store: &Store) -> Result<HashMap<Digest, u64>> {
    let mut found = HashMap::new();
    for digest in store.all_blobs()? {
        let path = store.blob(&digest);
        match fs::metadata(&path) {
            Ok(there) => drop(found.insert(digest, there.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Fault::disk("look at", &path)(error)),
        }
    }
    Ok(found)
}

/// The length of all files below a folder.
fn bytes_below(folder: &Path) -> Result<u64> {
    let failed = |error| Fault::disk("measure", folder)(error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        match entry.metadata() {
            Ok(there) if there.is_dir() => bytes += bytes_below(&entry.path())?,
            Ok(there) => bytes += there.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(bytes)
}
