//! Pulling.

use serde_json::json;

use crate::client::Registry;

#[tokio::test(flavor = "multi_thread")]
async fn head_and_get_agree_in_every_header() {
    let registry = Registry::start().await;
    let digest = registry.push("a", b"0123456789").await;
    let manifest = registry.push_manifest("a", "1.0", json!({})).await;
    for path in [
        format!("/v2/a/blobs/{digest}"),
        "/v2/a/manifests/1.0".to_string(),
        format!("/v2/a/manifests/{manifest}"),
        "/v2/a/tags/list".to_string(),
        "/v2/".to_string(),
        "/v2/a/manifests/none".to_string(),
        format!("/v2/b/blobs/{digest}"),
    ] {
        let (get, head) = (registry.get(&path).await, registry.call("HEAD", &path, &[], "").await);
        let told = |headers: &hyper::HeaderMap| {
            let mut headers = headers.clone();
            headers.remove("date");
            headers
        };
        assert_eq!((get.status, told(&get.headers)), (head.status, told(&head.headers)), "{path}");
        assert!(head.body.is_empty());
        assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_blobs_are_sent() {
    let registry = Registry::start().await;
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number / 7) as u8).collect();
    let digest = registry.push("a", &bytes).await;
    let path = format!("/v2/a/blobs/{digest}");
    let part = |range: &'static str| {
        let (registry, path) = (&registry, path.clone());
        async move { registry.call("GET", &path, &[("range", range)], "").await }
    };
    for (range, start, end) in [
        ("bytes=0-0", 0, 0),
        ("bytes=300000-700000", 300_000, 700_000),
        ("bytes=999999-", 999_999, 999_999),
        ("bytes=-5", 999_995, 999_999),
        ("bytes=5-5000000", 5, 999_999),
    ] {
        let answer = part(range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {start}-{end}/1000000"));
        assert!(answer.body == bytes[start..=end], "{range}");
    }
    let beyond = part("bytes=1000000-").await;
    assert_eq!((beyond.status.as_u16(), beyond.header("content-range")), (416, "bytes */1000000"));
    assert_eq!(part("bytes=9-3").await.status, 200);
    let empty = registry.push("a", b"").await;
    let answer = registry.get(&format!("/v2/a/blobs/{empty}")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_named() {
    let registry = Registry::start().await;
    let digest = registry.push("a", b"blob").await;
    for (path, status, code) in [
        ("/v2/a/manifests/none", 404, "MANIFEST_UNKNOWN"),
        ("/v2/none/manifests/1", 404, "NAME_UNKNOWN"),
        ("/v2/a/manifests/.not-a-tag", 404, "MANIFEST_UNKNOWN"),
        ("/v2/none/tags/list", 404, "NAME_UNKNOWN"),
        ("/v2/a/blobs/sha256:x", 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/uploads/00", 404, "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/..%2fa/manifests/1", 400, "NAME_INVALID"),
        ("/v2/A/manifests/1", 400, "NAME_INVALID"),
        ("/elsewhere", 404, "NOT_FOUND"),
    ] {
        let answer = registry.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{path}");
    }
    assert_eq!(registry.get(&format!("/v2/b/blobs/{digest}")).await.code(), "BLOB_UNKNOWN");
    let wrong = registry.call("POST", "/v2/a/manifests/1", &[], "").await;
    assert_eq!((wrong.status.as_u16(), wrong.header("allow")), (405, "GET, HEAD, PUT, DELETE"));
}
