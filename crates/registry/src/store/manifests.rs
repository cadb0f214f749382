//! Manifests, and what speaks of them.

use std::collections::HashSet;
use std::fs;
use std::io;

use longshore_image::Digest;
use longshore_image::document::{Annotations, Descriptor, LONGEST};
use serde::{Deserialize, Serialize};

use super::repository::tag;
use super::{Repository, Store, digests_in, disk, under};
use crate::Fault;
use crate::fault::Result;

/// A manifest as it was pushed.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Its digest.
    pub digest: Digest,
    /// Its type.
    pub media_type: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What it speaks of.
    pub subject: Option<Digest>,
}

/// What a repository knows of a manifest beside its bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Link {
    pub(super) media_type: String,
}

/// What matters to a registry of manifests and lists, whoever wrote them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Part>,
    #[serde(default)]
    layers: Vec<Part>,
    #[serde(default)]
    blobs: Vec<Part>,
    #[serde(default)]
    manifests: Vec<Part>,
    subject: Option<Part>,
    #[serde(default)]
    annotations: Annotations,
    #[serde(default)]
    fs_layers: Vec<serde_json::Value>,
}

impl Document {
    /// All that it names but what it speaks of.
    fn digests(&self) -> impl Iterator<Item = &Digest> {
        let blobs = self.config.iter().chain(&self.layers).chain(&self.blobs);
        blobs.chain(&self.manifests).map(|part| &part.digest)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    media_type: Option<String>,
    digest: Digest,
    size: Option<u64>,
    #[serde(default)]
    urls: Vec<String>,
}

/// Something that a manifest names.
#[derive(Debug, Clone)]
pub(crate) struct Need {
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its bytes, if they are told.
    pub(crate) size: Option<u64>,
    /// Whether it is a manifest.
    pub(crate) is_manifest: bool,
    /// Whether it may be elsewhere.
    pub(crate) is_foreign: bool,
}

/// What the bytes of a manifest name, and what it speaks of.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// What it needs.
    pub(crate) needs: Vec<Need>,
    /// What it speaks of.
    pub(crate) subject: Option<Digest>,
}

impl Named {
    /// Reads a manifest.
    pub(crate) fn of(bytes: &[u8]) -> serde_json::Result<Self> {
        let document: Document = serde_json::from_slice(bytes)?;
        let need = |part: Part, is_manifest| Need {
            digest: part.digest,
            size: part.size,
            is_manifest,
            is_foreign: !part.urls.is_empty(),
        };
        let blobs = document.config.into_iter().chain(document.layers).chain(document.blobs);
        let blobs = blobs.map(|part| need(part, false));
        let manifests = document.manifests.into_iter().map(|part| need(part, true));
        let subject = document.subject.map(|subject| subject.digest);
        Ok(Self { needs: blobs.chain(manifests).collect(), subject })
    }
}

impl Store {
    /// Keeps a manifest under its digest, and under tags.
    pub fn put_manifest(
        &self,
        repository: &Repository,
        digest: Option<Digest>,
        tags: &[String],
        media_type: Option<&str>,
        bytes: Vec<u8>,
    ) -> Result<Kept> {
        if bytes.len() as u64 > LONGEST {
            return Err(Fault::TooLarge);
        }
        let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
        if !digest.is_of(&bytes) {
            return Err(Fault::DigestInvalid("the manifest has another digest"));
        }
        let document: Document = serde_json::from_slice(&bytes)
            .map_err(|error| Fault::ManifestInvalid(format!("it is not understood: {error}")))?;
        let media_type = told_type(&document, media_type)?;
        let _rest = self.rest(document.digests().chain([&digest]))?;
        let _change = self.change(repository)?;
        self.demand(repository, &document)?;
        for one in tags {
            self.demand_movable(repository, tag(one)?, &digest)?;
        }
        self.demand_room(repository, &digest, bytes.len() as u64)?;
        // Also where it is there: what was damaged since is mended.
        disk::write(&self.blob(&digest), &bytes)?;
        let link = json(&Link { media_type: media_type.clone() })?;
        disk::write(&self.manifest(repository, &digest), &link)?;
        let subject = document.subject.as_ref().map(|subject| subject.digest.clone());
        if let Some(subject) = &subject {
            let said = descriptor(&document, &media_type, &digest, bytes.len() as u64);
            disk::write(&self.speaking(repository, subject, &digest), &json(&said)?)?;
        }
        for one in tags {
            disk::write(&self.tag(repository, tag(one)?), digest.as_str().as_bytes())?;
        }
        Ok(Kept { digest, media_type, bytes, subject })
    }

    /// Refuses a manifest that names what the repository lacks; what it names is not swept from now on.
    fn demand(&self, repository: &Repository, document: &Document) -> Result<()> {
        let parts = document.config.iter().chain(&document.layers).chain(&document.blobs);
        for part in parts.filter(|part| part.urls.is_empty()) {
            let link = self.link(repository, &part.digest);
            if !(disk::touch(&link)? && disk::touch(&self.blob(&part.digest))?) {
                return Err(Fault::ManifestBlobUnknown(part.digest.clone()));
            }
        }
        for part in &document.manifests {
            let manifest = self.manifest(repository, &part.digest);
            let blob = self.link(repository, &part.digest);
            let is_there = disk::touch(&manifest)? || disk::touch(&blob)?;
            if !(is_there && disk::touch(&self.blob(&part.digest))?) {
                return Err(Fault::ManifestBlobUnknown(part.digest.clone()));
            }
        }
        Ok(())
    }

    /// The manifest that a tag or a digest names.
    pub fn get_manifest(&self, repository: &Repository, reference: &str) -> Result<Kept> {
        let unknown = || match self.has(repository) {
            true => Fault::ManifestUnknown(reference.to_string()),
            false => Fault::NameUnknown,
        };
        let digest = self.resolve(repository, reference)?.ok_or_else(unknown)?;
        // Who asks for a digest may be about to name it in a list.
        if reference.contains(':') {
            let _held = self.rest([&digest])?;
            disk::touch(&self.manifest(repository, &digest))?;
        }
        let link = disk::read(&self.manifest(repository, &digest))?.ok_or_else(unknown)?;
        let link: Link = serde_json::from_slice(&link)
            .map_err(|error| Fault::Disk(format!("the link of {digest} is damaged: {error}")))?;
        let bytes = disk::read(&self.blob(&digest))?.ok_or_else(unknown)?;
        Ok(Kept { digest, media_type: link.media_type, bytes, subject: None })
    }

    /// The digest that a tag or a digest stands for.
    pub fn resolve(&self, repository: &Repository, reference: &str) -> Result<Option<Digest>> {
        if reference.contains(':') {
            let digest = reference.parse();
            return digest.map(Some).map_err(|_| Fault::DigestInvalid("it is not understood"));
        }
        let path = self.tag(repository, tag(reference)?);
        let Some(bytes) = disk::read(&path)? else { return Ok(None) };
        let digest = String::from_utf8_lossy(&bytes).parse();
        digest.map(Some).map_err(|_| Fault::Disk(format!("a tag is damaged ({})", path.display())))
    }

    /// Removes a tag, or a manifest with all its tags. Bytes stay on the disk until nobody needs them.
    pub fn delete_manifest(&self, repository: &Repository, reference: &str) -> Result<()> {
        if !self.has(repository) {
            return Err(Fault::NameUnknown);
        }
        let _change = self.change(repository)?;
        let unknown = || Fault::ManifestUnknown(reference.to_string());
        let tags = self.at(repository).join("_tags");
        if !reference.contains(':') {
            self.demand_untaggable(repository, tag(reference)?)?;
            let is_removed = disk::remove(&self.tag(repository, tag(reference)?))?;
            return if is_removed { disk::settle(&tags) } else { Err(unknown()) };
        }
        let kept = self.get_manifest(repository, reference)?;
        self.demand_removable(repository, &kept.digest)?;
        for one in disk::names(&tags)? {
            if self.resolve(repository, &one)?.as_ref() == Some(&kept.digest) {
                disk::remove(&self.tag(repository, &one))?;
            }
        }
        // No tag may come back that leads to what is gone.
        disk::settle(&tags)?;
        self.forget(repository, &kept.digest)?;
        self.settle_manifests(repository)
    }

    /// Makes manifests that were forgotten stay so: before anything that they needed may go.
    pub(crate) fn settle_manifests(&self, repository: &Repository) -> Result<()> {
        let folder = self.at(repository).join("_manifests");
        for algorithm in disk::names(&folder)? {
            disk::settle(&folder.join(algorithm))?;
        }
        Ok(())
    }

    /// Makes tags that were removed stay so.
    pub(crate) fn settle_tags(&self, repository: &Repository) -> Result<()> {
        disk::settle(&self.at(repository).join("_tags"))
    }

    /// Removes a manifest that has no tag; to be settled.
    pub(crate) fn forget(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        let bytes = disk::read(&self.blob(digest))?.unwrap_or_default();
        // The list first: it must not name what is gone.
        let subject = serde_json::from_slice::<Document>(&bytes).ok().and_then(|one| one.subject);
        if let Some(subject) = subject {
            disk::remove(&self.speaking(repository, &subject.digest, digest))?;
        }
        disk::remove(&self.manifest(repository, digest)).map(drop)
    }

    /// The manifests that the tags of a repository lead to: by lists, and by what speaks of them.
    pub(crate) fn led_to(&self, repository: &Repository) -> Result<HashSet<Digest>> {
        let mut found = HashSet::new();
        let mut next = Vec::new();
        for tag in self.all_tags(repository)? {
            next.extend(self.resolve(repository, &tag)?);
        }
        while let Some(digest) = next.pop() {
            if self.manifest(repository, &digest).exists() && found.insert(digest.clone()) {
                next.extend(self.parts(repository, &digest)?);
                let speaking = self.referrers(repository, &digest)?;
                next.extend(speaking.into_iter().map(|one| one.digest));
            }
        }
        Ok(found)
    }

    /// What speaks of a manifest, by digest.
    pub fn referrers(&self, repository: &Repository, subject: &Digest) -> Result<Vec<Descriptor>> {
        let folder = under(&self.at(repository).join("_referrers"), subject);
        let mut found = Vec::new();
        for name in disk::names(&folder)? {
            let path = folder.join(&name);
            match fs::read(&path) {
                Ok(bytes) => found.push(serde_json::from_slice(&bytes).map_err(|error| {
                    Fault::Disk(format!("{} is damaged: {error}", path.display()))
                })?),
                // It was removed meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Fault::disk("read", &path)(error)),
            }
        }
        Ok(found)
    }

    /// The digests of the manifests of a repository.
    pub(crate) fn manifests(&self, repository: &Repository) -> Result<Vec<Digest>> {
        digests_in(&self.at(repository).join("_manifests"))
    }

    /// The type of a manifest of a repository; `None` where it is not understood.
    pub(crate) fn media_type(
        &self,
        repository: &Repository,
        digest: &Digest,
    ) -> Result<Option<String>> {
        let link = disk::read(&self.manifest(repository, digest))?.unwrap_or_default();
        Ok(serde_json::from_slice(&link).ok().map(|link: Link| link.media_type))
    }

    /// The digest of a manifest that is there, by a tag or itself.
    pub(super) fn demand_manifest(
        &self,
        repository: &Repository,
        reference: &str,
    ) -> Result<Digest> {
        let digest = self.resolve(repository, reference)?;
        let is_there = |digest: &Digest| self.manifest(repository, digest).exists();
        digest.filter(is_there).ok_or_else(|| Fault::ManifestUnknown(reference.to_string()))
    }

    /// All that a manifest names. One that is gone names nothing; one that cannot be read is an error.
    pub(crate) fn parts(&self, repository: &Repository, digest: &Digest) -> Result<Vec<Digest>> {
        let damaged = |why: String| Fault::Disk(format!("{digest} of {repository} {why}"));
        let Some(bytes) = disk::read(&self.blob(digest))? else {
            return match self.manifest(repository, digest).exists() {
                true => Err(damaged("is missing".to_string())),
                false => Ok(Vec::new()),
            };
        };
        if !digest.is_of(&bytes) {
            return Err(damaged("is not what its digest says".to_string()));
        }
        let named =
            Named::of(&bytes).map_err(|error| damaged(format!("is not understood: {error}")))?;
        Ok(named.needs.into_iter().map(|need| need.digest).collect())
    }

    pub(crate) fn manifest(&self, repository: &Repository, digest: &Digest) -> std::path::PathBuf {
        under(&self.at(repository).join("_manifests"), digest)
    }

    pub(crate) fn tag(&self, repository: &Repository, tag: &str) -> std::path::PathBuf {
        self.at(repository).join("_tags").join(tag)
    }

    pub(crate) fn speaking(
        &self,
        repository: &Repository,
        subject: &Digest,
        digest: &Digest,
    ) -> std::path::PathBuf {
        let name = format!("{}-{}", digest.algorithm(), digest.hex());
        under(&self.at(repository).join("_referrers"), subject).join(name)
    }
}

/// The type of a manifest, which it says itself or is said of it.
fn told_type(document: &Document, told: Option<&str>) -> Result<String> {
    if !document.fs_layers.is_empty() {
        return Err(Fault::ManifestInvalid("manifests of schema 1 are not kept".to_string()));
    }
    match (told, &document.media_type) {
        (Some(told), Some(own)) if told != own => Err(Fault::ManifestInvalid(format!(
            "it is {own} by its own words, and {told} by the request's"
        ))),
        (Some(one), _) => Ok(one.to_string()),
        (None, Some(one)) => Ok(one.clone()),
        (None, None) => Err(Fault::ManifestInvalid("nothing says of which type it is".to_string())),
    }
}

/// The bytes of a manifest as lists of what speaks of another show it.
pub(super) fn described(bytes: &[u8], media_type: &str, digest: &Digest) -> Result<Descriptor> {
    let document: Document = serde_json::from_slice(bytes)
        .map_err(|error| Fault::ManifestInvalid(format!("it is not understood: {error}")))?;
    Ok(descriptor(&document, media_type, digest, bytes.len() as u64))
}

/// A manifest as lists of what speaks of another show it.
fn descriptor(document: &Document, media_type: &str, digest: &Digest, size: u64) -> Descriptor {
    let kind = document.config.as_ref().and_then(|config| config.media_type.clone());
    Descriptor {
        artifact_type: document.artifact_type.clone().or(kind),
        annotations: document.annotations.clone(),
        ..Descriptor::new(media_type, digest.clone(), size)
    }
}

pub(super) fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| Fault::Disk(format!("could not write JSON: {error}")))
}
