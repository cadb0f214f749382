//! The registry in the box, with our own client and those of others.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command};

use longshore_testkit::docker::Docker;
use longshore_testkit::podman::Podman;
use longshore_testkit::registry::{PASSWORD, login, skopeo};
use serde_json::Value;

use super::{elsewhere, refused, sealed, told};
use crate::postgres::verified;
use crate::stage::{Ran, Stage};

/// A registry in the box, which is killed when the test ends.
pub(super) struct Served {
    child: Child,
    pub(super) host: String,
}

impl Served {
    pub(super) fn start(stage: &Stage, args: &[&str]) -> Self {
        let all = [&["registry", "serve", "--listen", "127.0.0.1:0", "--json"], args].concat();
        let mut child = stage.start(&all);
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let told: Value = serde_json::from_str(&line).expect("JSON");
        Self { child, host: told["address"].as_str().expect("an address").to_string() }
    }

    fn kill(mut self) {
        self.child.kill().expect("it is killed");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command of skopeo that must succeed; what it printed.
pub(super) fn skopeo_done(folder: &Path, args: &[&str]) -> String {
    let ran = skopeo(folder, None, args);
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8_lossy(&ran.stdout).into_owned()
}

#[test]
fn images_travel_through_it_with_their_evidence() {
    let home = Stage::empty();
    let registry = Served::start(&home, &["--root", "images"]);
    let name = format!("{}/team/shop:1.4.0", registry.host);
    let stage = sealed(&name);
    let pushed = told(&stage.done(&["push", &name, "--json"]));
    let tags = stage.done(&["tags", &name]).out;
    // Signatures have tags for cosign; what else speaks of an image is listed by the registry itself.
    let is_wanted = |tag: &str| tag == "1.4.0" || tag.ends_with(".sig");
    assert!(tags.lines().all(is_wanted), "{tags}");
    // All that was answered outlives a kill.
    registry.kill();
    let registry = Served::start(&home, &["--root", "images"]);
    let name = format!("{}/team/shop:1.4.0", registry.host);
    let other = elsewhere(&stage);
    let pulled = told(&other.done(&["pull", &name, "--json"]));
    assert_eq!(pulled["digest"], pushed["digest"]);
    verified(&other.run(&["run", &name, "--require-signature", "mine.pub", "--json"]));
    other.done(&["evidence", &name, "--key", "mine.pub"]);
    // Promoted within it, manifests alone are sent.
    let live = format!("{}/live/shop:1.4.0", registry.host);
    let promoted = told(&other.done(&["promote", &name, &live, "--json"]));
    assert!(promoted["bytes"].as_u64().expect("a number") < 100_000, "{promoted}");
    stage.done(&["evidence", &live, "--pull", "--key", "mine.pub"]);
}

#[test]
fn podman_takes_from_it_and_gives_to_it() {
    let home = Stage::empty();
    let registry = Served::start(&home, &["--root", "images"]);
    let name = format!("{}/team/shop:1.4.0", registry.host);
    let stage = sealed(&name);
    let digest = told(&stage.done(&["push", &name, "--json"]))["digest"].clone();
    let podman = Podman::prepare();
    let run = |args: &[&str]| {
        let ran = podman.run(args);
        assert!(ran.status.success(), "{args:?}: {ran:?}");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    run(&["pull", "--quiet", "--tls-verify=false", &name]);
    let version = run(&["run", "--rm", "--ulimit", "host", &name, "--version"]);
    assert!(version.starts_with("longshore "), "{version}");
    let again = format!("{}/by-podman/shop:1", registry.host);
    run(&["push", "--quiet", "--tls-verify=false", &name, &format!("docker://{again}")]);
    let other = elsewhere(&stage);
    other.done(&["pull", &again]);
    verified(&other.run(&["run", &again, "--json"]));
    // By digest, the whole list is what it was.
    let exact = format!("{}/team/shop@{}", registry.host, digest.as_str().expect("a digest"));
    run(&["pull", "--quiet", "--tls-verify=false", &exact]);
}

#[test]
fn skopeo_and_docker_take_from_it_and_give_to_it() {
    let home = Stage::empty();
    let registry = Served::start(&home, &["--root", "images"]);
    let name = format!("{}/team/shop:1.4.0", registry.host);
    let stage = sealed(&name);
    let digest = told(&stage.done(&["push", &name, "--json"]))["digest"].clone();
    let folder = home.path();
    let at = |name: &str| format!("docker://{}/{name}", registry.host);
    let plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let copy = |from: &str, to: &str| {
        skopeo_done(folder, &[&["copy", "--all"], &plain[..], &[from, to]].concat())
    };
    copy(&at("team/shop:1.4.0"), "oci:layout:shop");
    copy("oci:layout:shop", &at("other/shop:2"));
    let told =
        skopeo_done(folder, &["inspect", "--raw", "--tls-verify=false", &at("other/shop:2")]);
    assert_eq!(format!("sha256:{}", hex(told.as_bytes())), digest.as_str().expect("a digest"));
    let docker = Docker::start();
    let run = |args: &[&str]| {
        let ran = docker.run(args);
        assert!(ran.status.success(), "{args:?}: {ran:?}");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    };
    run(&["pull", "--quiet", &name]);
    let version = run(&["run", "--rm", "--network", "none", &name, "--version"]);
    assert!(version.starts_with("longshore "), "{version}");
    let again = format!("{}/by-docker/shop:1", registry.host);
    run(&["tag", &name, &again]);
    run(&["push", "--quiet", &again]);
    let other = elsewhere(&stage);
    other.done(&["pull", &again]);
    verified(&other.run(&["run", &again, "--json"]));
    skopeo_done(folder, &["delete", "--tls-verify=false", &at("other/shop:2")]);
    refused(&other, &["pull", &format!("{}/other/shop:2", registry.host)], 42, &["LS0708"]);
}

fn hex(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bytes");
    fs::write(&file, bytes).expect("a file");
    let out = Command::new("sha256sum").arg(&file).output().expect("sha256sum starts").stdout;
    String::from_utf8(out).expect("text").split(' ').next().expect("a digest").to_string()
}

#[test]
fn only_those_who_may_are_let_in() {
    let home = Stage::empty();
    // The passwords are `U*U` and, of nobody, unknown.
    let hash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
    home.write(
        "access.yaml",
        &format!(
            "users: {{writer: {hash}, reader: {hash}}}\nrights:\n\
             - {{repositories: ['team/*'], users: [writer], may: [pull, push]}}\n\
             - {{repositories: ['*'], users: [reader], may: [pull]}}\n\
             - {{repositories: ['open/*'], users: ['*'], may: [pull]}}\n"
        ),
    );
    let registry = Served::start(&home, &["--root", "images", "--access", "access.yaml"]);
    let name = |repository: &str| format!("{}/{repository}:1", registry.host);
    let stage = sealed(&name("team/shop"));
    let as_user = |user: &str, password: &str| {
        stage.write("auth.json", &login(&registry.host, user, password));
    };
    let run = |args: &[&str]| {
        let file = stage.join("auth.json");
        let ran = stage.command(args).env("REGISTRY_AUTH_FILE", file).output();
        Ran::from(ran.expect("it runs"))
    };
    let denied = |ran: &Ran, status: &str| {
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        assert!(ran.err.contains(status), "{status}: {}", ran.err);
    };
    stage.write("auth.json", "{}");
    denied(&run(&["push", &name("team/shop")]), "401");
    as_user("writer", "wrong");
    denied(&run(&["push", &name("team/shop")]), "401");
    as_user("nobody", PASSWORD);
    denied(&run(&["push", &name("team/shop")]), "401");
    as_user("reader", PASSWORD);
    denied(&run(&["push", &name("team/shop")]), "403");
    as_user("writer", PASSWORD);
    assert_eq!(run(&["push", &name("team/shop")]).code, Some(0));
    denied(&run(&["push", &name("team/shop"), &name("other/shop")]), "403");
    as_user("reader", PASSWORD);
    assert!(run(&["tags", &name("team/shop")]).out.starts_with("1\n"));
    stage.write("auth.json", "{}");
    denied(&run(&["tags", &name("team/shop")]), "401");
    denied(&run(&["tags", &name("open/shop")]), "404");
}

#[test]
fn what_is_deleted_is_freed_while_it_serves() {
    let home = Stage::empty();
    let registry = Served::start(&home, &["--root", "images"]);
    let name = |tag: &str| format!("{}/team/shop:{tag}", registry.host);
    let stage = sealed(&name("one"));
    let digest = told(&stage.done(&["push", &name("one"), "--json"]))["digest"].clone();
    let at =
        format!("docker://{}@{}", name("").trim_end_matches(':'), digest.as_str().expect("one"));
    let gc = |more: &[&str]| {
        let now = ["registry", "gc", "--root", "images", "--grace", "0s", "--untagged"];
        home.done(&[&now, more].concat()).out
    };
    assert!(gc(&[]).starts_with("0 B freed"));
    skopeo_done(home.path(), &["delete", "--tls-verify=false", &at]);
    let told = gc(&["--dry-run"]);
    assert!(told.contains("no tag leads to it: would be freed"), "{told}");
    assert!(gc(&[]).contains("no tag leads to it: freed"));
    // The signatures of cosign's form keep their tags.
    let freed = gc(&[]);
    assert!(freed.contains("MiB, no manifest names it: freed"), "{freed}");
    stage.done(&["push", &name("one"), &name("two")]);
    let other = elsewhere(&stage);
    verified(&other.run(&["run", &name("two"), "--pull", "--json"]));
    let waits = home.done(&["registry", "gc", "--root", "images"]).out;
    assert!(waits.starts_with("0 B freed"), "{waits}");
    refused(&home, &["registry", "gc", "--root", "none"], 42, &["no registry"]);
}

#[test]
fn carelessness_is_refused() {
    let stage = Stage::empty();
    fn serve<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["registry", "serve", "--root", "images"], args].concat()
    }
    let wide = ["--listen", "0.0.0.0:0"];
    refused(&stage, &serve(&wide), 2, &["without being asked", "--access", "--open"]);
    refused(
        &stage,
        &serve(&[&wide[..], &["--open"]].concat()),
        2,
        &["in the clear", "--certificate"],
    );
    stage.write("access.yaml", "users: {me: secret}\nrights: []\n");
    let wrong = refused(&stage, &serve(&["--access", "access.yaml"]), 2, &["htpasswd -nB me"]);
    assert!(!wrong.err.contains("secret"), "{}", wrong.err);
    stage.write(
        "access.yaml",
        "users: {}\nrights: [{repositories: ['*'], users: [me], may: [pull]}]\n",
    );
    refused(&stage, &serve(&["--access", "access.yaml"]), 2, &["there is no user me"]);
    fs::create_dir(stage.join("full")).expect("a folder");
    stage.write("full/mine", "x");
    refused(&stage, &["registry", "serve", "--root", "full"], 43, &["no registry"]);
}
