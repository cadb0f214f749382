//! Lists.

use longshore_image::Digest;
use serde_json::{Value, json};

use crate::client::{INDEX, Registry};

fn names(list: &Value, key: &str) -> Vec<String> {
    let names = list[key].as_array().expect("a list").iter();
    names.map(|name| name.as_str().expect("a name").to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_are_listed_in_pages() {
    let registry = Registry::start().await;
    for tag in ["b", "a", "B", "1.0", "_x"] {
        registry.push_manifest("a", tag, json!({})).await;
    }
    let all = ["1.0", "B", "_x", "a", "b"];
    let list = registry.get("/v2/a/tags/list").await;
    assert_eq!(names(&list.json(), "tags"), all);
    assert_eq!(list.json()["name"], "a");
    assert!(!list.headers.contains_key("link"));
    let (mut path, mut found) = ("/v2/a/tags/list?n=2".to_string(), Vec::new());
    loop {
        let page = registry.get(&path).await;
        let names = names(&page.json(), "tags");
        assert!(names.len() <= 2);
        found.extend(names);
        let Some(link) = page.headers.get("link") else { break };
        let link = link.to_str().expect("text");
        path = link.split(['<', '>']).nth(1).expect("a path").to_string();
    }
    assert_eq!(found, all);
    assert_eq!(names(&registry.get("/v2/a/tags/list?last=_x").await.json(), "tags"), ["a", "b"]);
    assert!(names(&registry.get("/v2/a/tags/list?n=0").await.json(), "tags").is_empty());
    assert_eq!(registry.get("/v2/a/tags/list?n=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_are_listed() {
    let registry = Registry::start().await;
    for name in ["b", "a/x", "a"] {
        registry.push_manifest(name, "1", json!({})).await;
    }
    let list = registry.get("/v2/_catalog").await.json();
    assert_eq!(names(&list, "repositories"), ["a", "a/x", "b"]);
    let page = registry.get("/v2/_catalog?n=1&last=a").await;
    assert_eq!(names(&page.json(), "repositories"), ["a/x"]);
    assert!(page.header("link").contains("last=a%2Fx"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_speaks_of_a_manifest_is_listed_by_kind() {
    let registry = Registry::start().await;
    let subject = Digest::of(b"not pushed yet");
    let nothing = registry.get(&format!("/v2/a/referrers/{subject}")).await;
    assert_eq!((nothing.status.as_u16(), nothing.header("content-type")), (200, INDEX));
    assert_eq!(nothing.json()["manifests"], json!([]));
    let about = json!({ "mediaType": "x", "digest": subject, "size": 14 });
    let mut pushed = Vec::new();
    for (tag, kind) in [("one", "application/vnd.one"), ("two", "application/vnd.two")] {
        let more = json!({ "artifactType": kind, "subject": about, "annotations": { "k": tag } });
        let mut manifest = registry.manifest("a", tag).await;
        for (key, value) in more.as_object().expect("members") {
            manifest[key] = value.clone();
        }
        let bytes = manifest.to_string();
        let digest = Digest::of(bytes.as_bytes());
        let path = format!("/v2/a/manifests/{digest}");
        let kind = manifest["mediaType"].as_str().expect("a type");
        let answer = registry.call("PUT", &path, &[("content-type", kind)], bytes).await;
        assert_eq!(answer.header("oci-subject"), subject.as_str());
        pushed.push(digest.to_string());
    }
    pushed.sort();
    let list = registry.get(&format!("/v2/a/referrers/{subject}")).await.json();
    let listed = list["manifests"].as_array().expect("a list");
    let digests: Vec<&str> = listed.iter().filter_map(|one| one["digest"].as_str()).collect();
    assert_eq!(digests, pushed);
    let path = format!("/v2/a/referrers/{subject}?artifactType=application%2Fvnd.two");
    let two = registry.get(&path).await;
    assert_eq!(two.header("oci-filters-applied"), "artifactType");
    assert_eq!(two.json()["manifests"][0]["annotations"]["k"], "two");
    assert_eq!(two.json()["manifests"].as_array().expect("a list").len(), 1);
    let gone = two.json()["manifests"][0]["digest"].as_str().expect("a digest").to_string();
    let answer = registry.call("DELETE", &format!("/v2/a/manifests/{gone}"), &[], "").await;
    assert_eq!(answer.status, 202);
    assert_eq!(registry.get(&path).await.json()["manifests"], json!([]));
}
