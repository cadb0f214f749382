//! A registry in the box, looked after while it serves.

use std::fs;

use serde_json::Value;

use super::ours::{Served, skopeo_done};
use super::{blobs, elsewhere, refused, sealed, told};
use crate::postgres::verified;
use crate::stage::{Ran, Stage};

/// The answer of a verb as one document.
fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("JSON: {}", ran.out))
}

/// A served registry with an image under tags, and the image's digest.
fn filled(home: &Stage, tags: &[&str]) -> (Served, Stage, String) {
    let registry = Served::start(home, &["--root", "images"]);
    let name = |tag: &str| format!("{}/team/shop:{tag}", registry.host);
    let stage = sealed(&name(tags[0]));
    let mut digest = String::new();
    for tag in tags {
        let pushed = told(&stage.done(&["push", &name(tags[0]), &name(tag), "--json"]));
        digest = pushed["digest"].as_str().expect("a digest").to_string();
    }
    (registry, stage, digest)
}

#[test]
fn immutable_tags_and_quotas_are_told_to_whoever_pushes() {
    let home = Stage::empty();
    fs::create_dir(home.join("images")).expect("a folder");
    home.write(
        "images/policy.yaml",
        "policies:\n- {repositories: ['team/*'], immutable: ['1*']}\n\
         - {repositories: ['small/*'], quota: 1MiB}\n",
    );
    let (registry, stage, digest) = filled(&home, &["1", "latest"]);
    let name = |rest: &str| format!("{}/{rest}", registry.host);
    // The image of one platform alone has another digest than the list.
    let list = skopeo_done(
        home.path(),
        &["inspect", "--raw", "--tls-verify=false", &format!("docker://{}", name("team/shop:1"))],
    );
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let inner = list["manifests"][0]["digest"].as_str().expect("a digest");
    let inner = name(&format!("team/shop@{inner}"));
    let words = ["LS0708", "DENIED", "immutable by the policy for team/*", &digest];
    refused(&stage, &["promote", &inner, &name("team/shop:1")], 42, &words);
    stage.done(&["promote", &inner, &name("team/shop:latest")]);
    stage.done(&["push", &name("team/shop:1")]);
    let small = name("small/shop:1");
    let words = ["DENIED", "may hold 1MiB by the policy for small/*"];
    refused(&stage, &["push", &name("team/shop:1"), &small], 42, &words);
    home.write("images/policy.yaml", "policies:\n- repositories: ['*']\n  inmutable: [v1]\n");
    let words = ["LS0002", "policy.yaml", "line 3", "inmutable", "`immutable`"];
    refused(&home, &["registry", "retention", "--root", "images"], 2, &words);
}

#[test]
fn tags_go_by_rules_and_what_is_held_stays() {
    let home = Stage::empty();
    let (registry, _stage, digest) = filled(&home, &["old", "release-1", "held", "new"]);
    let verb = |verb: &'static str, more: &[&str]| {
        home.done(&[&["registry", verb, "--root", "images"], more].concat())
    };
    assert!(verb("retention", &[]).out.starts_with("no policy has rules"));
    home.write(
        "images/policy.yaml",
        "policies:\n- repositories: ['team/*']\n  retain:\n  - last: 1\n  \
         - {name: releases, tags: ['release-*']}\n",
    );
    let told = verb("retention", &["--dry-run"]).out;
    for line in [
        "team/shop:old  would be removed, no rule keeps it\n",
        "team/shop:held  would be removed, no rule keeps it\n",
        "team/shop:new  kept, the rule last 1\n",
        "team/shop:release-1  kept, the rule releases\n",
        "2 tags would be removed; kept: ",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let at = format!("team/shop@{digest}");
    let until = ["--until", "2999-12-31", "--reason", "the audit of May"];
    let would = verb("hold", &[&[&*at, "--dry-run"], &until[..]].concat()).out;
    assert_eq!(would, format!("{at}  would be held\n"));
    assert_eq!(verb("hold", &["--list"]).out, "");
    verb("hold", &[&[&*at], &until[..]].concat());
    let listed = verb("hold", &["--list"]).out;
    assert!(listed.starts_with(&at) && listed.contains("until 3000-01-01T00:00:00Z: the audit"));
    // The image is held, and so are all its tags.
    let all = answer(&verb("retention", &["--json"]));
    assert_eq!((&all["removed"], &all["dry_run"]), (&Value::from(0), &Value::from(false)));
    let skopeo = longshore_testkit::registry::skopeo(
        home.path(),
        None,
        &["delete", "--tls-verify=false", &format!("docker://{}/team/shop:old", registry.host)],
    );
    let said = String::from_utf8_lossy(&skopeo.stderr).into_owned();
    assert!(!skopeo.status.success() && said.contains("the audit of May"), "{said}");
    assert_eq!(verb("hold", &["team/shop:new", "--release"]).out, format!("{at}  let go\n"));
    let done = verb("retention", &[]).out;
    assert!(done.contains("team/shop:old  removed, no rule keeps it"), "{done}");
    let tags = home.done(&["tags", &format!("{}/team/shop", registry.host)]).out;
    assert!(!tags.contains("old") && tags.contains("new") && tags.contains(".sig"), "{tags}");
    let hold = |args: &[&str], exit, words: &[&str]| {
        refused(&home, &[&["registry", "hold", "--root", "images"], args].concat(), exit, words);
    };
    hold(&["team/shop:none", "--reason", "x"], 42, &["no such image"]);
    hold(&["none:1", "--reason", "x"], 42, &["no such repository"]);
    hold(&["team/shop", "--reason", "x"], 2, &["REPOSITORY:TAG"]);
    hold(&["team/shop:new", "--reason", " "], 2, &["says nothing"]);
    hold(&["team/shop:new", "--reason", "x", "--until", "2001-01-01"], 2, &["over already"]);
    hold(&["team/shop:new"], 2, &["--reason"]);
}

#[test]
fn what_is_damaged_is_found_and_mended_by_another_registry() {
    let (home, other) = (Stage::empty(), Stage::empty());
    let (registry, stage, _) = filled(&home, &["1"]);
    let backup = Served::start(&other, &["--root", "copy"]);
    let from = format!("{}/team/shop", registry.host);
    let to = format!("{}/copies", backup.host);
    home.done(&["registry", "mirror", &from, "--to", &to]);
    let check =
        |more: &[&str]| home.run(&[&["registry", "check", "--root", "images"], more].concat());
    let sound = check(&[]);
    assert_eq!(sound.code, Some(0), "{}", sound.out);
    assert!(sound.out.contains(" 0 problems\n"), "{}", sound.out);
    let engine = &blobs(&home.join("images"))[0].1;
    let path = home.join("images/blobs/sha256").join(engine);
    let mut bytes = fs::read(&path).expect("a blob");
    bytes[1_000_000] ^= 1;
    fs::write(&path, bytes).expect("written");
    let found = check(&["--json"]);
    assert_eq!(found.code, Some(3));
    let problem = &answer(&found)["problems"][0];
    assert_eq!(problem["path"], format!("blobs/sha256/{engine}"));
    assert_eq!(problem["needed_by"], serde_json::json!(["team/shop:1"]));
    let told = check(&["--repair", &to, "--dry-run"]);
    assert!(told.code == Some(3) && told.out.contains("would be mended, from "), "{}", told.out);
    let wrong = check(&["--repair", &backup.host]);
    assert!(wrong.code == Some(3) && wrong.out.contains("not mended, "), "{}", wrong.out);
    let mended = check(&["--repair", &to]);
    assert_eq!(mended.code, Some(0), "{}", mended.out);
    assert!(mended.out.contains("1 problem, 1 mended"), "{}", mended.out);
    assert_eq!(check(&[]).code, Some(0));
    let clean = elsewhere(&stage);
    verified(&clean.run(&["run", &format!("{from}:1"), "--pull", "--json"]));
    refused(&home, &["registry", "check", "--root", "images", "--dry-run"], 2, &["--repair"]);
}

#[test]
fn repositories_are_copied_in_and_out_with_all_that_is_said_of_them() {
    let (home, other) = (Stage::empty(), Stage::empty());
    let (registry, stage, digest) = filled(&home, &["1", "2"]);
    stage.done(&[
        "push",
        &format!("{}/team/shop:1", registry.host),
        &format!("{}/team/tool:1", registry.host),
    ]);
    let mirror = |more: &[&str]| other.done(&[&["registry", "mirror"], more].concat());
    let all = format!("{}/team/*", registry.host);
    let would = mirror(&[&all, "--root", "copy", "--dry-run"]).out;
    assert!(would.contains("the tag is new there: would be copied"), "{would}");
    assert!(would.contains("3 tags: 3 would be copied, 0 there, 0 failed"), "{would}");
    assert!(!other.join("copy").exists(), "a dry run makes nothing");
    let first = told(&mirror(&[&all, "--root", "copy", "--json"]));
    assert_eq!((&first["copied"], &first["failed"]), (&Value::from(3), &Value::from(0)), "{first}");
    let check = other.done(&["registry", "check", "--root", "copy"]).out;
    assert!(check.contains(" 0 problems"), "{check}");
    // Nothing is sent again, and no tag is written again.
    let tag = other.join("copy/repositories/team/shop/_tags/1");
    let written = fs::metadata(&tag).expect("a tag").modified().expect("a time");
    let again = told(&mirror(&[&all, "--root", "copy", "--json"]));
    assert_eq!((&again["there"], &again["sent"]), (&Value::from(3), &Value::from(0)), "{again}");
    assert_eq!(fs::metadata(&tag).expect("a tag").modified().expect("a time"), written);
    // What is said of an image later comes too.
    let name = format!("{}/team/shop:1", registry.host);
    stage.done(&["attest", &name, "--key", "mine.key"]);
    stage.done(&["push", &name]);
    let more = mirror(&[&all, "--root", "copy"]).out;
    assert!(more.contains("what speaks of it, are new: copied"), "{more}");
    // Out of the folder again, while it serves, below a prefix; and the evidence is proved there.
    let copy = Served::start(&other, &["--root", "copy"]);
    let to = format!("{}/out", registry.host);
    mirror(&["team/shop", "--from-root", "copy", "--to", &to]);
    let clean = elsewhere(&stage);
    let out = format!("{to}/team/shop@{digest}");
    clean.done(&["evidence", &out, "--pull", "--key", "mine.pub"]);
    verified(&clean.run(&["run", &format!("{}/team/shop:2", copy.host), "--pull", "--json"]));
    assert_eq!(blobs(&other.join(".longshore/mirror")).len(), 0, "what has arrived is not kept");
    let usage = answer(&other.done(&["registry", "du", "--root", "copy", "--json"]));
    let disk: u64 = blobs(&other.join("copy")).iter().map(|(size, _)| size).sum();
    let sum = ["unique", "shared", "loose"].map(|key| usage[key].as_u64().expect("a number"));
    assert_eq!(sum.iter().sum::<u64>(), disk);
    assert_eq!(usage["repositories"]["team/tool"]["unique"], 0, "it is the same image");
}

#[test]
fn a_tag_that_cannot_be_copied_is_told_of_and_ends_nothing() {
    let (home, other) = (Stage::empty(), Stage::empty());
    let (registry, _stage, digest) = filled(&home, &["1", "2"]);
    fs::create_dir(other.join("copy")).expect("a folder");
    other.write("copy/policy.yaml", "policies: [{repositories: ['*'], immutable: ['1']}]\n");
    let from = format!("{}/team/shop", registry.host);
    other.done(&["registry", "mirror", &from, "--root", "copy"]);
    // The tag names another image since.
    let list = skopeo_done(
        home.path(),
        &["inspect", "--raw", "--tls-verify=false", &format!("docker://{from}:1")],
    );
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let inner = list["manifests"][0]["digest"].as_str().expect("a digest");
    for tag in ["1", "2"] {
        home.done(&["promote", &format!("{from}@{inner}"), &format!("{from}:{tag}")]);
    }
    let ran = other.run(&["registry", "mirror", &from, "--root", "copy"]);
    assert_eq!(ran.code, Some(3), "{}", ran.out);
    assert!(ran.out.contains("copy/team/shop:1  ") && ran.out.contains("immutable"), "{}", ran.out);
    assert!(ran.out.contains(&format!("the tag names {digest} there: copied")), "{}", ran.out);
    assert!(ran.out.contains("2 tags: 1 copied, 0 there, 1 failed"), "{}", ran.out);
    assert!(!ran.out.contains("127.0.0.1:0") && !ran.out.contains("Authorization"));
    for (args, exit, word) in [
        (&["x/y:1", "--root", "copy"][..], 2, "promote"),
        (&["r.example/*"], 2, "--root"),
        (&["team/shop", "--to", "not a host"], 2, "HOST/PREFIX"),
        (&[&*format!("{}/none/*", registry.host), "--root", "copy"], 42, "no repository matches"),
        (&["team/shop", "--from-root", "none", "--to", &registry.host], 42, "no registry"),
    ] {
        refused(&other, &[&["registry", "mirror"], args].concat(), exit, &[word]);
    }
}
