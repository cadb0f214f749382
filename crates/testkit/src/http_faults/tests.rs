//! The proxy, before a real server.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::{Fault, HttpFaults};

const BODY: &str = "0123456789";

/// A server that answers every request of every connection, and keeps connections open where it may.
fn server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut asked = Vec::new();
                let mut byte = [0];
                while !asked.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|n| n > 0) {
                    asked.push(byte[0]);
                }
                let asked = String::from_utf8_lossy(&asked).to_lowercase();
                assert!(asked.contains("host: own.example\r\n"), "{asked}");
                assert!(asked.contains("connection: close\r\n"), "{asked}");
                let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{BODY}");
                let _client_gone = client.write_all(answer.as_bytes());
            });
        }
    });
    port
}

/// What a client reads, and how that ends.
fn ask(proxy: &HttpFaults, method: &str, target: &str) -> (String, Option<ErrorKind>) {
    let mut client = TcpStream::connect(("127.0.0.1", proxy.port())).expect("the proxy");
    let head = format!("{method} {target} HTTP/1.1\r\nHost: own.example\r\nConnection: keep-alive");
    client.write_all(format!("{head}\r\n\r\n").as_bytes()).expect("taken by the proxy");
    let mut bytes = Vec::new();
    let ended = client.read_to_end(&mut bytes);
    (String::from_utf8(bytes).expect("text"), ended.err().map(|error| error.kind()))
}

fn body(answer: &str) -> &str {
    answer.split("\r\n\r\n").nth(1).unwrap_or("")
}

#[test]
fn a_fault_happens_as_often_as_was_said_and_only_to_what_matches() {
    let proxy = HttpFaults::before(server());
    proxy.fail("PUT", "partNumber=2", Fault::Status(503), 2);
    let status = |method, target| ask(&proxy, method, target).0[9..12].to_string();
    assert_eq!(status("GET", "/a?partNumber=2"), "200");
    assert_eq!(status("PUT", "/a?partNumber=1"), "200");
    assert_eq!(status("PUT", "/a?partNumber=2"), "503");
    assert_eq!(status("PUT", "/a?partNumber=2"), "503");
    assert_eq!(status("PUT", "/a?partNumber=2"), "200");
    assert_eq!((proxy.seen().len(), proxy.left()), (5, 0));
    assert_eq!(proxy.seen()[0], "GET /a?partNumber=2");
    proxy.fail("", "/", Fault::Status(429), 9);
    assert_eq!(status("DELETE", "/a"), "429");
    proxy.mend();
    assert_eq!(status("DELETE", "/a"), "200");
}

#[test]
fn an_answer_is_lost_reset_truncated_or_slow() {
    let proxy = HttpFaults::before(server());
    let (answer, ended) = ask(&proxy, "GET", "/");
    assert_eq!((body(&answer), ended), (BODY, None));
    proxy.fail("GET", "/", Fault::Lost, 1);
    assert_eq!(ask(&proxy, "GET", "/"), (String::new(), Some(ErrorKind::ConnectionReset)));
    proxy.fail("GET", "/", Fault::Reset(4), 1);
    let (answer, ended) = ask(&proxy, "GET", "/");
    assert_eq!((body(&answer), ended), ("0123", Some(ErrorKind::ConnectionReset)));
    proxy.fail("GET", "/", Fault::Truncate(4), 1);
    let (answer, ended) = ask(&proxy, "GET", "/");
    assert_eq!((body(&answer), ended), ("0123", None));
    assert!(answer.contains("Content-Length: 10\r\n"));
    proxy.fail("GET", "/", Fault::Slow(3, Duration::from_millis(20)), 1);
    let began = Instant::now();
    assert_eq!(body(&ask(&proxy, "GET", "/").0), BODY);
    assert!(began.elapsed() >= Duration::from_millis(60));
}
