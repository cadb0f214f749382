//! A proxy that understands HTTP and can break: requests that match are refused, their answers lost,
//! cut or slowed.
//!
//! It takes one request from each connection, and tells both ends so. All else, `Host` too, passes
//! as it is: signatures hold.

pub(crate) mod head;

use std::io::{BufReader, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use head::{Head, Length};

/// What happens to a request that matches. Bytes are those of the body of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The proxy answers with this status; the server hears nothing of the request.
    Status(u16),
    /// The proxy answers with this status, and asks to wait for so many seconds.
    Later(u16, u64),
    /// The server does what it is asked, and nothing of its answer arrives: the connection is reset.
    Lost,
    /// The connection is reset after so many bytes.
    Reset(u64),
    /// The connection ends, as if all were well, after so many bytes.
    Truncate(u64),
    /// The body comes in pieces of so many bytes, each after a pause.
    Slow(u64, Duration),
}

/// A proxy on a free port of 127.0.0.1, before a server on another one.
#[derive(Debug)]
pub struct HttpFaults {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    seen: Vec<String>,
}

#[derive(Debug)]
struct Rule {
    method: String,
    part: String,
    fault: Fault,
    left: u32,
}

impl HttpFaults {
    /// A proxy before a port of 127.0.0.1 that lets everything through.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let state = shared.clone();
                thread::spawn(move || {
                    let _client_or_server_gone = serve(&client, port, &state);
                });
            }
        });
        Self { port: own, state }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets the fault happen to the next `times` requests of a method (an empty one is every one)
    /// whose path and query contain `part`: as they are sent, but for marks in the path that some
    /// clients encode without need. Of the faults that match, the one
    /// that was named first happens.
    pub fn fail(&self, method: &str, part: &str, fault: Fault, times: u32) {
        let (method, part) = (method.to_string(), part.to_string());
        lock(&self.state).rules.push(Rule { method, part, fault, left: times });
    }

    /// Lets everything through from now on.
    pub fn mend(&self) {
        lock(&self.state).rules.clear();
    }

    /// The requests so far, each as method, space, path and query, as [`HttpFaults::fail`] sees them.
    pub fn seen(&self) -> Vec<String> {
        lock(&self.state).seen.clone()
    }

    /// How often faults have yet to happen.
    pub fn left(&self) -> u32 {
        lock(&self.state).rules.iter().map(|rule| rule.left).sum()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no thread fails with the state in hand")
}

/// Notes a request, and takes the fault that is to happen to it.
fn fault(state: &Mutex<State>, head: &Head) -> Option<Fault> {
    let mut state = lock(state);
    let target = plain(head.target());
    state.seen.push(format!("{} {target}", head.method()));
    let matches = |rule: &&mut Rule| {
        rule.left > 0
            && (rule.method.is_empty() || rule.method == head.method())
            && target.contains(&rule.part)
    };
    let rule = state.rules.iter_mut().find(matches)?;
    rule.left -= 1;
    Some(rule.fault)
}

/// A target without the encoding of marks in its path that stand for themselves.
pub(crate) fn plain(target: &str) -> String {
    let marks = [("%2F", "/"), ("%2E", "."), ("%2D", "-"), ("%5F", "_"), ("%7E", "~")];
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    let path = marks.iter().fold(path.to_string(), |path, (code, mark)| path.replace(code, mark));
    path + query
}

/// Passes one request and its answer.
fn serve(client: &TcpStream, port: u16, state: &Mutex<State>) -> Result<()> {
    let mut from_client = BufReader::new(client);
    let mut request = Head::read(&mut from_client)?;
    let fault = fault(state, &request);
    if request.remove("expect").is_some() {
        let mut client = client;
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if let Some(Fault::Status(status) | Fault::Later(status, _)) = fault {
        body(&mut from_client, request.length(), &mut std::io::sink())?;
        let seconds = if let Some(Fault::Later(_, seconds)) = fault { Some(seconds) } else { None };
        return refuse(client, status, seconds, request.method() == "HEAD");
    }
    let server = TcpStream::connect(("127.0.0.1", port))?;
    let mut to_server = &server;
    to_server.write_all(request.closing().as_bytes())?;
    body(&mut from_client, request.length(), &mut to_server)?;
    pass(&server, client, fault)
}

/// Passes the answer.
fn pass(server: &TcpStream, mut client: &TcpStream, fault: Option<Fault>) -> Result<()> {
    let mut server = BufReader::new(server);
    let mut answer = Head::read(&mut server)?;
    if fault == Some(Fault::Lost) {
        return reset(client);
    }
    client.write_all(answer.closing().as_bytes())?;
    match fault {
        Some(Fault::Reset(bytes)) => {
            std::io::copy(&mut server.take(bytes), &mut client)?;
            // What is on its way is lost when the connection is reset.
            thread::sleep(Duration::from_millis(20));
            return reset(client);
        }
        Some(Fault::Truncate(bytes)) => {
            std::io::copy(&mut server.take(bytes), &mut client)?;
        }
        Some(Fault::Slow(piece, pause)) => {
            thread::sleep(pause);
            while std::io::copy(&mut (&mut server).take(piece), &mut client)? > 0 {
                thread::sleep(pause);
            }
        }
        _ => {
            std::io::copy(&mut server, &mut client)?;
        }
    }
    client.shutdown(Shutdown::Both)
}

/// Passes the body of a request.
fn body(from: &mut BufReader<&TcpStream>, length: Length, to: &mut impl Write) -> Result<()> {
    match length {
        Length::Bytes(bytes) => std::io::copy(&mut from.take(bytes), to).map(drop),
        Length::Chunks => head::chunks(from, to),
    }
}

fn refuse(
    mut client: &TcpStream,
    status: u16,
    seconds: Option<u64>,
    head_only: bool,
) -> Result<()> {
    const BODY: &str = "<?xml version=\"1.0\"?><Error><Code>Fault</Code></Error>";
    let length = BODY.len();
    let later = seconds.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Fault\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
         {later}connection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes())?;
    if !head_only {
        client.write_all(BODY.as_bytes())?;
    }
    client.shutdown(Shutdown::Write)
}

/// Lets a connection end in an error when it is dropped.
fn reset(client: &TcpStream) -> Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO))?)
}

#[cfg(test)]
mod tests;
