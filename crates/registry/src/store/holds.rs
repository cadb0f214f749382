//! Images that stay, whatever is asked for.

use std::time::{Duration, SystemTime};

use longshore_image::Digest;
use serde::{Deserialize, Serialize};

use super::{Named, Repository, Store, digests_in, disk, under};
use crate::Fault;
use crate::fault::Result;

/// Why an image stays, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// When it was held.
    #[serde(with = "moment")]
    pub since: SystemTime,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "moment::maybe")]
    pub until: Option<SystemTime>,
}

/// An image that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where it is.
    pub repository: Repository,
    /// Which it is.
    pub digest: Digest,
    /// Why, and how long.
    pub hold: Hold,
}

impl Hold {
    /// A hold from now on.
    pub fn new(reason: &str, until: Option<SystemTime>) -> Self {
        Self { reason: reason.to_string(), since: whole(SystemTime::now()), until }
    }

    /// Whether its time is over.
    pub fn is_over(&self) -> bool {
        self.until.is_some_and(|until| until <= SystemTime::now())
    }

    /// In words for whoever wants to remove the image.
    pub(crate) fn said(&self) -> String {
        let until =
            self.until.map(|until| format!(" until {}", humantime::format_rfc3339_seconds(until)));
        format!("held{}: {}", until.unwrap_or_default(), self.reason)
    }
}

impl Store {
    /// Holds the manifest that a tag or a digest names, with all that it needs and all that speaks of it. A hold
    /// that is there is replaced.
    pub fn hold(&self, repository: &Repository, reference: &str, hold: &Hold) -> Result<Digest> {
        let _rest = self.rest_everywhere()?;
        let _change = self.change_of(repository)?;
        let digest = self.demand_manifest(repository, reference)?;
        // What a collection has marked before is as it was no longer.
        for one in self.reach(repository, std::slice::from_ref(&digest), true)? {
            disk::touch(&self.manifest(repository, &one))?;
            disk::touch(&self.link(repository, &one))?;
            disk::touch(&self.blob(&one))?;
            self.demand_whole(repository, &one)?;
        }
        let text = serde_json::to_vec(hold)
            .map_err(|error| Fault::Disk(format!("could not write JSON: {error}")))?;
        disk::write(&self.held(repository, &digest), &text)?;
        Ok(digest)
    }

    /// Refuses a manifest of which something was removed meanwhile.
    fn demand_whole(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        if !self.manifest(repository, digest).exists() {
            return Ok(());
        }
        let unknown = || Fault::ManifestBlobUnknown(digest.clone());
        let bytes = disk::read(&self.blob(digest))?.ok_or_else(unknown)?;
        let needs = Named::of(&bytes).map_or_else(|_| Vec::new(), |named| named.needs);
        match needs.iter().find(|need| !need.is_foreign && !self.blob(&need.digest).exists()) {
            Some(missing) => Err(Fault::ManifestBlobUnknown(missing.digest.clone())),
            None => Ok(()),
        }
    }

    /// The digest of a manifest that a tag or itself names.
    pub fn find(&self, repository: &Repository, reference: &str) -> Result<Digest> {
        match self.has(repository) {
            true => self.demand_manifest(repository, reference),
            false => Err(Fault::NameUnknown),
        }
    }

    /// Lets go of an image. Says whether it was held.
    pub fn release(&self, repository: &Repository, reference: &str) -> Result<(Digest, bool)> {
        let _change = self.change_of(repository)?;
        let digest = self.resolve(repository, reference)?;
        let digest = digest.ok_or_else(|| Fault::ManifestUnknown(reference.to_string()))?;
        let was_held = disk::remove(&self.held(repository, &digest))?;
        Ok((digest, was_held))
    }

    /// What is held in all repositories, also what was and is over.
    pub fn holds(&self) -> Result<Vec<Held>> {
        let mut found = Vec::new();
        for repository in self.all_repositories()? {
            found.extend(self.holds_of(&repository)?);
        }
        Ok(found)
    }

    /// What is held in a repository, also what was and is over.
    pub(crate) fn holds_of(&self, repository: &Repository) -> Result<Vec<Held>> {
        let mut found = Vec::new();
        for digest in self.held_in(repository)? {
            let path = self.held(repository, &digest);
            let Some(text) = disk::read(&path)? else { continue };
            // One that cannot be read must not let go of what it holds.
            let hold = serde_json::from_slice(&text).map_err(|error| {
                Fault::Disk(format!("a hold is not understood ({}): {error}", path.display()))
            })?;
            found.push(Held { repository: repository.clone(), digest, hold });
        }
        Ok(found)
    }

    /// The digests that are held in a repository.
    pub(crate) fn held_in(&self, repository: &Repository) -> Result<Vec<Digest>> {
        digests_in(&self.at(repository).join("_holds"))
    }

    pub(crate) fn held(&self, repository: &Repository, digest: &Digest) -> std::path::PathBuf {
        under(&self.at(repository).join("_holds"), digest)
    }
}

/// A time without parts of a second.
fn whole(time: SystemTime) -> SystemTime {
    let seconds = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Times as texts, by RFC 3339.
mod moment {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&humantime::format_rfc3339_seconds(*time))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_rfc3339(&text).map_err(de::Error::custom)
    }

    pub(super) mod maybe {
        use std::time::SystemTime;

        use serde::{Deserializer, Serializer};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<SystemTime>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => super::serialize(time, to),
                None => to.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<Option<SystemTime>, D::Error> {
            super::deserialize(from).map(Some)
        }
    }
}
