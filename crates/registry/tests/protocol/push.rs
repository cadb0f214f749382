//! Pushing blobs and manifests.

use longshore_image::Digest;
use serde_json::json;
use sha2::{Digest as _, Sha512};

use crate::client::{INDEX, MANIFEST, Registry};

#[tokio::test(flavor = "multi_thread")]
async fn blobs_arrive_whole_in_parts_and_in_one_request() {
    let registry = Registry::start().await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| number as u8).collect();
    let digest = Digest::of(&bytes);
    // An upload and its end.
    let at = registry.begin("a/one").await;
    let answer = registry.call("PUT", &format!("{at}?digest={digest}"), &[], bytes.clone()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("location"), format!("/v2/a/one/blobs/{digest}"));
    assert_eq!(answer.header("docker-content-digest"), digest.as_str());
    // In parts with their places, and one without.
    let at = registry.begin("a/two").await;
    let part = [("content-range", "0-999999")];
    let answer = registry.call("PATCH", &at, &part, bytes[..1_000_000].to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.header("range")), (202, "0-999999"));
    let at = answer.header("location").to_string();
    let status = registry.get(&at).await;
    assert_eq!((status.status.as_u16(), status.header("range")), (204, "0-999999"));
    let answer = registry.call("PATCH", &at, &[], bytes[1_000_000..2_000_000].to_vec()).await;
    assert_eq!((answer.status.as_u16(), answer.header("range")), (202, "0-1999999"));
    let last = [("content-range", "2000000-2999999")];
    let end = format!("{at}?digest={digest}");
    let answer = registry.call("PUT", &end, &last, bytes[2_000_000..].to_vec()).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(registry.get(&at).await.code(), "BLOB_UPLOAD_UNKNOWN");
    // In one request.
    registry.push("a/three", &bytes).await;
    for name in ["a/one", "a/two", "a/three"] {
        let answer = registry.get(&format!("/v2/{name}/blobs/{digest}")).await;
        assert!(answer.body == bytes, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_out_of_order_are_answered_with_where_to_go_on() {
    let registry = Registry::start().await;
    let at = registry.begin("a").await;
    let call = |range: &'static str, body: &'static str| {
        let at = at.clone();
        let registry = &registry;
        async move { registry.call("PATCH", &at, &[("content-range", range)], body).await }
    };
    let early = call("5-9", "fghij").await;
    assert_eq!((early.status.as_u16(), early.header("range")), (416, "0-0"));
    assert_eq!(call("0-4", "abcde").await.status, 202);
    for (range, body) in [("0-4", "abcde"), ("7-9", "hij"), ("4-5", "ef")] {
        let answer = call(range, body).await;
        assert_eq!((answer.status.as_u16(), answer.header("range")), (416, "0-4"), "{range}");
        assert_eq!(answer.header("location"), at);
        assert_eq!(answer.code(), "BLOB_UPLOAD_INVALID");
    }
    for range in ["5-8", "5-3", "x-y", "5"] {
        assert_eq!(call(range, "fghij").await.status, 400, "{range}");
    }
    let digest = Digest::of(b"abcdefghij");
    let end = format!("{at}?digest={digest}");
    let wrong = registry.call("PUT", &end, &[("content-range", "6-9")], "ghij").await;
    assert_eq!(wrong.status, 416);
    assert_eq!(registry.call("PUT", &end, &[("content-range", "5-9")], "fghij").await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_outlive_the_server_and_can_be_given_up() {
    let registry = Registry::start().await;
    let (at, other) = (registry.begin("a").await, registry.begin("a").await);
    registry.call("PATCH", &at, &[], "abc").await;
    assert_eq!(registry.call("DELETE", &other, &[], "").await.status, 204);
    assert_eq!(registry.call("PATCH", &other, &[], "x").await.code(), "BLOB_UPLOAD_UNKNOWN");
    let registry = registry.again().await;
    assert_eq!(registry.get(&at).await.header("range"), "0-2");
    registry.call("PATCH", &at, &[], "def").await;
    let digest = Digest::of(b"abcdef");
    let end = registry.call("PUT", &format!("{at}?digest={digest}"), &[], "").await;
    assert_eq!(end.status, 201, "{end:?}");
    let elsewhere = at.replace("/v2/a/", "/v2/b/");
    assert_eq!(registry.get(&elsewhere).await.status, 404);
    assert_eq!(std::fs::read_dir(registry.root().join("uploads")).expect("uploads").count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_damaged_is_mended_by_the_next_push() {
    let registry = Registry::start().await;
    let digest = registry.push_manifest("a", "one", json!({})).await;
    let layer = Digest::of(b"one");
    for damaged in [&digest, &layer] {
        let file = registry.root().join("blobs/sha256").join(damaged.hex());
        std::fs::write(file, "damaged").expect("a file");
    }
    assert_eq!(registry.push_manifest("a", "one", json!({})).await, digest);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{layer}")).await.body, "one");
    let manifest = registry.get("/v2/a/manifests/one").await.body;
    assert_eq!(Digest::of(&manifest), digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_digests_are_refused() {
    let registry = Registry::start().await;
    let digest = Digest::of(b"right");
    for end in [format!("?digest={digest}"), "?digest=sha256:12".to_string(), String::new()] {
        let at = registry.begin("a").await;
        let answer = registry.call("PUT", &format!("{at}{end}"), &[], "wrong").await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (400, "DIGEST_INVALID"));
    }
    assert_eq!(registry.get(&format!("/v2/a/blobs/{digest}")).await.status, 404);
    let manifest = registry.manifest("a", "x").await.to_string();
    let path = format!("/v2/a/manifests/{digest}");
    let answer = registry.call("PUT", &path, &[("content-type", MANIFEST)], manifest).await;
    assert_eq!(answer.code(), "DIGEST_INVALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_are_mounted_from_where_they_are() {
    let registry = Registry::start().await;
    let digest = registry.push("from", b"shared").await;
    let mount = |to: &str, from: &str| format!("/v2/{to}/blobs/uploads/?mount={digest}{from}");
    let answer = registry.call("POST", &mount("to", "&from=from"), &[], "").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(registry.get(&format!("/v2/to/blobs/{digest}")).await.body, "shared");
    for from in ["&from=nothing", ""] {
        let answer = registry.call("POST", &mount("other", from), &[], "").await;
        assert_eq!(answer.status, 202, "{answer:?}");
        let end = format!("{}?digest={digest}", answer.header("location"));
        assert_eq!(registry.call("PUT", &end, &[], "shared").await.status, 201);
    }
    let answer = registry.call("POST", &mount("x", "&from=../from"), &[], "").await;
    assert_eq!(answer.code(), "NAME_INVALID");
}

#[tokio::test(flavor = "multi_thread")]
async fn sha512_is_as_good_as_sha256() {
    let registry = Registry::start().await;
    let digest = |bytes: &[u8]| {
        let hex: String = Sha512::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha512:{hex}")
    };
    let at = registry.begin("a").await;
    registry.call("PATCH", &at, &[], "lay").await;
    let layer = digest(b"layer");
    let answer = registry.call("PUT", &format!("{at}?digest={layer}"), &[], "er").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut manifest = registry.manifest("a", "x").await;
    manifest["layers"][0]["digest"] = json!(layer);
    let bytes = manifest.to_string();
    let own = digest(bytes.as_bytes());
    let path = format!("/v2/a/manifests/{own}?tag=one&tag=two");
    let answer = registry.call("PUT", &path, &[("content-type", MANIFEST)], bytes.clone()).await;
    assert_eq!(answer.header("docker-content-digest"), own);
    let tags: Vec<_> = answer.headers.get_all("oci-tag").iter().collect();
    assert_eq!(tags, ["one", "two"]);
    for reference in ["one", "two", &own] {
        let answer = registry.get(&format!("/v2/a/manifests/{reference}")).await;
        assert_eq!(
            (answer.header("docker-content-digest"), &answer.body[..]),
            (own.as_str(), bytes.as_bytes())
        );
    }
    assert_eq!(registry.get(&format!("/v2/a/blobs/{layer}")).await.body, "layer");
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_are_kept_byte_for_byte_and_need_what_they_name() {
    let registry = Registry::start().await;
    let manifest = registry.manifest("a", "x").await;
    // Odd room and members, and a type of somebody's own.
    let own = "application/vnd.example.thing+json";
    let odd = format!("\n {{ \"odd\" :1, \"layers\" : {} , \"layers2\":[]}}\n", manifest["layers"]);
    let put = |path: &'static str, kind: &'static str, body: String| {
        let registry = &registry;
        async move { registry.call("PUT", path, &[("content-type", kind)], body).await }
    };
    assert_eq!(put("/v2/a/manifests/odd", own, odd.clone()).await.status, 201);
    let answer = registry.get("/v2/a/manifests/odd").await;
    assert_eq!((answer.header("content-type"), &answer.body[..]), (own, odd.as_bytes()));
    let missing = put("/v2/b/manifests/1", MANIFEST, manifest.to_string()).await;
    assert_eq!((missing.status.as_u16(), missing.code().as_str()), (404, "MANIFEST_BLOB_UNKNOWN"));
    let other = put("/v2/a/manifests/1", INDEX, manifest.to_string()).await;
    assert_eq!(other.code(), "MANIFEST_INVALID");
    for broken in [
        "",
        "[]",
        "{",
        "{\"layers\":[{\"digest\":\"../x\"}]}",
        "{\"schemaVersion\":1,\"fsLayers\":[{}]}",
    ] {
        let answer = put("/v2/a/manifests/1", MANIFEST, broken.to_string()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "MANIFEST_INVALID"),
            "{broken}"
        );
    }
    assert_eq!(
        put("/v2/a/manifests/.x", MANIFEST, manifest.to_string()).await.code(),
        "TAG_INVALID"
    );
    let mut large = manifest.clone();
    large["annotations"] = json!({ "text": "x".repeat((4 << 20) - 1000) });
    assert_eq!(put("/v2/a/manifests/large", MANIFEST, large.to_string()).await.status, 201);
    large["annotations"] = json!({ "text": "x".repeat(4 << 20) });
    assert_eq!(put("/v2/a/manifests/larger", MANIFEST, large.to_string()).await.status, 413);
    // Foreign layers need not be here.
    let mut foreign = manifest.clone();
    foreign["layers"][0]["digest"] = json!(Digest::of(b"elsewhere"));
    foreign["layers"][0]["urls"] = json!(["https://example.com/layer"]);
    assert_eq!(put("/v2/a/manifests/foreign", MANIFEST, foreign.to_string()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_may_hold_lists() {
    let registry = Registry::start().await;
    let one = registry.push_manifest("a", "one", json!({})).await;
    let list = |kind: &str, digest: &Digest| {
        json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
            { "mediaType": kind, "digest": digest, "size": 1 }
        ] })
        .to_string()
    };
    let inner = list(MANIFEST, &one);
    let outer = list(INDEX, &Digest::of(inner.as_bytes()));
    let put = |tag: &'static str, body: String| {
        let (registry, path) = (&registry, format!("/v2/a/manifests/{tag}"));
        async move { registry.call("PUT", &path, &[("content-type", INDEX)], body).await }
    };
    assert_eq!(put("outer", outer.clone()).await.code(), "MANIFEST_BLOB_UNKNOWN");
    assert_eq!(put("inner", inner).await.status, 201);
    assert_eq!(put("outer", outer.clone()).await.status, 201);
    assert_eq!(registry.get("/v2/a/manifests/outer").await.body, outer);
}
