//! Uploads in parts.

use bytes::Bytes;
use longshore_model::Result;
use object_store::multipart::PartId;
use object_store::{Attributes, MultipartUpload, PutMultipartOptions, PutPayload};

use super::Store;
use super::error::is_gone;

impl Store {
    /// Begins an upload in parts, and gives its id.
    pub(crate) async fn begin_upload(&self, key: &str, attributes: Attributes) -> Result<String> {
        let (attributes, tags) = self.apart(attributes)?;
        let options = PutMultipartOptions { attributes, tags, ..PutMultipartOptions::default() };
        let path = self.path(key)?;
        let begin = || self.uploads.create_multipart_opts(&path, options.clone());
        let begun = self.persist(begin).await;
        begun.map_err(|error| self.failed("begin an upload", key, error))
    }

    /// Begins an upload that ends with this process.
    pub(crate) async fn begin_bound_upload(
        &self,
        key: &str,
        attributes: Attributes,
    ) -> Result<Box<dyn MultipartUpload>> {
        let (attributes, tags) = self.apart(attributes)?;
        let options = PutMultipartOptions { attributes, tags, ..PutMultipartOptions::default() };
        let begun = self.objects.put_multipart_opts(&self.path(key)?, options).await;
        begun.map_err(|error| self.failed("begin an upload", key, error))
    }

    /// Uploads a part, and gives what the store calls it. All parts but the last are of one size.
    pub(crate) async fn put_part(
        &self,
        key: &str,
        upload: &str,
        number: usize,
        bytes: Bytes,
    ) -> Result<String> {
        let (path, upload) = (self.path(key)?, upload.to_string());
        let bytes = PutPayload::from(bytes);
        let put = || self.uploads.put_part(&path, &upload, number, bytes.clone());
        let put = self.persist(put).await;
        put.map(|part| part.content_id)
            .map_err(|error| self.failed("upload a part of an object", key, error))
    }

    /// Makes an object of so many bytes of the parts of an upload.
    pub(crate) async fn end_upload(
        &self,
        key: &str,
        upload: &str,
        parts: Vec<String>,
        size: u64,
    ) -> Result<()> {
        let parts: Vec<_> = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        let (path, upload) = (self.path(key)?, upload.to_string());
        let end = || self.uploads.complete_multipart(&path, &upload, parts.clone());
        match self.persist(end).await {
            Ok(_) => Ok(()),
            // It may have been ended with the answer lost, and then is not known any more.
            Err(error) => match self.head(key).await? {
                Some((found, _)) if found == size => Ok(()),
                _ => Err(self.failed("end an upload", key, error)),
            },
        }
    }

    /// Gives an upload up. One that is not known any more is none.
    pub(crate) async fn give_up_upload(&self, key: &str, upload: &str) -> Result<()> {
        let (path, upload) = (self.path(key)?, upload.to_string());
        match self.persist(|| self.uploads.abort_multipart(&path, &upload)).await {
            Err(error) if !is_gone(&error) => Err(self.failed("give an upload up", key, error)),
            _ => Ok(()),
        }
    }
}
