//! Which images need what.

use std::collections::{BTreeSet, HashMap, HashSet};

use longshore_image::Digest;

use crate::store::Repository;

/// Manifests and tags of all repositories, by what they name.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// How many manifests the repositories have.
    pub(super) manifests: usize,
    /// The manifests that name something, with what they say of it.
    parents: HashMap<Digest, Vec<Parent>>,
    tags: HashMap<(Repository, Digest), Vec<String>>,
    /// The repositories that have a link to something.
    linked: HashMap<Digest, BTreeSet<Repository>>,
}

/// A manifest that names something.
#[derive(Debug, Clone)]
pub(super) struct Parent {
    pub(super) repository: Repository,
    pub(super) digest: Digest,
    /// The bytes that it says the other has.
    pub(super) size: Option<u64>,
    /// Whether the other is a manifest.
    pub(super) is_manifest: bool,
}

impl Graph {
    pub(super) fn names(&mut self, parent: Parent, named: &Digest) {
        self.parents.entry(named.clone()).or_default().push(parent);
    }

    pub(super) fn tagged(&mut self, repository: &Repository, tag: &str, digest: &Digest) {
        let key = (repository.clone(), digest.clone());
        self.tags.entry(key).or_default().push(tag.to_string());
    }

    pub(super) fn has(&mut self, repository: &Repository, digest: &Digest) {
        self.linked.entry(digest.clone()).or_default().insert(repository.clone());
    }

    pub(super) fn tag_count(&self) -> usize {
        self.tags.values().map(Vec::len).sum()
    }

    /// The manifests that name something.
    pub(super) fn parents(&self, digest: &Digest) -> &[Parent] {
        self.parents.get(digest).map_or(&[], Vec::as_slice)
    }

    /// The repositories in which something is needed or there.
    pub(super) fn repositories(&self, digest: &Digest) -> BTreeSet<Repository> {
        let parents = self.parents(digest).iter().map(|parent| parent.repository.clone());
        let linked = self.linked.get(digest).into_iter().flatten().cloned();
        parents.chain(linked).collect()
    }

    /// The images that need something: by their tags, or by their digests where no tag leads to them.
    pub(super) fn needing(&self, digest: &Digest, only: Option<&Repository>) -> Vec<String> {
        let mut found = BTreeSet::new();
        for repository in self.repositories(digest) {
            if only.is_some_and(|only| *only != repository) {
                continue;
            }
            self.climb(&repository, digest, &mut HashSet::new(), &mut found);
        }
        // That it is there alone is no need.
        found.remove(digest.as_str());
        found.into_iter().collect()
    }

    fn climb(
        &self,
        repository: &Repository,
        digest: &Digest,
        seen: &mut HashSet<Digest>,
        found: &mut BTreeSet<String>,
    ) {
        if !seen.insert(digest.clone()) {
            return;
        }
        let tags = self.tags.get(&(repository.clone(), digest.clone()));
        found.extend(tags.into_iter().flatten().map(|tag| format!("{repository}:{tag}")));
        let parents = self.parents(digest).iter().filter(|one| one.repository == *repository);
        for parent in parents {
            let before = found.len();
            self.climb(repository, &parent.digest, seen, found);
            let key = (repository.clone(), parent.digest.clone());
            if found.len() == before && !self.tags.contains_key(&key) {
                found.insert(format!("{repository}@{}", parent.digest));
            }
        }
    }
}
