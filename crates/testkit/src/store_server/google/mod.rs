//! Google's XML API before moto, which is a server of S3: it proves tokens, refuses what Google would,
//! and translates what differs. It also gives tokens, as Google does to users and machines.
//!
//! Each connection is a thread and takes one request.

mod check;
mod identity;
mod translate;

use std::collections::HashMap;
use std::fmt;
use std::io::{BufReader, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::request::{Answer, Request};
use super::{StoreKind, sign};
use crate::http_faults::head::{Head, Length};
use check::{Refusal, Wish};
use identity::Identity;
pub(super) use identity::{ACCOUNT, LOGIN};

/// The front; it goes when it is dropped.
pub(super) struct Front {
    port: u16,
    stop: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

/// What the threads share.
struct State {
    /// Where moto listens.
    behind: u16,
    identity: Identity,
    /// The generation of each object that was written through the front.
    generations: Mutex<HashMap<String, u64>>,
    /// When an object of a name was last written by somebody else than the tests.
    written: Mutex<HashMap<String, Instant>>,
}

/// A request that was read.
struct Asked {
    method: String,
    bucket: String,
    /// `None` where a bucket is asked.
    key: Option<String>,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// Path and query as they came.
    target: String,
}

impl Front {
    /// Listens on a port of 127.0.0.1 before that of a moto. Credentials are files of a folder.
    pub(super) fn start(folder: &Path, port: u16, behind: u16, token: &'static str) -> Self {
        let identity = Identity::new(folder, port, token);
        let state = Arc::new(State {
            behind,
            identity,
            generations: Mutex::default(),
            written: Mutex::default(),
        });
        let listener = super::thread::bind(port);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let listening = thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let state = state.clone();
                thread::spawn(move || {
                    let _client_gone = state.serve(&client);
                });
            }
        });
        Self { port, stop, listening: Some(listening) }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _woken = TcpStream::connect(("127.0.0.1", self.port));
        let _ended = self.listening.take().map(JoinHandle::join);
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Front")
    }
}

impl State {
    fn serve(&self, client: &TcpStream) -> Result<()> {
        let mut from = BufReader::new(client);
        let head = Head::read(&mut from)?;
        let mut to = client;
        if head.header("expect").is_some() {
            to.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut body = Vec::new();
        if let Length::Bytes(bytes) = head.length() {
            from.take(bytes).read_to_end(&mut body)?;
            if (body.len() as u64) < bytes {
                return Ok(());
            }
        }
        let asked = Asked::of(&head, body);
        let answer = self.answer(&asked)?;
        to.write_all(&written(&answer, asked.method == "HEAD"))?;
        client.shutdown(Shutdown::Write)
    }

    fn answer(&self, asked: &Asked) -> Result<Answer> {
        let path = asked.target.split('?').next().unwrap_or("");
        if (asked.method.as_str(), path) == ("POST", "/token") {
            let (status, said) = self.identity.exchange(&String::from_utf8_lossy(&asked.body));
            return Ok(json(status, said.to_string()));
        }
        if path.starts_with("/computeMetadata/v1/") {
            return Ok(self.machine(asked, path));
        }
        let refused = |refusal: Refusal| Ok(refused(&refusal));
        if let Err(refusal) = self.admit(asked) {
            return refused(refusal);
        }
        let wish = match check::check(asked) {
            Ok(wish) => wish,
            Err(refusal) => return refused(refusal),
        };
        let object = format!("{}/{}", asked.bucket, asked.key.as_deref().unwrap_or(""));
        if wish == Wish::Write && self.is_too_often(asked, &object) {
            let why = "The object exceeded the rate limit for object mutation operations.";
            return refused((429, "SlowDown", why.to_string()));
        }
        let held = self.generations();
        if !holds(asked, &held, &object) {
            let why = "A precondition does not hold.".to_string();
            return refused((412, "PreconditionFailed", why));
        }
        // What has a condition holds up all else, so that it holds until all is done.
        let mut held = asked.header("x-goog-if-generation-match").map(|_| held);
        let mut request = translate::request(asked);
        let mut answer = self.ask(&request)?;
        if answer.status == 206 && translate::is_opened(asked, wish, &answer) {
            request.headers.retain(|(name, _)| name != "range");
            answer = self.ask(&request)?;
        }
        let held = held.get_or_insert_with(|| self.generations());
        Ok(told(asked, wish, &object, answer, held))
    }

    /// <https://cloud.google.com/compute/docs/metadata/querying-metadata>
    fn machine(&self, asked: &Asked, path: &str) -> Answer {
        if asked.header("metadata-flavor") != Some("Google") {
            return json(403, "{}".to_string());
        }
        match path {
            "/computeMetadata/v1/instance/service-accounts/default/token" => {
                json(200, self.identity.give("ya29.machine").to_string())
            }
            _ => json(404, "{}".to_string()),
        }
    }

    /// Proves the token of a request.
    fn admit(&self, asked: &Asked) -> std::result::Result<(), Refusal> {
        let Some(authorization) = asked.header("authorization") else {
            let reads = matches!(asked.method.as_str(), "GET" | "HEAD");
            if reads && asked.bucket.starts_with("public-") {
                return Ok(());
            }
            let why = "Anonymous caller does not have access to the object.".to_string();
            return Err((403, "AccessDenied", why));
        };
        let token = authorization.strip_prefix("Bearer ").unwrap_or_default();
        if self.identity.knows(token) {
            return Ok(());
        }
        Err((401, "AuthenticationRequired", "Authentication required.".to_string()))
    }

    /// An object of a name may be written once in a second, as Google's pages tell; more may work there.
    fn is_too_often(&self, asked: &Asked, object: &str) -> bool {
        if asked.header("authorization").is_some_and(|told| self.identity.is_own(told)) {
            return false;
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let too_soon = written
            .get(object)
            .is_some_and(|last| now.duration_since(*last) < Duration::from_secs(1));
        if !too_soon {
            written.insert(object.to_string(), now);
        }
        too_soon
    }

    fn ask(&self, request: &translate::Translated) -> Result<Answer> {
        let host = format!("127.0.0.1:{}", self.behind);
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = Request {
            method: &request.method,
            target: &request.target,
            host: &host,
            headers: &headers,
            body: request.body,
        };
        let answered = request.send(self.behind, &sign::headers(StoreKind::Moto, &request));
        // A moto that has not started yet, or has stopped.
        Ok(answered.unwrap_or_else(|error| refused(&(503, "Unavailable", error.to_string()))))
    }

    fn generations(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn of(head: &Head, body: Vec<u8>) -> Self {
        let target = head.target().to_string();
        let (path, query) = sign::split(&target);
        let path = sign::decoded(path);
        let (bucket, key) = path.trim_start_matches('/').split_once('/').map_or_else(
            || (path.trim_start_matches('/').to_string(), String::new()),
            |(bucket, key)| (bucket.to_string(), key.to_string()),
        );
        let decoded = |text: &str| sign::decoded(&text.replace('+', " "));
        Self {
            method: head.method().to_string(),
            bucket,
            key: (!key.is_empty()).then_some(key),
            query: sign::parts(query)
                .map(|(name, value)| (decoded(name), decoded(value)))
                .collect(),
            headers: head.headers().map(|(name, value)| (name, value.to_string())).collect(),
            body,
            target,
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Whether the condition of a request holds, where it has one.
fn holds(asked: &Asked, held: &HashMap<String, u64>, object: &str) -> bool {
    let wanted = asked.header("x-goog-if-generation-match").or(asked.value("generation"));
    let there = held.get(object).copied().unwrap_or(0).to_string();
    wanted.is_none_or(|wanted| wanted == there)
}

/// The answer in Google's words, with the generation of the object noted.
fn told(
    asked: &Asked,
    wish: Wish,
    object: &str,
    answer: Answer,
    held: &mut HashMap<String, u64>,
) -> Answer {
    static NEXT: AtomicU64 = AtomicU64::new(1_700_000_000_000_000);
    // The end of an upload may fail in the body of a good answer.
    let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(200)]).into_owned();
    let done = answer.status < 300 && !start.contains("<Error>");
    match wish {
        Wish::Write if done => {
            held.insert(object.to_string(), NEXT.fetch_add(1, Ordering::Relaxed));
        }
        Wish::Remove if done => {
            held.remove(object);
        }
        _ => {}
    }
    translate::answer(asked, wish, answer, held.get(object).copied())
}

fn refused((status, code, message): &Refusal) -> Answer {
    let text = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let headers = vec![("content-type".to_string(), "application/xml".to_string())];
    Answer { status: *status, headers, body: format!("<?xml version='1.0'?>{text}").into_bytes() }
}

fn json(status: u16, text: String) -> Answer {
    let headers = vec![("content-type".to_string(), "application/json".to_string())];
    Answer { status, headers, body: text.into_bytes() }
}

/// An answer as it is sent.
fn written(answer: &Answer, head_only: bool) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {} Told\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    let mut bytes = text.into_bytes();
    if !head_only {
        bytes.extend_from_slice(&answer.body);
    }
    bytes
}

#[cfg(test)]
mod tests;
