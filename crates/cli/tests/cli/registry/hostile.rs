//! Clients that mean no good, or are no clients of a registry at all.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Server;
use super::client::{Client, answer, digest};
use crate::stage::Stage;

const HEAD: &str = "Host: registry\r\nConnection: close\r\n";

/// Sends bytes as they are and returns the status of the answer; none when there was none.
fn raw(client: &Client, bytes: &[u8]) -> Option<u16> {
    let mut stream = client.connect().expect("a connection");
    // It may be closed before all is sent.
    let _ = stream.write_all(bytes);
    answer(stream).ok().map(|answer| answer.status)
}

/// It answers at once.
fn serves(client: &Client) {
    let start = Instant::now();
    assert_eq!(client.get("/v2/").expect("an answer").status, 200);
    let bytes = format!("{:?}", Instant::now()).into_bytes();
    assert_eq!(client.push("free", &bytes).expect("an answer").status, 201);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

fn send(client: &Client, bytes: &[u8]) -> TcpStream {
    let mut stream = client.connect().expect("a connection");
    stream.write_all(bytes).expect("sent");
    stream
}

/// Begins a request with a body of so many bytes.
fn begin(client: &Client, method: &str, path: &str, length: usize) -> TcpStream {
    let head = format!("{method} {path} HTTP/1.1\r\n{HEAD}Content-Length: {length}\r\n\r\n");
    send(client, head.as_bytes())
}

fn upload(client: &Client) -> String {
    let begun = client.call("POST", "/v2/slow/blobs/uploads/", None, b"").expect("an answer");
    begun.header("location").expect("a place").to_string()
}

/// Waits until the other side has ended a connection.
fn ended(mut stream: TcpStream, within: Duration) {
    let start = Instant::now();
    stream.set_read_timeout(Some(within)).expect("a timeout");
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest);
    let is_over = match &read {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(is_over && start.elapsed() < within, "{read:?} after {:?}", start.elapsed());
}

#[test]
fn heads_that_drip_and_connections_that_wait_stop_nobody() {
    let stage = Stage::empty();
    let limits = ["--head-timeout", "2s", "--max-connections", "40"];
    let server = Server::start(&stage, &limits);
    let waiting: Vec<TcpStream> = (0..200)
        .map(|number| match number % 2 {
            0 => server.client.connect().expect("a connection"),
            _ => send(&server.client, b"GET /v2/ HTTP/1.1\r\nHost: reg"),
        })
        .collect();
    serves(&server.client);
    // A byte now and then wins no time.
    let mut dripping = send(&server.client, b"GET /v2/ HTTP/1.1\r\nX: ");
    let start = Instant::now();
    while dripping.write_all(b"x").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(10), "it drips on");
        sleep(Duration::from_millis(200));
    }
    serves(&server.client);
    waiting.into_iter().for_each(|stream| ended(stream, Duration::from_secs(5)));
}

#[test]
fn a_body_that_stalls_is_cut_and_one_that_moves_is_not() {
    let stage = Stage::empty();
    let server = Server::start(&stage, &["--stall-timeout", "2s"]);
    let place = upload(&server.client);
    let mut stalled = begin(&server.client, "PATCH", &place, 1_000_000);
    stalled.write_all(b"0123456789").expect("sent");
    let start = Instant::now();
    let told = answer(stalled).expect("an answer");
    assert_eq!(told.status, 400, "{told:?}");
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    // What arrived is kept, and the upload goes on. Slowly: for more than twice what one may stall.
    let progress = server.client.get(&place).expect("an answer");
    assert_eq!((progress.status, progress.header("range")), (204, Some("0-9")));
    let rest = vec![b'x'; 20_000];
    let whole = [b"0123456789".to_vec(), rest.repeat(6)].concat();
    let path = format!("{place}?digest={}", digest(&whole));
    let mut slow = begin(&server.client, "PUT", &path, rest.len() * 6);
    for _ in 0..6 {
        sleep(Duration::from_millis(900));
        slow.write_all(&rest).expect("it is not cut");
    }
    assert_eq!(answer(slow).expect("an answer").status, 201);
    // Who drips is cut, however long he does it.
    let mut dripping = begin(&server.client, "PATCH", &upload(&server.client), 1_000_000);
    let start = Instant::now();
    while dripping.write_all(b"x").is_ok() {
        assert!(start.elapsed() < Duration::from_secs(15), "it drips on");
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn who_does_not_take_what_he_asked_for_is_left() {
    let stage = Stage::empty();
    let limits = ["--stall-timeout", "2s", "--metrics-listen", "127.0.0.1:0"];
    let server = Server::start(&stage, &limits);
    let numbers = server.numbers.clone().expect("an address of numbers");
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|number| (number % 251) as u8).collect();
    assert_eq!(server.client.push("a", &bytes).expect("an answer").status, 201);
    let get = format!("GET /v2/a/blobs/{} HTTP/1.1\r\n{HEAD}\r\n", digest(&bytes));
    let _taking_nothing = send(&server.client, get.as_bytes());
    let mut slow = send(&server.client, get.as_bytes());
    let at_hand = |count: u32| {
        let page = numbers.get("/metrics").expect("an answer").body;
        let line = format!("\nlongshore_registry_requests_in_flight {count}\n");
        String::from_utf8(page).expect("text").contains(&line)
    };
    let mut taken = Vec::new();
    let mut piece = vec![0; 100_000];
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(7) {
        sleep(Duration::from_millis(300));
        let length = slow.read(&mut piece).expect("it is not cut");
        taken.extend_from_slice(&piece[..length]);
    }
    assert!(at_hand(1), "one is left, and the other goes on");
    slow.read_to_end(&mut taken).expect("it is not cut");
    assert!(taken.ends_with(&bytes), "all of it arrives");
}

/// More than there are threads for the disk.
#[test]
fn six_hundred_slow_uploads_stop_nobody() {
    let stage = Stage::empty();
    let server = Server::start(&stage, &["--max-connections", "1000"]);
    let slow: Vec<TcpStream> = (0..600)
        .map(|_| {
            let path = "/v2/slow/blobs/uploads/?digest=sha256:";
            let path = format!("{path}{}", "0".repeat(64));
            let mut stream = begin(&server.client, "POST", &path, 1_000_000);
            stream.write_all(b"some").expect("sent");
            stream
        })
        .collect();
    serves(&server.client);
    drop(slow);
    serves(&server.client);
}

#[test]
fn what_is_no_request_is_refused() {
    let stage = Stage::empty();
    let mut server = Server::start(&stage, &["--stall-timeout", "2s"]);
    let client = server.client.clone();
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\n{HEAD}{more}\r\n").into_bytes();
    let put = "PUT /v2/a/manifests/1";
    let many = |one: &str, count| one.repeat(count);
    let chunked = "Transfer-Encoding: chunked\r\n";
    let large = [&b"400000\r\n"[..], &vec![b' '; 0x40_0000], b"\r\n1\r\n \r\n0\r\n\r\n"].concat();
    for (what, bytes, expected) in [
        ("a header of 1 MB", head("GET /v2/", &format!("X: {}\r\n", many("x", 1_000_000))), 431),
        ("500 headers", head("GET /v2/", &many("X: y\r\n", 500)), 431),
        ("a path of 100 KB", head(&format!("GET /v2/{}", many("x", 100_000)), ""), 414),
        ("5,000 parameters", head(&format!("GET /v2/?{}", many("n=1&", 5000)), ""), 400),
        ("a large manifest", head(put, "Content-Length: 5000000\r\n"), 413),
        ("a large one in chunks", [head(put, chunked), large].concat(), 413),
        (
            "a length of 23 digits",
            head(put, &format!("Content-Length: {}\r\n", many("9", 23))),
            400,
        ),
        ("a length below zero", head(put, "Content-Length: -1\r\n"), 400),
        ("two lengths", head(put, "Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        ("chunks of nonsense", [head(put, chunked), b"ZZZ\r\nabc\r\n".to_vec()].concat(), 400),
        ("an endless chunk", [head(put, chunked), b"fffffffffffffffff\r\n".to_vec()].concat(), 400),
        ("another method", head("BREW /v2/", ""), 405),
        ("another protocol", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 400),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20), 400),
        ("zeros", vec![0; 200], 400),
    ] {
        let status = raw(&client, &bytes);
        assert!(status.is_none() || status == Some(expected), "{what}: {status:?}");
        // Whoever only says too much must see why.
        let is_seen = ![400, 405].contains(&expected) || what.contains("length");
        assert!(!is_seen || status.is_some(), "{what}: no answer");
    }
    let most = format!("Content-Length: {}\r\n", u64::MAX - 2);
    let push = format!("POST /v2/a/blobs/uploads/?digest=sha256:{}", many("0", 64));
    assert_eq!(raw(&client, &[head(&push, &most), b"few".to_vec()].concat()), Some(400));
    assert!(server.lives());
    serves(&client);
}

#[test]
fn paths_lead_nowhere_but_into_the_registry() {
    let stage = Stage::empty();
    stage.write("secret", "secret");
    let server = Server::start(&stage, &[]);
    assert_eq!(server.client.push("a", b"{}").expect("an answer").status, 201);
    let zeros = "0".repeat(64);
    for path in [
        "/../../secret".to_string(),
        "/v2/../../secret/manifests/1".to_string(),
        "/v2/%2e%2e/%2e%2e/manifests/secret".to_string(),
        "/v2/a/manifests/..%2f..%2f..%2fregistry.json".to_string(),
        "/v2/a/manifests/..".to_string(),
        "/v2/a/manifests/%00".to_string(),
        "/v2/a%00b/tags/list".to_string(),
        "/v2/a/blobs/sha256:..%2f..%2fregistry.json".to_string(),
        "/v2/a/blobs/sha256:../../../registry.json".to_string(),
        format!("/v2/a/blobs/..:{zeros}"),
        format!("/v2/a/blobs/md5:{zeros}"),
        format!("/v2/a/blobs/SHA256:{zeros}"),
        format!("/v2/a/blobs/sha256:{}", &zeros[1..]),
        format!("/v2/a/referrers/sha256:{zeros}%2f.."),
        "/v2/a/blobs/uploads/..%2f..%2fblobs".to_string(),
        "/v2/a/blobs/uploads/../../../secret".to_string(),
        "/v2/_blobs/tags/list".to_string(),
        format!("/v2/{}/tags/list", "a/".repeat(200)),
        format!("/v2/{}/tags/list", "a".repeat(300)),
        "//v2/a/tags/list".to_string(),
        "/v2//tags/list".to_string(),
    ] {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let answer = server.client.call(method, &path, None, b"");
            // A HEAD says the length of what it does not send.
            let Ok(answer) = answer else { continue };
            assert!(matches!(answer.status, 400 | 404 | 405), "{method} {path}: {answer:?}");
        }
    }
    for query in ["mount=../../secret&from=a", "digest=sha256:..", "mount=sha256:00&from=a"] {
        let path = format!("/v2/a/blobs/uploads/?{query}");
        let answer = server.client.call("POST", &path, None, b"x").expect("an answer");
        assert_eq!(answer.status, 400, "{path}: {answer:?}");
    }
    let from = format!("/v2/a/blobs/uploads/?mount={}&from=../..", digest(b"{}"));
    assert_eq!(server.client.call("POST", &from, None, b"").expect("an answer").status, 400);
    let names = std::fs::read_dir(stage.path()).expect("a folder");
    let mut names: Vec<_> = names.map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    assert_eq!(names, ["images", "secret"]);
}
