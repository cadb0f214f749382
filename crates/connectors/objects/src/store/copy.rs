//! Copies within a store, whose bytes this machine does not see.

use std::ops::Range;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use longshore_model::object::Original;
use longshore_model::{Code, Error, Result};
use object_store::Attributes;
use object_store::signer::Method;
use serde::{Deserialize, Serialize};

use super::azure::Azure;
use super::error::{is_changed, is_gone};
use super::google_copy::Google;
use super::signed::Signed;
use super::{Store, signed};

/// An object of more bytes is copied in parts: a store takes 5 GiB in one request, and is quicker with
/// several that are smaller.
const WHOLE: u64 = 64 << 20;
/// The parts of such an object that are under way at a time, and how many there may be.
const UNDER_WAY: usize = 8;
const PARTS: u64 = 9_000;

/// Where a store can copy from: what one server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Server(String);

/// Who asks the server of a store for what its client has no call for.
#[derive(Clone)]
pub(super) enum Copier {
    S3(Signed),
    Google(Google),
    Azure(Azure),
}

impl Copier {
    fn server(&self) -> &str {
        match self {
            Self::S3(one) => one.server(),
            Self::Google(one) => one.server(),
            Self::Azure(one) => one.server(),
        }
    }

    /// The bucket, or container.
    fn bucket(&self) -> &str {
        match self {
            Self::S3(one) => one.bucket(),
            Self::Google(one) => one.bucket(),
            Self::Azure(one) => one.container(),
        }
    }
}

impl Store {
    /// The server that copies within this store; `None` where none can be asked to.
    pub(crate) fn copies(&self) -> Option<Server> {
        self.copier.as_ref().map(|copier| Server(copier.server().to_string()))
    }

    /// An object of this store, in one state, as another of the same server is told of it.
    pub(crate) fn original(&self, key: &str, tag: Option<&str>) -> Original {
        Original {
            container: self.copier.as_ref().map_or("", Copier::bucket).to_string(),
            key: format!("{}{key}", self.prefix),
            tag: tag.map(str::to_string),
        }
    }

    /// Whether an object of so many bytes is copied into an upload, which is there until it is ended or given up.
    pub(crate) fn copies_in_parts(&self, size: u64) -> bool {
        matches!(self.copier, Some(Copier::S3(_))) && size > WHOLE
    }

    /// Writes an object of so many bytes that the server has under another key.
    pub(crate) async fn copy(
        &self,
        original: &Original,
        key: &str,
        size: u64,
        attributes: Attributes,
    ) -> Result<()> {
        let path = self.path(key)?;
        let (attributes, tags) = self.apart(attributes)?;
        let copy = async {
            match &self.copier {
                Some(Copier::Azure(azure)) => {
                    azure.copy(original, &path, size, (&attributes, &tags)).await
                }
                Some(Copier::Google(google)) => google.copy(original, &path, &attributes).await,
                Some(Copier::S3(_)) | None => {
                    let mut headers = signed::original(original)?;
                    headers.extend(signed::described(&attributes, &tags)?);
                    let query = Vec::new();
                    let request =
                        signed::Request { method: Method::PUT, path: &path, query, headers };
                    self.s3()?.copy(&request).await.map(drop)
                }
            }
        };
        copy.await.map_err(|error| self.uncopied(original, key, error))
    }

    /// Fills an upload with an object of so many bytes that the server has under another key, and ends it.
    pub(crate) async fn copy_into(
        &self,
        upload: &str,
        original: &Original,
        key: &str,
        size: u64,
    ) -> Result<()> {
        let path = self.path(key)?;
        let length = size.div_ceil(PARTS).next_multiple_of(1 << 20).max(WHOLE);
        let part = |number: u64| {
            let range = number * length..size.min((number + 1) * length);
            self.copy_part(upload, original, &path, number, range)
        };
        let parts = stream::iter((0..size.div_ceil(length)).map(part));
        let parts: object_store::Result<Vec<String>> =
            parts.buffered(UNDER_WAY).try_collect().await;
        let parts = parts.map_err(|error| self.uncopied(original, key, error))?;
        self.end_upload(key, upload, parts, size).await
    }

    async fn copy_part(
        &self,
        upload: &str,
        original: &Original,
        path: &object_store::path::Path,
        number: u64,
        range: Range<u64>,
    ) -> object_store::Result<String> {
        let mut headers = signed::original(original)?;
        headers.extend([signed::range(&range)?]);
        let query =
            vec![("partNumber", (number + 1).to_string()), ("uploadId", upload.to_string())];
        self.s3()?.copy(&signed::Request { method: Method::PUT, path, query, headers }).await
    }

    fn s3(&self) -> object_store::Result<&Signed> {
        match &self.copier {
            Some(Copier::S3(signed)) => Ok(signed),
            _ => Err(object_store::Error::NotSupported {
                source: "copies within this store are not known".into(),
            }),
        }
    }

    fn uncopied(&self, original: &Original, key: &str, error: object_store::Error) -> Error {
        if is_changed(&error) || is_gone(&error) {
            return Error::new(Code::SourceChanged, "an object has changed before it was copied")
                .with("object", format!("{}/{}", original.container, original.key))
                .temporary();
        }
        self.failed("copy an object", key, error)
    }
}
