//! Requests of HTTP, one for each connection.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header of a name, which is in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What a server is asked.
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    /// Path and query, percent-encoded.
    pub(super) target: &'a str,
    pub(super) host: &'a str,
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: &'a [u8],
}

impl Request<'_> {
    /// Sends the request with more headers, and waits for the answer.
    pub(super) fn send(&self, port: u16, more: &[(String, String)]) -> Result<Answer> {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\n", self.method, self.target, self.host);
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in self.headers.iter().copied().chain(more) {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\nconnection: close\r\n\r\n", self.body.len()));
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.set_read_timeout(Some(Duration::from_secs(60)))?;
        server.write_all(head.as_bytes())?;
        server.write_all(self.body)?;
        let mut bytes = Vec::new();
        server.read_to_end(&mut bytes)?;
        answer(&bytes).ok_or_else(|| Error::new(ErrorKind::InvalidData, "no answer of HTTP"))
    }
}

/// The answer in what came until the end of a connection.
fn answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_string()));
    let mut answer = Answer { status, headers: headers.collect(), body: bytes[end + 4..].to_vec() };
    if answer.header("transfer-encoding").is_some_and(|how| how.eq_ignore_ascii_case("chunked")) {
        answer.body = joined(&answer.body)?;
    }
    Some(answer)
}

/// A body that came in chunks.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..end]).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 2 + size + 2..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::answer;

    #[test]
    fn an_answer_in_chunks_is_joined() {
        let bytes = b"HTTP/1.1 206 Partial\r\nETag: \"x\"\r\nTransfer-Encoding: chunked\r\n\r\n\
            3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n";
        let answer = answer(bytes).expect("an answer");
        assert_eq!((answer.status, answer.header("etag")), (206, Some("\"x\"")));
        assert_eq!(answer.text(), "abc0123456789");
    }
}
