//! Deployments on Docker and Podman.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use longshore_testkit::docker::Docker;
use longshore_testkit::podman::Podman;
use longshore_testkit::postgres::{Postgres, Version};
use serde_json::Value;

use super::{BEGUN, SLOWLY, give, staged, until, volume};
use crate::images::engine;
use crate::stage::{Ran, Stage};

/// An engine of containers, and the way to ask it without us.
struct Site<'a> {
    on: &'static str,
    socket: PathBuf,
    ask: &'a dyn Fn(&[&str]) -> Output,
}

impl Site<'_> {
    /// A verb of ours, for this engine.
    fn command(&self, stage: &Stage, args: &[&str]) -> std::process::Command {
        let mut command = stage.command(&args[..1]);
        command.args(["--on", self.on, "--socket"]).arg(&self.socket).args(&args[1..]);
        command.env("XDG_RUNTIME_DIR", stage.path());
        command
    }

    fn deploy(&self, stage: &Stage, args: &[&str]) -> Ran {
        let all = [&["deploy"], args].concat();
        self.command(stage, &all).output().expect("the binary runs").into()
    }

    fn asked(&self, args: &[&str]) -> String {
        let ran = (self.ask)(args);
        assert!(ran.status.success(), "{args:?}: {ran:?}");
        String::from_utf8(ran.stdout).expect("UTF-8")
    }
}

fn on_docker(check: impl FnOnce(&Site<'_>)) {
    let docker = Docker::start();
    check(&Site { on: "docker", socket: docker.socket(), ask: &|args| docker.run(args) });
}

fn on_podman(check: impl FnOnce(&Site<'_>)) {
    let mut podman = Podman::prepare();
    podman.serve();
    check(&Site { on: "podman", socket: podman.socket(), ask: &|args| podman.run(args) });
}

#[test]
fn docker_runs_a_deployment_and_its_report_comes_back() {
    on_docker(runs_and_reports);
}

#[test]
fn podman_runs_a_deployment_and_its_report_comes_back() {
    on_podman(runs_and_reports);
}

fn runs_and_reports(site: &Site<'_>) {
    let stage = staged(300);
    let volume = volume(&stage);
    let how = ["shop:1.4.0", "--network", "none", "--name", "mine", "--volume", &volume];
    let shown = site.deploy(&stage, &[&how[..], &["--dry-run"]].concat());
    let body: Value = serde_json::from_str(&shown.out).expect("JSON");
    assert_eq!(body["HostConfig"]["ReadonlyRootfs"], true, "{body}");
    assert!(!stage.join("work/copy.db").exists(), "nothing was sent");
    let ran = site.deploy(&stage, &how);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("verified: run "), "{}", ran.out);
    stage.same("work/shop.db", "work/copy.db");
    // With as little as a container can have.
    let told: Value = serde_json::from_str(&site.asked(&["inspect", "mine"])).expect("JSON");
    let host = &told[0]["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true);
    assert!(host["Memory"].as_u64() > Some(1 << 30) && host["PidsLimit"] == 256, "{host}");
    assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{host}");
    assert_eq!(told[0]["Config"]["User"], "65532:65532");
    let caps = [&told[0]["EffectiveCaps"], &host["CapDrop"]];
    assert!(caps[1].to_string().contains("ALL") || caps[0].as_array().is_none_or(Vec::is_empty));
    // The run is one of ours: its report can be shown, and stated on the image.
    assert!(stage.done(&["report"]).out.contains("verified"), "the report is here");
    stage.done(&["key", "mine"]);
    stage.done(&["attest", "shop:1.4.0", "--key", "mine.key"]);
    stage.done(&["evidence", "shop:1.4.0", "--key", "mine.pub"]);
    let status = stage.done(&["status"]).out;
    assert!(status.contains("mine") && status.contains("done (0)"), "{status}");
    let log = stage.done(&["logs", "mine"]).out;
    assert!(log.contains("\"outcome\":\"verified\""), "{log}");
    // Deployed again, it finds all of it there; differences come through.
    let again = site.deploy(&stage, &how);
    assert_eq!(again.code, Some(0), "{}", again.err);
    let log = stage.done(&["logs"]).out;
    assert!(!log.contains("chunk-started"), "nothing is copied twice: {log}");
    stage.done(&["undeploy", "mine"]);
    assert!(!(site.ask)(&["inspect", "mine"]).status.success(), "it is gone");
    assert_eq!(stage.run(&["logs", "mine"]).code, Some(42));
}

#[test]
fn a_killed_deployment_goes_on_where_it_was() {
    on_docker(|site| {
        let stage = staged(20_000);
        let volume = volume(&stage);
        let how = ["shop:1.4.0", "--network", "none", "--name", "slow", "--volume", &volume];
        let slowly = [&how[..], &["--detach"], &SLOWLY].concat();
        let started = site.deploy(&stage, &slowly);
        assert_eq!(started.code, Some(0), "{}", started.err);
        until(|| site.asked(&["logs", "slow"]).contains(BEGUN));
        // It runs: deployed again it is joined, and another image does not get its name.
        let joined = site.deploy(&stage, &[&how[..], &["--detach", "--json"]].concat());
        assert_eq!(joined.event("deployed")["how"], "joined");
        assert!(stage.done(&["status"]).out.contains("running"));
        site.asked(&["kill", "slow"]);
        let followed = stage.run(&["logs", "--follow"]);
        assert_eq!(followed.code, Some(137), "{}\n{}", followed.out, followed.err);
        // Stopped on request, it ends at a safe point.
        let started = site.deploy(&stage, &slowly);
        assert_eq!(started.code, Some(0), "{}", started.err);
        until(|| site.asked(&["logs", "slow"]).contains(BEGUN));
        let stopped = stage.done(&["stop", "--grace", "50"]).out;
        assert!(stopped.contains("stopped (130)"), "{stopped}");
        let ended = site.deploy(&stage, &how);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        stage.same("work/shop.db", "work/copy.db");
    });
}

#[test]
fn secrets_come_as_files_and_stand_nowhere() {
    let server = Postgres::shared(Version::V15);
    let database = server.create("deployed");
    server.psql(&database, "CREATE TABLE t (id int PRIMARY KEY, word text); INSERT INTO t SELECT i, 'w' || i FROM generate_series(1, 500) i");
    server.psql("postgres", "CREATE ROLE mover LOGIN PASSWORD 'horse battery staple'");
    server.psql(&database, "GRANT SELECT ON t TO mover");
    let source = server.url_as("mover", "horse%20battery%20staple", &database);
    on_docker(|site| {
        let stage = Stage::empty();
        fs::create_dir(stage.join("work")).expect("a folder");
        give(&stage.join("work"));
        stage.write(
            "m.yaml",
            "longshore: v1\nname: shop\nmoves: [{from: '${secret:SOURCE}', to: 'sqlite:copy.db'}]\n",
        );
        let mut build = stage.command(&["build", "m.yaml", "--tag", "shop:1", "--engine"]);
        let built: Ran =
            build.arg(engine()).env("SOURCE", &source).output().expect("it runs").into();
        assert_eq!(built.code, Some(0), "{}", built.err);
        let volume = volume(&stage);
        let how = ["deploy", "shop:1", "--network", "host", "--name", "safe", "--volume", &volume];
        let missing: Ran = site.command(&stage, &how).output().expect("it runs").into();
        assert_eq!(missing.code, Some(2), "{}", missing.err);
        assert!(missing.err.contains("SOURCE"), "{}", missing.err);
        let mut command = site.command(&stage, &how);
        let ran: Ran = command.env("SOURCE", &source).output().expect("it runs").into();
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
        assert_eq!(stage.value("work/copy.db", "SELECT count(*) FROM t"), 500);
        let private = stage.join("longshore");
        let file = private.join("safe/secrets/SOURCE");
        assert_eq!(fs::read_to_string(&file).expect("a secret"), source);
        let mode = fs::metadata(&private).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "others cannot reach it");
        let said = [
            ran.out,
            ran.err,
            site.asked(&["inspect", "safe"]),
            site.asked(&["logs", "safe"]),
            fs::read_to_string(stage.join(".longshore/deployments/safe.json")).expect("a record"),
        ];
        for text in said {
            assert!(!text.contains("battery"), "{text}");
        }
        stage
            .command(&["undeploy"])
            .env("XDG_RUNTIME_DIR", stage.path())
            .output()
            .expect("it runs");
        assert!(!private.join("safe").exists(), "the secrets are gone");
    });
}

#[test]
fn what_a_platform_cannot_do_is_said() {
    let stage = staged(10);
    let nowhere = stage.run(&["deploy", "shop:1.4.0", "--on", "docker", "--socket", "none"]);
    assert_eq!(nowhere.code, Some(1), "{}", nowhere.err);
    assert!(nowhere.err.contains("LS0801") && nowhere.err.contains("--socket"), "{}", nowhere.err);
    let remote: Ran = stage
        .command(&["deploy", "shop:1.4.0", "--on", "docker"])
        .env("DOCKER_HOST", "tcp://10.0.0.1:2375")
        .output()
        .expect("it runs")
        .into();
    assert_eq!(remote.code, Some(2), "{}", remote.err);
    stage.done(&["key", "mine"]);
    on_docker(|site| {
        let unsigned = site.deploy(&stage, &["shop:1.4.0", "--require-signature", "mine.pub"]);
        assert_eq!(unsigned.code, Some(43), "{}", unsigned.err);
        let missing = format!("{}:/work", stage.join("missing").display());
        let refused = site.deploy(&stage, &["shop:1.4.0", "--volume", &missing]);
        assert_eq!(refused.code, Some(42), "{}", refused.err);
        assert!(
            refused.err.contains("LS0802") && refused.err.contains("missing"),
            "{}",
            refused.err
        );
        assert!(stage.done(&["status"]).out.lines().count() == 1, "nothing is left");
        // What it would not find is said, and the exit code is that of the engine.
        let blind = site.deploy(&stage, &["shop:1.4.0", "--network", "none", "--name", "blind"]);
        assert!(
            blind.err.contains("warning") && blind.err.contains("/work/shop.db"),
            "{}",
            blind.err
        );
        assert_ne!(blind.code, Some(0), "{}", blind.out);
        // A container of somebody else keeps its name.
        let image = site.asked(&["images", "--quiet"]);
        site.asked(&["create", "--name", "theirs", image.lines().next().expect("an image")]);
        let taken = site.deploy(&stage, &["shop:1.4.0", "--name", "theirs"]);
        assert_eq!(taken.code, Some(42), "{}", taken.err);
        assert!(taken.err.contains("not ours"), "{}", taken.err);
    });
}

#[test]
fn a_deployment_that_runs_out_of_memory_says_so() {
    let stage = staged(10);
    // The plan knows nothing of this row, which is larger than the container.
    stage.sql("work/shop.db", "INSERT INTO orders VALUES (11, 'x', 1, zeroblob(150000000), 1)");
    on_docker(|site| {
        let volume = volume(&stage);
        let small = ["shop:1.4.0", "--network", "none", "--memory", "32MiB", "--volume", &volume];
        let killed = site.deploy(&stage, &small);
        assert_eq!(killed.code, Some(42), "{}\n{}", killed.out, killed.err);
        assert!(killed.err.contains("ran out of memory"), "{}", killed.err);
        let enough = ["shop:1.4.0", "--network", "none", "--memory", "2GiB", "--volume", &volume];
        let done = site.deploy(&stage, &enough);
        assert_eq!(done.code, Some(0), "{}\n{}", done.out, done.err);
        stage.same("work/shop.db", "work/copy.db");
    });
}
