//! What speaks of an image, as registries list it: by their own list, or where they have none by a tag that
//! clients keep, and signatures under the tag where cosign looks for them.

use std::sync::atomic::{AtomicBool, Ordering};

use longshore_model::{Code, Result};

use super::transport::Client;
use crate::Digest;
use crate::document::{Annotations, Descriptor, Index, from_json, media, to_json};

/// How often a list that others change too is written.
const ATTEMPTS: u32 = 6;

/// Whether a registry has a list of its own.
#[derive(Debug, Default)]
pub(super) struct Lists(AtomicBool);

/// The tag under which clients keep the list of a registry that has none.
pub(super) fn fallback_tag(subject: &Digest) -> String {
    // A tag has room for no more.
    let hex = subject.hex();
    format!("{}-{}", subject.algorithm(), &hex[..hex.len().min(64)])
}

impl Client {
    /// The artifacts that a registry lists as speaking of a manifest.
    pub(super) async fn referrers(
        &self,
        repository: &str,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>> {
        let mut found = Vec::new();
        if !self.lists.0.load(Ordering::Relaxed) {
            let mut has_list = true;
            let path = format!("referrers/{subject}");
            self.pages("listing what speaks of an image", repository, &path, &mut |ask, answer| {
                let is_index = answer
                    .header("content-type")
                    .is_some_and(|kind| kind.starts_with(media::INDEX));
                match answer.status.as_u16() {
                    200 if is_index => {
                        let index: Index = from_json("list of referrers", &answer.body)?;
                        found.extend(index.manifests);
                        Ok(found.len() < super::parcel::MANY)
                    }
                    // Registries without the list know nothing of its address.
                    200 | 400 | 404 | 405 | 501 => {
                        has_list = false;
                        Ok(false)
                    }
                    _ => Err(ask.refused(answer)),
                }
            })
            .await?;
            if !has_list {
                self.lists.0.store(true, Ordering::Relaxed);
            }
        }
        // Where it has a list now, clients may have kept theirs before.
        if found.is_empty() {
            found = self.kept(repository, subject).await?;
        }
        found.retain(|one| one.is_manifest() || one.is_index());
        Ok(found)
    }

    /// The list that clients keep.
    async fn kept(&self, repository: &str, subject: &Digest) -> Result<Vec<Descriptor>> {
        match self.manifest(repository, &fallback_tag(subject)).await? {
            Some(list) if list.descriptor.is_index() => {
                Ok(from_json::<Index>("list of referrers", &list.bytes)?.manifests)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Adds artifacts to the list that clients keep. Others may do so at the same time: what is written is
    /// read again, and written again where something is missing.
    pub(super) async fn keep_referrers(
        &self,
        repository: &str,
        subject: &Digest,
        artifacts: &[Descriptor],
    ) -> Result<()> {
        let tag = fallback_tag(subject);
        for attempt in 1..=ATTEMPTS {
            let mut list = self.kept(repository, subject).await?;
            let before = list.len();
            for artifact in artifacts {
                if !list.iter().any(|one| one.digest == artifact.digest) {
                    list.push(artifact.clone());
                }
            }
            if list.len() == before {
                return Ok(());
            }
            let index = to_json(&Index::new(list, Annotations::new()))?;
            self.put(repository, &tag, media::INDEX, &index).await?;
            tokio::time::sleep(std::time::Duration::from_millis(20 * u64::from(attempt))).await;
        }
        Err(self
            .asked("listing what speaks of an image", repository)
            .error(Code::Registry, "was undone by others each time")
            .with("tag", tag)
            .hint("Push again when nobody else pushes to the same image."))
    }
}
