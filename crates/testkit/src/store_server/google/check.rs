//! What Google refuses, as its pages tell: <https://cloud.google.com/storage/docs/xml-api/reference-headers>,
//! <https://cloud.google.com/storage/docs/objects#naming>, <https://cloud.google.com/storage/quotas>.

use super::Asked;

/// A refusal: status, code and message.
pub(super) type Refusal = (u16, &'static str, String);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// The list of buckets, of objects or of uploads, or a new bucket.
    Bucket,
    /// An object or what is known of it.
    Read,
    /// A whole object, of bytes, of another object or of parts.
    Write,
    /// A part of an upload, its begin, or its end without an object.
    Upload,
    Remove,
}

/// What is asked for, where it is asked as it must be.
pub(super) fn check(asked: &Asked) -> Result<Wish, Refusal> {
    let wish = wish(asked)?;
    headers(asked, wish)?;
    if let Some(key) = &asked.key {
        name(key)?;
    }
    let sends = matches!(asked.method.as_str(), "PUT" | "POST");
    if sends && asked.header("content-length").is_none() {
        return Err((411, "MissingContentLength", "There is no Content-Length.".to_string()));
    }
    Ok(wish)
}

fn wish(asked: &Asked) -> Result<Wish, Refusal> {
    let names: Vec<&str> = asked.query.iter().map(|(name, _)| name.as_str()).collect();
    let among = |known: &[&str]| names.iter().all(|name| known.contains(name));
    let wish = match (asked.method.as_str(), asked.key.is_some(), names.as_slice()) {
        ("GET", false, _)
            if among(&[
                "list-type",
                "prefix",
                "delimiter",
                "continuation-token",
                "start-after",
                "max-keys",
                "uploads",
            ]) =>
        {
            Wish::Bucket
        }
        ("PUT", false, []) => Wish::Bucket,
        ("GET" | "HEAD", true, [] | ["generation"]) => Wish::Read,
        ("PUT", true, []) | ("POST", true, ["uploadId"]) => Wish::Write,
        ("PUT", true, ["partNumber", "uploadId"]) => Wish::Upload,
        ("POST", true, ["uploads"]) | ("DELETE" | "GET", true, ["uploadId"]) => Wish::Upload,
        ("DELETE", true, []) => Wish::Remove,
        _ => return Err(invalid(format!("{} with {names:?}", asked.method))),
    };
    let number = |name: &str, most: u32| match asked.value(name) {
        Some(text) => text.parse().is_ok_and(|number: u32| (1..=most).contains(&number)),
        None => true,
    };
    if number("partNumber", 10_000) && number("max-keys", 1000) {
        Ok(wish)
    } else {
        Err(invalid("a number is out of its bounds".to_string()))
    }
}

fn headers(asked: &Asked, wish: Wish) -> Result<(), Refusal> {
    const KNOWN: [&str; 7] = [
        "x-goog-storage-class",
        "x-goog-if-generation-match",
        "x-goog-copy-source",
        "x-goog-copy-source-if-match",
        "x-goog-metadata-directive",
        "x-goog-project-id",
        "x-goog-user-project",
    ];
    let mut metadata = 0;
    for (name, value) in &asked.headers {
        if let Some(own) = name.strip_prefix("x-goog-meta-") {
            metadata += own.len() + value.len();
        } else if name.starts_with("x-goog-") && !KNOWN.contains(&name.as_str()) {
            return Err(invalid(format!("{name} is not known")));
        }
        // Google takes some of them, from clients of S3 alone.
        if name.starts_with("x-amz-") {
            return Err(invalid(format!("{name} is none of Google's")));
        }
        if wish != Wish::Read && ["if-match", "if-none-match"].contains(&name.as_str()) {
            return Err(invalid(format!("{name} is for what reads")));
        }
    }
    if metadata > 8192 {
        return Err((400, "MetadataTooLarge", "There is too much metadata.".to_string()));
    }
    Ok(())
}

fn name(key: &str) -> Result<(), Refusal> {
    let wrong = key.len() > 1024
        || key.contains(['\r', '\n'])
        || key == "."
        || key == ".."
        || key.starts_with(".well-known/acme-challenge/");
    if wrong {
        return Err((400, "InvalidObjectName", "The name of the object is not valid.".to_string()));
    }
    Ok(())
}

pub(super) fn invalid(what: String) -> Refusal {
    (400, "InvalidArgument", what)
}
