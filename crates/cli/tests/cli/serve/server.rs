//! The server as a process, and a client of its API.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::registry::client::{Answer, answer};
use crate::stage::Stage;

/// The token that servers of tests are given.
pub(crate) const ADMIN: &str = "lsh_of-the-administrator-of-tests";
const PATIENCE: Duration = Duration::from_secs(90);

/// A server in a process of its own, which is killed when the test ends.
pub(crate) struct Server {
    pub(crate) child: Child,
    /// `HOST:PORT`.
    pub(crate) host: String,
    token: String,
}

impl Server {
    /// Starts `serve` in a folder.
    pub(crate) fn start(stage: &Stage, args: &[&str]) -> Self {
        let own = ["serve", "--listen", "127.0.0.1:0", "--json"];
        let mut command = stage.command(&[&own, args].concat());
        command.env("LONGSHORE_TOKEN", ADMIN);
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let command = command.stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("it starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).expect("it serves");
        let address = told["address"].as_str().expect("an address");
        let host = address.split_once("//").expect("a scheme").1.to_string();
        let token = told["token"].as_str().unwrap_or(ADMIN).to_string();
        Self { child, host, token }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }

    /// The same server for somebody else.
    pub(crate) fn client(&self, token: &str) -> Client {
        Client { host: self.host.clone(), token: Some(token.to_string()) }
    }

    pub(crate) fn admin(&self) -> Client {
        self.client(&self.token)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) host: String,
    pub(crate) token: Option<String>,
}

impl Client {
    /// A request on a connection of its own.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        let token = self.token.iter().map(|token| format!("Authorization: Bearer {token}\r\n"));
        let token: String = token.collect();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{token}{headers}Content-Length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        answer(stream).expect("an answer")
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.send("GET", path, "", b"");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        json_of(&answer)
    }

    /// The text of a page.
    pub(crate) fn text(&self, path: &str) -> String {
        let answer = self.send("GET", path, "", b"");
        assert_eq!(answer.status, 200, "{path}");
        String::from_utf8(unchunked(&answer)).expect("text")
    }

    /// Sends JSON; the status and what was answered.
    pub(crate) fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let body = serde_json::to_vec(body).expect("JSON");
        let answer = self.send("POST", path, "Content-Type: application/json\r\n", &body);
        (answer.status, json_of(&answer))
    }

    /// What was refused, with which code.
    pub(crate) fn refused(&self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let body =
            if body.is_null() { Vec::new() } else { serde_json::to_vec(body).expect("JSON") };
        let answer = self.send(method, path, "Content-Type: application/json\r\n", &body);
        let told = json_of(&answer);
        (answer.status, told["error"]["code"].as_str().unwrap_or_default().to_string())
    }

    pub(crate) fn keep(&self, yaml: &str) {
        let headers = "Content-Type: application/yaml\r\n";
        let answer = self.send("POST", "/api/v1/migrations", headers, yaml.as_bytes());
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.body));
    }

    /// Asks for a run of a migration; its id.
    pub(crate) fn run(&self, migration: &str) -> String {
        let (status, run) = self.post("/api/v1/runs", &json!({ "migration": migration }));
        assert_eq!(status, 201, "{run}");
        run["id"].as_str().expect("an id").to_string()
    }

    /// Waits until a run is as it should be.
    pub(crate) fn until(&self, run: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.get(&format!("/api/v1/runs/{run}"));
            if is_so(&now) {
                return now;
            }
            assert!(Instant::now() < end, "not {what}: {now}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a run has ended; the run.
    pub(crate) fn ended(&self, run: &str) -> Value {
        self.until(run, "ended", |now| now["run"]["state"] == "ended")["run"].clone()
    }
}

/// The JSON of an answer.
pub(crate) fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&unchunked(answer)).unwrap_or(Value::Null)
}

/// The body of an answer, also where it came in pieces.
fn unchunked(answer: &Answer) -> Vec<u8> {
    if answer.header("transfer-encoding") != Some("chunked") {
        return answer.body.clone();
    }
    let (mut rest, mut whole) = (answer.body.as_slice(), Vec::new());
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).expect("a length");
        let length = usize::from_str_radix(length, 16).expect("a length");
        whole.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    whole
}
