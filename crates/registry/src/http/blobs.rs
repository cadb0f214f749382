//! Blobs.

use std::sync::Arc;

use hyper::header::{self, HeaderMap};
use hyper::http::response::Builder;
use hyper::{Response, StatusCode};
use longshore_image::Digest;

use super::answer::{self, Body, DIGEST, empty, with};
use super::{body, off};
use crate::fault::{Fault, Result};
use crate::store::{Repository, Store};

pub(super) async fn head(
    store: Arc<Store>,
    repository: Repository,
    digest: Digest,
) -> Result<Response<Body>> {
    let wanted = digest.clone();
    let size = off(move || store.stat_blob(&repository, &wanted)).await?;
    // A body is never sent with this, and its length is told all the same.
    let answer = described(StatusCode::OK, &digest).header(header::CONTENT_LENGTH, size);
    Ok(answer.body(body::nothing()).unwrap_or_else(|_| answer::broken()))
}

pub(super) async fn get(
    store: Arc<Store>,
    repository: Repository,
    digest: Digest,
    headers: &HeaderMap,
) -> Result<Response<Body>> {
    let wanted = digest.clone();
    let (file, size) = off(move || store.open_blob(&repository, &wanted)).await?;
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    // Blobs never change: only another blob's tag can stand here.
    let is_another = headers.get(header::IF_RANGE).is_some_and(|tag| *tag != *etag(&digest));
    let range = asked.filter(|_| !is_another).and_then(|range| parse(range, size));
    let (answer, start, length) = match range {
        None => (described(StatusCode::OK, &digest), 0, size),
        Some(None) => return Err(Fault::Range(size)),
        Some(Some((start, end))) => {
            let answer = described(StatusCode::PARTIAL_CONTENT, &digest)
                .header(header::CONTENT_RANGE, format!("bytes {start}-{end}/{size}"));
            (answer, start, end - start + 1)
        }
    };
    let answer = answer.header(header::CONTENT_LENGTH, length);
    Ok(answer.body(body::send(file, start, length)).unwrap_or_else(|_| answer::broken()))
}

pub(super) async fn delete(
    store: Arc<Store>,
    repository: Repository,
    digest: Digest,
) -> Result<Response<Body>> {
    let gone = digest.clone();
    off(move || store.delete_blob(&repository, &gone)).await?;
    Ok(empty(with(StatusCode::ACCEPTED).header(DIGEST, digest.as_str())))
}

fn described(status: StatusCode, digest: &Digest) -> Builder {
    with(status)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::ETAG, etag(digest))
        .header(DIGEST, digest.as_str())
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// The first and the last byte of a range; `Some(None)` for one that holds no byte. What is not understood, and
/// several ranges, count as none, as the protocol of the web allows.
fn parse(range: &str, size: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let number = |text: &str| text.parse::<u64>().ok();
    let (start, end) = match (first, last) {
        ("", last) => (size.saturating_sub(number(last)?), size.checked_sub(1)),
        (first, "") => (number(first)?, size.checked_sub(1)),
        (first, last) if number(last)? < number(first)? => return None,
        (first, last) => {
            (number(first)?, size.checked_sub(1).zip(number(last)).map(|(most, end)| end.min(most)))
        }
    };
    Some(end.filter(|end| start <= *end).map(|end| (start, end)))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn ranges_are_those_of_the_web() {
        for (range, expected) in [
            ("bytes=0-0", Some(Some((0, 0)))),
            ("bytes=2-4", Some(Some((2, 4)))),
            ("bytes=2-", Some(Some((2, 9)))),
            ("bytes=2-99", Some(Some((2, 9)))),
            ("bytes=-3", Some(Some((7, 9)))),
            ("bytes=-99", Some(Some((0, 9)))),
            ("bytes=-0", Some(None)),
            ("bytes=10-", Some(None)),
            ("bytes=10-12", Some(None)),
            ("bytes=4-2", None),
            ("bytes=0-1,4-5", None),
            ("bytes=a-b", None),
            ("lines=0-1", None),
            ("", None),
        ] {
            assert_eq!(parse(range, 10), expected, "{range}");
        }
        assert_eq!(parse("bytes=0-", 0), Some(None));
        assert_eq!(parse("bytes=0-5", 0), Some(None));
    }
}
