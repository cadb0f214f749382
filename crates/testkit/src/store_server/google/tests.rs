//! The front as Google's pages describe what stands there.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::super::request::{Answer, Request};
use super::super::{StoreKind, StoreServer};

/// A request with headers of its own alone.
fn bare(server: &StoreServer, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
    let host = format!("127.0.0.1:{}", server.port());
    let request = Request { method, target, host: &host, headers, body: b"" };
    request.send(server.port(), &[]).expect("an answer")
}

fn put(server: &StoreServer, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    server.request("PUT", target, headers, body)
}

fn code(answer: &Answer) -> String {
    let text = answer.text();
    let code = text.split("<Code>").nth(1).and_then(|rest| rest.split('<').next());
    code.unwrap_or_default().to_string()
}

#[test]
fn only_who_is_known_gets_in() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let (own, public) = (server.create_bucket("shop"), server.create_bucket("public-shop"));
    for bucket in [&own, &public] {
        assert_eq!(put(server, &format!("/{bucket}/a"), &[], b"hello").status, 200);
    }
    let own = format!("/{own}/a");
    for (headers, status, says) in [
        (vec![], 403, "AccessDenied"),
        (vec![("authorization", "Bearer ")], 401, "AuthenticationRequired"),
        (vec![("authorization", "Bearer a.b.c")], 401, "AuthenticationRequired"),
        (vec![("authorization", "AWS4-HMAC-SHA256 x")], 401, "AuthenticationRequired"),
    ] {
        let answer = bare(server, "GET", &own, &headers);
        assert_eq!((answer.status, code(&answer).as_str()), (status, says), "{headers:?}");
    }
    let public = format!("/{public}/a");
    assert_eq!(bare(server, "GET", &public, &[]).text(), "hello");
    assert_eq!(bare(server, "DELETE", &public, &[]).status, 403);
}

#[test]
fn tokens_are_given_to_the_user_and_to_the_machine() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let target = format!("/{}/a", server.create_bucket("shop"));
    put(server, &target, &[], b"hello");
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    assert_eq!(bare(server, "GET", path, &[]).status, 403);
    let told = bare(server, "GET", path, &[("metadata-flavor", "Google")]);
    let token: serde_json::Value = serde_json::from_slice(&told.body).expect("JSON");
    let token = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let got = bare(server, "GET", &target, &[("authorization", &token)]);
    assert_eq!(got.text(), "hello");
    let form = b"grant_type=refresh_token&client_id=x&client_secret=y&refresh_token=z";
    let refused = server.request("POST", "/token", &[], form);
    assert!(refused.status == 400 && refused.text().contains("invalid_grant"), "{refused:?}");
}

#[test]
fn what_google_refuses_is_refused() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let bucket = format!("/{}", server.create_bucket("shop"));
    let object = format!("{bucket}/a");
    let (long, much) = (format!("{bucket}/{}", "n".repeat(1025)), "m".repeat(8192));
    for (method, target, headers, says) in [
        ("PUT", &object, vec![("x-amz-meta-a", "b")], "InvalidArgument"),
        ("PUT", &object, vec![("if-none-match", "*")], "InvalidArgument"),
        ("PUT", &object, vec![("x-goog-colour", "red")], "InvalidArgument"),
        ("PUT", &object, vec![("x-goog-meta-a", much.as_str())], "MetadataTooLarge"),
        ("PUT", &long, vec![], "InvalidObjectName"),
        ("PUT", &format!("{bucket}/a%0Ab"), vec![], "InvalidObjectName"),
        ("PUT", &format!("{bucket}/%2E%2E"), vec![], "InvalidObjectName"),
        ("POST", &format!("{bucket}?delete="), vec![], "InvalidArgument"),
        ("PUT", &format!("{object}?partNumber=10001&uploadId=x"), vec![], "InvalidArgument"),
        ("GET", &format!("{bucket}?list-type=2&max-keys=1001"), vec![], "InvalidArgument"),
        ("GET", &format!("{bucket}/none"), vec![], "NoSuchKey"),
        ("GET", &"/no-such-bucket/a".to_string(), vec![], "NoSuchBucket"),
    ] {
        let answer = server.request(method, target, &headers, b"");
        assert_eq!(code(&answer), says, "{method} {target:.60}: {answer:?}");
    }
}

#[test]
fn an_object_is_written_once_in_a_second() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let target = format!("/{}/a", server.create_bucket("shop"));
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";
    let told = bare(server, "GET", path, &[("metadata-flavor", "Google")]);
    let token: serde_json::Value = serde_json::from_slice(&told.body).expect("JSON");
    let token = format!("Bearer {}", token["access_token"].as_str().expect("a token"));
    let write = |target: &str| bare(server, "PUT", target, &[("authorization", &token)]).status;
    assert_eq!((write(&target), write(&target), write(&format!("{target}b"))), (200, 429, 200));
    std::thread::sleep(std::time::Duration::from_millis(1010));
    assert_eq!(write(&target), 200);
}

#[test]
fn generations_are_conditions() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let target = format!("/{}/a%2Fb", server.create_bucket("shop"));
    let new = [("x-goog-if-generation-match", "0")];
    let first = put(server, &target, &new, b"first");
    let generation = first.header("x-goog-generation").expect("a generation").to_string();
    let refused = put(server, &target, &new, b"other");
    assert_eq!((refused.status, code(&refused).as_str()), (412, "PreconditionFailed"));
    let same = [("x-goog-if-generation-match", generation.as_str())];
    assert_eq!(put(server, &target, &same, b"second").status, 200);
    assert_eq!(put(server, &target, &same, b"third").status, 412);
    let got = server.request("GET", &target, &[], b"");
    assert_eq!(got.text(), "second");
    assert_ne!(got.header("x-goog-generation"), Some(generation.as_str()));
    let etag = got.header("etag").expect("an ETag").to_string();
    assert_eq!(server.request("GET", &target, &[("if-match", &etag)], b"").status, 200);
    assert_eq!(server.request("GET", &target, &[("if-match", "\"x\"")], b"").status, 412);
}

#[test]
fn what_is_compressed_is_opened_for_who_does_not_take_it() {
    let server = StoreServer::shared(StoreKind::Gcs);
    let bucket = server.create_bucket("shop");
    let text = "0123456789".repeat(100);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).expect("bytes in memory");
    let packed = packed.finish().expect("bytes in memory");
    let target = format!("/{bucket}/a");
    put(server, &target, &[("content-encoding", "gzip")], &packed);
    for range in [&[][..], &[("range", "bytes=1-3")]] {
        let got = server.request("GET", &target, range, b"");
        assert_eq!((got.status, got.text()), (200, text.clone()));
        assert_eq!(got.header("content-length").or(got.header("content-encoding")), None);
        assert_eq!(got.header("x-goog-stored-content-encoding"), Some("gzip"));
    }
    let takes = [("accept-encoding", "gzip")];
    let got = server.request("GET", &target, &takes, b"");
    assert_eq!((got.body.as_slice(), got.header("content-encoding")), (&packed[..], Some("gzip")));
    let part = server.request("GET", &target, &[takes[0], ("range", "bytes=1-3")], b"");
    assert_eq!((part.status, part.body.as_slice()), (206, &packed[1..4]));
    let head = server.request("HEAD", &target, &takes, b"");
    assert_eq!(head.header("content-length"), Some(packed.len().to_string().as_str()));
    let fixed = [("content-encoding", "gzip"), ("cache-control", "no-transform")];
    put(server, &target, &fixed, &packed);
    assert_eq!(server.request("GET", &target, &[], b"").body, packed);
}
