//! What is needed, and what is not.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use longshore_image::Digest;

use super::Found;
use crate::fault::{Fault, Result};
use crate::store::{Repository, Store, is_beside, names};

const BLOBS: &str = "blobs";
const UPLOADS: &str = "uploads";

/// Things by their paths in the folder of the registry.
type There = BTreeMap<String, Found>;

/// What was found.
pub(super) struct Marked {
    /// What nothing needs.
    pub(super) found: There,
    /// How many blobs are needed.
    pub(super) needed: usize,
}

/// Looks through everything.
///
/// What is there is listed first, with its times. A request that keeps a manifest touches what it names before
/// it writes the manifest: one that began before the pause in the middle has ended, and its manifest is seen; what
/// a later one touches is no longer as it was listed.
pub(super) fn mark(store: &Store, untagged: bool) -> Result<Marked> {
    let mut there = BTreeMap::new();
    for repository in &store.all_repositories()? {
        let why = "no manifest of the repository names it";
        list(store, &links(repository), why, &mut there)?;
        if untagged {
            list(store, &manifests(repository), "no tag leads to it", &mut there)?;
        }
    }
    list(store, BLOBS, "no manifest names it", &mut there)?;
    for id in names(&store.root().join(UPLOADS))? {
        let path = format!("{UPLOADS}/{id}");
        let whole = store.root().join(&path);
        note(look(&whole), &whole, path, "an upload that was not ended", &mut there)?;
    }
    half_written(store, "", &mut there)?;
    store.others_ended()?;
    let mut needed = HashSet::new();
    // A repository that is new since has nothing that was listed but blobs.
    for repository in store.all_repositories()? {
        let own = needs(store, &repository)?;
        for digest in &own {
            there.remove(&place(&links(&repository), digest));
            there.remove(&place(BLOBS, digest));
        }
        if untagged {
            for digest in store.led_to(&repository)? {
                there.remove(&place(&manifests(&repository), &digest));
            }
            for (digest, why) in store.kept_by_holds(&repository)? {
                if let Some(found) = there.get_mut(&place(&manifests(&repository), &digest)) {
                    found.held = Some(why);
                }
            }
        }
        needed.extend(own);
    }
    Ok(Marked { found: there, needed: needed.len() })
}

fn links(repository: &Repository) -> String {
    format!("repositories/{repository}/_blobs")
}

fn manifests(repository: &Repository) -> String {
    format!("repositories/{repository}/_manifests")
}

/// The repository and the digest of a manifest that was found.
pub(super) fn manifest_at(path: &str) -> Option<(Repository, Digest)> {
    let (repository, digest) = path.strip_prefix("repositories/")?.split_once("/_manifests/")?;
    Some((repository.parse().ok()?, digest.replacen('/', ":", 1).parse().ok()?))
}

fn place(folder: &str, digest: &Digest) -> String {
    format!("{folder}/{}/{}", digest.algorithm(), digest.hex())
}

/// All that the manifests of a repository need, with themselves.
fn needs(store: &Store, repository: &Repository) -> Result<HashSet<Digest>> {
    let mut needed = HashSet::new();
    for digest in store.manifests(repository)? {
        let parts = store.parts(repository, &digest)?;
        needed.extend(parts);
        needed.insert(digest);
    }
    Ok(needed)
}

/// Notes the files `ALGORITHM/HEX` below a folder.
fn list(store: &Store, folder: &str, why: &'static str, there: &mut There) -> Result<()> {
    for algorithm in names(&store.root().join(folder))? {
        let whole = store.root().join(folder).join(&algorithm);
        let failed = |error| Fault::disk("list", &whole)(error);
        for entry in fs::read_dir(&whole).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let Ok(hex) = entry.file_name().into_string() else { continue };
            if !hex.starts_with('.') {
                let seen = entry.metadata().map(|there| Seen::of(&there));
                note(seen, &whole, format!("{folder}/{algorithm}/{hex}"), why, there)?;
            }
        }
    }
    Ok(())
}

/// Notes the files below a folder that were begun and never got their names. Those of uploads go with these.
fn half_written(store: &Store, folder: &str, there: &mut There) -> Result<()> {
    let whole = store.root().join(folder);
    let failed = |error| Fault::disk("list", &whole)(error);
    for entry in fs::read_dir(&whole).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // Others are none of ours.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if is_folder && !name.starts_with('.') && path != UPLOADS {
            half_written(store, &path, there)?;
        } else if !is_folder && is_beside(&name) {
            let seen = entry.metadata().map(|there| Seen::of(&there));
            note(seen, &whole, path, "a process that wrote it was killed", there)?;
        }
    }
    Ok(())
}

fn note(
    seen: io::Result<Seen>,
    whole: &Path,
    path: String,
    why: &'static str,
    there: &mut There,
) -> Result<()> {
    match seen {
        Ok(Seen { touched, bytes, .. }) => {
            there.insert(path, Found { touched, bytes, why, held: None });
            Ok(())
        }
        // It is gone meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Fault::disk("look at", whole)(error)),
    }
}

/// Something as it is now.
pub(super) struct Seen {
    /// When it was last touched, in nanoseconds since 1970; an upload when its bytes were.
    pub(super) touched: u128,
    pub(super) bytes: u64,
    pub(super) is_folder: bool,
}

impl Seen {
    fn of(there: &fs::Metadata) -> Self {
        let modified = there.modified().map(|time| time.duration_since(SystemTime::UNIX_EPOCH));
        let touched = modified.map_or(0, |since| since.unwrap_or_default().as_nanos());
        Self { touched, bytes: there.len(), is_folder: there.is_dir() }
    }
}

/// Looks at something again.
pub(super) fn look(path: &Path) -> io::Result<Seen> {
    let seen = Seen::of(&fs::metadata(path)?);
    if !seen.is_folder {
        return Ok(seen);
    }
    let data = fs::metadata(path.join("data")).map(|there| Seen::of(&there));
    Ok(data.map_or(seen, |data| Seen { is_folder: true, ..data }))
}
