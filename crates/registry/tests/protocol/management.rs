//! Deleting.

use serde_json::json;

use crate::client::Registry;

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_goes_alone_and_a_manifest_with_its_tags() {
    let registry = Registry::start().await;
    let digest = registry.push_manifest("a", "one", json!({})).await;
    let manifest = registry.get("/v2/a/manifests/one").await;
    let kind = [("content-type", manifest.header("content-type"))];
    for tag in ["two", "three"] {
        let path = format!("/v2/a/manifests/{tag}");
        registry.call("PUT", &path, &kind, manifest.body.clone()).await;
    }
    let delete = |reference: String| {
        let registry = &registry;
        async move { registry.call("DELETE", &format!("/v2/a/manifests/{reference}"), &[], "").await }
    };
    assert_eq!(delete("one".to_string()).await.status, 202);
    assert_eq!(delete("one".to_string()).await.code(), "MANIFEST_UNKNOWN");
    assert_eq!(registry.get(&format!("/v2/a/manifests/{digest}")).await.status, 200);
    assert_eq!(registry.get("/v2/a/tags/list").await.json()["tags"], json!(["three", "two"]));
    assert_eq!(delete(digest.to_string()).await.status, 202);
    assert_eq!(registry.get("/v2/a/tags/list").await.json()["tags"], json!([]));
    for reference in ["two", digest.as_str()] {
        assert_eq!(registry.get(&format!("/v2/a/manifests/{reference}")).await.status, 404);
    }
    assert_eq!(delete(digest.to_string()).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_goes_from_one_repository_only() {
    let registry = Registry::start().await;
    let digest = registry.push("a", b"blob").await;
    registry.push("b", b"blob").await;
    let path = format!("/v2/a/blobs/{digest}");
    assert_eq!(registry.call("DELETE", &path, &[], "").await.status, 202);
    assert_eq!(registry.call("DELETE", &path, &[], "").await.code(), "BLOB_UNKNOWN");
    assert_eq!(registry.get(&path).await.status, 404);
    assert_eq!(registry.get(&format!("/v2/b/blobs/{digest}")).await.body, "blob");
}
