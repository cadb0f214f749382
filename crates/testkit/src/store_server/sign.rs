//! Signatures of requests: that of S3, version 4, and the shared key of Azure. Google takes a token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ring::{digest, hmac};

use super::StoreKind;
use super::request::Request;

/// The headers that sign a request.
pub(super) fn headers(kind: StoreKind, request: &Request<'_>) -> Vec<(String, String)> {
    match kind {
        StoreKind::Azurite => azure(kind, request, Utc::now()),
        StoreKind::Gcs => {
            vec![("authorization".to_string(), format!("Bearer {}", kind.secret()))]
        }
        _ => s3(kind, request, Utc::now()),
    }
}

const REGION: &str = "us-east-1";

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, without the body.
fn s3(kind: StoreKind, request: &Request<'_>, now: DateTime<Utc>) -> Vec<(String, String)> {
    const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
    let time = now.format("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/{REGION}/s3/aws4_request", &time[..8]);
    let own = [("x-amz-content-sha256", UNSIGNED), ("x-amz-date", time.as_str())];
    let mut signed = chosen(request, "x-amz-");
    signed.extend(own.map(|(name, value)| (name.to_string(), value.to_string())));
    signed.push(("host".to_string(), request.host.to_string()));
    signed.sort();
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (path, query) = split(request.target);
    let mut query: Vec<String> =
        parts(query).map(|(name, value)| format!("{name}={value}")).collect();
    query.sort();
    let query = query.join("&");
    let canonical = format!("{}\n{path}\n{query}\n{lines}\n{names}\n{UNSIGNED}", request.method);
    let canonical = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{canonical}");
    let mut key = format!("AWS4{}", kind.secret()).into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        kind.key(),
        hex(&mac(&key, &text)),
    );
    let mut headers = own.map(|(name, value)| (name.to_string(), value.to_string())).to_vec();
    headers.push(("authorization".to_string(), authorization));
    headers
}

/// <https://learn.microsoft.com/rest/api/storageservices/authorize-with-shared-key>
fn azure(kind: StoreKind, request: &Request<'_>, now: DateTime<Utc>) -> Vec<(String, String)> {
    const STANDARD_HEADERS: [&str; 5] =
        ["if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range"];
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let own = [("x-ms-date", date.as_str()), ("x-ms-version", "2025-05-05")];
    let own = own.map(|(name, value)| (name.to_string(), value.to_string()));
    let mut signed = chosen(request, "x-ms-");
    signed.extend(own.clone());
    signed.sort();
    let value = |name: &str| {
        let found = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    };
    let length =
        if request.body.is_empty() { String::new() } else { request.body.len().to_string() };
    let mut text = format!(
        "{}\n{}\n{}\n{length}\n{}\n{}\n\n",
        request.method,
        value("content-encoding"),
        value("content-language"),
        value("content-md5"),
        value("content-type"),
    );
    text.extend(STANDARD_HEADERS.map(|name| format!("{}\n", value(name))));
    text.extend(signed.iter().map(|(name, value)| format!("{name}:{value}\n")));
    let (path, query) = split(request.target);
    text.push_str(&format!("/{}{path}", kind.key()));
    let mut query: Vec<(&str, &str)> = parts(query).collect();
    query.sort_unstable();
    text.extend(query.iter().map(|(name, value)| format!("\n{name}:{}", decoded(value))));
    let key = STANDARD.decode(kind.secret()).expect("the key is base64");
    let authorization = format!("SharedKey {}:{}", kind.key(), STANDARD.encode(mac(&key, &text)));
    own.into_iter().chain([("authorization".to_string(), authorization)]).collect()
}

/// The headers of a request whose names start so.
fn chosen(request: &Request<'_>, start: &str) -> Vec<(String, String)> {
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| (name.to_lowercase(), (*value).to_string()));
    headers.filter(|(name, _)| name.starts_with(start)).collect()
}

/// Path and query.
pub(super) fn split(target: &str) -> (&str, &str) {
    target.split_once('?').unwrap_or((target, ""))
}

pub(super) fn parts(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, "")))
}

/// Text without its percent-encoding.
pub(super) fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = (*first == b'%').then(|| text_of(after.get(..2)?)).flatten();
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn text_of(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
