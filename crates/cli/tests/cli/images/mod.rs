//! Images of migrations: built, kept, run, signed.

mod engines;
mod registry;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::postgres::verified;
use crate::stage::Stage;

/// The binary without what debuggers need: a third of the bytes. Made once.
pub(crate) fn engine() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(stripped).clone()
}

fn stripped() -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_longshore"));
    let changed = fs::metadata(built).and_then(|there| there.modified()).expect("the binary");
    let age = changed.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_nanos();
    let engine = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("engine-{age}"));
    if !engine.exists() {
        let beside = engine.with_extension(std::process::id().to_string());
        let strip = Command::new("strip").arg("-o").arg(&beside).arg(built).status();
        assert!(strip.expect("strip of binutils").success());
        // What another test made meanwhile, and already runs, is not replaced.
        let published = fs::hard_link(&beside, &engine);
        assert!(published.is_ok() || engine.exists(), "{published:?}");
        fs::remove_file(beside).expect("a file");
    }
    engine
}

fn migration(stage: &Stage) {
    stage.write(
        "m.yaml",
        "longshore: v1\nname: shop\nversion: 1.4.0\n\
         moves: [{from: 'sqlite:shop.db', to: 'sqlite:copy.db'}]\n",
    );
}

/// Builds `shop:1.4.0`, and returns its digest.
pub(crate) fn build(stage: &Stage, more: &[&str]) -> String {
    let engine = engine();
    let engine = engine.to_str().expect("a path");
    let mut args = vec!["build", "m.yaml", "--tag", "shop:1.4.0", "--engine", engine, "--json"];
    args.extend(more);
    let out = stage.done(&args).out;
    let built: Value = serde_json::from_str(&out).expect("JSON");
    built["digest"].as_str().expect("a digest").to_string()
}

#[test]
fn the_same_inputs_give_the_same_digest_on_any_machine() {
    let (one, two) = (Stage::shop(50), Stage::empty());
    migration(&one);
    one.done(&["plan", "m.yaml", "--output", "plan.json"]);
    fs::copy(one.join("plan.json"), two.join("plan.json")).expect("a file");
    // Comments, order and form of the file are no part of the migration.
    two.write(
        "m.yaml",
        "# The shop.\nname: shop\nlongshore: v1\nmoves:\n  - to: sqlite:copy.db\n    \
         from: sqlite:shop.db\nversion: 1.4.0\n",
    );
    let plan = ["--plan", "plan.json"];
    let digest = build(&one, &plan);
    assert_eq!(digest, build(&one, &plan), "with the layer at hand");
    assert_eq!(digest, build(&two, &plan), "in another folder, without the systems");
    assert_ne!(digest, build(&two, &["--plan", "plan.json", "--index"]), "a list");
    let mut command =
        two.command(&["build", "m.yaml", "--plan", "plan.json", "--tag", "shop:x", "--json"]);
    command.arg("--engine").arg(engine()).env("SOURCE_DATE_EPOCH", "1800000000");
    let out = String::from_utf8(command.output().expect("it runs").stdout).expect("text");
    assert!(!out.contains(&digest), "another time is another image");
    let list = two.done(&["images"]).out;
    assert!(list.contains("2027-01-15T08:00:00Z"), "{list}");
}

#[test]
fn an_image_is_run_by_its_own_engine_and_tampering_is_found() {
    let stage = Stage::shop(200);
    migration(&stage);
    stage.done(&["plan", "m.yaml", "--output", "plan.json"]);
    let places = ["--output", "archive:shop.tar", "--output", "oci-layout:layout"];
    let digest = build(&stage, &[&["--plan", "plan.json"], &places[..]].concat());
    verified(&stage.run(&["run", "shop:1.4.0", "--json"]));
    stage.same("shop.db", "copy.db");
    verified(&stage.run(&["verify", "archive:shop.tar", "--json"]));
    for place in ["shop:1.4.0", "archive:shop.tar", "oci-layout:layout"] {
        let shown = stage.done(&["inspect", place]).out;
        assert!(shown.contains(&digest) && shown.contains("sqlite:copy.db"), "{place}: {shown}");
    }
    let sbom: Value =
        serde_json::from_str(&stage.done(&["inspect", "shop:1.4.0", "--sbom"]).out).expect("JSON");
    let names: Vec<&str> = sbom["components"]
        .as_array()
        .expect("components")
        .iter()
        .filter_map(|one| one["name"].as_str())
        .collect();
    for name in ["rustls", "parquet", "longshore-engine"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"clap_derive"), "what only compiles does not run");
    // A byte of the engine's layer.
    let blobs = stage.join(".longshore/images/blobs/sha256");
    let largest = fs::read_dir(&blobs)
        .expect("blobs")
        .map(|entry| entry.expect("an entry").path())
        .max_by_key(|path| fs::metadata(path).expect("a file").len())
        .expect("a blob");
    let mut bytes = fs::read(&largest).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&largest, bytes).expect("a file");
    let ran = stage.run(&["run", "shop:1.4.0"]);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(ran.err.contains("LS0701"), "{}", ran.err);
    // Building again mends it.
    assert_eq!(build(&stage, &["--plan", "plan.json"]), digest);
    verified(&stage.run(&["verify", "shop:1.4.0", "--json"]));
}

#[test]
fn what_changed_between_two_versions_is_shown() {
    let stage = Stage::shop(20);
    migration(&stage);
    let engine = engine();
    let built = |tag: &str| {
        let engine = engine.to_str().expect("a path");
        stage.done(&["build", "m.yaml", "--tag", tag, "--engine", engine]);
    };
    built("shop:1");
    built("shop:again");
    let same = stage.done(&["diff", "shop:1", "shop:again", "--check"]).out;
    assert!(same.starts_with("the same image"), "{same}");
    stage.sql("shop.db", "CREATE TABLE added (id INTEGER PRIMARY KEY, word TEXT)");
    stage.write(
        "m.yaml",
        "longshore: v1\nname: shop\nversion: 2.0.0\n\
         moves: [{from: 'sqlite:shop.db', to: 'sqlite:copy.db', tables: ['!log']}]\n",
    );
    built("shop:2");
    let shown = stage.done(&["diff", "shop:1", "shop:2"]).out;
    for line in
        ["-version: \"1.4.0\"", "+version: \"2.0.0\"", "+++ plan.json", "+CREATE TABLE added"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(!shown.contains("engine for"), "{shown}");
    assert_eq!(stage.run(&["diff", "shop:1", "shop:2", "--check"]).code, Some(3));
    let json: Value =
        serde_json::from_str(&stage.done(&["diff", "shop:1", "shop:2", "--json"]).out)
            .expect("JSON");
    let files: Vec<&String> = json["files"].as_object().expect("files").keys().collect();
    assert_eq!(files, ["migration.yaml", "plan.json", "schema/01-prepare.sql"]);
    assert_eq!(stage.run(&["diff", "shop:1", "shop:3"]).code, Some(42));
}

#[test]
fn signatures_and_evidence_are_proved_or_refused() {
    let stage = Stage::shop(50);
    migration(&stage);
    stage.done(&["plan", "m.yaml", "--output", "plan.json"]);
    let sealed = ["--index", "--plan", "plan.json"];
    build(&stage, &sealed);
    stage.done(&["key", "mine"]);
    stage.done(&["key", "other"]);
    assert_eq!(stage.run(&["key", "mine"]).code, Some(1), "a key is never written over");
    let mode = fs::metadata(stage.join("mine.key")).expect("a file").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    let trusted = ["run", "shop:1.4.0", "--require-signature", "mine.pub", "--json"];
    let refused = stage.run(&trusted);
    assert_eq!(refused.code, Some(43), "{}", refused.err);
    assert!(!stage.join("copy.db").exists(), "nothing ran");
    stage.done(&["sign", "shop:1.4.0", "--key", "mine.key"]);
    verified(&stage.run(&trusted));
    let other = ["run", "shop:1.4.0", "--require-signature", "other.pub"];
    assert_eq!(stage.run(&other).code, Some(43));
    // The run's report, signed, on the image.
    let asked = ["evidence", "shop:1.4.0", "--key", "mine.pub"];
    assert_eq!(stage.run(&asked).code, Some(3), "nothing is proved yet");
    stage.done(&["attest", "shop:1.4.0", "--key", "mine.key"]);
    let told = stage.done(&asked).out;
    assert!(told.contains("proved      run ") && told.contains("verified, 72 rows"), "{told}");
    let shown = stage.done(&["inspect", "shop:1.4.0", "--key", "mine.pub"]).out;
    assert!(shown.contains("\nSignatures and runs\n  proved "), "{shown}");
    assert!(shown.contains("verified, 72 rows"), "{shown}");
    let shown = stage.done(&["inspect", "shop:1.4.0", "--json"]).out;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let runs = shown["evidence"].as_array().expect("a list").iter();
    let runs: Vec<&Value> = runs.filter(|one| !one["run"].is_null()).collect();
    assert!(!runs.is_empty() && runs.iter().all(|one| one["run"]["outcome"] == "verified"));
    let doubted = stage.run(&["evidence", "shop:1.4.0", "--key", "other.pub"]);
    assert_eq!(doubted.code, Some(3), "{}", doubted.out);
    // It travels with the image.
    stage.done(&["tag", "shop:1.4.0", "registry.example/shop:stable"]);
    let elsewhere = Stage::empty();
    let archive = format!("archive:{}", elsewhere.join("shop.tar").display());
    build(&stage, &[&sealed[..], &["--output", &archive]].concat());
    elsewhere.write("mine.pub", &fs::read_to_string(stage.join("mine.pub")).expect("a key"));
    elsewhere.done(&["images", "--load", "archive:shop.tar"]);
    elsewhere.done(&asked);
    // A run of another plan says nothing of this image.
    stage.write(
        "n.yaml",
        "longshore: v1\nname: other\nmoves: [{from: 'sqlite:shop.db', to: 'sqlite:n.db'}]\n",
    );
    stage.done(&["run", "n.yaml"]);
    let unfit = stage.run(&["attest", "shop:1.4.0", "--key", "mine.key"]);
    assert_eq!(unfit.code, Some(43), "{}", unfit.err);
}

#[test]
fn what_must_not_be_sealed_is_refused() {
    let stage = Stage::shop(10);
    let engine = engine();
    let engine = engine.to_str().expect("a path");
    let where_token = "sqlite:copy.db', where: {orders: \"note <> \
                       'ghp_0123456789abcdefghijABCDEFGHIJ012345'\"}, existing: 'refuse";
    for (to, word) in [
        ("postgres://me:hunter2@localhost:1/shop", "a password or a key stands in an address"),
        (where_token, "a token of GitHub"),
    ] {
        let moves = format!("moves: [{{from: 'sqlite:shop.db', to: '{to}'}}]");
        stage.write("m.yaml", &format!("longshore: v1\nname: shop\n{moves}\n"));
        let refused = stage.run(&["build", "m.yaml", "--engine", engine]);
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains(word), "{}", refused.err);
        assert!(
            !refused.err.contains("hunter2") && !refused.err.contains("ghp_"),
            "{}",
            refused.err
        );
        assert_eq!(stage.done(&["images"]).out.lines().count(), 1, "nothing was built");
    }
    migration(&stage);
    stage.write("script", "#!/bin/sh\n");
    for (engine, word) in
        [("/bin/true", "not static"), ("script", "no 64-bit program"), ("none", "LS0101")]
    {
        let refused = stage.run(&["build", "m.yaml", "--engine", engine]);
        assert_eq!(refused.code, Some(42), "{}", refused.err);
        assert!(refused.err.contains(word), "{engine}: {}", refused.err);
    }
}

#[test]
fn a_sealed_plan_that_no_longer_fits_is_refused_with_the_difference() {
    let stage = Stage::shop(10);
    migration(&stage);
    build(&stage, &[]);
    stage.sql("shop.db", "ALTER TABLE orders ADD COLUMN rebate REAL; DROP TABLE empty");
    let refused = stage.run(&["run", "shop:1.4.0"]);
    assert_eq!(refused.code, Some(43), "{}", refused.err);
    for word in ["orders", "rebate", "empty"] {
        assert!(refused.err.contains(word), "{word}: {}", refused.err);
    }
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('orders', 'log', 'empty')";
    assert_eq!(stage.value("copy.db", tables), 0, "nothing ran");
    build(&stage, &[]);
    verified(&stage.run(&["run", "shop:1.4.0", "--json"]));
    stage.same("shop.db", "copy.db");
}

#[test]
fn removed_images_free_what_no_other_needs() {
    let stage = Stage::shop(10);
    migration(&stage);
    build(&stage, &[]);
    stage.write("n.yaml", "longshore: v1\nname: other\nversion: 2.0.0\nmoves: [{from: 'sqlite:shop.db', to: 'sqlite:n.db'}]\n");
    let engine = engine();
    let engine = engine.to_str().expect("a path");
    stage.done(&["build", "n.yaml", "--tag", "other:2", "--engine", engine]);
    stage.done(&["tag", "shop:1.4.0", "shop:stable"]);
    verified(&stage.run(&["run", "shop:1.4.0", "--json"]));
    let blobs =
        || fs::read_dir(stage.join(".longshore/images/blobs/sha256")).expect("blobs").count();
    let before = blobs();
    assert_eq!(stage.run(&["rm", "shop:1.4.0", "shop:none"]).code, Some(42));
    let kept = stage.done(&["rm", "shop:1.4.0"]).out;
    assert!(kept.contains("has lost its name") && kept.contains("0 B freed"), "{kept}");
    assert_eq!(blobs(), before, "it has another name");
    let told = stage.done(&["rm", "shop:stable", "--dry-run"]).out;
    assert!(told.contains("would be freed"), "{told}");
    assert_eq!(blobs(), before);
    // Not while others work with the images.
    let held = fs::File::open(stage.join(".longshore/images/in-use")).expect("a file");
    held.lock_shared().expect("a lock");
    let stays = stage.done(&["rm", "shop:stable"]).out;
    assert!(stays.contains("stay, because"), "{stays}");
    assert_eq!(blobs(), before);
    drop(held);
    stage.done(&["rm"]);
    assert!(blobs() < before);
    assert_eq!(fs::read_dir(stage.join(".longshore/unpacked")).expect("a folder").count(), 0);
    verified(&stage.run(&["run", "other:2", "--json"]));
}
