//! What is written down of an upload, so that a later process goes on with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::PathBuf;

use longshore_model::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::document::Descriptor;
use crate::{Digest, Layout};

/// The folder of uploads in a layout.
const FOLDER: &str = "uploads";

/// An upload that a registry has begun to take.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    /// The host.
    pub(super) host: String,
    /// The repository.
    pub(super) repository: String,
    /// The blob.
    pub(super) digest: Digest,
    /// Where it goes on, as the registry said last. It may hold a capability, so only the owner reads it.
    pub(super) location: String,
    /// The shortest part that the registry takes.
    pub(super) shortest: u64,
}

/// The file of an upload. One process at a time has it.
pub(super) struct Record {
    path: PathBuf,
    file: File,
}

impl Record {
    /// Opens the record of a blob on its way to a repository; `None` while another process has it.
    pub(super) fn open(
        layout: &Layout,
        host: &str,
        repository: &str,
        blob: &Descriptor,
    ) -> Result<Option<Self>> {
        use std::os::unix::fs::OpenOptionsExt;
        let folder = layout.root().join(FOLDER);
        let name = Digest::of(format!("{host}/{repository}@{}", blob.digest).as_bytes());
        let path = folder.join(format!("{}.json", name.hex()));
        let failed = |error| Error::io("write down an upload", path.display(), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { path, file })),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// What was written down, if that is understood.
    pub(super) fn read(&mut self) -> Option<Upload> {
        let mut text = Vec::new();
        self.file.rewind().ok()?;
        self.file.read_to_end(&mut text).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes an upload down. One that a power cut leaves half-written is not understood, and begins anew.
    pub(super) fn write(&mut self, upload: &Upload) -> Result<()> {
        let text = crate::document::to_json(upload)?;
        let written = self.file.set_len(0).and_then(|()| {
            self.file.rewind()?;
            self.file.write_all(&text)
        });
        written.map_err(|error| Error::io("write down an upload", self.path.display(), error))
    }

    /// The upload is at its end.
    pub(super) fn remove(self) {
        // An upload that a registry does not know any more begins anew.
        let _ = fs::remove_file(&self.path);
    }
}
