//! How much a registry holds.

use std::path::Path;

use longshore_registry::usage;
use serde_json::json;

use crate::client::Registry;

/// The length of all files below a folder, counted another way.
fn on_disk(folder: &Path) -> u64 {
    let out = std::process::Command::new("find")
        .arg(folder)
        .args(["-type", "f", "-printf", "%s\\n"])
        .output()
        .expect("find starts");
    let text = String::from_utf8(out.stdout).expect("numbers");
    text.lines().map(|line| line.parse::<u64>().expect("a number")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sums_are_what_the_disk_holds() {
    let registry = Registry::start().await;
    let shared = vec![1; 5000];
    for (name, tag) in [("a", "one"), ("a", "two"), ("b/c", "one")] {
        let layer = registry.push(name, &shared).await;
        let kind = "application/vnd.oci.image.layer.v1.tar";
        let layers = json!([{ "mediaType": kind, "digest": layer, "size": 5000 }]);
        let more = json!({ "layers": layers, "annotations": { "in": format!("{name} {tag}") } });
        registry.push_manifest(name, tag, more).await;
    }
    registry.push("a", &[2; 700]).await; // No manifest names it.
    registry.push_manifest("gone", "x", json!({})).await;
    std::fs::remove_dir_all(registry.root().join("repositories/gone")).expect("removed");
    let upload = registry.begin("a").await;
    registry.call("PATCH", &upload, &[], "half of it").await;
    let usage = usage(&registry.store()).expect("measured");
    assert_eq!(usage.total, on_disk(&registry.root()));
    let blobs = on_disk(&registry.root().join("blobs"));
    assert_eq!(usage.unique + usage.shared + usage.loose, blobs);
    assert_eq!(usage.uploads, on_disk(&registry.root().join("uploads")));
    let sum = usage.unique + usage.shared + usage.loose + usage.uploads + usage.books;
    assert_eq!(sum, usage.total);
    let (a, b) = (&usage.repositories["a"], &usage.repositories["b/c"]);
    assert_eq!((a.tags, a.manifests, b.tags, b.manifests), (2, 2, 1, 1));
    // The layer, the configuration, the words of the tags, and what no manifest names.
    assert_eq!((a.blobs, b.blobs), (5, 3));
    assert_eq!((a.shared, b.shared), (5000 + 2 + 3, 5000 + 2 + 3));
    assert_eq!((a.unique + a.shared, b.unique + b.shared), (a.bytes, b.bytes));
    // Each of the two images for itself has the layer and the configuration; the words stand in no manifest.
    assert_eq!(a.apart - a.bytes, 5000 + 2);
    assert_eq!(b.apart, b.bytes);
    assert_eq!(usage.apart, a.apart + b.apart);
    assert_eq!((a.missing, b.missing), (0, 0));
    std::fs::remove_file(
        registry.root().join("blobs/sha256").join(longshore_image::Digest::of(&shared).hex()),
    )
    .expect("removed");
    let usage = longshore_registry::usage(&registry.store()).expect("measured");
    assert_eq!(usage.repositories["a"].missing, 1);
    assert_eq!(usage.total, on_disk(&registry.root()));
}

#[test]
fn an_empty_registry_holds_its_marker() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = longshore_registry::Store::open(folder.path()).expect("a registry");
    let usage = usage(&store).expect("measured");
    assert_eq!((usage.total, usage.books), (13, 13));
    assert!(usage.repositories.is_empty());
}
