//! Lists: repositories, tags, and what speaks of a manifest.

use std::sync::Arc;

use hyper::header;
use hyper::{Response, StatusCode};
use longshore_image::Digest;
use longshore_image::document::{Annotations, Index, media};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::answer::{Body, FILTERS, whole, with};
use super::off;
use super::route::Asked;
use crate::access::{Right, Visitor};
use crate::fault::{Fault, Result};
use crate::store::{Page, Repository, Store};

const JSON: &str = "application/json";
/// Names of a list that are sent when no number is told, and at most.
const NAMES: usize = 10_000;
/// Descriptors of a list that are sent at most.
const DESCRIPTORS: usize = 1_000;

pub(super) fn base() -> Response<Body> {
    whole(with(StatusCode::OK).header(header::CONTENT_TYPE, JSON), "{}")
}

pub(super) async fn catalog(
    store: Arc<Store>,
    visitor: Visitor,
    asked: &Asked,
) -> Result<Response<Body>> {
    let (last, number) = (last(asked), number(asked, NAMES)?);
    let is_his = move |name: &Repository| visitor.may(name, Right::Pull);
    let page = off(move || store.catalog(&last, number, &is_his)).await?;
    let body = json!({ "repositories": page.names });
    Ok(paged("/v2/_catalog", &page, number, body))
}

pub(super) async fn tags(
    store: Arc<Store>,
    repository: Repository,
    asked: &Asked,
) -> Result<Response<Body>> {
    let (last, number, at) = (last(asked), number(asked, NAMES)?, repository.clone());
    let page = off(move || store.tags(&at, &last, number)).await?;
    let body = json!({ "name": repository.as_str(), "tags": page.names });
    Ok(paged(&format!("/v2/{repository}/tags/list"), &page, number, body))
}

pub(super) async fn referrers(
    store: Arc<Store>,
    repository: Repository,
    subject: Digest,
    asked: &Asked,
) -> Result<Response<Body>> {
    let (at, of) = (repository.clone(), subject.clone());
    let mut found = off(move || store.referrers(&at, &of)).await?;
    let kind = asked.parameter("artifactType");
    if let Some(kind) = kind {
        found.retain(|one| one.artifact_type.as_deref() == Some(kind));
    }
    found.sort_by(|a, b| a.digest.cmp(&b.digest));
    let last = last(asked);
    found.retain(|one| one.digest.as_str() > last.as_str());
    let more = found.len() > DESCRIPTORS;
    found.truncate(DESCRIPTORS);
    let mut answer = with(StatusCode::OK).header(header::CONTENT_TYPE, media::INDEX);
    if kind.is_some() {
        answer = answer.header(FILTERS, "artifactType");
    }
    if let (true, Some(last)) = (more, found.last()) {
        let mut next =
            format!("/v2/{repository}/referrers/{subject}?last={}", encoded(last.digest.as_str()));
        if let Some(kind) = kind {
            next.push_str(&format!("&artifactType={}", encoded(kind)));
        }
        answer = answer.header(header::LINK, format!("<{next}>; rel=\"next\""));
    }
    let index = serde_json::to_vec(&Index::new(found, Annotations::new()))
        .map_err(|error| Fault::Disk(format!("could not write JSON: {error}")))?;
    Ok(whole(answer, index))
}

fn paged(path: &str, page: &Page, number: usize, body: serde_json::Value) -> Response<Body> {
    let mut answer = with(StatusCode::OK).header(header::CONTENT_TYPE, JSON);
    if let (true, Some(last)) = (page.more, page.names.last()) {
        let next = format!("{path}?n={number}&last={}", encoded(last));
        answer = answer.header(header::LINK, format!("<{next}>; rel=\"next\""));
    }
    whole(answer, body.to_string())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn last(asked: &Asked) -> String {
    asked.parameter("last").unwrap_or_default().to_string()
}

fn number(asked: &Asked, most: usize) -> Result<usize> {
    match asked.parameter("n") {
        None => Ok(most),
        Some(text) => {
            let number = text.parse::<usize>().map_err(|_| Fault::Unreadable("the parameter n"))?;
            Ok(number.min(most))
        }
    }
}
