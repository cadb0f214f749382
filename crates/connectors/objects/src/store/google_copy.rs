//! Copies within Google Cloud Storage, by one request for each object.

use longshore_model::object::Original;
use object_store::gcp::{GcpCredential, GcpCredentialProvider};
use object_store::path::Path;
use object_store::signer::{HeaderMap, HeaderName, HeaderValue};
use object_store::{Attribute, Attributes};
use reqwest::header::CONTENT_LENGTH;

use super::signed::{again, answered, broken, escaped, named};

/// Where Google is.
const USUAL: &str = "https://storage.googleapis.com";

/// A bucket, and who asks for copies into it.
#[derive(Clone)]
pub(super) struct Google {
    credentials: GcpCredentialProvider,
    client: reqwest::Client,
    /// What is there is one store.
    server: String,
    bucket: String,
}

impl Google {
    pub(super) fn new(
        credentials: GcpCredentialProvider,
        client: reqwest::Client,
        server: Option<&str>,
        bucket: &str,
    ) -> Self {
        let server = server.unwrap_or(USUAL).trim_end_matches('/').to_string();
        Self { credentials, client, server, bucket: bucket.to_string() }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Makes an object of one that Google has.
    pub(super) async fn copy(
        &self,
        original: &Original,
        path: &Path,
        attributes: &Attributes,
    ) -> object_store::Result<()> {
        let url = format!("{}/{}/{}", self.server, self.bucket, escaped(path.as_ref()));
        let headers = headers(original, attributes)?;
        again(|| async {
            let credential = self.credentials.get_credential().await?;
            let GcpCredential { bearer } = &*credential;
            let sent = self.client.put(&url).headers(headers.clone()).bearer_auth(bearer);
            answered(sent.send().await.map_err(broken)?, path).await.map(drop)
        })
        .await
    }
}

/// Of which object a copy is, in which state, and what it has in place of what its original has.
fn headers(original: &Original, attributes: &Attributes) -> object_store::Result<HeaderMap> {
    let Original { container, key, tag } = original;
    let mut told = vec![
        ("x-goog-copy-source".to_string(), format!("{container}/{}", escaped(key))),
        ("x-goog-metadata-directive".to_string(), "REPLACE".to_string()),
    ];
    told.extend(tag.as_ref().map(|tag| ("x-goog-copy-source-if-match".to_string(), tag.clone())));
    for (attribute, value) in attributes {
        let name = match attribute {
            Attribute::StorageClass => "x-goog-storage-class".to_string(),
            Attribute::Metadata(name) => format!("x-goog-meta-{name}"),
            plain => named(plain)?.to_string(),
        };
        told.push((name, value.to_string()));
    }
    let mut headers = HeaderMap::new();
    for (name, text) in told {
        let name = HeaderName::try_from(name).map_err(super::signed::not_sent)?;
        headers.insert(name, super::signed::value(&text)?);
    }
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Ok(headers)
}
