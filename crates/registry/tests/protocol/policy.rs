//! Tags that never move, and how much repositories hold.

use std::sync::Arc;

use longshore_image::Digest;
use longshore_registry::{Order, Store, collect};
use serde_json::json;

use crate::client::{Answer, INDEX, MANIFEST, Registry};

const IMMUTABLE: &str = "policies:\n- repositories: [team/*]\n  immutable: ['v*']\n";

fn quota(bytes: u64) -> String {
    format!("policies:\n- repositories: ['q*']\n  quota: {bytes}\n")
}

async fn put(registry: &Registry, name: &str, reference: &str, body: String) -> Answer {
    let path = format!("/v2/{name}/manifests/{reference}");
    registry.call("PUT", &path, &[("content-type", MANIFEST)], body).await
}

fn denied(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, "DENIED"), "{answer:?}");
    let message = answer.json()["errors"][0]["message"].as_str().expect("a message").to_string();
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_immutable_tag_never_names_another_image() {
    let registry = Registry::with_policy(IMMUTABLE).await;
    let one = registry.manifest("team/shop", "one").await.to_string();
    let two = registry.manifest("team/shop", "two").await.to_string();
    let (first, second) = (Digest::of(one.as_bytes()), Digest::of(two.as_bytes()));
    assert_eq!(put(&registry, "team/shop", "v1", one.clone()).await.status, 201);
    assert_eq!(put(&registry, "team/shop", "v1", one.clone()).await.status, 201, "the same again");
    let words = ["v1", first.as_str(), second.as_str(), "team/*", "another tag"];
    denied(&put(&registry, "team/shop", "v1", two.clone()).await, 403, &words);
    // Nor by the parameter, and then no tag of the request is written.
    let by_parameter = format!("{second}?tag=latest&tag=v1");
    denied(&put(&registry, "team/shop", &by_parameter, two.clone()).await, 403, &["v1"]);
    assert_eq!(registry.get("/v2/team/shop/manifests/latest").await.status, 404);
    assert_eq!(registry.get(&format!("/v2/team/shop/manifests/{second}")).await.status, 404);
    let there = registry.get("/v2/team/shop/manifests/v1").await;
    assert_eq!(there.header("docker-content-digest"), first.as_str());
    // Other tags move.
    assert_eq!(put(&registry, "team/shop", "latest", one.clone()).await.status, 201);
    assert_eq!(put(&registry, "team/shop", "latest", two.clone()).await.status, 201);
    let delete = |what: String| {
        let (registry, path) = (&registry, format!("/v2/team/shop/{what}"));
        async move { registry.call("DELETE", &path, &[], "").await }
    };
    denied(&delete("manifests/v1".to_string()).await, 403, &["v1", "immutable"]);
    denied(&delete(format!("manifests/{first}")).await, 403, &["v1", "immutable"]);
    denied(&delete(format!("blobs/{}", Digest::of(b"one"))).await, 403, &["v1", "immutable"]);
    assert_eq!(delete("manifests/latest".to_string()).await.status, 202);
    assert_eq!(delete(format!("manifests/{second}")).await.status, 202);
    assert_eq!(delete(format!("blobs/{}", Digest::of(b"two"))).await.status, 202);
    assert_eq!(delete("manifests/v9".to_string()).await.status, 404);
    // The policy is for other repositories.
    registry.push_manifest("other", "v1", json!({})).await;
    registry.push_manifest("other", "v1", json!({ "annotations": { "k": "v" } })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_immutable_list_leads_to_stays_too() {
    let registry = Registry::with_policy(IMMUTABLE).await;
    let inner = registry.push_manifest("team/shop", "inner", json!({})).await;
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
        { "mediaType": MANIFEST, "digest": inner, "size": 1 }
    ] });
    let kind = [("content-type", INDEX)];
    let path = "/v2/team/shop/manifests/v1";
    assert_eq!(registry.call("PUT", path, &kind, list.to_string()).await.status, 201);
    for path in [format!("manifests/{inner}"), format!("blobs/{}", Digest::of(b"inner"))] {
        let path = format!("/v2/team/shop/{path}");
        denied(&registry.call("DELETE", &path, &[], "").await, 403, &["the tag v1 needs it"]);
    }
    // The tag of its own is a name only.
    let path = "/v2/team/shop/manifests/inner";
    assert_eq!(registry.call("DELETE", path, &[], "").await.status, 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_push_an_immutable_tag_one_wins() {
    let registry = Arc::new(Registry::with_policy(IMMUTABLE).await);
    let pushing = (0..8).map(|number| {
        let registry = registry.clone();
        tokio::spawn(async move {
            let body = registry.manifest("team/shop", &format!("layer {number}")).await.to_string();
            let digest = Digest::of(body.as_bytes());
            (put(&registry, "team/shop", "v1", body).await.status.as_u16(), digest)
        })
    });
    let mut won = Vec::new();
    for one in futures_util::future::join_all(pushing).await {
        match one.expect("it ends") {
            (201, digest) => won.push(digest),
            (status, _) => assert_eq!(status, 403),
        }
    }
    assert_eq!(won.len(), 1);
    let there = registry.get("/v2/team/shop/manifests/v1").await;
    assert_eq!(there.header("docker-content-digest"), won[0].as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_holds_no_more_than_its_quota() {
    let registry = Registry::with_policy(&quota(1000)).await;
    registry.push("q", &[1; 600]).await;
    registry.push("q", &[1; 600]).await; // It is there, and counts once.
    let upload = |bytes: Vec<u8>| {
        let registry = &registry;
        async move {
            let path = format!("/v2/q/blobs/uploads/?digest={}", Digest::of(&bytes));
            registry.call("POST", &path, &[], bytes).await
        }
    };
    denied(&upload(vec![2; 401]).await, 413, &["q may hold 1000B", "600 bytes", "401 more", "q*"]);
    assert_eq!(registry.get(&format!("/v2/q/blobs/{}", Digest::of(&[2; 401]))).await.status, 404);
    // In parts; the part that can never fit is refused at once, and nothing stays of it.
    let at = registry.begin("q").await;
    assert_eq!(registry.call("PATCH", &at, &[], vec![3; 900]).await.status, 202);
    denied(&registry.call("PATCH", &at, &[], vec![3; 200]).await, 413, &["one blob alone"]);
    assert_eq!(registry.get(&at).await.code(), "BLOB_UPLOAD_UNKNOWN");
    let at = registry.begin("q").await;
    registry.call("PATCH", &at, &[], vec![4; 500]).await;
    let end = format!("{at}?digest={}", Digest::of(&[4; 500]));
    denied(&registry.call("PUT", &end, &[], "").await, 413, &["500 more"]);
    assert_eq!(registry.get(&at).await.code(), "BLOB_UPLOAD_UNKNOWN");
    // Nor by a mount.
    let digest = registry.push("elsewhere", &[5; 500]).await;
    let path = format!("/v2/q/blobs/uploads/?mount={digest}&from=elsewhere");
    denied(&registry.call("POST", &path, &[], "").await, 413, &["500 more"]);
    // What is exactly as large as the room is taken, and then no manifest.
    assert_eq!(upload(vec![6; 400]).await.status, 201);
    denied(
        &put(&registry, "q", "one", json!({ "config": null }).to_string()).await,
        413,
        &["more"],
    );
    // What is deleted makes room when it is collected.
    let path = format!("/v2/q/blobs/{}", Digest::of(&[6; 400]));
    assert_eq!(registry.call("DELETE", &path, &[], "").await.status, 202);
    assert_eq!(put(&registry, "q", "one", json!({ "config": null }).to_string()).await.status, 201);
    registry.push("unlimited", &[7; 5000]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_push_at_once_do_not_get_over_it() {
    let registry = Arc::new(Registry::with_policy(&quota(10_000)).await);
    let other = Arc::new(Store::open(&registry.root()).expect("a registry"));
    let pushing = (0..30_u8).map(|number| {
        let (registry, other) = (registry.clone(), other.clone());
        tokio::spawn(async move {
            // Every second blob is pushed by two, of which one is another process.
            let bytes = vec![number / 2; 1000];
            let digest = Digest::of(&bytes);
            if number % 2 == 1 {
                let (repository, wanted) = ("q".parse().expect("a name"), digest.clone());
                let taken = tokio::task::spawn_blocking(move || {
                    let id = other.begin(&repository).expect("begun");
                    let mut upload = other.resume(&repository, &id).expect("an upload");
                    upload.write(&bytes).expect("written");
                    other.finish(&repository, upload, &wanted).is_ok()
                });
                return taken.await.expect("it ends").then_some(digest);
            }
            let path = format!("/v2/q/blobs/uploads/?digest={digest}");
            let answer = registry.call("POST", &path, &[], bytes).await;
            match answer.status.as_u16() {
                201 => Some(digest),
                _ => {
                    denied(&answer, 413, &["1000 more"]);
                    None
                }
            }
        })
    });
    let mut taken = std::collections::HashSet::new();
    for one in futures_util::future::join_all(pushing).await {
        taken.extend(one.expect("it ends"));
    }
    assert_eq!(taken.len(), 10, "as many as fit");
    let links = registry.root().join("repositories/q/_blobs/sha256");
    assert_eq!(std::fs::read_dir(links).expect("links").count(), 10);
    for digest in taken {
        assert_eq!(registry.get(&format!("/v2/q/blobs/{digest}")).await.status, 200);
    }
    // What was refused has left nothing that a collection must wait for but its bytes.
    let order = Order { grace: std::time::Duration::ZERO, untagged: false, only_told: true };
    let uploads = collect(&other, order).expect("told").items;
    assert!(uploads.keys().all(|path| !path.starts_with("uploads/")), "{uploads:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_is_wrong_keeps_a_registry_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, "policies:\n- repositories: [a]\n  quotas: 1GiB\n").expect("a policy");
    let error = Store::open(folder.path()).expect_err("the key is wrong");
    let told = format!("{error} {:?} {}", error.chain(), error.advice());
    for word in ["policy.yaml", "line 3", "quotas", "`quota`"] {
        assert!(told.contains(word), "{word}: {told}");
    }
    std::fs::write(&policy, "policies: []\n").expect("a policy");
    Store::open(folder.path()).expect("a registry");
}
