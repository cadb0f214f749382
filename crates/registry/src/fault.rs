//! Why a registry refuses a request.

use std::io;
use std::path::Path;

use longshore_image::Digest;
use longshore_model::{Code, Error};

/// Why a request is not done.
#[derive(Debug)]
pub enum Fault {
    /// The path is none that a registry has.
    NoSuchPath,
    /// The path does not know the method.
    Method(&'static str),
    /// Somebody must say who he is.
    WhoAreYou,
    /// Somebody may not do this.
    Denied,
    /// The policy of the registry, or a hold, keeps things as they are.
    Kept(String),
    /// The repository would hold more than it may.
    OverQuota(String),
    /// The name of a repository cannot be one.
    NameInvalid,
    /// There is no such repository.
    NameUnknown,
    /// A tag cannot be one.
    TagInvalid,
    /// A digest is not understood, or the bytes have another.
    DigestInvalid(&'static str),
    /// The blob is not in the repository.
    BlobUnknown(Digest),
    /// The manifest is not in the repository.
    ManifestUnknown(String),
    /// The manifest cannot be taken.
    ManifestInvalid(String),
    /// The manifest names something that the repository lacks.
    ManifestBlobUnknown(Digest),
    /// The manifest, or a list that is asked for, is too large.
    TooLarge,
    /// There is no such upload.
    UploadUnknown,
    /// Another request writes to the upload.
    UploadBusy,
    /// A part of an upload does not follow on what is there.
    OutOfOrder {
        /// Where the upload goes on.
        location: String,
        /// The upload.
        id: String,
        /// The bytes that are there.
        offset: u64,
    },
    /// No part of a blob is in the range that was asked for.
    Range(u64),
    /// A header or a parameter is not understood.
    Unreadable(&'static str),
    /// The client went away, or its body ended too early.
    Cut,
    /// The disk is full.
    Full,
    /// The disk did not do what it must.
    Disk(String),
}

/// The result of what a registry is asked.
pub(crate) type Result<T> = std::result::Result<T, Fault>;

impl Fault {
    /// A failure of the disk, with what was done and where.
    pub fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.display().to_string();
        move |error| match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Disk(format!("could not {doing} ({path}): {error}")),
        }
    }

    /// The error of a verb that works in the folder of a registry.
    pub fn into_error(self, doing: &str, root: &Path) -> Error {
        let error = |code, why: String| {
            Error::new(code, doing).with("path", root.display().to_string()).because(why)
        };
        match self {
            Self::Disk(why) => error(Code::Io, why),
            Self::Full => error(Code::StorageFull, "the disk is full".to_string()),
            other => error(Code::Io, format!("{other:?}")),
        }
    }
}
