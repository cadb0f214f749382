//! A client of the bare protocol, which may lose its server at any moment.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) host: String,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(host: &str) -> Self {
        Self { host: host.to_string() }
    }

    pub(crate) fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(&self.host)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// A request on a connection of its own.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        kind: Option<&str>,
        body: &[u8],
    ) -> io::Result<Answer> {
        let kind = kind.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: registry\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n\r\n"
        );
        let mut stream = self.connect()?;
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        answer(stream)
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.call("GET", path, None, b"")
    }

    /// Pushes a blob in one request.
    pub(crate) fn push(&self, name: &str, bytes: &[u8]) -> io::Result<Answer> {
        let digest = digest(bytes);
        self.call("POST", &format!("/v2/{name}/blobs/uploads/?digest={digest}"), None, bytes)
    }

    /// Pushes a blob in two parts.
    pub(crate) fn push_in_parts(&self, name: &str, bytes: &[u8]) -> io::Result<Answer> {
        let begun = self.call("POST", &format!("/v2/{name}/blobs/uploads/"), None, b"")?;
        if begun.status != 202 {
            return Ok(begun);
        }
        let place = begun.header("location").expect("a place").to_string();
        let (first, second) = bytes.split_at(bytes.len() / 2);
        let part = self.call("PATCH", &place, None, first)?;
        if part.status != 202 {
            return Ok(part);
        }
        self.call("PUT", &format!("{place}?digest={}", digest(bytes)), None, second)
    }

    pub(crate) fn mount(&self, to: &str, from: &str, digest: &str) -> io::Result<Answer> {
        let path = format!("/v2/{to}/blobs/uploads/?mount={digest}&from={from}");
        self.call("POST", &path, None, b"")
    }

    pub(crate) fn put(&self, name: &str, tag: &str, manifest: &[u8]) -> io::Result<Answer> {
        self.call("PUT", &format!("/v2/{name}/manifests/{tag}"), Some(MANIFEST), manifest)
    }

    pub(crate) fn delete(&self, name: &str, reference: &str) -> io::Result<Answer> {
        self.call("DELETE", &format!("/v2/{name}/manifests/{reference}"), None, b"")
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The message of the error that it is.
    pub(crate) fn message(&self) -> String {
        let error: Value = serde_json::from_slice(&self.body).expect("JSON");
        error["errors"][0]["message"].as_str().expect("a message").to_string()
    }
}

/// Reads an answer to its end.
pub(crate) fn answer(mut stream: TcpStream) -> io::Result<Answer> {
    let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").ok_or_else(cut)?;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(cut)?;
    let status = status.parse().map_err(io::Error::other)?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(key, value)| (key.to_ascii_lowercase(), value.to_string()));
    let answer = Answer { status, headers: headers.collect(), body: bytes.split_off(end + 4) };
    match answer.header("content-length").map(str::parse::<usize>) {
        Some(Ok(length)) if length != answer.body.len() => Err(cut()),
        _ => Ok(answer),
    }
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    longshore_image::Digest::of(bytes).to_string()
}

/// A manifest of a configuration and a layer, which nobody else has when the word is its own.
pub(crate) fn manifest(layer: &[u8], word: &str, subject: Option<&[u8]>) -> Vec<u8> {
    let part = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": digest(bytes), "size": bytes.len() });
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": part(CONFIG, b"{}"),
        "layers": [part(LAYER, layer)],
        "annotations": { "word": word },
    });
    if let Some(subject) = subject {
        manifest["subject"] = part(MANIFEST, subject);
    }
    serde_json::to_vec(&manifest).expect("JSON")
}
