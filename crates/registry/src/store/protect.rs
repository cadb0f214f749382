//! What may not be removed from a repository: what immutable tags and holds need.

use std::collections::{HashMap, HashSet};

use longshore_image::Digest;

use super::{Held, Repository, Store, disk};
use crate::Fault;
use crate::fault::Result;

/// How the tags end under which clients keep what speaks of an image.
const ENDINGS: [&str; 3] = ["sig", "att", "sbom"];

impl Store {
    /// Refuses to move a tag that never names another image.
    pub(super) fn demand_movable(
        &self,
        repository: &Repository,
        tag: &str,
        digest: &Digest,
    ) -> Result<()> {
        let Some(policy) = self.policies.immutable(repository, tag) else { return Ok(()) };
        match self.resolve(repository, tag)? {
            Some(there) if there != *digest => Err(Fault::Kept(format!(
                "the tag {tag} of {repository} is immutable by the policy for {policy}: it names {there} and cannot \
                 name {digest}; push under another tag"
            ))),
            _ => Ok(()),
        }
    }

    /// Refuses to remove a tag that is immutable, or names what is held.
    pub(super) fn demand_untaggable(&self, repository: &Repository, tag: &str) -> Result<()> {
        let Some(digest) = self.resolve(repository, tag)? else { return Ok(()) };
        let holds = self.holds_of(repository)?;
        match self.why_tag_stays(repository, tag, &digest, &holds) {
            Some(why) => Err(Fault::Kept(format!("the tag {tag} of {repository} stays: {why}"))),
            None => Ok(()),
        }
    }

    /// Why a tag may not be removed, by the policy and by what is held in the repository.
    pub(crate) fn why_tag_stays(
        &self,
        repository: &Repository,
        tag: &str,
        digest: &Digest,
        holds: &[Held],
    ) -> Option<String> {
        let about = subject_of(tag);
        let is_its = |one: &Digest| one == digest || Some(one) == about.as_ref();
        let held = holds.iter().find(|held| is_its(&held.digest) && !held.hold.is_over());
        if let Some(held) = held {
            return Some(held.hold.said());
        }
        let policy = self.policies.immutable(repository, tag)?;
        Some(format!("it is immutable by the policy for {policy}"))
    }

    /// Refuses to remove a manifest or blob that something immutable or held needs.
    pub(super) fn demand_removable(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        match self.protected(repository)?.remove(digest) {
            Some(why) => Err(Fault::Kept(format!("{digest} of {repository} stays: {why}"))),
            None => Ok(()),
        }
    }

    /// All that stays in a repository, and why: what immutable tags lead to, and what is held with what speaks of
    /// it.
    fn protected(&self, repository: &Repository) -> Result<HashMap<Digest, String>> {
        let mut found = HashMap::new();
        if self.policies.has_immutable(repository) {
            for tag in self.all_tags(repository)? {
                let Some(policy) = self.policies.immutable(repository, &tag) else { continue };
                let Some(digest) = self.resolve(repository, &tag)? else { continue };
                let why = format!(
                    "the tag {tag} needs it, which is immutable by the policy for {policy}"
                );
                let all = self.reach(repository, &[digest], false)?;
                found.extend(all.into_iter().map(|one| (one, why.clone())));
            }
        }
        found.extend(self.kept_by_holds(repository)?);
        Ok(found)
    }

    /// What is held in a repository, with what it needs and what speaks of it, and why.
    pub(crate) fn kept_by_holds(&self, repository: &Repository) -> Result<HashMap<Digest, String>> {
        let mut found = HashMap::new();
        for held in self.holds_of(repository)? {
            if held.hold.is_over() {
                continue;
            }
            let why = held.hold.said();
            let all = self.reach(repository, std::slice::from_ref(&held.digest), true)?;
            found.extend(all.into_iter().map(|one| (one, why.clone())));
        }
        Ok(found)
    }

    /// Manifests and blobs that some lead to, with themselves; those that speak of them too when it is asked
    /// for. What cannot be read is an error: what it leads to would be taken for something that nobody needs.
    pub(crate) fn reach(
        &self,
        repository: &Repository,
        roots: &[Digest],
        with_speaking: bool,
    ) -> Result<HashSet<Digest>> {
        let mut found = HashSet::new();
        let mut next = roots.to_vec();
        while let Some(digest) = next.pop() {
            if !found.insert(digest.clone()) || !self.manifest(repository, &digest).exists() {
                continue;
            }
            next.extend(self.parts(repository, &digest)?);
            if with_speaking {
                let speaking = self.referrers(repository, &digest)?;
                next.extend(speaking.into_iter().map(|one| one.digest));
                for ending in ENDINGS {
                    let tag = format!("{}-{}.{ending}", digest.algorithm(), digest.hex());
                    next.extend(self.resolve(repository, &tag)?);
                }
            }
        }
        Ok(found)
    }

    /// The tags of a repository, sorted.
    pub(crate) fn all_tags(&self, repository: &Repository) -> Result<Vec<String>> {
        disk::names(&self.at(repository).join("_tags"))
    }
}

/// What a tag speaks of that clients keep for signatures, attestations and lists: `sha256-….sig`.
pub(crate) fn subject_of(tag: &str) -> Option<Digest> {
    let name = tag.split_once('.').map_or(tag, |(name, _)| name);
    let (algorithm, hex) = name.split_once('-')?;
    format!("{algorithm}:{hex}").parse().ok()
}

#[cfg(test)]
mod tests {
    use longshore_image::Digest;

    use super::subject_of;

    #[test]
    fn tags_that_speak_of_an_image_are_known() {
        let digest = Digest::of(b"");
        for (tag, is_one) in [
            (format!("sha256-{}.sig", digest.hex()), true),
            (format!("sha256-{}", digest.hex()), true),
            (format!("sha256-{}.att", digest.hex()), true),
            ("sha256-12.sig".to_string(), false),
            ("v1.sig".to_string(), false),
            (digest.hex().to_string(), false),
        ] {
            assert_eq!(subject_of(&tag).is_some(), is_one, "{tag}");
        }
    }
}
