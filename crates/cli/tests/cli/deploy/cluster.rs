//! Deployments in a real cluster, which `cargo x cluster` is told of: KUBECONFIG chooses it, LONGSHORE_CLUSTER_REGISTRY
//! is the host of a registry that it pulls from, LONGSHORE_CLUSTER_DATABASE the URL of a PostgreSQL that it reaches.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{BEGUN, SLOWLY, until};
use crate::images::engine;
use crate::restart::signal;
use crate::stage::{Ran, Stage};

const NEEDS: &str = "cargo x cluster tells what a cluster's tests need";

/// Tables beside the large one: the report is then a longer line than what runtimes of containers keep in one piece.
const MORE: usize = 60;

/// A migration between two databases that the cluster reaches, as an image that it can pull.
struct Shop {
    stage: Stage,
    /// Of its databases, its image and its deployment.
    name: String,
    image: String,
}

impl Shop {
    fn new(word: &str, rows: u32) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_micros();
        let name = format!("{word}-{now}");
        let image = format!("{}/{name}:1", given("LONGSHORE_CLUSTER_REGISTRY"));
        let shop = Self { stage: Stage::empty(), name, image };
        for side in ["source", "target"] {
            psql(&base(), &format!("CREATE DATABASE {:?}", shop.database(side)));
        }
        let rows = format!(
            "CREATE TABLE t AS SELECT i AS id, md5(i::text) AS word FROM generate_series(1, {rows}) AS i;
             ALTER TABLE t ADD PRIMARY KEY (id);
             DO $$ BEGIN FOR i IN 1..{MORE} LOOP
               EXECUTE format('CREATE TABLE %I AS SELECT %s AS id', 'more' || i, i);
             END LOOP; END $$"
        );
        psql(&shop.url("source"), &rows);
        shop.stage.write(
            "m.yaml",
            "longshore: v1\nname: shop\nmoves: [{from: '${secret:SOURCE}', to: '${secret:TARGET}'}]\n\
             limits: {chunk: 64KiB}\n",
        );
        let engine = engine();
        let engine = engine.to_str().expect("a path");
        shop.done(&["build", "m.yaml", "--tag", &shop.image, "--engine", engine]);
        shop.done(&["push", &shop.image]);
        shop
    }

    fn database(&self, side: &str) -> String {
        format!("{}-{side}", self.name)
    }

    fn url(&self, side: &str) -> String {
        let url = base();
        let (start, options) = url.split_once('?').unwrap_or((&url, ""));
        let (server, _) = start.rsplit_once('/').expect("a database in the URL");
        format!("{server}/{}?{options}", self.database(side))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.stage.command(args);
        command.env("SOURCE", self.url("source")).env("TARGET", self.url("target"));
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("the binary runs").into()
    }

    fn done(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    fn deploy(&self, options: &[&str]) -> Ran {
        let start = ["deploy", &self.image, "--on", "kubernetes", "--name", &self.name];
        self.run(&[&start[..], options].concat())
    }

    fn rows_are_the_same(&self) {
        let all = "SELECT count(*), md5(string_agg(id || word, ',' ORDER BY id)) FROM t";
        assert_eq!(psql(&self.url("source"), all), psql(&self.url("target"), all));
    }

    /// What the cluster has of it, as `kind/name`.
    fn objects(&self) -> String {
        let ours = format!("dev.longshore.deployment={}", self.name);
        let kinds = "jobs,pods,secrets,networkpolicies";
        kubectl(&["get", kinds, "--selector", &ours, "--output", "name"])
    }

    /// Deploys an image that does not begin; what is said until its pod stands as told, and some seconds more.
    fn until_told(&self, image: &str, options: &[&str], stands: &str) -> String {
        let how = ["deploy", image, "--on", "kubernetes", "--name", &self.name];
        let mut command = self.command(&[&how[..], options].concat());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let follower = command.spawn().expect("it runs");
        until(|| kubectl(&["get", "pods"]).contains(stands));
        std::thread::sleep(Duration::from_secs(5));
        signal(&follower, "-INT");
        let told = follower.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&told.stderr).to_string()
    }

    fn begins(&self) {
        until(|| self.run(&["logs", &self.name]).out.contains(BEGUN));
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = self.command(&["undeploy", &self.name]).output();
        for side in ["source", "target"] {
            let sql = format!("DROP DATABASE IF EXISTS {:?} WITH (FORCE)", self.database(side));
            let _ = asked(&base(), &sql);
        }
    }
}

fn given(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: {NEEDS}"))
}

fn base() -> String {
    given("LONGSHORE_CLUSTER_DATABASE")
}

fn asked(url: &str, sql: &str) -> Output {
    let mut psql = Command::new(longshore_testkit::postgres_programs(15).join("psql"));
    psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url]);
    psql.stdin(Stdio::null()).output().expect("psql starts")
}

fn psql(url: &str, sql: &str) -> String {
    let ran = asked(url, sql);
    assert!(ran.status.success(), "{sql}: {ran:?}");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

fn kubectl(args: &[&str]) -> String {
    let ran = Command::new("kubectl").args(args).output().expect("kubectl is installed");
    assert!(ran.status.success(), "{args:?}: {ran:?}");
    String::from_utf8(ran.stdout).expect("UTF-8")
}

#[test]
#[ignore = "cargo x cluster"]
fn a_cluster_runs_a_deployment_and_its_report_comes_back() {
    let shop = Shop::new("runs", 3_000);
    let ran = shop.deploy(&[]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("verified: run "), "{}", ran.out);
    shop.rows_are_the_same();
    assert!(shop.done(&["report"]).out.contains("verified"), "the report is here");
    let status = shop.done(&["status"]).out;
    assert!(status.contains("done (0)"), "{status}");
    let log = shop.done(&["logs"]).out;
    assert!(!log.contains("postgres://"), "{log}");
    // Again it finds all of it there.
    let again = shop.deploy(&[]);
    assert_eq!(again.code, Some(0), "{}", again.err);
    assert!(!shop.done(&["logs"]).out.contains("chunk-started"), "nothing is copied twice");
    for kind in ["job", "pod", "secret", "networkpolicy"] {
        assert!(shop.objects().contains(kind), "{kind}: {}", shop.objects());
    }
    shop.done(&["undeploy"]);
    assert_eq!(shop.objects(), "", "nothing of it is left");
}

#[test]
#[ignore = "cargo x cluster"]
fn a_pod_that_is_lost_is_followed_by_another_and_a_stopped_job_goes_on() {
    let shop = Shop::new("lost", 20_000);
    let slowly = [&["--detach"], &SLOWLY[..]].concat();
    let started = shop.deploy(&slowly);
    assert_eq!(started.code, Some(0), "{}", started.err);
    shop.begins();
    let joined = shop.deploy(&["--detach", "--json"]);
    assert_eq!(joined.event("deployed")["how"], "joined");
    // Lost like with its node: another pod goes on, and whoever follows sees it.
    let first = shop.objects().lines().find(|line| line.starts_with("pod/")).map(str::to_string);
    kubectl(&["delete", &first.clone().expect("a pod"), "--grace-period=0", "--force"]);
    until(|| {
        shop.objects()
            .lines()
            .any(|line| line.starts_with("pod/") && Some(line) != first.as_deref())
    });
    shop.begins();
    let stopped = shop.done(&["stop", "--grace", "50"]).out;
    assert!(stopped.contains("stopped (130)"), "{stopped}");
    let ended = shop.deploy(&[]);
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    shop.rows_are_the_same();
}

#[test]
#[ignore = "cargo x cluster"]
fn two_machines_that_deploy_at_once_leave_one_job_that_runs() {
    let shop = Shop::new("twice", 3_000);
    let start = ["deploy", &shop.image, "--on", "kubernetes", "--name", &shop.name, "--pull"];
    let machines = [Stage::empty(), Stage::empty()];
    let begun = machines.each_ref().map(|machine| {
        let mut command = shop.command(&start);
        command.current_dir(machine.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("it runs")
    });
    let ended = begun.map(|child| Ran::from(child.wait_with_output().expect("it ends")));
    assert!(ended.iter().any(|ran| ran.code == Some(0)), "{} {}", ended[0].err, ended[1].err);
    for ran in &ended {
        assert!(matches!(ran.code, Some(0 | 42 | 75)), "{}\n{}", ran.out, ran.err);
    }
    shop.rows_are_the_same();
    assert_eq!(shop.objects().lines().filter(|line| line.starts_with("job")).count(), 1);
}

#[test]
#[ignore = "cargo x cluster"]
fn pods_share_a_migration_and_its_exit_code_comes_through() {
    let shop = Shop::new("shared", 50_000);
    let ran = shop.deploy(&["--processes", "3"]);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    shop.rows_are_the_same();
    assert_eq!(shop.objects().lines().filter(|line| line.starts_with("pod/")).count(), 3);
    // A table that is there and not ours ends it at once, not after twenty more tries.
    psql(&shop.url("target"), "DROP SCHEMA _longshore CASCADE");
    let refused = shop.deploy(&[]);
    assert_eq!(refused.code, Some(43), "{}\n{}", refused.out, refused.err);
}

#[test]
#[ignore = "cargo x cluster"]
fn what_keeps_a_pod_from_beginning_is_said() {
    let shop = Shop::new("unseen", 10);
    let elsewhere = "registry.invalid/shop:1";
    shop.done(&["tag", &shop.image, elsewhere]);
    let told = shop.until_told(elsewhere, &[], "ImagePullBackOff");
    assert!(told.contains("ErrImagePull") || told.contains("ImagePullBackOff"), "{told}");
    shop.done(&["undeploy"]);
    // Nor one whose secrets are not there.
    let told = shop.until_told(&shop.image, &["--secret", "nobody-made-it"], "ContainerCreating");
    assert!(told.contains("FailedMount") && told.contains("nobody-made-it"), "{told}");
    shop.done(&["undeploy"]);
    assert_eq!(shop.objects(), "", "nothing of it is left");
}
