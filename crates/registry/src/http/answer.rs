//! Answers.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::response::Builder;
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::fault::Fault;

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

pub(super) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
pub(super) const UPLOAD: HeaderName = HeaderName::from_static("docker-upload-uuid");
pub(super) const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
pub(super) const TAG: HeaderName = HeaderName::from_static("oci-tag");
pub(super) const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");
const VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// An answer that begins.
pub(super) fn with(status: StatusCode) -> Builder {
    let version = HeaderValue::from_static("registry/2.0");
    // Nobody else than a client of registries should make anything of what is answered.
    let plain = HeaderValue::from_static("nosniff");
    let answer = Response::builder().status(status).header(VERSION, version);
    answer.header(header::X_CONTENT_TYPE_OPTIONS, plain)
}

/// An answer with a body that is known.
pub(super) fn whole(answer: Builder, bytes: impl Into<Bytes>) -> Response<Body> {
    let bytes = bytes.into();
    let body = Full::new(bytes.clone()).map_err(|never| match never {}).boxed_unsync();
    let answer = answer.header(header::CONTENT_LENGTH, bytes.len());
    answer.body(body).unwrap_or_else(|_| broken())
}

/// An answer without a body.
pub(super) fn empty(answer: Builder) -> Response<Body> {
    whole(answer, Bytes::new())
}

/// An answer that could not be made, because a header cannot hold a value.
pub(super) fn broken() -> Response<Body> {
    let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    answer
}

/// An answer that keeps something until all of it is sent, or the client is gone.
pub(super) fn watched<T: Send + Unpin + 'static>(
    answer: Response<Body>,
    kept: T,
) -> Response<Body> {
    answer.map(|body| Watched { body, _kept: kept }.boxed_unsync())
}

struct Watched<T> {
    body: Body,
    _kept: T,
}

impl<T: Send + Unpin + 'static> hyper::body::Body for Watched<T> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The answer to what is not done.
pub(super) fn refusal(fault: &Fault) -> Response<Body> {
    let (status, code, message) = described(fault);
    let mut answer = with(status).header(header::CONTENT_TYPE, "application/json");
    match fault {
        Fault::WhoAreYou => {
            answer = answer.header(header::WWW_AUTHENTICATE, "Basic realm=\"longshore\"");
        }
        Fault::Method(allowed) => answer = answer.header(header::ALLOW, *allowed),
        Fault::Range(size) => {
            answer = answer.header(header::CONTENT_RANGE, format!("bytes */{size}"));
        }
        Fault::OutOfOrder { location, id, offset } => {
            answer = answer.header(header::LOCATION, location).header(UPLOAD, id);
            answer = answer.header(header::RANGE, so_far(*offset));
        }
        _ => {}
    }
    let error = json!({ "code": code, "message": message });
    whole(answer, json!({ "errors": [error] }).to_string())
}

/// How much of an upload is there, in the words of the protocol.
pub(super) fn so_far(offset: u64) -> String {
    format!("0-{}", offset.saturating_sub(1))
}

fn described(fault: &Fault) -> (StatusCode, &'static str, String) {
    let said = |status, code, message: &str| (status, code, message.to_string());
    let (bad, missing) = (StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND);
    match fault {
        Fault::NoSuchPath => said(missing, "NOT_FOUND", "a registry has no such path"),
        Fault::Method(_) => said(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "the path does not know this method",
        ),
        Fault::WhoAreYou => said(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "a user and a password are needed that this registry knows",
        ),
        Fault::Denied => {
            said(StatusCode::FORBIDDEN, "DENIED", "the user may not do this in this repository")
        }
        Fault::Kept(why) => (StatusCode::FORBIDDEN, "DENIED", why.clone()),
        Fault::OverQuota(why) => (StatusCode::PAYLOAD_TOO_LARGE, "DENIED", why.clone()),
        Fault::NameInvalid => said(bad, "NAME_INVALID", "the name of a repository cannot be this"),
        Fault::NameUnknown => said(missing, "NAME_UNKNOWN", "there is no such repository"),
        Fault::TagInvalid => said(bad, "TAG_INVALID", "a tag cannot be this"),
        Fault::DigestInvalid(why) => {
            (bad, "DIGEST_INVALID", format!("the digest does not fit: {why}"))
        }
        Fault::BlobUnknown(digest) => {
            (missing, "BLOB_UNKNOWN", format!("the repository has no blob {digest}"))
        }
        Fault::ManifestUnknown(reference) => {
            let reference: String = reference.chars().take(150).collect();
            (missing, "MANIFEST_UNKNOWN", format!("the repository has no manifest {reference}"))
        }
        Fault::ManifestInvalid(why) => {
            (bad, "MANIFEST_INVALID", format!("the manifest cannot be taken: {why}"))
        }
        Fault::ManifestBlobUnknown(digest) => (
            missing,
            "MANIFEST_BLOB_UNKNOWN",
            format!("the manifest names {digest}, which the repository does not have"),
        ),
        Fault::TooLarge => said(
            StatusCode::PAYLOAD_TOO_LARGE,
            "SIZE_INVALID",
            "a manifest has at most 4194304 bytes",
        ),
        Fault::UploadUnknown => said(missing, "BLOB_UPLOAD_UNKNOWN", "there is no such upload"),
        Fault::UploadBusy => said(
            StatusCode::CONFLICT,
            "BLOB_UPLOAD_INVALID",
            "another request writes to this upload",
        ),
        Fault::OutOfOrder { offset, .. } => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            "BLOB_UPLOAD_INVALID",
            format!("the next byte of this upload is {offset}"),
        ),
        Fault::Range(size) => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            "RANGE_INVALID",
            format!("the blob has {size} bytes"),
        ),
        Fault::Unreadable(what) => (bad, "UNSUPPORTED", format!("{what} is not understood")),
        Fault::Cut => said(bad, "SIZE_INVALID", "the body ended too early or took too long"),
        Fault::Full => {
            said(StatusCode::INSUFFICIENT_STORAGE, "UNKNOWN", "the registry's disk is full")
        }
        Fault::Disk(_) => said(
            StatusCode::INTERNAL_SERVER_ERROR,
            "UNKNOWN",
            "the registry's disk did not do what it must; its log says more",
        ),
    }
}
