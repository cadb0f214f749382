//! What a check puts back, each at once as it must be.

use std::path::Path;

use longshore_image::Digest;
use longshore_image::document::Descriptor;

use super::manifests::{self, Link};
use super::{Repository, Store, disk, uploads};
use crate::Fault;
use crate::fault::Result;

impl Store {
    /// Puts bytes back that were proved to have a digest.
    pub(crate) fn put_back(&self, digest: &Digest, bytes: &[u8]) -> Result<()> {
        let _rest = self.rest([digest])?;
        disk::write(&self.blob(digest), bytes)
    }

    /// Puts a file back that was proved to have a digest, is on the disk, and lies in the same file system.
    pub(crate) fn put_back_file(&self, digest: &Digest, from: &Path) -> Result<()> {
        let _rest = self.rest([digest])?;
        let path = self.blob(digest);
        disk::publish(from, &path).map_err(Fault::disk("keep a blob", &path))?;
        disk::touch(&path).map(drop)
    }

    /// Gives a repository the link to a blob that is there.
    pub(crate) fn link_again(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        let _rest = self.rest([digest])?;
        let _change = self.change(repository)?;
        disk::touch(&self.blob(digest))?;
        disk::write(&self.link(repository, digest), b"")
    }

    /// Takes a link to a blob that is not there, unless it came meanwhile.
    pub(crate) fn unlink_dangling(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        self.alone_with(digest, || match self.blob(digest).exists() {
            true => Ok(()),
            false => disk::remove(&self.link(repository, digest)).map(drop),
        })
    }

    /// Removes bytes that are damaged and that no manifest names.
    pub(crate) fn remove_damaged(&self, digest: &Digest) -> Result<()> {
        let path = self.blob(digest);
        self.alone_with(digest, || {
            // A push may have mended it since; one that cannot be read is none.
            match uploads::hash(&path, digest).is_ok_and(|found| found == *digest) {
                true => Ok(()),
                false => disk::remove(&path).map(drop),
            }
        })
    }

    /// Gives a repository a manifest whose bytes are there.
    pub(crate) fn know_again(
        &self,
        repository: &Repository,
        digest: &Digest,
        media_type: &str,
    ) -> Result<()> {
        let _rest = self.rest([digest])?;
        let _change = self.change(repository)?;
        disk::touch(&self.blob(digest))?;
        let link = manifests::json(&Link { media_type: media_type.to_string() })?;
        disk::write(&self.manifest(repository, digest), &link)
    }

    /// Lets a tag that is not understood name a manifest that is there.
    pub(crate) fn tag_again(
        &self,
        repository: &Repository,
        tag: &str,
        digest: &Digest,
    ) -> Result<()> {
        let _change = self.change(repository)?;
        disk::write(&self.tag(repository, tag), digest.as_str().as_bytes())
    }

    /// Puts a manifest into the list of what speaks of its subject.
    pub(crate) fn list_again(
        &self,
        repository: &Repository,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<()> {
        let _rest = self.rest([subject, digest])?;
        let _change = self.change(repository)?;
        let (Some(media_type), Some(bytes)) =
            (self.media_type(repository, digest)?, disk::read(&self.blob(digest))?)
        else {
            return Ok(());
        };
        let said = manifests::described(&bytes, &media_type, digest)?;
        disk::write(&self.speaking(repository, subject, digest), &manifests::json(&said)?)
    }

    /// Takes an entry of the list of what speaks of a manifest, which names nothing that is there.
    pub(crate) fn unlist(&self, repository: &Repository, path: &str) -> Result<()> {
        let _change = self.change(repository)?;
        let whole = self.at(repository).join(path);
        let said = disk::read(&whole)?.and_then(|text| serde_json::from_slice(&text).ok());
        let is_there = |said: &Descriptor| self.manifest(repository, &said.digest).exists();
        match said.as_ref().is_some_and(is_there) {
            true => Ok(()),
            false => disk::remove(&whole).map(drop),
        }
    }
}
