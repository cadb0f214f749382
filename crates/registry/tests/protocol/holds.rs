//! Images that are held.

use std::time::{Duration, SystemTime};

use longshore_image::Digest;
use longshore_registry::{Fate, Fault, Hold, Order, Repository, collect};
use serde_json::json;

use crate::client::{INDEX, MANIFEST, Registry};

const NOW: Order = Order { grace: Duration::ZERO, untagged: true, only_told: false };

fn at(name: &str) -> Repository {
    name.parse().expect("a name")
}

async fn deleted(registry: &Registry, what: &str) -> (u16, String) {
    let answer = registry.call("DELETE", &format!("/v2/a/{what}"), &[], "").await;
    (answer.status.as_u16(), String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_stays_with_all_that_it_needs_and_all_that_speaks_of_it() {
    let registry = Registry::start().await;
    let inner = registry.push_manifest("a", "inner", json!({})).await;
    let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
        { "mediaType": MANIFEST, "digest": inner, "size": 1 }
    ] })
    .to_string();
    let kind = [("content-type", INDEX)];
    let root = Digest::of(list.as_bytes());
    assert_eq!(registry.call("PUT", "/v2/a/manifests/v1", &kind, list).await.status, 201);
    let subject = json!({ "mediaType": INDEX, "digest": root, "size": 1 });
    let about = registry.push_manifest("a", "about", json!({ "subject": subject })).await;
    let signature = format!("sha256-{}.sig", root.hex());
    registry.push_manifest("a", &signature, json!({})).await;
    let hold = Hold::new("the audit of May", None);
    assert_eq!(registry.store().hold(&at("a"), "v1", &hold).expect("held"), root);
    let layer = Digest::of(b"inner");
    for what in [
        "manifests/v1".to_string(),
        format!("manifests/{root}"),
        format!("manifests/{inner}"),
        format!("manifests/{about}"),
        format!("manifests/{signature}"),
        format!("blobs/{layer}"),
    ] {
        let (status, body) = deleted(&registry, &what).await;
        assert!(status == 403 && body.contains("DENIED"), "{what}: {body}");
        assert!(body.contains("held: the audit of May"), "{what}: {body}");
    }
    // Names of what it needs may go, and the tag may name another image; it itself stays.
    assert_eq!(deleted(&registry, "manifests/inner").await.0, 202);
    assert_eq!(deleted(&registry, "manifests/about").await.0, 202);
    registry.push_manifest("a", "v1", json!({})).await;
    let collected = collect(&registry.store(), NOW).expect("collected");
    let held = collected.items.values().filter(|item| item.fate == Fate::Held);
    assert!(held.clone().all(|item| item.why == "held: the audit of May"), "{collected:?}");
    assert_eq!(held.count(), 3, "{collected:?}");
    for what in
        [format!("manifests/{root}"), format!("manifests/{about}"), format!("blobs/{layer}")]
    {
        assert_eq!(registry.get(&format!("/v2/a/{what}")).await.status, 200, "{what}");
    }
    // Let go, it goes.
    let released = registry.store().release(&at("a"), root.as_str()).expect("released");
    assert_eq!(released, (root.clone(), true));
    assert!(!registry.store().release(&at("a"), root.as_str()).expect("an answer").1);
    let collected = collect(&registry.store(), NOW).expect("collected");
    assert!(collected.items.values().all(|item| item.fate == Fate::Swept), "{collected:?}");
    assert_eq!(registry.get(&format!("/v2/a/manifests/{root}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn holds_end_at_their_time_and_are_kept_by_hand_readable() {
    let registry = Registry::start().await;
    let digest = registry.push_manifest("a", "v1", json!({})).await;
    let day = Duration::from_secs(24 * 3600);
    let hold = Hold::new("until tomorrow", Some(SystemTime::now() + day));
    registry.store().hold(&at("a"), digest.as_str(), &hold).expect("held");
    assert!(deleted(&registry, "manifests/v1").await.1.contains("held until 20"));
    let holds = registry.store().holds().expect("holds");
    assert_eq!((holds.len(), &holds[0].digest, holds[0].hold.is_over()), (1, &digest, false));
    let file = registry.root().join("repositories/a/_holds/sha256").join(digest.hex());
    let text = std::fs::read_to_string(&file).expect("a file");
    assert!(text.starts_with("{\"reason\":\"until tomorrow\",\"since\":\"20"), "{text}");
    // It is held anew with a time that is over.
    let hold = Hold::new("until yesterday", Some(SystemTime::now() - day));
    registry.store().hold(&at("a"), "v1", &hold).expect("held");
    assert!(registry.store().holds().expect("holds")[0].hold.is_over());
    assert_eq!(deleted(&registry, "manifests/v1").await.0, 202);
    // One that is damaged lets nothing go.
    std::fs::write(&file, "{").expect("a file");
    assert!(collect(&registry.store(), NOW).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_there_and_whole_can_be_held() {
    let registry = Registry::start().await;
    let hold = Hold::new("x", None);
    let digest = registry.push_manifest("a", "v1", json!({})).await;
    for (name, reference, is_expected) in [
        ("none", "v1", (|fault| matches!(fault, Fault::NameUnknown)) as fn(&Fault) -> bool),
        ("a", "v2", |fault| matches!(fault, Fault::ManifestUnknown(_))),
        ("a", ".x", |fault| matches!(fault, Fault::TagInvalid)),
        ("a", "sha256:12", |fault| matches!(fault, Fault::DigestInvalid(_))),
    ] {
        let fault = registry.store().hold(&at(name), reference, &hold).expect_err(reference);
        assert!(is_expected(&fault), "{name} {reference}: {fault:?}");
    }
    assert!(!registry.root().join("repositories/none").exists());
    let layer = registry.root().join("blobs/sha256").join(Digest::of(b"v1").hex());
    std::fs::remove_file(layer).expect("removed");
    let fault =
        registry.store().hold(&at("a"), digest.as_str(), &hold).expect_err("a part is gone");
    assert!(matches!(fault, Fault::ManifestBlobUnknown(_)), "{fault:?}");
    assert!(registry.store().holds().expect("holds").is_empty());
}
