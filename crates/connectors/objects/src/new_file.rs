//! A file that is being written: nobody sees it before it is published.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use longshore_model::{Error, Result};
use object_store::Attributes;

use crate::record::{give_up_recorded, put_record};
use crate::store::{PartUpload, Store};
use crate::tree::Tree;

/// The size of a part, and parts under way at a time. Stores take 10,000 parts.
const PART: usize = 16 << 20;
const UNDER_WAY: usize = 2;

/// A file that is being written.
pub(crate) enum NewFile {
    /// Under a temporary name.
    File(NamedFile),
    /// An object that comes to be when all of it is there.
    Object(NewObject),
}

/// A file under a temporary name, which is removed unless it is published.
pub(crate) struct NamedFile {
    file: File,
    path: PathBuf,
    temporary: String,
    published: bool,
}

impl NamedFile {
    pub(crate) fn new(file: File, path: PathBuf, temporary: String) -> Self {
        Self { file, path, temporary, published: false }
    }
}

impl Drop for NamedFile {
    fn drop(&mut self) {
        if !self.published {
            // What stays is removed when the target is claimed again.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// An object whose bytes are uploaded as they come.
pub(crate) struct NewObject {
    store: Arc<Store>,
    key: String,
    buffer: Vec<u8>,
    size: u64,
    upload: Option<PartUpload>,
    /// Where the upload is written down as long as it is under way.
    record: String,
}

impl NewFile {
    /// An object; what an earlier process began to upload for it is given up.
    pub(crate) fn object(store: &Arc<Store>, key: &str, record: String) -> Result<Self> {
        store.handle().block_on(give_up_recorded(store, &record))?;
        let (store, key) = (store.clone(), key.to_string());
        Ok(Self::Object(NewObject {
            store,
            key,
            buffer: Vec::new(),
            size: 0,
            upload: None,
            record,
        }))
    }

    /// Waits until all of it is where it stays.
    pub(crate) fn sync(&mut self) -> Result<()> {
        match self {
            Self::File(NamedFile { file, path, .. }) => file
                .sync_all()
                .map_err(|error| Error::io("make a file durable", path.display(), error)),
            Self::Object(_) => Ok(()),
        }
    }

    /// Gives the file its name, durably.
    pub(crate) fn publish(self, tree: &Tree, relative: &str) -> Result<()> {
        match self {
            Self::File(mut file) => {
                tree.publish(&file.temporary, relative)?;
                file.published = true;
                Ok(())
            }
            Self::Object(object) => object.publish(),
        }
    }

    /// Removes what was written.
    pub(crate) fn discard(self) -> Result<()> {
        match self {
            Self::File(file) => {
                drop(file);
                Ok(())
            }
            Self::Object(object) => object.discard(),
        }
    }
}

impl NewObject {
    fn put_part(&mut self) -> Result<()> {
        let handle = self.store.handle().clone();
        let bytes = std::mem::take(&mut self.buffer);
        let mut upload = match self.upload.take() {
            Some(upload) => upload,
            None => handle.block_on(self.begin())?,
        };
        handle.block_on(upload.await_room(UNDER_WAY - 1))?;
        let entered = handle.enter();
        upload.put(bytes.into(), (), |_, _| {});
        drop(entered);
        self.upload = Some(upload);
        Ok(())
    }

    async fn begin(&self) -> Result<PartUpload> {
        let upload = PartUpload::begin(&self.store, &self.key, Attributes::new()).await?;
        put_record(&self.store, &self.record, &self.key, &upload).await?;
        Ok(upload)
    }

    fn publish(mut self) -> Result<()> {
        if self.upload.is_some() && !self.buffer.is_empty() {
            self.put_part()?;
        }
        let handle = self.store.handle();
        match self.upload {
            Some(upload) => {
                handle.block_on(upload.end(self.size))?;
                handle.block_on(self.store.remove(&[self.record]))
            }
            None => {
                let put = self.store.put(&self.key, self.buffer.into(), Attributes::new());
                handle.block_on(put)
            }
        }
    }

    fn discard(self) -> Result<()> {
        if self.upload.is_none() {
            return Ok(());
        }
        self.store.handle().block_on(give_up_recorded(&self.store, &self.record))
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let object = match self {
            Self::File(named) => return named.file.write(bytes),
            Self::Object(object) => object,
        };
        let length = bytes.len().min(PART - object.buffer.len());
        object.buffer.extend_from_slice(&bytes[..length]);
        object.size += length as u64;
        if object.buffer.len() == PART {
            object.put_part().map_err(io::Error::other)?;
        }
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(named) => named.file.flush(),
            Self::Object(_) => Ok(()),
        }
    }
}
