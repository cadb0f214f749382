//! Whether all is there, and what another registry mends.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_image::Digest;
use longshore_image::registry::{Client, Settings};
use longshore_registry::{Checked, Hold, Problem, Source, State, check, repair};
use serde_json::json;

use crate::client::{INDEX, MANIFEST, Registry};

const LAYER: &[u8] = b"a layer";

fn blob(registry: &Registry, digest: &Digest) -> PathBuf {
    registry.root().join("blobs/sha256").join(digest.hex())
}

fn link(registry: &Registry, kind: &str, digest: &Digest) -> PathBuf {
    registry.root().join("repositories/team/shop").join(kind).join("sha256").join(digest.hex())
}

/// Two registries with the same list of an image, something that speaks of the list, and an image without a tag.
struct Pair {
    ours: Registry,
    theirs: Registry,
    image: Digest,
    list: Digest,
    about: Digest,
    untagged: Digest,
}

impl Pair {
    async fn new() -> Self {
        let (ours, theirs) = (Registry::start().await, Registry::start().await);
        let mut digests = Vec::new();
        for (registry, prefix) in [(&ours, ""), (&theirs, "copies/")] {
            let name = format!("{prefix}team/shop");
            let layer = registry.push(&name, LAYER).await;
            let layers = json!([{
                "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": LAYER.len()
            }]);
            let image = registry.push_manifest(&name, "image", json!({ "layers": layers })).await;
            let list = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [
                { "mediaType": MANIFEST, "digest": image, "size": 1 }
            ] })
            .to_string();
            let list_digest = Digest::of(list.as_bytes());
            let path = format!("/v2/{name}/manifests/v1");
            let answer = registry.call("PUT", &path, &[("content-type", INDEX)], list).await;
            assert_eq!(answer.status, 201);
            registry.call("DELETE", &format!("/v2/{name}/manifests/image"), &[], "").await;
            let subject = json!({ "mediaType": INDEX, "digest": list_digest, "size": 1 });
            let about = registry.push_manifest(&name, "about", json!({ "subject": subject })).await;
            let more = json!({ "annotations": { "k": "untagged" } });
            let untagged = registry.push_manifest(&name, "gone", more).await;
            registry.call("DELETE", &format!("/v2/{name}/manifests/gone"), &[], "").await;
            digests = vec![image, list_digest, about, untagged];
        }
        let [image, list, about, untagged] = <[Digest; 4]>::try_from(digests).expect("four");
        Self { ours, theirs, image, list, about, untagged }
    }

    fn check(&self) -> Checked {
        check(&self.ours.store()).expect("checked")
    }

    async fn repair(&self, prefix: Option<&str>, only_told: bool) -> Checked {
        let client = Client::new(&self.theirs.host(), &Settings::default()).expect("a client");
        let source = Source { client, prefix: prefix.map(str::to_string) };
        repair(Arc::new(self.ours.store()), &source, only_told).await.expect("an answer")
    }
}

fn the_one(checked: &Checked) -> &Problem {
    assert_eq!(checked.problems.len(), 1, "{:#?}", checked.problems);
    &checked.problems[0]
}

fn at(registry: &Registry, path: &Path) -> String {
    path.strip_prefix(registry.root()).expect("in it").display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_whole_has_no_problem() {
    let pair = Pair::new().await;
    let checked = pair.check();
    assert!(checked.problems.is_empty(), "{checked:#?}");
    assert_eq!((checked.manifests, checked.tags), (4, 2));
    let files = fs::read_dir(pair.ours.root().join("blobs/sha256")).expect("blobs");
    let sizes: Vec<u64> =
        files.map(|one| one.expect("one").metadata().expect("it").len()).collect();
    assert_eq!((checked.blobs, checked.bytes), (sizes.len(), sizes.iter().sum()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_rotted_is_named_with_the_images_that_need_it_and_fetched_again() {
    let pair = Pair::new().await;
    let layer = Digest::of(LAYER);
    let path = blob(&pair.ours, &layer);
    for damaged in [Some(&b"a lager"[..]), Some(b"a lay"), Some(b""), None] {
        match damaged {
            Some(bytes) => fs::write(&path, bytes).expect("written"),
            None => fs::remove_file(&path).expect("removed"),
        }
        let checked = pair.check();
        let problem = the_one(&checked);
        assert_eq!(problem.path, at(&pair.ours, &path));
        let word = if damaged.is_some() { "not what their digest says" } else { "missing" };
        assert!(problem.what.contains(word), "{problem:?}");
        // The image itself has no tag: the list that leads to it has.
        assert_eq!(problem.needed_by, ["team/shop:v1"]);
        let told = pair.repair(Some("copies"), true).await;
        assert_eq!(the_one(&told).state, State::Mended);
        assert_eq!(pair.check().problems.len(), 1, "a dry run changes nothing");
        let mended = pair.repair(Some("copies"), false).await;
        let problem = the_one(&mended);
        assert_eq!(problem.state, State::Mended, "{problem:?}");
        let from = format!("from {}/copies/team/shop", pair.theirs.host());
        assert_eq!(problem.how.as_deref(), Some(from.as_str()));
        assert_eq!(fs::read(&path).expect("a layer"), LAYER);
        assert!(pair.check().problems.is_empty());
        assert!(!pair.ours.root().join(".mend").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_other_lacks_or_has_damaged_too_stays_damaged() {
    let pair = Pair::new().await;
    let layer = Digest::of(LAYER);
    let path = blob(&pair.ours, &layer);
    fs::write(&path, "a lager").expect("written");
    // It has the repository under another name.
    let not = pair.repair(None, false).await;
    assert_eq!(the_one(&not).state, State::Remains);
    assert!(the_one(&not).how.as_deref().expect("why").contains("lacks it"), "{not:?}");
    fs::write(blob(&pair.theirs, &layer), "a lager").expect("written");
    let not = pair.repair(Some("copies"), false).await;
    assert_eq!(the_one(&not).state, State::Remains);
    assert!(the_one(&not).how.as_deref().expect("why").contains("digest"), "{not:?}");
    assert_eq!(fs::read(&path).expect("a file"), b"a lager", "nothing unproved is put in place");
    // A registry that is not there.
    let client = Client::new(
        "127.0.0.1:1",
        &Settings { stop: longshore_image::registry::Stop::new(|| true), ..Settings::default() },
    );
    let source = Source { client: client.expect("a client"), prefix: None };
    let store = Arc::new(pair.ours.store());
    assert!(repair(store, &source, false).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_lost_comes_back_with_all_that_it_leads_to() {
    let pair = Pair::new().await;
    let layer = Digest::of(LAYER);
    // All of the image: the list, what it leads to, and what a repository knows of them.
    for digest in [&pair.list, &pair.image, &layer] {
        fs::remove_file(blob(&pair.ours, digest)).expect("removed");
    }
    fs::remove_file(link(&pair.ours, "_manifests", &pair.list)).expect("removed");
    fs::remove_file(link(&pair.ours, "_manifests", &pair.image)).expect("removed");
    fs::remove_file(link(&pair.ours, "_blobs", &layer)).expect("removed");
    let problem_of_tag = pair.check();
    let problem = the_one(&problem_of_tag);
    assert!(problem.path.ends_with("_tags/v1") && problem.what.contains("names a manifest"));
    let mended = pair.repair(Some("copies"), false).await;
    assert!(mended.problems.iter().all(|one| one.state == State::Mended), "{mended:#?}");
    assert!(mended.problems.len() >= 4, "{mended:#?}");
    assert!(pair.check().problems.is_empty());
    let name = "/v2/team/shop";
    assert_eq!(pair.ours.get(&format!("{name}/manifests/v1")).await.status, 200);
    assert_eq!(pair.ours.get(&format!("{name}/manifests/{}", pair.image)).await.status, 200);
    assert_eq!(pair.ours.get(&format!("{name}/blobs/{layer}")).await.body, LAYER);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_loss_is_found_and_mended() {
    let pair = Pair::new().await;
    let layer = Digest::of(LAYER);
    let store = pair.ours.store();
    let shop = "team/shop".parse().expect("a name");
    store.hold(&shop, pair.untagged.as_str(), &Hold::new("x", None)).expect("held");
    let root = pair.ours.root().join("repositories/team/shop");
    let listed = root
        .join("_referrers/sha256")
        .join(pair.list.hex())
        .join(format!("sha256-{}", pair.about.hex()));
    let remove = |path: PathBuf| fs::remove_file(path).expect("removed");
    let spoil = |path: PathBuf| fs::write(path, "{").expect("written");
    type Harm<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let harms: Vec<Harm> = vec![
        ("the link is missing", Box::new(|| remove(link(&pair.ours, "_blobs", &layer)))),
        (
            "the manifest is missing",
            Box::new(|| remove(link(&pair.ours, "_manifests", &pair.image))),
        ),
        ("type of the manifest", Box::new(|| spoil(link(&pair.ours, "_manifests", &pair.image)))),
        ("are missing", Box::new(|| remove(blob(&pair.ours, &pair.image)))),
        ("not what their digest", Box::new(|| spoil(blob(&pair.ours, &pair.about)))),
        ("tag is not understood", Box::new(|| spoil(root.join("_tags/v1")))),
        ("list of what speaks", Box::new(|| remove(listed.clone()))),
        ("not understood", Box::new(|| spoil(listed.clone()))),
        ("the hold is on", Box::new(|| remove(link(&pair.ours, "_manifests", &pair.untagged)))),
    ];
    for (what, harm) in harms {
        harm();
        let found = pair.check();
        assert!(found.problems.iter().any(|one| one.what.contains(what)), "{what}: {found:#?}");
        let mended = pair.repair(Some("copies"), false).await;
        let is_mended = |one: &Problem| one.state == State::Mended && one.how.is_some();
        assert!(mended.problems.iter().all(is_mended), "{what}: {mended:#?}");
        let left = pair.check().problems;
        assert!(left.is_empty(), "{what}: {left:#?}");
    }
    let answer = pair.ours.get("/v2/team/shop/manifests/v1").await;
    assert_eq!(answer.header("docker-content-digest"), pair.list.as_str());
    let speaking = pair.ours.get(&format!("/v2/team/shop/referrers/{}", pair.list)).await.json();
    assert_eq!(speaking["manifests"][0]["digest"], json!(pair.about));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_and_nobody_needs_is_removed() {
    let pair = Pair::new().await;
    let loose = pair.ours.push("team/shop", b"loose").await;
    fs::write(blob(&pair.ours, &loose), "lose").expect("written");
    assert!(the_one(&pair.check()).needed_by.is_empty());
    let mended = pair.repair(Some("copies"), false).await;
    assert!(mended.problems.iter().all(|one| one.state == State::Mended), "{mended:#?}");
    assert!(!blob(&pair.ours, &loose).exists() && !link(&pair.ours, "_blobs", &loose).exists());
    let head = pair.ours.call("HEAD", &format!("/v2/team/shop/blobs/{loose}"), &[], "").await;
    assert_eq!(head.status, 404, "and is pushed again");
}

/// While others push and delete, nothing half-way is taken for damage.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_beside_pushes_finds_nothing() {
    let registry = Arc::new(Registry::start().await);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
    let checking = {
        let store = registry.store();
        tokio::task::spawn_blocking(move || {
            let mut checks = 0;
            while std::time::Instant::now() < until {
                let problems = check(&store).expect("checked").problems;
                assert!(problems.is_empty(), "{problems:#?}");
                checks += 1;
            }
            checks
        })
    };
    let pushing = (0..4).map(|worker| {
        let registry = registry.clone();
        tokio::spawn(async move {
            let mut number = 0;
            while std::time::Instant::now() < until {
                number += 1;
                let tag = format!("w{worker}-{}", number % 3);
                let digest = registry.push_manifest("a", &tag, json!({})).await;
                let subject = json!({ "mediaType": MANIFEST, "digest": digest, "size": 1 });
                let about = format!("about-{worker}");
                registry.push_manifest("a", &about, json!({ "subject": subject })).await;
                registry.call("DELETE", &format!("/v2/a/manifests/{digest}"), &[], "").await;
            }
        })
    });
    for one in futures_util::future::join_all(pushing).await {
        one.expect("it ends");
    }
    assert!(checking.await.expect("it ends") > 2);
}
