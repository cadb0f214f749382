//! What is pushed is what is pulled, by whatever client.

use std::fs;

use longshore_testkit::registry::{Registry, skopeo_by};
use serde_json::Value;

use super::{elsewhere, refused, sealed, told};
use crate::postgres::verified;
use crate::stage::Stage;

#[test]
fn an_image_travels_with_its_signatures_and_its_evidence() {
    let registry = Registry::shared();
    let name = format!("{}/travel/shop:1.4.0", registry.host());
    let stage = sealed(&name);
    let forecast = told(&stage.done(&["push", &name, "--dry-run", "--json"]));
    let all = forecast["blobs"].as_array().expect("blobs").len();
    refused(&stage, &["tags", &name], 42, &["LS0708", "NAME_UNKNOWN"]);
    let pushed = told(&stage.done(&["push", &name, "--json"]));
    assert_eq!((pushed["sent"].as_u64(), pushed["there"].as_u64()), (Some(all as u64), Some(0)));
    let again = told(&stage.done(&["push", &name, "--json"]));
    assert_eq!((again["sent"].as_u64(), again["there"].as_u64()), (Some(0), Some(all as u64)));
    assert_eq!(again["digest"], pushed["digest"]);
    let tags = stage.done(&["tags", &name]).out;
    assert!(tags.lines().any(|tag| tag == "1.4.0"), "{tags}");
    // Elsewhere it is run, with a proof of who signed it.
    let other = elsewhere(&stage);
    let pulled = told(&other.done(&["pull", &name, "--json"]));
    assert_eq!(pulled["digest"], pushed["digest"]);
    assert_eq!(pulled["artifacts"], pushed["artifacts"]);
    verified(&other.run(&["run", &name, "--require-signature", "mine.pub", "--json"]));
    other.same("shop.db", "copy.db");
    other.done(&["evidence", &name, "--key", "mine.pub"]);
    let again = told(&other.done(&["pull", &name, "--json"]));
    assert_eq!(again["fetched"].as_u64(), Some(0), "{again}");
    // What was run there is said to everyone.
    std::fs::copy(stage.join("mine.key"), other.join("mine.key")).expect("a key");
    other.done(&["attest", &name, "--key", "mine.key"]);
    other.done(&["push", &name]);
    stage.done(&["pull", &name]);
    let runs = stage.done(&["evidence", &name, "--key", "mine.pub"]).out;
    assert_eq!(runs.matches("proved      run ").count(), 2, "{runs}");
    // By its digest, without a tag, and without a pull of its own.
    let third = elsewhere(&stage);
    let exact =
        format!("{}@{}", name.trim_end_matches(":1.4.0"), pushed["digest"].as_str().expect("one"));
    refused(&third, &["inspect", &exact], 42, &["LS0703", "--pull"]);
    let shown = third.done(&["inspect", &exact, "--pull"]).out;
    assert!(shown.contains("sqlite:copy.db"), "{shown}");
    let list = third.done(&["images"]).out;
    assert!(list.contains(&exact) && !list.contains("latest"), "{list}");
}

#[test]
fn an_image_is_promoted_within_a_registry_and_to_another() {
    let registry = Registry::shared();
    let from = format!("{}/promote/test/shop:1.4.0", registry.host());
    let to = format!("{}/promote/live/shop:stable", registry.host());
    let stage = sealed(&from);
    let digest = told(&stage.done(&["push", &from, "--json"]))["digest"].clone();
    let other = elsewhere(&stage);
    let forecast = told(&other.done(&["promote", &from, &to, "--dry-run", "--json"]));
    let routes = forecast["blobs"].as_array().expect("blobs").iter().map(|blob| &blob["route"]);
    assert!(routes.clone().any(|route| route == "mounted"));
    assert!(!routes.clone().any(|route| route == "there"));
    let mounts = routes.filter(|route| *route == "mounted").count() as u64;
    refused(&other, &["pull", &to], 42, &["LS0708", "found nothing"]);
    let promoted = told(&other.done(&["promote", &from, &to, "--json"]));
    assert_eq!(promoted["digest"], digest);
    assert_eq!(promoted["mounted"].as_u64(), Some(mounts), "no layer leaves the registry");
    assert_eq!(other.done(&["images"]).out.lines().count(), 1, "it has no name here");
    verified(&other.run(&["run", &to, "--pull", "--require-signature", "mine.pub", "--json"]));
    other.done(&["evidence", &to, "--key", "mine.pub"]);
    // Another registry gets every byte.
    let second = Registry::start(Default::default());
    let away = format!("{}/live/shop:1", second.host());
    let third = elsewhere(&stage);
    let promoted = told(&third.done(&["promote", &from, &away, "--json"]));
    assert_eq!((&promoted["digest"], promoted["mounted"].as_u64()), (&digest, Some(0)));
    third.done(&["evidence", &away, "--pull", "--key", "mine.pub"]);
}

#[test]
fn what_no_trusted_key_has_signed_is_refused_before_its_layers_come() {
    let registry = Registry::shared();
    let from = format!("{}/trust/test/shop:1.4.0", registry.host());
    let to = format!("{}/trust/live/shop:stable", registry.host());
    let stage = sealed(&from);
    stage.done(&["push", &from]);
    let other = elsewhere(&stage);
    other.done(&["key", "other"]);
    let wrong = ["--require-signature", "other.pub"];
    for verb in [&["pull", &from][..], &["promote", &from, &to], &["run", &from, "--pull"]] {
        let before = [verb, &["--dry-run"]].concat();
        let asked =
            if verb[0] == "promote" { vec![verb.to_vec(), before] } else { vec![verb.to_vec()] };
        for asked in asked {
            refused(&other, &[&asked[..], &wrong].concat(), 43, &["LS0709", "trust/test/shop"]);
        }
    }
    let largest =
        super::blobs(&other.join(".longshore/images")).first().map_or(0, |(size, _)| *size);
    assert!(largest < 100_000, "{largest} bytes of what is not trusted");
    assert_eq!(other.done(&["images"]).out.lines().count(), 1, "it has no name");
    refused(&other, &["tags", &to], 42, &["LS0708"]);
    let trusted = ["--require-signature", "mine.pub"];
    other.done(&[&["promote", &from, &to], &trusted[..]].concat());
    let third = elsewhere(&stage);
    third.done(&[&["pull", &to], &trusted[..]].concat());
    verified(&third.run(&[&["run", &to, "--json"], &trusted[..]].concat()));
}

#[test]
fn archives_and_layouts_are_pushed_as_they_are() {
    let registry = Registry::shared();
    let stage = sealed("shop:kept");
    for place in ["archive:shop.tar", "oci-layout:layout"] {
        let (kind, file) = place.split_once(':').expect("a kind and a path");
        super::super::build(&stage, &["--index", "--plan", "plan.json", "--output", place]);
        let elsewhere = elsewhere(&stage);
        super::copy(&stage.join(file), &elsewhere.join(file));
        refused(&elsewhere, &["push", place], 2, &["the image has no name to push it under"]);
        let name = format!("{}/places/{kind}:1", registry.host());
        let pushed = told(&elsewhere.done(&["push", place, &name, "--json"]));
        let third = super::elsewhere(&stage);
        let pulled = told(&third.done(&["pull", &name, "--json"]));
        assert_eq!(pulled["digest"], pushed["digest"]);
        verified(&third.run(&["run", &name, "--require-signature", "mine.pub", "--json"]));
        third.done(&["evidence", &name, "--key", "mine.pub"]);
    }
}

#[test]
fn blobs_are_taken_from_another_repository_where_one_is_known() {
    let registry = Registry::shared();
    let one = format!("{}/mount/one:1", registry.host());
    let two = format!("{}/mount/two:1", registry.host());
    let stage = sealed(&one);
    stage.done(&["push", &one]);
    let lines = stage.done(&["push", &one, &two, "--dry-run"]).out;
    assert!(lines.contains("\nmounted "), "{lines}");
    let pushed = told(&stage.done(&["push", &one, &two, "--json"]));
    assert!(pushed["mounted"].as_u64() > Some(5), "{pushed}");
    assert!(pushed["bytes"].as_u64() < Some(20_000), "manifests only: {pushed}");
    // A repository of which we only believe that it has them.
    let third = format!("{}/mount/three:1", registry.host());
    let gone = format!("{}/mount/gone:1", registry.host());
    stage.done(&["tag", &one, &gone]);
    stage.done(&["rm", &one]);
    let pushed = told(&stage.done(&["push", &gone, &third, "--json"]));
    assert_eq!(pushed["mounted"].as_u64(), Some(0), "{pushed}");
    elsewhere(&stage).done(&["pull", &third]);
}

#[test]
fn skopeo_takes_what_we_push_and_gives_what_we_pull() {
    let registry = Registry::shared();
    let name = format!("{}/skopeo/shop:1.4.0", registry.host());
    let stage = sealed(&name);
    let digest = told(&stage.done(&["push", &name, "--json"]))["digest"].clone();
    let digest = digest.as_str().expect("a digest");
    let skopeo = |args: &[&str]| {
        let ran = registry.skopeo(stage.path(), args);
        assert!(ran.status.success(), "{args:?}: {ran:?}");
        String::from_utf8(ran.stdout).expect("UTF-8")
    };
    let remote = format!("docker://{name}");
    let raw = skopeo(&["inspect", "--tls-verify=false", "--raw", &remote]);
    let index: Value = serde_json::from_str(&raw).expect("JSON");
    assert_eq!(index["manifests"][0]["platform"]["os"], "linux");
    let shown: Value =
        serde_json::from_str(&skopeo(&["inspect", "--tls-verify=false", &remote])).expect("JSON");
    assert_eq!(shown["Digest"], digest);
    assert_eq!(shown["Labels"]["dev.longshore.name"], "shop");
    // Out of the registry by skopeo, and into another repository of it.
    skopeo(&["copy", "--all", "--src-tls-verify=false", &remote, "oci:taken:shop"]);
    let taken = stage.done(&["inspect", "oci-layout:taken"]).out;
    assert!(taken.contains(digest), "{taken}");
    let copied = format!("{}/skopeo/copied:1", registry.host());
    let to = format!("docker://{copied}");
    skopeo(&["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", &remote, &to]);
    let other = elsewhere(&stage);
    let pulled = told(&other.done(&["pull", &copied, "--json"]));
    assert_eq!(pulled["digest"], digest);
    verified(&other.run(&["run", &copied, "--json"]));
    // Skopeo leaves signatures behind, so it is not trusted.
    refused(&other, &["run", &copied, "--require-signature", "mine.pub"], 43, &["LS0709"]);
    // Cosign's tag is enough for trust: no list of referrers need be there.
    let tag = format!("sha256-{}.sig", &digest["sha256:".len()..]);
    skopeo(&[
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &format!("docker://{}/skopeo/shop:{tag}", registry.host()),
        &format!("docker://{}/skopeo/copied:{tag}", registry.host()),
    ]);
    let part = index["manifests"][0]["digest"].as_str().expect("a digest");
    let tag = format!("sha256-{}.sig", &part["sha256:".len()..]);
    skopeo(&[
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        &format!("docker://{}/skopeo/shop:{tag}", registry.host()),
        &format!("docker://{}/skopeo/copied:{tag}", registry.host()),
    ]);
    let third = elsewhere(&stage);
    let trusted = ["run", &copied, "--pull", "--require-signature", "mine.pub", "--json"];
    verified(&third.run(&trusted));
}

/// The policy of containers' own tools: only images that a key of sigstore's kind has signed.
#[test]
fn skopeo_takes_what_the_right_key_has_signed_and_nothing_else() {
    let registry = Registry::shared();
    let name = format!("{}/policy/shop:1", registry.host());
    let stage = sealed(&name);
    stage.done(&["key", "other"]);
    // A signature is of the name that the image had; the policy asks for the one that it has.
    stage.done(&["sign", &name, "--key", "mine.key"]);
    stage.done(&["push", &name]);
    let unsigned = format!("{}/policy/unsigned:1", registry.host());
    let source = format!("docker://{name}");
    let target = format!("docker://{unsigned}");
    let plain = ["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false"];
    assert!(
        registry.skopeo(stage.path(), &[&plain[..], &[&source, &target]].concat()).status.success()
    );
    fs::create_dir(stage.join("registries.d")).expect("a folder");
    stage.write(
        "registries.d/here.yaml",
        &format!("docker: {{'{}': {{use-sigstore-attachments: true}}}}\n", registry.host()),
    );
    let take = |key: &str, image: &str, to: &str| {
        let key = stage.join(key);
        stage.write(
            "policy.json",
            &serde_json::json!({
                "default": [{ "type": "reject" }],
                "transports": { "docker": { registry.host(): [{
                    "type": "sigstoreSigned", "keyPath": key,
                    "signedIdentity": { "type": "matchRepository" },
                }] } },
            })
            .to_string(),
        );
        let folder = stage.join("registries.d");
        let folder = folder.to_str().expect("a path");
        let trust = ["--policy", "policy.json", "--registries.d", folder];
        let copy = ["copy", "--src-tls-verify=false", &format!("docker://{image}"), to];
        skopeo_by(&trust, stage.path(), None, &copy)
    };
    let taken = take("mine.pub", &name, "dir:taken");
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    for (key, image, why) in
        [("other.pub", &name, "signature"), ("mine.pub", &unsigned, "no signature exists")]
    {
        let refused = take(key, image, "dir:refused");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && said.contains(why), "{key}, {image}: {said}");
    }
}

#[test]
fn two_who_push_the_same_image_lose_no_signature_of_each_other() {
    let registry = Registry::shared();
    let name = format!("{}/both/shop:1", registry.host());
    let (one, two) = (sealed(&name), sealed(&name));
    two.done(&["key", "yours"]);
    two.done(&["sign", &name, "--key", "yours.key"]);
    std::thread::scope(|scope| {
        for stage in [&one, &two] {
            scope.spawn(|| stage.done(&["push", &name]));
        }
    });
    // Cosign's tag holds one artifact, of whoever was last; pushing again adds what is missing.
    one.done(&["push", &name]);
    two.done(&["push", &name]);
    let third = elsewhere(&one);
    std::fs::copy(two.join("yours.pub"), third.join("yours.pub")).expect("a key");
    third.done(&["pull", &name]);
    verified(&third.run(&["run", &name, "--require-signature", "yours.pub", "--json"]));
    verified(&third.run(&["verify", &name, "--require-signature", "mine.pub", "--json"]));
    // One who has only the own signature adds to the tag, and replaces nothing.
    one.done(&["push", &name]);
    let fourth = Stage::empty();
    let tag = |stage: &Stage| {
        let digest = told(&stage.done(&["pull", &name, "--json"]))["digest"].clone();
        let digest = digest.as_str().expect("a digest").replace(':', "-");
        let tag = format!("docker://{}/both/shop:{digest}.sig", registry.host());
        let ran = registry.skopeo(stage.path(), &["inspect", "--raw", "--tls-verify=false", &tag]);
        let manifest: Value = serde_json::from_slice(&ran.stdout).expect("a manifest");
        manifest["layers"].as_array().expect("layers").len()
    };
    assert_eq!(tag(&fourth), 2, "both signatures are under cosign's tag");
}
