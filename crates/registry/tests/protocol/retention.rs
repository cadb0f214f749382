//! Which tags stay by the rules of the policy.

use std::fs::{File, FileTimes};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use longshore_registry::{Hold, Judged, retain};
use serde_json::json;

use crate::client::Registry;

const POLICY: &str = "policies:\n\
    - repositories: [team/*]\n  immutable: ['stable']\n  retain:\n\
    \x20 - last: 2\n  - {name: releases, tags: ['v*']}\n  - younger-than: 2d\n";

/// Lets a tag be one that was pushed so many days ago.
fn age(registry: &Registry, tag: &str, days: u32) {
    let path = registry.root().join("repositories/team/shop/_tags").join(tag);
    let pushed = SystemTime::now() - Duration::from_secs(24 * 3600) * days;
    let file = File::options().append(true).open(path).expect("a tag");
    file.set_times(FileTimes::new().set_modified(pushed)).expect("set");
}

fn told(judged: &[Judged]) -> Vec<String> {
    let line = |one: &Judged| {
        format!("{} {}: {}", if one.kept { "kept" } else { "removed" }, one.tag, one.why)
    };
    judged.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tag_is_kept_or_removed_by_a_rule_that_is_named() {
    let registry = Registry::with_policy(POLICY).await;
    let mut digests = std::collections::HashMap::new();
    for (tag, days) in
        [("v1", 90), ("stable", 80), ("held", 70), ("old", 60), ("b", 20), ("c", 10), ("new", 1)]
    {
        digests.insert(tag, registry.push_manifest("team/shop", tag, json!({})).await);
        age(&registry, tag, days);
    }
    let signed = |tag: &str| format!("sha256-{}.sig", digests[tag].hex());
    for tag in ["old", "c"] {
        registry.push_manifest("team/shop", &signed(tag), json!({})).await;
    }
    registry.push_manifest("other", "old", json!({})).await;
    let store = registry.store();
    let repository = "team/shop".parse().expect("a name");
    store.hold(&repository, "held", &Hold::new("the audit", None)).expect("held");
    let expected = |word: &str| {
        let mut lines = vec![
            format!("{word} b: no rule keeps it"),
            "kept c: the rule last 2".to_string(),
            "kept held: held: the audit".to_string(),
            "kept new: the rule last 2".to_string(),
            format!("{word} old: no rule keeps it"),
            "kept stable: it is immutable by the policy for team/*".to_string(),
            "kept v1: the rule releases".to_string(),
        ];
        let signatures = [
            (
                signed("old"),
                format!("{word} {}: the image that it speaks of does not stay", signed("old")),
            ),
            (signed("c"), format!("kept {}: the image that it speaks of stays", signed("c"))),
        ];
        lines.extend(signatures.map(|(_, line)| line));
        lines.sort_by_key(|line| line.split([' ', ':']).nth(1).map(str::to_string));
        lines
    };
    assert_eq!(told(&retain(&store, true).expect("told")), expected("removed"));
    let tags = registry.get("/v2/team/shop/tags/list").await.json();
    assert_eq!(tags["tags"].as_array().expect("tags").len(), 9, "a dry run changes nothing");
    assert_eq!(told(&retain(&store, false).expect("done")), expected("removed"));
    let tags = registry.get("/v2/team/shop/tags/list").await.json();
    assert_eq!(tags["tags"].as_array().expect("tags").len(), 6, "{tags}");
    assert_eq!(registry.get("/v2/other/manifests/old").await.status, 200);
    // Only names went: the collection of garbage frees the rest.
    let path = format!("/v2/team/shop/manifests/{}", digests["old"]);
    assert_eq!(registry.get(&path).await.status, 200);
    assert!(retain(&store, false).expect("done").iter().all(|one| one.kept));
}

#[tokio::test(flavor = "multi_thread")]
async fn pushing_a_tag_again_makes_it_young() {
    let registry = Registry::with_policy(POLICY).await;
    for tag in ["a", "b", "c"] {
        registry.push_manifest("team/shop", tag, json!({})).await;
    }
    for (tag, days) in [("a", 9), ("b", 8), ("c", 7)] {
        age(&registry, tag, days);
    }
    registry.push_manifest("team/shop", "a", json!({})).await;
    let judged = retain(&registry.store(), false).expect("done");
    let gone: Vec<&str> =
        judged.iter().filter(|one| !one.kept).map(|one| one.tag.as_str()).collect();
    assert_eq!(gone, ["b"]);
}

/// While others push, a tag that was answered for is judged by what it is, never by half of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_that_is_pushed_meanwhile_is_lost() {
    let policy = "policies: [{repositories: ['*'], retain: [{tags: ['keep*']}]}]";
    let registry = Arc::new(Registry::with_policy(policy).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let judging = {
        let (store, is_over) = (registry.store(), is_over.clone());
        tokio::task::spawn_blocking(move || {
            let mut removed = 0;
            while !is_over.load(Ordering::Relaxed) {
                removed +=
                    retain(&store, false).expect("done").iter().filter(|one| !one.kept).count();
            }
            removed + retain(&store, false).expect("done").iter().filter(|one| !one.kept).count()
        })
    };
    let pushing = (0..4).map(|worker| {
        let registry = registry.clone();
        tokio::spawn(async move {
            for number in 0..20 {
                registry.push_manifest("a", &format!("keep-{worker}-{number}"), json!({})).await;
                registry.push_manifest("a", &format!("drop-{worker}-{number}"), json!({})).await;
            }
        })
    });
    for one in futures_util::future::join_all(pushing).await {
        one.expect("it ends");
    }
    is_over.store(true, Ordering::Relaxed);
    assert_eq!(judging.await.expect("it ends"), 80);
    let tags = registry.get("/v2/a/tags/list").await.json();
    let tags = tags["tags"].as_array().expect("tags");
    assert_eq!(tags.len(), 80);
    for tag in tags {
        let tag = tag.as_str().expect("a tag");
        assert!(tag.starts_with("keep-"), "{tag}");
        assert_eq!(registry.get(&format!("/v2/a/manifests/{tag}")).await.status, 200);
    }
}
