//! The collection of garbage, beside requests.

use std::time::{Duration, SystemTime};

use longshore_image::Digest;
use longshore_registry::{Collected, Fate, Order, Store, collect};
use serde_json::json;

use crate::client::{MANIFEST, Registry};

const HOUR: Duration = Duration::from_secs(3600);

fn collected(registry: &Registry, grace: Duration) -> Collected {
    let store = Store::open(&registry.root()).expect("a registry");
    collect(&store, order(grace)).expect("collected")
}

fn order(grace: Duration) -> Order {
    Order { grace, untagged: false, only_told: false }
}

fn of(collected: &Collected, fate: Fate) -> usize {
    collected.items.values().filter(|item| item.fate == fate).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_manifest_needs_goes_after_a_while_and_the_rest_stays() {
    let registry = Registry::start().await;
    let (one, two) = (
        registry.push_manifest("a", "one", json!({})).await,
        registry.push_manifest("b/c", "two", json!({})).await,
    );
    let loose = registry.push("a", b"loose").await;
    let upload = registry.begin("a").await;
    registry.call("PATCH", &upload, &[], "half").await;
    let first = collected(&registry, HOUR);
    // The link, the blob, the upload.
    assert_eq!((of(&first, Fate::Waits), first.freed), (3, 0), "{first:?}");
    assert_eq!(registry.get(&upload).await.status, 204);
    // Somebody rests on the blob: it begins to wait anew.
    let path = format!("/v2/a/blobs/{loose}");
    assert_eq!(registry.call("HEAD", &path, &[], "").await.status, 200);
    std::thread::sleep(Duration::from_millis(300));
    let second = collected(&registry, Duration::from_millis(200));
    assert_eq!((of(&second, Fate::Waits), of(&second, Fate::Swept)), (2, 1), "{second:?}");
    assert_eq!(registry.get(&upload).await.status, 404);
    std::thread::sleep(Duration::from_millis(300));
    let third = collected(&registry, Duration::from_millis(200));
    assert_eq!((of(&third, Fate::Swept), third.freed), (2, 5), "{third:?}");
    assert_eq!(registry.get(&path).await.status, 404);
    // A manifest that is deleted needs nothing any more; the configuration is shared with the other.
    registry.call("DELETE", &format!("/v2/a/manifests/{one}"), &[], "").await;
    let fourth = collected(&registry, Duration::ZERO);
    // Its own bytes, its layer and the link to it, and the link to the configuration.
    assert_eq!(of(&fourth, Fate::Swept), 4, "{fourth:?}");
    assert_eq!(registry.get(&format!("/v2/b/c/manifests/{two}")).await.status, 200);
    for digest in [Digest::of(b"{}"), Digest::of(b"two")] {
        assert_eq!(registry.get(&format!("/v2/b/c/blobs/{digest}")).await.status, 200);
    }
    assert!(collected(&registry, Duration::ZERO).items.is_empty());
    // What a killed process left half-written goes too.
    std::fs::write(registry.root().join("repositories/b/c/_tags/.1-1"), "sha").expect("a file");
    assert_eq!(of(&collected(&registry, HOUR), Fate::Waits), 1);
    assert_eq!(of(&collected(&registry, Duration::ZERO), Fate::Swept), 1);
    // Nor does a repository that never had a manifest keep links.
    let path = format!("/v2/d/blobs/{}", registry.push("d", b"alone").await);
    assert_eq!(of(&collected(&registry, Duration::ZERO), Fate::Swept), 2);
    assert_eq!(registry.get(&path).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_that_no_tag_leads_to_go_when_it_is_asked_for() {
    let registry = Registry::start().await;
    let old = registry.push_manifest("a", "one", json!({})).await;
    let subject = json!({ "mediaType": MANIFEST, "digest": old, "size": 1 });
    let by_tag = registry.push_manifest("a", "about", json!({ "subject": subject })).await;
    registry.call("DELETE", "/v2/a/manifests/about", &[], "").await;
    let more = json!({ "annotations": { "k": "new" } });
    let list = |digest: &Digest| json!({ "schemaVersion": 2, "manifests": [{ "mediaType": MANIFEST, "digest": digest, "size": 1 }] });
    let inner = registry.push_manifest("a", "inner", more).await;
    let kind = [("content-type", "application/vnd.oci.image.index.v1+json")];
    registry.call("PUT", "/v2/a/manifests/list", &kind, list(&inner).to_string()).await;
    registry.call("DELETE", "/v2/a/manifests/inner", &[], "").await;
    let store = Store::open(&registry.root()).expect("a registry");
    let untagged = Order { untagged: true, ..order(Duration::ZERO) };
    let there = |digest: &Digest| {
        let (registry, path) = (&registry, format!("/v2/a/manifests/{digest}"));
        async move { registry.get(&path).await.status == 200 }
    };
    // All have a tag, or are led to from one.
    assert_eq!(of(&collect(&store, untagged).expect("collected"), Fate::Swept), 0);
    registry.call("DELETE", "/v2/a/manifests/one", &[], "").await;
    assert_eq!(of(&collect(&store, order(Duration::ZERO)).expect("collected"), Fate::Swept), 0);
    assert_eq!(of(&collect(&store, untagged).expect("collected"), Fate::Swept), 2);
    assert!(!there(&old).await && !there(&by_tag).await && there(&inner).await);
    let speaking = registry.get(&format!("/v2/a/referrers/{old}")).await.json();
    assert_eq!(speaking["manifests"], json!([]));
    // Both manifests, their layers and the links to these.
    assert_eq!(of(&collect(&store, untagged).expect("collected"), Fate::Swept), 6);
    assert_eq!(registry.get("/v2/a/manifests/list").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_changes_nothing() {
    let registry = Registry::start().await;
    let loose = registry.push("a", b"loose").await;
    registry.push_manifest("a", "one", json!({})).await;
    let store = Store::open(&registry.root()).expect("a registry");
    let told = collect(&store, Order { only_told: true, ..order(Duration::ZERO) }).expect("told");
    assert_eq!((of(&told, Fate::Swept), told.freed), (2, 5));
    assert_eq!(registry.get(&format!("/v2/a/blobs/{loose}")).await.status, 200);
    assert!(!registry.root().join("collection.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_cannot_be_read_ends_it() {
    let registry = Registry::start().await;
    let manifest = registry.push_manifest("a", "one", json!({})).await;
    let loose = registry.push("a", b"loose").await;
    let file = registry.root().join("blobs/sha256").join(manifest.hex());
    let bytes = std::fs::read(&file).expect("a manifest");
    for damaged in [Some(&bytes[1..]), None] {
        match damaged {
            Some(bytes) => std::fs::write(&file, bytes).expect("written"),
            None => std::fs::remove_file(&file).expect("removed"),
        }
        let store = Store::open(&registry.root()).expect("a registry");
        let error =
            collect(&store, order(Duration::ZERO)).expect_err("it is not known what it needs");
        assert!(format!("{error:?}").contains(manifest.as_str()), "{error:?}");
        assert_eq!(registry.get(&format!("/v2/a/blobs/{loose}")).await.status, 200);
    }
}

/// Clocks that were wrong when a file was written, or are wrong now.
#[tokio::test(flavor = "multi_thread")]
async fn times_of_files_and_clocks_that_jump_mean_nothing() {
    let registry = Registry::start().await;
    let needed = registry.push_manifest("a", "one", json!({})).await;
    let loose = registry.push("a", b"loose").await;
    let set = |digest: &Digest, years: u32| {
        let time = SystemTime::UNIX_EPOCH + HOUR * 24 * 365 * years;
        for folder in ["blobs", "repositories/a/_blobs"] {
            let path = registry.root().join(folder).join("sha256").join(digest.hex());
            if let Ok(file) = std::fs::File::options().append(true).open(path) {
                file.set_modified(time).expect("a time");
            }
        }
    };
    for years in [0, 1, 130] {
        set(&loose, years);
        set(&needed, years);
        let found = collected(&registry, HOUR);
        assert_eq!((of(&found, Fate::Waits), of(&found, Fate::Swept)), (2, 0), "{years} years");
    }
    // Who asks for it makes it wait anew, though its time was in the future.
    assert_eq!(registry.call("HEAD", &format!("/v2/a/blobs/{loose}"), &[], "").await.status, 200);
    assert_eq!(of(&collected(&registry, HOUR), Fate::Waits), 2);
    // What was marked before the machine was started again, by a clock that was years ahead.
    let marks = registry.root().join("collection.json");
    let text = std::fs::read_to_string(&marks).expect("marks");
    let mut changed: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for mark in changed.as_object_mut().expect("marks").values_mut() {
        mark["since"]["boot"] = json!("another");
        mark["since"]["wall"] = json!(9_000_000_000_u64);
    }
    std::fs::write(&marks, changed.to_string()).expect("marks");
    let (short, found) = (Duration::from_millis(100), collected(&registry, HOUR));
    assert_eq!(of(&found, Fate::Waits), 2);
    std::thread::sleep(2 * short);
    assert_eq!(of(&collected(&registry, short), Fate::Swept), 2);
    assert_eq!(registry.get(&format!("/v2/a/manifests/{needed}")).await.status, 200);
}

/// Many push, delete and collect at once: whatever has a manifest has all that it needs.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_manifest_loses_a_blob_to_a_collection() {
    let registry = std::sync::Arc::new(Registry::start().await);
    let deadline = std::time::Instant::now() + Duration::from_secs(4);
    let collecting = {
        let root = registry.root();
        tokio::task::spawn_blocking(move || {
            let store = Store::open(&root).expect("a registry");
            let mut swept = 0;
            while std::time::Instant::now() < deadline {
                // So short that only the rules of touching stand between a push and the broom.
                let found = collect(&store, order(Duration::from_millis(40))).expect("collected");
                swept += of(&found, Fate::Swept);
            }
            swept
        })
    };
    let pushing = (0..4).map(|worker| {
        let registry = registry.clone();
        tokio::spawn(async move {
            let (mut number, mut kept) = (0, 0);
            while std::time::Instant::now() < deadline {
                number += 1;
                // Blobs that come again and again, so that old ones are rested on.
                let word = format!("layer {}", (worker + number) % 5);
                let name = format!("r{}", number % 3);
                let manifest = registry.manifest(&name, &word).await.to_string();
                let path = format!("/v2/{name}/manifests/w{worker}");
                let kind = [("content-type", MANIFEST)];
                let answer = registry.call("PUT", &path, &kind, manifest.clone()).await;
                // A blob may be swept before the manifest names it, and the client is told.
                if answer.status == 404 {
                    assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN");
                    continue;
                }
                assert_eq!(answer.status, 201, "{answer:?}");
                kept += 1;
                let digest = Digest::of(word.as_bytes());
                let blob = registry.get(&format!("/v2/{name}/blobs/{digest}")).await;
                // Another worker may have deleted the same manifest meanwhile.
                let there = registry
                    .get(&format!("/v2/{name}/manifests/{}", Digest::of(manifest.as_bytes())))
                    .await;
                assert!(blob.status == 200 || there.status == 404, "{word} of {name}: {blob:?}");
                if number % 4 == 0 {
                    let path = format!("/v2/{name}/manifests/{}", Digest::of(manifest.as_bytes()));
                    registry.call("DELETE", &path, &[], "").await;
                }
            }
            kept
        })
    });
    let mut kept = 0;
    for pushing in pushing.collect::<Vec<_>>() {
        kept += pushing.await.expect("a worker");
    }
    let swept = collecting.await.expect("a collector");
    assert!(kept > 20 && swept > 5, "{kept} kept, {swept} swept");
    for name in ["r0", "r1", "r2"] {
        let tags = registry.get(&format!("/v2/{name}/tags/list")).await;
        if tags.status == 404 {
            continue;
        }
        for tag in tags.json()["tags"].as_array().expect("tags") {
            let tag = tag.as_str().expect("a tag");
            let manifest = registry.get(&format!("/v2/{name}/manifests/{tag}")).await.json();
            for part in [&manifest["config"], &manifest["layers"][0]] {
                let digest = part["digest"].as_str().expect("a digest");
                let blob = registry.get(&format!("/v2/{name}/blobs/{digest}")).await;
                assert_eq!(blob.status, 200, "{digest} of {name}:{tag}");
            }
        }
    }
}
