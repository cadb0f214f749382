//! What Google Cloud Storage has of its own: who asks, and objects that it would open.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use longshore_testkit::http_faults::HttpFaults;
use longshore_testkit::store_server::{StoreKind, StoreServer};
use serde_json::{Value, json};

use super::{Bucket, write_random};
use crate::stage::{Ran, Stage};

/// Copies an object of a bucket to a new folder, with an environment of its own.
fn told(stage: &Stage, from: &str, variables: &[(&str, &str)]) -> Ran {
    let _none_yet = fs::remove_dir_all(stage.join("to"));
    let mut command = stage.command(&["copy", from, "file:to?format=objects"]);
    command.env("HOME", stage.path()).envs(variables.iter().copied());
    // Nothing listens there.
    if !variables.iter().any(|(name, _)| *name == "GCE_METADATA_HOST") {
        command.env("GCE_METADATA_HOST", "127.0.0.1:1");
    }
    Ran::from(command.output().expect("it runs"))
}

fn bucket(start: &str) -> Bucket {
    let server = StoreServer::shared(StoreKind::Gcs);
    let bucket = Bucket { server, name: server.create_bucket(start) };
    bucket.put("p/one", &[], b"x");
    bucket
}

/// The address without credentials.
fn plain(bucket: &Bucket) -> String {
    format!("gs://{}/p?format=objects&endpoint={}", bucket.name, bucket.server.endpoint())
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

/// Another file of credentials than one that is right.
fn changed(stage: &Stage, right: &Path, changes: &Value) -> String {
    let mut value = read(right);
    for (name, change) in changes.as_object().expect("changes") {
        value[name] = change.clone();
    }
    stage.write("changed.json", &value.to_string());
    stage.join("changed.json").display().to_string()
}

#[test]
fn credentials_are_found_where_other_tools_find_them() {
    let (stage, bucket) = (Stage::empty(), bucket("longshore"));
    let server = bucket.server;
    let (account, login) = (server.account_file(), server.login_file());
    let key = fs::read_to_string(&account).expect("a file");
    let gcloud = stage.join(".config/gcloud");
    fs::create_dir_all(&gcloud).expect("a folder");
    let machine = format!("127.0.0.1:{}", server.port());
    let shown = |path: &Path| path.display().to_string();
    let (account, login) = (shown(&account), shown(&login));
    let from = plain(&bucket);
    for variables in [
        [("GOOGLE_APPLICATION_CREDENTIALS", account.as_str())],
        [("GOOGLE_APPLICATION_CREDENTIALS", &login)],
        [("GOOGLE_SERVICE_ACCOUNT_KEY", &key)],
        [("GOOGLE_SERVICE_ACCOUNT_KEY_FILE", &account)],
        [("GCE_METADATA_HOST", &machine)],
    ] {
        let ran = told(&stage, &from, &variables);
        assert_eq!(ran.code, Some(0), "{}: {}", variables[0].0, ran.err);
        assert_eq!(fs::read(stage.join("to/one")).expect("a file"), b"x");
    }
    let ran = told(&stage, &from, &[]);
    assert_ne!(ran.code, Some(0), "no credentials are there");
    fs::copy(&login, gcloud.join("application_default_credentials.json")).expect("a file");
    assert_eq!(told(&stage, &from, &[]).code, Some(0));
    assert_eq!(told(&stage, &from, &[("CLOUDSDK_CONFIG", "/nowhere")]).code, Some(42));
    let folder = shown(&gcloud);
    let elsewhere = [("CLOUDSDK_CONFIG", folder.as_str()), ("HOME", "/nowhere")];
    assert_eq!(told(&stage, &from, &elsewhere).code, Some(0));
    // What the address says goes first.
    let wrong = [("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere")];
    assert_eq!(told(&stage, &format!("{from}&credentials={account}"), &wrong).code, Some(0));
    let ran = told(&stage, &from, &wrong);
    assert!(ran.err.contains("LS0101") && ran.err.contains("/nowhere"), "{}", ran.err);
}

#[test]
fn wrong_credentials_are_told_soon_and_never_shown() {
    let (stage, bucket) = (Stage::empty(), bucket("longshore"));
    let (account, login) = (bucket.server.account_file(), bucket.server.login_file());
    let private = read(&account)["private_key"].as_str().expect("a key").to_string();
    let private = private.lines().nth(3).expect("a line").to_string();
    for (right, changes, says) in [
        (&account, json!({"client_email": "other@example.com"}), "AuthenticationRequired"),
        (&account, json!({"private_key_id": "other"}), "AuthenticationRequired"),
        (&account, json!({"disable_oauth": true}), "Anonymous caller"),
        (&account, json!({"type": "external_account"}), "external_account"),
        (&login, json!({"refresh_token": "hunter2hunter2"}), "invalid_grant"),
        (&login, json!({"client_secret": 7}), "client_secret"),
    ] {
        let file = changed(&stage, right, &changes);
        let began = Instant::now();
        let ran = told(&stage, &format!("{}&credentials={file}", plain(&bucket)), &[]);
        assert!(!matches!(ran.code, Some(0) | None) && ran.err.contains(says), "{}", ran.err);
        assert!(!ran.err.contains(&private) && !ran.err.contains("hunter2"), "{}", ran.err);
        assert!(began.elapsed() < Duration::from_secs(15), "{changes}: it took long");
    }
    let ran = told(&stage, &plain(&bucket), &[]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("gcloud auth application-default login"), "{}", ran.err);
}

#[test]
fn public_objects_need_no_credentials() {
    let (stage, public, own) = (Stage::empty(), bucket("public-longshore"), bucket("longshore"));
    let anonymous = |bucket: &Bucket| format!("{}&anonymous=true", plain(bucket));
    assert_eq!(told(&stage, &anonymous(&public), &[]).code, Some(0));
    let ran = told(&stage, &anonymous(&own), &[]);
    assert!(ran.err.contains("LS0502") && ran.err.contains("Anonymous caller"), "{}", ran.err);
    fs::create_dir(stage.join("from")).expect("a folder");
    let to = anonymous(&public).replace("/p?", "/q?");
    let ran = stage.run(&["copy", "file:from?format=objects", &to]);
    assert!(ran.err.contains("LS0502"), "{}", ran.err);
}

/// Emulators are named in the key file too.
#[test]
fn a_key_file_may_name_the_server() {
    for (start, more) in [("longshore", false), ("public-longshore", true)] {
        let (stage, bucket) = (Stage::empty(), bucket(start));
        let told_by = json!({"gcs_base_url": bucket.server.endpoint(), "disable_oauth": more});
        let file = changed(&stage, &bucket.server.account_file(), &told_by);
        let from = format!("gs://{}/p?format=objects&credentials={file}", bucket.name);
        assert_eq!(told(&stage, &from, &[]).code, Some(0));
    }
}

/// A user and a machine ask for a token once, not for each object.
#[test]
fn a_token_serves_for_many_requests() {
    let (stage, bucket) = (Stage::empty(), bucket("longshore"));
    let proxy = HttpFaults::before(bucket.server.port());
    for number in 0..50 {
        bucket.put(&format!("p/{number}"), &[], b"x");
    }
    let machine = format!("127.0.0.1:{}", proxy.port());
    let ran = told(&stage, &plain(&bucket), &[("GCE_METADATA_HOST", &machine)]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let asked = proxy.seen().iter().filter(|seen| seen.contains("computeMetadata")).count();
    assert!((1..10).contains(&asked), "{asked}");
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("bytes in memory");
    packed.finish().expect("bytes in memory")
}

#[test]
fn compressed_objects_stay_as_they_are_stored() {
    let (stage, bucket) = (Stage::empty(), Bucket::of(StoreKind::Gcs));
    write_random(&stage.join("random"), 20 << 20);
    let (small, large) =
        (packed(&[b'a'; 100_000]), packed(&fs::read(stage.join("random")).expect("a file")));
    assert!(large.len() > 16 << 20, "it takes several parts");
    let told = [("content-encoding", "gzip"), ("content-type", "text/plain")];
    bucket.put("p/small.txt", &told, &small);
    bucket.put("p/large.txt", &told, &large);
    // It only says so.
    bucket.put("p/plain.txt", &told, b"plain");
    let (from, to) = (bucket.address("p"), bucket.address("q"));
    stage.done(&["copy", &from, "file:to?format=objects"]);
    stage.done(&["copy", &from, &to]);
    stage.done(&["verify", &from, &to, "--independent"]);
    stage.done(&["verify", &from, "file:to?format=objects", "--independent"]);
    for (name, bytes) in
        [("small.txt", &small[..]), ("large.txt", &large[..]), ("plain.txt", b"plain")]
    {
        assert!(fs::read(stage.join("to").join(name)).expect("a file") == bytes, "{name}");
        let takes = [("accept-encoding", "gzip")];
        let target = format!("/{}/q/{name}", bucket.name);
        let there = bucket.server.request("GET", &target, &takes, b"");
        assert_eq!(there.header("content-encoding"), Some("gzip"), "{name}");
        assert!(there.body == bytes, "{name}");
    }
}
