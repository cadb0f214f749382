//! The bytes of a data file. Everything that reads one reads it through here, from any place of it.

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use longshore_model::{Error, Result};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::reader::{ChunkReader, Length};

use crate::blocks::Blocks;

/// An open data file. Clones share it, and none moves another: each says where it reads.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    name: Arc<str>,
    place: Place,
    size: u64,
}

#[derive(Debug, Clone)]
enum Place {
    File(Arc<File>),
    Store(Arc<Blocks>),
}

/// Reads on from a place.
#[derive(Debug)]
pub(crate) struct Reading {
    content: Content,
    offset: u64,
    failed: bool,
}

impl Content {
    /// The content of a file with a name for people, relative to the root.
    pub(crate) fn new(name: &str, file: File) -> Result<Self> {
        let failed = |error| Error::io("read a file", name, error);
        let size = file.metadata().map_err(failed)?.len();
        Ok(Self { name: name.into(), place: Place::File(Arc::new(file)), size })
    }

    /// The content of an object of a store.
    pub(crate) fn stored(name: &str, blocks: Blocks) -> Self {
        let size = blocks.size();
        Self { name: name.into(), place: Place::Store(Arc::new(blocks)), size }
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match &self.place {
            Place::File(file) => file.read_at(buffer, offset),
            Place::Store(blocks) => blocks.read_at(buffer, offset),
        }
    }

    /// The file, relative to the root.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The size in bytes when it was opened.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Everything from an offset on. It is not buffered: callers read large pieces.
    pub(crate) fn reader(&self, offset: u64) -> Reading {
        Reading { content: self.clone(), offset, failed: false }
    }

    /// Exactly `length` bytes from an offset on. A length that the file does not have fails before
    /// memory is taken for it.
    pub(crate) fn exact(&self, offset: u64, length: usize) -> io::Result<Bytes> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.size) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut bytes = vec![0; length];
        self.reader(offset).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }

    /// What is told of a failure to read it.
    pub(crate) fn failed(&self, error: io::Error) -> Error {
        Error::io("read a file", &self.name, error)
    }
}

impl Reading {
    /// The place of what is read next.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the last read failed: the place, not what is in the file, is the cause then.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.content.read_at(buffer, self.offset);
        self.failed = read.is_err();
        self.offset += *read.as_ref().unwrap_or(&0) as u64;
        read
    }
}

impl Length for Content {
    fn len(&self) -> u64 {
        self.size
    }
}

impl ChunkReader for Content {
    type T = BufReader<Reading>;

    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        Ok(BufReader::new(self.reader(start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        self.exact(start, length).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => ParquetError::EOF(format!(
                "{length} bytes at {start} are asked of a file of {}",
                self.size
            )),
            _ => error.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read};

    use crate::tree::Tree;

    #[test]
    fn places_are_read_on_their_own_and_nothing_beyond_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("a"), "0123456789").expect("a file");
        let content = Tree::new(folder.path()).open("a").expect("a file");
        assert_eq!((content.name(), content.size()), ("a", 10));
        let (mut one, mut other) = (content.reader(2), content.clone().reader(8));
        let mut text = String::new();
        other.read_to_string(&mut text).expect("the end");
        one.read_to_string(&mut text).expect("the rest");
        assert_eq!(text, "8923456789");
        assert_eq!(&content.exact(3, 4).expect("a part")[..], b"3456");
        for (offset, length) in [(0, 11), (11, 0), (u64::MAX, 1), (5, usize::MAX)] {
            let error = content.exact(offset, length).expect_err("beyond the end");
            assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        }
    }
}
