//! Who may reach a registry, and how.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use longshore_testkit::registry::{Choice, PASSWORD, Registry, USER, host};

use super::{elsewhere, refused, sealed};
use crate::stage::{Ran, Stage};

/// Runs a command that finds its own credentials only.
fn with(stage: &Stage, args: &[&str], set: &[(&str, &str)]) -> Ran {
    let mut command: Command = stage.command(args);
    command.env("HOME", stage.path());
    for name in ["XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE"] {
        command.env_remove(name);
    }
    command.envs(set.iter().copied()).output().expect("the binary runs").into()
}

#[test]
fn credentials_are_those_of_docker_podman_and_their_helpers() {
    let registry = Registry::start(Choice { login: true, ..Choice::default() });
    let name = format!("{}/team/shop:1", registry.host());
    let stage = sealed(&name);
    let denied = |ran: &Ran| {
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        assert!(ran.err.contains("LS0708") && ran.err.contains("401"), "{}", ran.err);
        assert!(ran.err.contains("docker login"), "{}", ran.err);
        assert!(!ran.err.contains(PASSWORD) && !ran.err.contains("VTp"), "{}", ran.err);
    };
    denied(&with(&stage, &["push", &name], &[]));
    fs::create_dir_all(stage.join(".docker")).expect("a folder");
    stage.write(".docker/config.json", &registry.login(registry.port(), "wrong"));
    denied(&with(&stage, &["push", &name], &[]));
    stage.write(".docker/config.json", &registry.login(registry.port(), PASSWORD));
    let done = |ran: Ran| assert_eq!(ran.code, Some(0), "{}", ran.err);
    done(with(&stage, &["push", &name], &[]));
    // Docker's folder by its variable, podman's file by both of its places and by its variable.
    let other = elsewhere(&stage);
    fs::create_dir_all(other.join("cfg/containers")).expect("a folder");
    other.write("cfg/config.json", &registry.login(registry.port(), PASSWORD));
    let folder = other.join("cfg");
    let folder = folder.to_str().expect("a path");
    done(with(&other, &["tags", &name], &[("DOCKER_CONFIG", folder)]));
    other.write("cfg/containers/auth.json", &registry.login(registry.port(), PASSWORD));
    fs::remove_file(other.join("cfg/config.json")).expect("a file");
    done(with(&other, &["tags", &name], &[("XDG_RUNTIME_DIR", folder)]));
    done(with(&other, &["tags", &name], &[("XDG_CONFIG_HOME", folder)]));
    let file = format!("{folder}/containers/auth.json");
    done(with(&other, &["tags", &name], &[("REGISTRY_AUTH_FILE", &file)]));
    let missing = with(&other, &["tags", &name], &[("REGISTRY_AUTH_FILE", "none.json")]);
    assert!(missing.err.contains("LS0101"), "{}", missing.err);
    helpers(&registry, &other, &name);
}

fn helpers(registry: &Registry, stage: &Stage, name: &str) {
    let config = format!(r#"{{"credHelpers":{{"{}":"test"}}}}"#, registry.host());
    fs::create_dir_all(stage.join(".docker")).expect("a folder");
    fs::create_dir_all(stage.join("bin")).expect("a folder");
    let path = format!("{}:/usr/bin:/bin", stage.join("bin").display());
    let script = |text: &str| {
        let file = stage.join("bin/docker-credential-test");
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a file");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("a mode");
    };
    for config in [config.as_str(), r#"{"credsStore":"test"}"#] {
        stage.write(".docker/config.json", config);
        script(&format!(
            r#"[ "$1" = get ] && [ "$(cat)" = "{}" ] && echo '{{"ServerURL":"x","Username":"{USER}","Secret":"{PASSWORD}"}}'"#,
            registry.host()
        ));
        let ran = with(stage, &["tags", name], &[("PATH", &path)]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        script("cat > /dev/null; echo credentials not found in native keychain; exit 1");
        let none = with(stage, &["tags", name], &[("PATH", &path)]);
        assert!(none.err.contains("401"), "{}", none.err);
        script("echo sesame; exit 3");
        let failed = with(stage, &["tags", name], &[("PATH", &path)]);
        assert!(failed.err.contains("docker-credential-test"), "{}", failed.err);
        assert!(!failed.err.contains("sesame"), "{}", failed.err);
    }
    stage.write(".docker/config.json", r#"{"credsStore":"../../bin/sh"}"#);
    let tricked = with(stage, &["tags", name], &[("PATH", &path)]);
    assert!(tricked.err.contains("a name that cannot be one"), "{}", tricked.err);
}

#[test]
fn tokens_are_asked_for_what_is_done_and_no_more() {
    let registry = Registry::start(Choice { tokens: true, ..Choice::default() });
    let name = format!("{}/team/shop:1", registry.host());
    let stage = sealed(&name);
    // Nobody may pull, and so may look, but not push.
    let ran = with(&stage, &["push", &name], &[]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0708"), "{}", ran.err);
    let pulls = |asked: &String| asked.contains("scope=repository:team/shop:pull&");
    fs::create_dir_all(stage.join(".docker")).expect("a folder");
    stage.write(".docker/config.json", &registry.login(registry.port(), "wrong"));
    let ran = with(&stage, &["push", &name], &[]);
    assert!(ran.code == Some(42) && ran.err.contains("asking for a token"), "{}", ran.err);
    stage.write(".docker/config.json", &registry.login(registry.port(), PASSWORD));
    let before = registry.tokens_asked().len();
    let ran = with(&stage, &["push", &name], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let asked = &registry.tokens_asked()[before..];
    assert_eq!(asked.len(), 2, "one to look and one to write: {asked:?}");
    assert!(pulls(&asked[0]) && asked[1].contains("pull%2Cpush"), "{asked:?}");
    assert!(asked.iter().all(|one| one.contains("service=a%20registry&")), "{asked:?}");
    // A mount reads from a second repository.
    let live = format!("{}/live/shop:1", registry.host());
    let ran = with(&stage, &["promote", &name, &live, "--json"], &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(super::told(&ran)["mounted"].as_u64() > Some(5), "{}", ran.out);
    let asked = registry.tokens_asked();
    let both = "scope=repository:live/shop:pull%2Cpush&scope=repository:team/shop:pull";
    assert!(asked.iter().any(|one| one.contains(both)), "{asked:?}");
    let other = elsewhere(&stage);
    let ran = with(&other, &["pull", &live], &[]);
    assert_eq!(ran.code, Some(0), "anyone pulls: {}", ran.err);
}

#[test]
fn tls_is_proved_by_the_authority_that_is_named() {
    let registry = Registry::start(Choice { tls: true, login: true, ..Choice::default() });
    let name = format!("{}/team/shop:1", registry.host());
    let stage = sealed(&name);
    fs::create_dir_all(stage.join(".docker")).expect("a folder");
    stage.write(".docker/config.json", &registry.login(registry.port(), PASSWORD));
    let refused = with(&stage, &["push", &name], &[]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("LS0707") && refused.err.contains("--ca FILE"), "{}", refused.err);
    let authority = registry.authority();
    let authority = authority.to_str().expect("a path");
    let pushed = with(&stage, &["push", &name, "--ca", authority], &[]);
    assert_eq!(pushed.code, Some(0), "{}", pushed.err);
    let set = [("LONGSHORE_REGISTRY_CA", authority)];
    let tags = with(&stage, &["tags", &name], &set);
    assert!(tags.code == Some(0) && tags.out.contains("1\n"), "{}", tags.err);
    // A certificate is for a name.
    let other = format!("127.0.0.2:{}/team/shop:1", registry.port());
    let wrong = with(&stage, &["tags", &other, "--ca", authority], &[]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
    let none = with(&stage, &["tags", &name, "--ca", "m.yaml"], &[]);
    assert!(none.err.contains("--ca takes a file"), "{}", none.err);
}

#[test]
fn plain_http_leaves_this_machine_only_when_it_is_allowed() {
    let registry = Registry::start(Choice { everywhere: true, ..Choice::default() });
    let name = format!("0.0.0.0:{}/team/shop:1", registry.port());
    let stage = sealed(&name);
    refused(&stage, &["push", &name], 1, &["LS0707", "--plain-http"]);
    stage.done(&["push", &name, "--plain-http"]);
    refused(&stage, &["pull", &name], 1, &["LS0707", "--plain-http"]);
    elsewhere(&stage).done(&["pull", &name, "--plain-http"]);
}

#[test]
fn names_that_play_tricks_or_lead_nowhere_are_refused() {
    let registry = Registry::shared();
    let stage = sealed("shop:1.4.0");
    let at = registry.host();
    for name in [
        format!("{at}/../../v2/_catalog"),
        format!("{at}/a/..%2f..%2fb"),
        format!("{at}/a?n=1"),
        format!("{at}/a#b"),
        format!("{at}/a/../b:1"),
        format!("{at}@evil.example/a"),
        format!("{at}/A:1"),
        format!("{at}/a:.."),
    ] {
        let ran = stage.run(&["push", "shop:1.4.0", &name]);
        assert_eq!(ran.code, Some(2), "{name}: {}", ran.err);
        assert_eq!(stage.run(&["pull", &name]).code, Some(2), "{name}");
    }
    refused(&stage, &["push", "localhost/shop:1"], 2, &["LS0702", "Name the host"]);
    let nobody = host(1);
    let ran = stage.run(&["tags", &format!("{nobody}/shop")]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("LS0707") && ran.err.contains("attempts: 7"), "{}", ran.err);
}
