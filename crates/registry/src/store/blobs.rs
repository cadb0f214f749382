//! Blobs, as repositories have them.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;

use longshore_image::Digest;

use super::{Repository, Store, digests_in, disk, under};
use crate::Fault;
use crate::fault::Result;

impl Store {
    pub(crate) fn link(&self, repository: &Repository, digest: &Digest) -> PathBuf {
        under(&self.at(repository).join("_blobs"), digest)
    }

    /// The size of a blob that a repository has. Who asks may rest on it, so it is not swept for a while.
    pub fn stat_blob(&self, repository: &Repository, digest: &Digest) -> Result<u64> {
        let _held = self.rest([digest])?;
        let unknown = || Fault::BlobUnknown(digest.clone());
        let path = self.blob(digest);
        let is_there = disk::touch(&self.link(repository, digest))? && disk::touch(&path)?;
        if !is_there {
            return Err(unknown());
        }
        Ok(fs::metadata(&path).map_err(Fault::disk("look at", &path))?.len())
    }

    /// A blob that a repository has, and its size.
    pub fn open_blob(&self, repository: &Repository, digest: &Digest) -> Result<(File, u64)> {
        let unknown = || Fault::BlobUnknown(digest.clone());
        if !self.link(repository, digest).exists() {
            return Err(unknown());
        }
        let path = self.blob(digest);
        let file = File::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => unknown(),
            _ => Fault::disk("read", &path)(error),
        })?;
        let size = file.metadata().map_err(Fault::disk("look at", &path))?.len();
        Ok((file, size))
    }

    /// Takes a blob from a repository. It stays on the disk until nobody needs it.
    pub fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<()> {
        let link = self.link(repository, digest);
        if !link.exists() {
            return Err(Fault::BlobUnknown(digest.clone()));
        }
        let _change = self.change(repository)?;
        self.demand_removable(repository, digest)?;
        match disk::remove(&link)? {
            true => link.parent().map_or(Ok(()), disk::settle),
            false => Err(Fault::BlobUnknown(digest.clone())),
        }
    }

    /// Gives a repository a blob that another has. Says whether it could.
    pub fn mount(&self, to: &Repository, from: &Repository, digest: &Digest) -> Result<bool> {
        let _held = self.rest([digest])?;
        let is_there = disk::touch(&self.link(from, digest))? && disk::touch(&self.blob(digest))?;
        if !is_there {
            return Ok(false);
        }
        let path = self.blob(digest);
        let size = fs::metadata(&path).map_err(Fault::disk("look at", &path))?.len();
        let _change = self.change_for_room(to)?;
        self.demand_room(to, digest, size)?;
        disk::write(&self.link(to, digest), b"")?;
        Ok(true)
    }

    /// The blobs on the disk, with the bytes of manifests.
    pub(crate) fn all_blobs(&self) -> Result<Vec<Digest>> {
        digests_in(&self.blobs())
    }

    /// The blobs that a repository has.
    pub(crate) fn linked(&self, repository: &Repository) -> Result<Vec<Digest>> {
        digests_in(&self.at(repository).join("_blobs"))
    }
}
