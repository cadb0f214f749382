//! Blobs on their way in.

use std::sync::Arc;

use hyper::header::{self, HeaderMap};
use hyper::http::response::Builder;
use hyper::{Response, StatusCode};
use longshore_image::Digest;

use super::answer::{Body, DIGEST, UPLOAD, empty, so_far, with};
use super::body::{self, Inflow};
use super::off;
use super::route::Asked;
use crate::fault::{Fault, Result};
use crate::store::{Repository, Store, Upload};

type Place = (Repository, String);

/// Begins an upload; or mounts a blob; or takes a whole one.
pub(super) async fn begin(
    store: Arc<Store>,
    repository: Repository,
    asked: &Asked,
    body: Inflow,
) -> Result<Response<Body>> {
    if let Some(digest) = asked.digest("mount")? {
        let from = asked.parameter("from").map(str::parse::<Repository>).transpose()?;
        let (shelf, to, wanted) = (store.clone(), repository.clone(), digest.clone());
        let is_mounted = off(move || match from {
            Some(from) => shelf.mount(&to, &from, &wanted),
            None => Ok(false),
        });
        if is_mounted.await? {
            return Ok(made(&repository, &digest));
        }
    } else if let Some(digest) = asked.digest("digest")? {
        let (shelf, to) = (store.clone(), repository.clone());
        let upload = off(move || {
            let id = shelf.begin(&to)?;
            shelf.resume(&to, &id)
        });
        // Nobody knows its name: what was cut cannot go on.
        let if_cut = Store::give_up;
        return complete((store, repository), upload.await?, digest, body, if_cut).await;
    }
    let to = repository.clone();
    let id = off(move || store.begin(&to)).await?;
    Ok(empty(located(StatusCode::ACCEPTED, &repository, &id).header(header::RANGE, so_far(0))))
}

pub(super) async fn progress(
    store: Arc<Store>,
    repository: Repository,
    id: String,
) -> Result<Response<Body>> {
    let (to, which) = (repository.clone(), id.clone());
    let offset = off(move || store.progress(&to, &which)).await?;
    let answer = located(StatusCode::NO_CONTENT, &repository, &id);
    let answer = answer.header(header::RANGE, so_far(offset));
    Ok(answer.body(body::nothing()).unwrap_or_else(|_| super::answer::broken()))
}

/// Takes a part.
pub(super) async fn append(
    store: Arc<Store>,
    (repository, id): Place,
    headers: &HeaderMap,
    body: Inflow,
) -> Result<Response<Body>> {
    let upload = match open(&store, &repository, &id, headers).await {
        Ok(upload) => upload,
        Err(fault) => {
            body.drain().await;
            return Err(fault);
        }
    };
    let (arrived, written) = body.receive(upload).await;
    let upload = written?;
    let offset = upload.offset();
    store.pause(upload);
    arrived?;
    let answer = located(StatusCode::ACCEPTED, &repository, &id);
    Ok(empty(answer.header(header::RANGE, so_far(offset))))
}

/// Takes the last part, or none, and makes it a blob.
pub(super) async fn finish(
    store: Arc<Store>,
    (repository, id): Place,
    asked: &Asked,
    headers: &HeaderMap,
    body: Inflow,
) -> Result<Response<Body>> {
    let digest = asked.digest("digest")?.ok_or(Fault::DigestInvalid("none is told"))?;
    let upload = match open(&store, &repository, &id, headers).await {
        Ok(upload) => upload,
        Err(fault) => {
            body.drain().await;
            return Err(fault);
        }
    };
    complete((store, repository), upload, digest, body, Store::pause).await
}

async fn complete(
    (store, repository): (Arc<Store>, Repository),
    upload: Upload,
    digest: Digest,
    body: Inflow,
    if_cut: fn(&Store, Upload),
) -> Result<Response<Body>> {
    let (arrived, written) = body.receive(upload).await;
    let upload = written?;
    if let Err(fault) = arrived {
        off(move || {
            if_cut(&store, upload);
            Ok(())
        })
        .await?;
        return Err(fault);
    }
    let (to, wanted) = (repository.clone(), digest.clone());
    off(move || store.finish(&to, upload, &wanted)).await?;
    Ok(made(&repository, &digest))
}

pub(super) async fn cancel(
    store: Arc<Store>,
    repository: Repository,
    id: String,
) -> Result<Response<Body>> {
    off(move || store.cancel(&repository, &id)).await?;
    let answer = with(StatusCode::NO_CONTENT);
    Ok(answer.body(body::nothing()).unwrap_or_else(|_| super::answer::broken()))
}

/// Takes an upload for a request whose part follows on what is there.
async fn open(
    store: &Arc<Store>,
    repository: &Repository,
    id: &str,
    headers: &HeaderMap,
) -> Result<Upload> {
    let told = headers.get(header::CONTENT_RANGE).map(|range| {
        let range = range.to_str().ok().map(|range| range.trim_start_matches("bytes ").trim());
        let (first, last) = range.and_then(|range| range.split_once('-'))?;
        let last = last.split('/').next()?;
        Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?))
    });
    let told = match told {
        Some(None) => return Err(Fault::Unreadable("the header Content-Range")),
        Some(Some(range)) => Some(range),
        None => None,
    };
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length = length.and_then(|length| length.parse::<u64>().ok());
    let (shelf, to, which) = (store.clone(), repository.clone(), id.to_string());
    let upload = off(move || shelf.resume(&to, &which)).await?;
    if let Some((first, last)) = told {
        let offset = upload.offset();
        let is_odd = last < first && length != Some(0);
        let is_other =
            length.is_some_and(|length| first.checked_add(length) != last.checked_add(1));
        if is_odd || first != offset || (is_other && length != Some(0)) {
            store.pause(upload);
            return Err(match first == offset {
                true => Fault::Unreadable("the header Content-Range"),
                false => Fault::OutOfOrder {
                    location: location(repository, id),
                    id: id.to_string(),
                    offset,
                },
            });
        }
    }
    Ok(upload)
}

fn location(repository: &Repository, id: &str) -> String {
    format!("/v2/{repository}/blobs/uploads/{id}")
}

fn located(status: StatusCode, repository: &Repository, id: &str) -> Builder {
    with(status).header(header::LOCATION, location(repository, id)).header(UPLOAD, id)
}

/// The answer for a blob that is in now.
fn made(repository: &Repository, digest: &Digest) -> Response<Body> {
    let location = format!("/v2/{repository}/blobs/{digest}");
    empty(
        with(StatusCode::CREATED)
            .header(header::LOCATION, location)
            .header(DIGEST, digest.as_str()),
    )
}
