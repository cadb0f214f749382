//! Manifests.

use std::sync::Arc;

use hyper::header::{self, HeaderMap};
use hyper::{Response, StatusCode};
use longshore_image::document::LONGEST;

use super::answer::{Body, DIGEST, SUBJECT, TAG, empty, whole, with};
use super::body::Inflow;
use super::off;
use super::route::Asked;
use crate::fault::{Fault, Result};
use crate::store::{Repository, Store};

pub(super) async fn get(
    store: Arc<Store>,
    repository: Repository,
    reference: String,
) -> Result<Response<Body>> {
    let kept = off(move || store.get_manifest(&repository, &reference).map_err(unknown(reference)));
    let kept = kept.await?;
    let answer = with(StatusCode::OK)
        .header(header::CONTENT_TYPE, kept.media_type)
        .header(header::ETAG, format!("\"{}\"", kept.digest))
        .header(DIGEST, kept.digest.as_str());
    Ok(whole(answer, kept.bytes))
}

pub(super) async fn put(
    store: Arc<Store>,
    (repository, reference): (Repository, String),
    asked: &Asked,
    headers: &HeaderMap,
    body: Inflow,
) -> Result<Response<Body>> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let media_type = media_type.and_then(|kind| kind.split(';').next()).map(str::trim);
    let media_type = media_type.filter(|kind| !kind.is_empty()).map(str::to_string);
    let mut tags = asked.all("tag");
    let digest = match reference.contains(':') {
        true => Some(reference.parse().map_err(|_| Fault::DigestInvalid("it is not understood"))?),
        false => {
            tags.push(reference);
            None
        }
    };
    let bytes = body.small(LONGEST).await?;
    let (at, named) = (repository.clone(), tags.clone());
    let kept =
        off(move || store.put_manifest(&at, digest, &named, media_type.as_deref(), bytes)).await?;
    let mut answer = with(StatusCode::CREATED)
        .header(header::LOCATION, format!("/v2/{repository}/manifests/{}", kept.digest))
        .header(DIGEST, kept.digest.as_str());
    if let Some(subject) = &kept.subject {
        answer = answer.header(SUBJECT, subject.as_str());
    }
    for tag in &tags {
        answer = answer.header(TAG, tag);
    }
    Ok(empty(answer))
}

pub(super) async fn delete(
    store: Arc<Store>,
    repository: Repository,
    reference: String,
) -> Result<Response<Body>> {
    off(move || store.delete_manifest(&repository, &reference).map_err(unknown(reference))).await?;
    Ok(empty(with(StatusCode::ACCEPTED)))
}

/// What cannot be a tag names no manifest.
fn unknown(reference: String) -> impl FnOnce(Fault) -> Fault {
    move |fault| match fault {
        Fault::TagInvalid => Fault::ManifestUnknown(reference),
        other => other,
    }
}
