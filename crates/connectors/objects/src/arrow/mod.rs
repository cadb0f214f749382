//! Arrow files: the IPC file format, which Feather 2 is, and the IPC stream format.

mod guard;
mod index;
mod plain;
mod read;
mod write;

use std::io::ErrorKind;

use bytes::Bytes;
use longshore_model::{Code, Error, Result};

pub(crate) use read::ArrowFile;
pub(crate) use write::ArrowWriter;

use crate::content::Content;

/// Bytes that must be there.
fn bytes(content: &Content, offset: u64, length: usize) -> Result<Bytes> {
    content.exact(offset, length).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => damaged(content.name(), "it ends too early"),
        _ => content.failed(error),
    })
}

fn damaged(
    file: &str,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> Error {
    Error::new(Code::SourceUnreadable, "an Arrow file cannot be read")
        .with("file", file)
        .because(reason)
}
