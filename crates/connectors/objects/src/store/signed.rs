//! Requests to S3 that its client has no call for, signed by it: copies within the store, and tags.

use std::sync::Arc;
use std::time::Duration;

use longshore_model::object::Original;
use object_store::path::Path;
use object_store::signer::{HeaderMap, HeaderName, HeaderValue, Method, SignedUrlOptions, Signer};
use object_store::{Attribute, Attributes};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::error::{is_broken, is_busy};
use super::rest;

/// What such requests are told of in errors.
const STORE: &str = "store";
/// How long a signature holds.
const HOLDS: Duration = Duration::from_secs(3600);
/// How often a request is made, and the pauses between.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Of a key in a header, what stays as it is.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Who signs requests, and where they go.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    signer: Arc<dyn Signer>,
    client: reqwest::Client,
    /// The address of the server. Who is reached at the same one is the same store.
    server: String,
    bucket: String,
}

/// One request without a body.
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a Path,
    pub(super) query: Vec<(&'a str, String)>,
    pub(super) headers: HeaderMap,
}

/// A tag of an object.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagging {
    tag_set: TagSet,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagSet {
    #[serde(default)]
    tag: Vec<Tag>,
}

#[derive(Deserialize)]
struct Copied {
    #[serde(rename = "ETag")]
    tag: String,
}

impl Signed {
    pub(super) fn new(
        signer: Arc<dyn Signer>,
        client: reqwest::Client,
        server: Option<String>,
        bucket: &str,
    ) -> Self {
        let server = server.map(|server| server.trim_end_matches('/').to_string());
        let server = server.unwrap_or_else(|| "amazonaws.com".to_string());
        Self { signer, client, server, bucket: bucket.to_string() }
    }

    pub(super) fn server(&self) -> &str {
        &self.server
    }

    pub(super) fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The tags of an object.
    pub(super) async fn tags(&self, path: &Path) -> object_store::Result<Vec<Tag>> {
        let query = vec![("tagging", String::new())];
        let request = Request { method: Method::GET, path, query, headers: HeaderMap::new() };
        tags_of(&self.send(&request).await?)
    }

    /// Copies an object, or a part of one into a part of an upload; gives the tag of what was made.
    pub(super) async fn copy(&self, request: &Request<'_>) -> object_store::Result<String> {
        let answer = self.send(request).await?;
        understood::<Copied>(&answer).map(|copied| copied.tag)
    }

    async fn send(&self, request: &Request<'_>) -> object_store::Result<String> {
        again(|| self.try_to_send(request)).await
    }

    async fn try_to_send(&self, request: &Request<'_>) -> object_store::Result<String> {
        let mut options =
            SignedUrlOptions::new().with_query(request.query.iter().map(|(k, v)| (*k, v)));
        options.signed_headers = request.headers.clone();
        let method = request.method.clone();
        let url = self.signer.signed_url_opts(method.clone(), request.path, HOLDS, &options);
        let sent = self.client.request(method, url.await?).headers(request.headers.clone());
        answered(sent.send().await.map_err(broken)?, request.path).await
    }
}

/// Makes a request, again where that may help.
pub(super) async fn again<T, W>(request: impl Fn() -> W) -> object_store::Result<T>
where
    W: Future<Output = object_store::Result<T>>,
{
    let mut pause = PAUSE;
    for _ in 1..TRIES {
        match request().await {
            Err(error) if is_broken(&error) || is_busy(&error) => {
                rest(pause).await;
            }
            done => return done,
        }
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
    request().await
}

/// What a server answered, or the error that it is.
pub(super) async fn answered(
    answer: reqwest::Response,
    path: &Path,
) -> object_store::Result<String> {
    let status = answer.status();
    let text = answer.text().await.map_err(broken)?;
    // A copy that fails after it has begun is an error with the status of a success.
    if status.is_success() && !text.contains("<Error>") {
        return Ok(text);
    }
    let path = path.to_string();
    let source = match status.is_success() {
        true => format!("Server returned error response: {text}"),
        false => format!("Server returned non-2xx status code: {status}: {text}"),
    };
    Err(match status.as_u16() {
        404 => object_store::Error::NotFound { path, source: source.into() },
        412 => object_store::Error::Precondition { path, source: source.into() },
        _ => object_store::Error::Generic { store: STORE, source: source.into() },
    })
}

/// The headers by which a copy says of which object it is, in which state.
pub(super) fn original(original: &Original) -> object_store::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Original { container, key, tag } = original;
    let source = format!("/{container}/{}", escaped(key));
    headers.insert(HeaderName::from_static("x-amz-copy-source"), value(&source)?);
    if let Some(tag) = tag {
        headers.insert(HeaderName::from_static("x-amz-copy-source-if-match"), value(tag)?);
    }
    Ok(headers)
}

/// The headers that say what a copy has in place of what its original has.
pub(super) fn described(
    attributes: &Attributes,
    tags: &object_store::TagSet,
) -> object_store::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for directive in ["x-amz-metadata-directive", "x-amz-tagging-directive"] {
        headers.insert(HeaderName::from_static(directive), HeaderValue::from_static("REPLACE"));
    }
    if !tags.is_empty() {
        headers.insert(HeaderName::from_static("x-amz-tagging"), value(tags.encoded())?);
    }
    for (attribute, told) in attributes {
        let name = match attribute {
            Attribute::StorageClass => "x-amz-storage-class".to_string(),
            Attribute::Metadata(name) => format!("x-amz-meta-{name}"),
            plain => named(plain)?.to_string(),
        };
        let name = HeaderName::try_from(name).map_err(not_sent)?;
        headers.insert(name, value(told)?);
    }
    Ok(headers)
}

/// The header of an attribute that every store calls the same.
pub(super) fn named(attribute: &Attribute) -> object_store::Result<&'static str> {
    Ok(match attribute {
        Attribute::CacheControl => "cache-control",
        Attribute::ContentDisposition => "content-disposition",
        Attribute::ContentEncoding => "content-encoding",
        Attribute::ContentLanguage => "content-language",
        Attribute::ContentType => "content-type",
        // What is not sent would be lost: a copy takes nothing from its original.
        other => {
            let source = format!("a copy cannot be given {other:?}").into();
            return Err(object_store::Error::NotSupported { source });
        }
    })
}

/// A key as it stands in addresses and headers.
pub(super) fn escaped(key: &str) -> String {
    utf8_percent_encode(key, PLAIN).to_string()
}

/// The header that says which part of an original is copied.
pub(super) fn range(
    range: &std::ops::Range<u64>,
) -> object_store::Result<(HeaderName, HeaderValue)> {
    let told = value(&format!("bytes={}-{}", range.start, range.end - 1))?;
    Ok((HeaderName::from_static("x-amz-copy-source-range"), told))
}

pub(super) fn value(text: &str) -> object_store::Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(not_sent)
}

pub(super) fn not_sent(
    error: impl std::error::Error + Send + Sync + 'static,
) -> object_store::Error {
    object_store::Error::Generic { store: STORE, source: Box::new(error) }
}

/// What broke the way to the server, without the address, which holds a signature.
pub(super) fn broken(error: reqwest::Error) -> object_store::Error {
    use object_store::client::{HttpError, HttpErrorKind};
    let error = HttpError::new(HttpErrorKind::Request, error.without_url());
    object_store::Error::Generic { store: STORE, source: Box::new(error) }
}

/// The tags that an answer tells; S3 and Azure tell them alike.
pub(super) fn tags_of(answer: &str) -> object_store::Result<Vec<Tag>> {
    understood(answer).map(|tagging: Tagging| tagging.tag_set.tag)
}

fn understood<T: for<'de> Deserialize<'de>>(answer: &str) -> object_store::Result<T> {
    quick_xml::de::from_str(answer).map_err(not_sent)
}
