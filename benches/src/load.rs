//! Requests to a server, over and over, on connections that stay open.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request: method, path and body.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_string(), body: String::new() }
    }
}

/// A connection to a server.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    token: String,
}

impl Client {
    pub(crate) fn connect(host: &str, token: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (host, token) = (host.to_string(), token.to_string());
        Ok(Self { stream: BufReader::new(stream), host, token })
    }

    /// The body of the answer, which must be of success.
    pub(crate) fn send(&mut self, request: &Request) -> Result<Vec<u8>, Failure> {
        let Request { method, path, body } = request;
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            self.token,
            body.len()
        );
        self.stream.get_mut().write_all(text.as_bytes())?;
        let status = self.line()?;
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line.split_once(": ") {
                None => break,
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
                Some(_) => {}
            }
        }
        let answer = if is_chunked { self.chunks()? } else { self.exactly(length)? };
        match status.split(' ').nth(1) {
            Some(code) if code.starts_with('2') => Ok(answer),
            _ => {
                Err(format!("{method} {path}: {status}: {}", String::from_utf8_lossy(&answer))
                    .into())
            }
        }
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err("the server has closed the connection".into());
        }
        Ok(line.trim_end().to_string())
    }

    fn exactly(&mut self, length: usize) -> Result<Vec<u8>, Failure> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn chunks(&mut self) -> Result<Vec<u8>, Failure> {
        let mut whole = Vec::new();
        loop {
            let length = usize::from_str_radix(&self.line()?, 16)?;
            let part = self.exactly(length)?;
            self.line()?;
            if part.is_empty() {
                return Ok(whole);
            }
            whole.extend(part);
        }
    }
}

/// So many requests on so many connections; how many a second, and how long they took, in milliseconds. One that
/// is not answered with success ends it.
pub(crate) fn load(
    (host, token): (&str, &str),
    connections: usize,
    requests: usize,
    request: &(dyn Fn(usize) -> Request + Sync),
) -> Result<Value, Failure> {
    let next = AtomicUsize::new(0);
    let one = || -> Result<Vec<f64>, String> {
        let mut client = Client::connect(host, token).map_err(|error| error.to_string())?;
        let mut took = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= requests {
                return Ok(took);
            }
            let start = Instant::now();
            client.send(&request(number)).map_err(|error| error.to_string())?;
            took.push(start.elapsed().as_secs_f64() * 1000.0);
        }
    };
    let start = Instant::now();
    let took = std::thread::scope(|scope| {
        let all: Vec<_> = (0..connections).map(|_| scope.spawn(one)).collect();
        all.into_iter().map(|one| one.join().map_err(|_| "a thread died".to_string())?).collect()
    });
    let took: Result<Vec<Vec<f64>>, String> = took;
    let seconds = start.elapsed().as_secs_f64();
    let mut took: Vec<f64> = took?.into_iter().flatten().collect();
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took.get(took.len() * part / 100).copied();
    Ok(json!({
        "per_second": took.len() as f64 / seconds,
        "median_ms": at(50),
        "p99_ms": at(99),
    }))
}
