//! The servers themselves.

use std::io::ErrorKind;

use crate::http_faults::{Fault, HttpFaults};

use super::request::Request;
use super::{Answer, StoreKind, StoreServer, sign};

/// Writes an object, in a way that all servers know.
fn put(server: &StoreServer, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let blob = ("x-ms-blob-type", "BlockBlob");
    let headers: Vec<(&str, &str)> = headers.iter().copied().chain([blob]).collect();
    server.request("PUT", target, &headers, body.as_bytes())
}

fn get(server: &StoreServer, target: &str) -> Answer {
    server.request("GET", target, &[], b"")
}

#[test]
fn every_store_takes_an_object_and_gives_it_back() {
    for kind in StoreKind::ALL {
        let server = StoreServer::shared(kind);
        let bucket = server.create_bucket("shop");
        assert_ne!(server.create_bucket("shop"), bucket);
        let prefix = match kind {
            StoreKind::Azurite => "x-ms-meta-",
            StoreKind::Gcs => "x-goog-meta-",
            _ => "x-amz-meta-",
        };
        let colour = format!("{prefix}colour");
        let target = format!("/{bucket}/a%20folder/%C3%BC%2B%25");
        let put = put(server, &target, &[("content-type", "text/own"), (&colour, "blue")], "hello");
        assert!(matches!(put.status, 200 | 201), "{kind:?}: {put:?}");
        let got = get(server, &target);
        assert_eq!((got.status, got.text()), (200, "hello".to_string()), "{kind:?}: {got:?}");
        assert_eq!(got.header("content-type"), Some("text/own"), "{kind:?}");
        assert_eq!(got.header(&colour), Some("blue"), "{kind:?}");
        let range = server.request("GET", &target, &[("range", "bytes=1-3")], b"");
        let status = if kind == StoreKind::Rclone { 200 } else { 206 };
        assert_eq!((range.status, range.text()), (status, "ell".to_string()), "{kind:?}");
        assert_eq!(range.header("content-range"), Some("bytes 1-3/5"), "{kind:?}");
        assert_eq!(get(server, &format!("/{bucket}/none")).status, 404, "{kind:?}");
        let list = match kind {
            StoreKind::Azurite => format!("/{bucket}?restype=container&comp=list&prefix=a%20f"),
            _ => format!("/{bucket}?list-type=2&prefix=a%20f"),
        };
        let listed = get(server, &list).text();
        assert!(listed.contains(">a folder/ü+%<"), "{kind:?}: {listed}");
    }
}

#[test]
fn conditions_are_kept_to_by_all_but_one() {
    for (kind, status) in [
        (StoreKind::Rclone, 200),
        (StoreKind::S3s, 412),
        (StoreKind::Moto, 412),
        (StoreKind::Azurite, 409),
    ] {
        let server = StoreServer::shared(kind);
        let target = format!("/{}/a", server.create_bucket("shop"));
        put(server, &target, &[], "first");
        let second = put(server, &target, &[("if-none-match", "*")], "second");
        assert_eq!(second.status, status, "{kind:?}: {second:?}");
        let kept = if status == 200 { "second" } else { "first" };
        assert_eq!(get(server, &target).text(), kept, "{kind:?}");
    }
}

#[test]
fn a_wrong_signature_is_refused_where_signatures_are_looked_at() {
    // Google takes tokens.
    for kind in StoreKind::ALL.into_iter().filter(|kind| *kind != StoreKind::Gcs) {
        let server = StoreServer::shared(kind);
        let bucket = server.create_bucket("shop");
        let host = format!("127.0.0.1:{}", server.port());
        let target = format!("{}/{bucket}/a", kind.base());
        let request =
            Request { method: "GET", target: &target, host: &host, headers: &[], body: b"" };
        let other = Request { method: "PUT", ..request };
        let answer = request.send(server.port(), &sign::headers(kind, &other));
        let status = if kind == StoreKind::Moto { 404 } else { 403 };
        assert_eq!(answer.expect("an answer").status, status, "{kind:?}");
    }
}

#[test]
fn signatures_hold_behind_a_proxy() {
    for kind in StoreKind::ALL {
        let server = StoreServer::shared(kind);
        let proxy = HttpFaults::before(server.port());
        let host = format!("127.0.0.1:{}", proxy.port());
        assert_eq!(server.endpoint_at(proxy.port()), format!("http://{host}{}", kind.base()));
        let target = format!("{}/{}/a", kind.base(), server.create_bucket("shop"));
        let body = vec![7; 1 << 20];
        let blob = [("x-ms-blob-type", "BlockBlob")];
        let blob = if kind == StoreKind::Azurite { &blob[..] } else { &[] };
        let put =
            Request { method: "PUT", target: &target, host: &host, headers: blob, body: &body };
        let get = Request { method: "GET", headers: &[], body: b"", ..put };
        let ask = |request: &Request<'_>| {
            request.send(proxy.port(), &sign::headers(kind, request)).map(|answer| answer.body)
        };
        ask(&put).expect("an answer");
        assert_eq!(ask(&get).expect("an answer"), body, "{kind:?}");
        proxy.fail("GET", "/a", Fault::Truncate(1000), 1);
        assert_eq!(ask(&get).expect("an answer"), body[..1000], "{kind:?}");
        proxy.fail("GET", "/a", Fault::Reset(1000), 1);
        let error = ask(&get).expect_err("the answer is cut off");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{kind:?}");
    }
}

#[test]
fn parts_become_an_object() {
    for kind in StoreKind::S3.into_iter().chain([StoreKind::Gcs]) {
        let server = StoreServer::shared(kind);
        let target = format!("/{}/big", server.create_bucket("shop"));
        let begun = server.request("POST", &format!("{target}?uploads="), &[], b"").text();
        let id = begun.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next());
        let upload = format!("uploadId={}", id.expect("an upload"));
        let sizes = [5 << 20, 10];
        let mut parts = String::new();
        for (number, size) in (1..).zip(sizes) {
            let body = vec![b'0' + number; size];
            let part = format!("{target}?partNumber={number}&{upload}");
            let put = server.request("PUT", &part, &[], &body);
            let etag = put.header("etag").unwrap_or_else(|| panic!("{kind:?}: {put:?}"));
            parts.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            ));
        }
        let known = get(server, &format!("{target}?{upload}")).text();
        assert_eq!(known.matches("<PartNumber>").count(), sizes.len(), "{kind:?}: {known}");
        let all = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        let ended = server.request("POST", &format!("{target}?{upload}"), &[], all.as_bytes());
        assert_eq!(ended.status, 200, "{kind:?}: {ended:?}");
        let got = get(server, &target).body;
        assert_eq!((got.len(), got.last()), (sizes.iter().sum(), Some(&b'2')), "{kind:?}");
    }
}

#[test]
fn lists_go_on_where_they_ended() {
    for kind in StoreKind::S3.into_iter().chain([StoreKind::Gcs]) {
        let server = StoreServer::shared(kind);
        let bucket = server.create_bucket("shop");
        for key in ["b", "a", "d/e", "c"] {
            assert_eq!(put(server, &format!("/{bucket}/{key}"), &[], "x").status, 200, "{kind:?}");
        }
        let keys = |query: &str| {
            let text = get(server, &format!("/{bucket}?list-type=2{query}")).text();
            let keys = text.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
            let token = text.split("<NextContinuationToken>").nth(1);
            let token = token.and_then(|rest| rest.split('<').next()).map(str::to_string);
            (keys.map(str::to_string).collect::<Vec<String>>(), token)
        };
        let (first, token) = keys("&max-keys=2");
        assert_eq!(first, ["a", "b"], "{kind:?}");
        let token = token.expect("there are more").replace('=', "%3D");
        assert_eq!(keys(&format!("&continuation-token={token}")).0, ["c", "d/e"], "{kind:?}");
        assert_eq!(keys("&start-after=c").0, ["d/e"], "{kind:?}");
    }
}

#[test]
fn what_is_changed_in_the_folder_is_served() {
    for kind in StoreKind::ALL.into_iter().filter(|kind| kind.has_files()) {
        let server = StoreServer::shared(kind);
        let bucket = server.create_bucket("shop");
        let target = format!("/{bucket}/a/b");
        put(server, &target, &[], "whole");
        let file = server.folder().expect("a folder").join(&bucket).join("a/b");
        assert_eq!(std::fs::read(&file).expect("the object is a file"), b"whole");
        std::fs::write(&file, "damaged").expect("the file is changed");
        assert_eq!(get(server, &target).text(), "damaged");
        std::fs::remove_file(&file).expect("the file is removed");
        assert_eq!(get(server, &target).status, 404);
    }
}

#[test]
fn a_store_survives_crash_and_restart() {
    for (kind, keeps) in [
        (StoreKind::Rclone, true),
        (StoreKind::S3s, true),
        (StoreKind::Moto, false),
        (StoreKind::Gcs, false),
        (StoreKind::Azurite, true),
    ] {
        let server = StoreServer::start(kind);
        let target = format!("/{}/a", server.create_bucket("shop"));
        put(&server, &target, &[], "kept");
        let port = server.port();
        server.restart();
        assert_eq!(get(&server, &target).status == 200, keeps, "{kind:?}");
        server.crash();
        server.resume();
        assert_eq!(server.port(), port);
        assert_eq!(get(&server, &target).status == 200, keeps, "{kind:?}");
        let folder = server.folder.path().to_path_buf();
        drop(server);
        assert!(!folder.exists(), "nothing is left of it");
    }
}
