//! The words of Google's XML API for those of S3, and back.

use std::io::Read;

use flate2::read::GzDecoder;

use super::super::request::Answer;
use super::Asked;
use super::check::Wish;
use crate::http_faults::plain;

/// A request in the words of S3.
pub(super) struct Translated<'a> {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: &'a [u8],
}

/// Headers that mean the same to both.
const SAME: [&str; 13] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
    "last-modified",
    "range",
];

/// Headers with the same meaning and other names: Google's, S3's.
const RENAMED: [(&str, &str); 3] = [
    ("x-goog-meta-", "x-amz-meta-"),
    ("x-goog-metadata-directive", "x-amz-metadata-directive"),
    ("x-goog-copy-source", "x-amz-copy-source"),
];

pub(super) fn request(asked: &Asked) -> Translated<'_> {
    let headers = translated(&asked.headers, |(google, s3)| (google, s3));
    // Clients of Google encode more than moto understands.
    let target = plain(&asked.target);
    let target = target.split_once("?generation=").map_or(target.as_str(), |(path, _)| path);
    let (method, target) = (asked.method.clone(), target.to_string());
    Translated { method, target, headers, body: &asked.body }
}

/// An answer in the words of Google, for an object of a generation.
pub(super) fn answer(asked: &Asked, wish: Wish, told: Answer, generation: Option<u64>) -> Answer {
    let opened = is_opened(asked, wish, &told);
    let mut headers = translated(&told.headers, |(google, s3)| (s3, google));
    let mut add = |name: &str, value: &str| headers.push((name.to_string(), value.to_string()));
    if let Some(generation) = generation.filter(|_| told.status < 300) {
        add("x-goog-generation", &generation.to_string());
        add("x-goog-metageneration", "1");
        add("x-goog-storage-class", "STANDARD");
    }
    if wish == Wish::Read && told.status < 300 {
        let stored = told.header("content-encoding").unwrap_or("identity");
        add("x-goog-stored-content-encoding", stored);
    }
    let mut body = told.body.clone();
    if wish == Wish::Bucket {
        let more = "<Contents><Generation>1</Generation><MetaGeneration>1</MetaGeneration>";
        body = String::from_utf8_lossy(&body).replace("<Contents>", more).into_bytes();
    }
    if opened {
        headers.retain(|(name, _)| name != "content-encoding");
        body = open(body);
    } else if asked.method == "HEAD" {
        let length = told.header("content-length").unwrap_or("0").to_string();
        headers.push(("content-length".to_string(), length));
    } else {
        headers.push(("content-length".to_string(), body.len().to_string()));
    }
    Answer { status: told.status, headers, body }
}

/// Whether what is stored in compressed form is given without: to who does not say that compressed
/// bytes are welcome, and whole, whatever range was asked for. Its length is not told.
/// <https://cloud.google.com/storage/docs/transcoding>
pub(super) fn is_opened(asked: &Asked, wish: Wish, told: &Answer) -> bool {
    wish == Wish::Read
        && told.status < 300
        && told.header("content-encoding") == Some("gzip")
        && !told.header("cache-control").is_some_and(|how| how.contains("no-transform"))
        && !asked.header("accept-encoding").is_some_and(|how| how.contains("gzip"))
}

/// What only says that it is compressed stays as it is.
fn open(body: Vec<u8>) -> Vec<u8> {
    let mut whole = Vec::new();
    let read = GzDecoder::new(body.as_slice()).read_to_end(&mut whole);
    if read.is_ok() { whole } else { body }
}

fn translated(
    headers: &[(String, String)],
    order: impl Fn((&'static str, &'static str)) -> (&'static str, &'static str),
) -> Vec<(String, String)> {
    let translate = |(name, value): &(String, String)| {
        let same = SAME.contains(&name.as_str()).then(|| name.clone());
        let renamed = || {
            RENAMED
                .into_iter()
                .map(&order)
                .find_map(|(from, to)| name.strip_prefix(from).map(|rest| format!("{to}{rest}")))
        };
        same.or_else(renamed).map(|name| (name, value.clone()))
    };
    headers.iter().filter_map(translate).collect()
}
