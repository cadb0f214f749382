//! How much repositories may hold.

use std::collections::HashSet;
use std::fs;

use longshore_image::Digest;
use longshore_model::spec::Size;

use super::{Repository, Store};
use crate::Fault;
use crate::fault::Result;
use crate::policy::Quota;

impl Store {
    /// The most that a blob of a repository can have.
    pub(super) fn largest(&self, repository: &Repository) -> Option<Quota> {
        self.policies.quota(repository)
    }

    /// Refuses bytes of a digest that a repository has no room for. While it is asked and until they are in,
    /// nobody else may change the repository: whoever comes second counts what the first has brought.
    pub(super) fn demand_room(
        &self,
        repository: &Repository,
        digest: &Digest,
        bytes: u64,
    ) -> Result<()> {
        let Some(quota) = self.policies.quota(repository) else { return Ok(()) };
        let there = self.contents(repository)?;
        if there.contains(digest) {
            return Ok(());
        }
        let used = self.bytes_of(&there);
        match used.saturating_add(bytes) <= quota.limit {
            true => Ok(()),
            false => Err(over(
                repository,
                &quota,
                &format!(
                    "it holds {used} bytes, and {bytes} more are too many; what is deleted counts until it is \
                     collected"
                ),
            )),
        }
    }

    /// All that a repository has: blobs and manifests.
    pub(crate) fn contents(&self, repository: &Repository) -> Result<HashSet<Digest>> {
        let mut found: HashSet<Digest> = self.manifests(repository)?.into_iter().collect();
        found.extend(self.linked(repository)?);
        Ok(found)
    }

    /// The bytes that some digests have on the disk.
    fn bytes_of(&self, digests: &HashSet<Digest>) -> u64 {
        let size = |digest| fs::metadata(self.blob(digest)).map_or(0, |there| there.len());
        digests.iter().map(size).sum()
    }
}

/// What whoever pushes too much is told.
pub(super) fn over(repository: &Repository, quota: &Quota, why: &str) -> Fault {
    let (limit, of) = (Size(quota.limit), &quota.of);
    Fault::OverQuota(format!("{repository} may hold {limit} by the policy for {of}: {why}"))
}
