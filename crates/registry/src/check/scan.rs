//! One repository, looked through while nobody changes it.

use std::collections::HashSet;

use longshore_image::Digest;
use longshore_image::document::Descriptor;

use super::graph::{Graph, Parent};
use super::{Bytes, Harm};
use crate::fault::Result;
use crate::store::{Named, Need, Repository, Store, names, read};

/// A repository that is looked through.
struct Scan<'a> {
    store: &'a Store,
    repository: &'a Repository,
    bytes: &'a mut Bytes,
    graph: &'a mut Graph,
    harms: Vec<Harm>,
}

/// Finds what is not as it must be in a repository, and notes who needs what.
pub(super) fn scan(
    store: &Store,
    repository: &Repository,
    bytes: &mut Bytes,
    graph: &mut Graph,
) -> Result<Vec<Harm>> {
    let _rest = store.rest_everywhere()?;
    let _change = store.change(repository)?;
    let mut scan = Scan { store, repository, bytes, graph, harms: Vec::new() };
    let manifests = store.manifests(repository)?;
    let mut needed = HashSet::new();
    for digest in &manifests {
        scan.manifest(digest, &mut needed)?;
    }
    scan.links(&needed)?;
    scan.tags()?;
    scan.lists()?;
    for held in store.held_in(repository)? {
        if !store.manifest(repository, &held).exists() {
            scan.harms.push(Harm::Held(repository.clone(), held));
        }
    }
    Ok(scan.harms)
}

impl Scan<'_> {
    fn manifest(&mut self, digest: &Digest, needed: &mut HashSet<Digest>) -> Result<()> {
        let at = self.repository;
        self.graph.manifests += 1;
        self.graph.has(at, digest);
        if self.store.media_type(at, digest)?.is_none() {
            self.harms.push(Harm::Untyped(at.clone(), digest.clone()));
        }
        let Some(bytes) = read(&self.store.blob(digest))? else {
            self.harms.push(Harm::Missing(digest.clone()));
            return Ok(());
        };
        // What it names is not known, and it was found to be damaged when its bytes were read; or since.
        if !digest.is_of(&bytes) {
            self.bytes.damaged.insert(digest.clone());
            self.harms.push(Harm::Damaged(digest.clone()));
            return Ok(());
        }
        let Ok(named) = Named::of(&bytes) else { return Ok(()) };
        for need in named.needs {
            needed.insert(need.digest.clone());
            self.need(digest, need);
        }
        if let Some(subject) = named.subject
            && !self.store.speaking(at, &subject, digest).exists()
        {
            self.harms.push(Harm::Unlisted(at.clone(), subject, digest.clone()));
        }
        Ok(())
    }

    /// What a manifest of the repository names.
    fn need(&mut self, digest: &Digest, need: Need) {
        let (at, store) = (self.repository, self.store);
        let parent = Parent {
            repository: at.clone(),
            digest: digest.clone(),
            size: need.size,
            is_manifest: need.is_manifest,
        };
        self.graph.names(parent, &need.digest);
        let is_there = store.blob(&need.digest).exists();
        if need.is_foreign && !is_there {
            return;
        }
        if !is_there {
            self.harms.push(Harm::Missing(need.digest.clone()));
        }
        let is_linked = store.link(at, &need.digest).exists();
        let is_known = store.manifest(at, &need.digest).exists();
        match need.is_manifest {
            true if !(is_known || is_linked) => {
                self.harms.push(Harm::Unknown(at.clone(), need.digest));
            }
            false if !is_linked && !need.is_foreign => {
                self.harms.push(Harm::Unlinked(at.clone(), need.digest));
            }
            _ => {}
        }
    }

    fn links(&mut self, needed: &HashSet<Digest>) -> Result<()> {
        let at = self.repository;
        for digest in self.store.linked(at)? {
            self.graph.has(at, &digest);
            if !self.store.blob(&digest).exists() && !needed.contains(&digest) {
                self.harms.push(Harm::Dangling(at.clone(), digest));
            }
        }
        Ok(())
    }

    fn tags(&mut self) -> Result<()> {
        let at = self.repository;
        for tag in self.store.all_tags(at)? {
            let text = read(&self.store.tag(at, &tag))?.unwrap_or_default();
            let digest = String::from_utf8_lossy(&text).parse::<Digest>().ok();
            if let Some(digest) = &digest {
                self.graph.tagged(at, &tag, digest);
                if self.store.manifest(at, digest).exists() {
                    continue;
                }
            }
            self.harms.push(Harm::Tag(at.clone(), tag, digest));
        }
        Ok(())
    }

    fn lists(&mut self) -> Result<()> {
        let at = self.repository;
        let folder = self.store.at(at).join("_referrers");
        for algorithm in names(&folder)? {
            for hex in names(&folder.join(&algorithm))? {
                for name in names(&folder.join(&algorithm).join(&hex))? {
                    let path = format!("_referrers/{algorithm}/{hex}/{name}");
                    let text = read(&self.store.at(at).join(&path))?.unwrap_or_default();
                    let said = serde_json::from_slice::<Descriptor>(&text).ok();
                    let is_there =
                        said.is_some_and(|said| self.store.manifest(at, &said.digest).exists());
                    if !is_there {
                        self.harms.push(Harm::Listed(at.clone(), path));
                    }
                }
            }
        }
        Ok(())
    }
}
