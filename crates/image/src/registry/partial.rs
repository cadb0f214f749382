//! A blob of which a part is kept, so that a later process goes on behind it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;

use bytes::Bytes;
use longshore_model::{Code, Error, Result, failpoint};
use rustix::fs::{FlockOperation, flock};
use tokio::sync::mpsc::Receiver;

use crate::Layout;
use crate::digest::Hasher;
use crate::document::Descriptor;

/// The folder of parts in a layout.
pub(crate) const PARTIAL: &str = "partial";
const BUFFER: usize = 1 << 20;

/// The part of a blob that is here. One process at a time has it.
pub(super) struct Partial {
    blob: Descriptor,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    /// How many bytes are here.
    pub(super) size: u64,
    /// How many of them an earlier process or attempt brought.
    pub(super) kept: u64,
}

impl Partial {
    /// Opens the part of a blob, reads what is there, and waits while another process has it. Blocks.
    pub(super) fn open(layout: &Layout, blob: &Descriptor) -> Result<Self> {
        let folder = layout.root().join(PARTIAL);
        let path = folder.join(blob.digest.hex());
        let failed = |error| Error::io("keep a part of a blob", path.display(), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(failed)?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| failed(error.into()))?;
        let mut partial = Self {
            blob: blob.clone(),
            path,
            file,
            hasher: Hasher::like(&blob.digest),
            size: 0,
            kept: 0,
        };
        partial.read()?;
        Ok(partial)
    }

    fn read(&mut self) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = self.file.read(&mut buffer);
            match read
                .map_err(|error| Error::io("read a part of a blob", self.path.display(), error))?
            {
                0 => break,
                count => {
                    self.hasher.update(&buffer[..count]);
                    self.size += count as u64;
                }
            }
        }
        self.kept = self.size;
        match self.size > self.blob.size {
            true => self.restart(),
            false => Ok(()),
        }
    }

    /// Forgets what is here.
    pub(super) fn restart(&mut self) -> Result<()> {
        use std::io::Seek;
        let emptied = self.file.set_len(0).and_then(|()| self.file.rewind());
        emptied.map_err(|error| Error::io("empty a part of a blob", self.path.display(), error))?;
        (self.hasher, self.size, self.kept) = (Hasher::like(&self.blob.digest), 0, 0);
        Ok(())
    }

    pub(super) fn is_whole(&self) -> bool {
        self.size == self.blob.size
    }

    /// Writes what arrives until the sender is gone. Blocks.
    pub(super) fn take(mut self, mut pieces: Receiver<Bytes>) -> (Self, Result<()>) {
        while let Some(piece) = pieces.blocking_recv() {
            if let Err(error) = self.write(&piece) {
                return (self, Err(error));
            }
        }
        (self, Ok(()))
    }

    fn write(&mut self, piece: &[u8]) -> Result<()> {
        if self.size + piece.len() as u64 > self.blob.size {
            return Err(self.wrong("is longer than its descriptor says"));
        }
        self.file
            .write_all(piece)
            .map_err(|error| Error::io("keep a part of a blob", self.path.display(), error))?;
        self.hasher.update(piece);
        self.size += piece.len() as u64;
        failpoint::hit("registry.piece")
    }

    /// Gives the blob its name, if it is what its descriptor says; else forgets it. Blocks.
    pub(super) fn finish(mut self, layout: &Layout) -> Result<()> {
        let found = std::mem::take(&mut self.hasher).finish().0;
        if found != self.blob.digest {
            let error = self.wrong("is not what its digest says").with("found", found.to_string());
            self.restart()?;
            return Err(error);
        }
        let to = layout.path(&self.blob.digest);
        self.file
            .sync_all()
            .and_then(|()| to.parent().map_or(Ok(()), fs::create_dir_all))
            .and_then(|()| fs::rename(&self.path, &to))
            .map_err(|error| Error::io("keep a blob", to.display(), error))
    }

    fn wrong(&self, why: &str) -> Error {
        Error::new(Code::ImageInvalid, format!("a blob from a registry {why}"))
            .with("digest", self.blob.digest.to_string())
            .with("size", self.blob.size.to_string())
    }
}
