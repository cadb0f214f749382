//! What a target holds already under the name of an object: whether it is the same.

use std::fs::{File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use longshore_model::object::Object;

use super::entry::{PERMISSIONS, PIECE, nanoseconds, owner};
use super::write::write_sparse;
use super::xattr::Node;

/// A file of the target that is compared with the parts of an object as they come.
pub(super) struct Twin {
    file: File,
    metadata: Metadata,
}

impl Twin {
    /// The file at a path; `None` where there is none of this size that can be read.
    pub(super) fn find(path: &Path, size: u64) -> std::io::Result<Option<Self>> {
        // Neither a link is followed, nor a pipe waited for.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags).open(path);
        let Ok(file) = opened else { return Ok(None) };
        let metadata = file.metadata()?;
        let is_candidate = metadata.is_file() && metadata.len() == size;
        Ok(is_candidate.then_some(Self { file, metadata }))
    }

    pub(super) fn size(&self) -> u64 {
        self.metadata.len()
    }

    /// Whether it holds these bytes there.
    pub(super) fn holds(&self, offset: u64, bytes: &[u8]) -> std::io::Result<bool> {
        let mut found = vec![0; bytes.len()];
        match self.file.read_exact_at(&mut found, offset) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            read => read.map(|()| found == bytes),
        }
    }

    /// Writes its first bytes into another file.
    pub(super) fn copy_to(&self, file: &mut File, size: u64) -> std::io::Result<()> {
        let mut offset = 0;
        while offset < size {
            let length = (size - offset).min(PIECE as u64);
            let mut part = vec![0; usize::try_from(length).unwrap_or(PIECE)];
            self.file.read_exact_at(&mut part, offset)?;
            write_sparse(file, offset, &part)?;
            offset += length;
        }
        Ok(())
    }

    /// Whether other names stand for the same bytes, so that what is told of them is told of all.
    pub(super) fn is_shared(&self) -> bool {
        self.metadata.nlink() > 1
    }

    /// Whether all that is kept of an object apart from its bytes is the same.
    pub(super) fn is_described(&self, object: &Object, wanted: impl Fn(&str) -> bool) -> bool {
        let has_all = || Node::Open(&self.file).has(object);
        is_described(&self.metadata, object, &wanted) && (!wanted("attributes") || has_all())
    }
}

/// Whether the mode, time and owner that are kept of an object are what the file system says of an entry.
pub(super) fn is_described(
    there: &Metadata,
    object: &Object,
    wanted: impl Fn(&str) -> bool,
) -> bool {
    let told_otherwise = |column: &str, is_same: bool| wanted(column) && !is_same;
    let mode = object.mode.is_none_or(|mode| mode == there.mode() & PERMISSIONS);
    let modified = object.modified.is_none_or(|modified| modified == nanoseconds(there));
    let owner = object.owner.as_ref().is_none_or(|told| *told == owner(there));
    !(told_otherwise("mode", mode)
        || told_otherwise("modified", modified)
        || told_otherwise("owner", owner))
}
