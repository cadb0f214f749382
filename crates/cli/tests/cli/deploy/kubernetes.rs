//! Deployments as objects of Kubernetes.

use longshore_testkit::postgres::{Postgres, Version};

use crate::images::engine;
use crate::stage::{Ran, Stage};

#[test]
fn the_objects_of_kubernetes_are_what_its_schemas_say() {
    let stage = Stage::empty();
    stage.write(
        "m.yaml",
        "longshore: v1\nname: shop\nmoves: [{from: '${secret:SOURCE}', to: 'sqlite:copy.db'}]\n",
    );
    let server = Postgres::shared(Version::V15);
    let database = server.create("cluster");
    server.psql(&database, "CREATE TABLE t (id int PRIMARY KEY)");
    let source = server.url(&database);
    let name = "registry.example.com/team/shop:1";
    let mut build = stage.command(&["build", "m.yaml", "--tag", name, "--engine"]);
    let built: Ran = build.arg(engine()).env("SOURCE", &source).output().expect("it runs").into();
    assert_eq!(built.code, Some(0), "{}", built.err);
    let how = ["deploy", name, "--on", "kubernetes"];
    let nowhere = stage.join("none");
    let mut unknown = stage.command(&how);
    let unknown = unknown.env("KUBECONFIG", &nowhere).env("HOME", stage.path());
    let unknown: Ran = unknown.output().expect("it runs").into();
    assert_eq!(unknown.code, Some(1), "{}", unknown.err);
    for word in ["--context", "KUBECONFIG"] {
        assert!(unknown.err.contains(word), "{}", unknown.err);
    }
    let blind = stage.run(&[&how[..], &["--dry-run"]].concat());
    assert!(blind.err.contains("--egress"), "{}", blind.err);
    let all = [&how[..], &["--dry-run", "--claim", "shop-data:/work", "--cpus", "1.5"]].concat();
    let written: Ran = stage.command(&all).env("SOURCE", &source).output().expect("it runs").into();
    assert_eq!(written.code, Some(0), "{}", written.err);
    let yaml = &written.out;
    let port = format!("port: {}", server.port());
    for word in [
        "registry.example.com/team/shop@sha256:",
        "runAsNonRoot: true",
        "readOnlyRootFilesystem: true",
        "podReplacementPolicy: Failed",
        "claimName: shop-data",
        "value: /run/secrets/SOURCE",
        "cpu: 1500m",
        &port,
    ] {
        assert!(yaml.contains(word), "{word}: {yaml}");
    }
    assert!(!yaml.contains("postgres://"), "{yaml}");
    stage.write("objects.yaml", yaml);
    for version in ["1.31", "1.34", "1.37"] {
        let (python, packages) = longshore_testkit::kubernetes_schemas();
        let mut check = std::process::Command::new(python);
        check.args(["-c", VALIDATE, version]).arg(stage.join("objects.yaml"));
        let checked = check.env("PYTHONPATH", packages).output().expect("python starts");
        assert!(checked.status.success(), "{version}: {checked:?}\n{yaml}");
        assert_eq!(String::from_utf8_lossy(&checked.stdout), "NetworkPolicy\nJob\n");
    }
    let several = stage.command(&[&all[..], &["--processes", "3"]].concat());
    several_processes(&stage, several, &source);
    // The check itself can fail.
    stage.write("objects.yaml", &yaml.replace("podReplacementPolicy", "podReplacement"));
    let (python, packages) = longshore_testkit::kubernetes_schemas();
    let mut check = std::process::Command::new(python);
    check.args(["-c", VALIDATE, "1.37"]).arg(stage.join("objects.yaml"));
    let checked = check.env("PYTHONPATH", packages).output().expect("python starts");
    assert!(!checked.status.success(), "a wrong key is found");
}

/// SQLite is loaded by one process; PostgreSQL by as many as are wanted, each with a number.
fn several_processes(stage: &Stage, mut refused: std::process::Command, source: &str) {
    let refused: Ran = refused.env("SOURCE", source).output().expect("it runs").into();
    assert_eq!(refused.code, Some(42), "{}", refused.err);
    assert!(refused.err.contains("several processes"), "{}", refused.err);
    let text =
        "longshore: v1\nname: shop\nmoves: [{from: '${secret:SOURCE}', to: '${secret:TARGET}'}]\n";
    stage.write("n.yaml", text);
    let server = Postgres::shared(Version::V15);
    let target = server.url(&server.create("cluster"));
    let name = "registry.example.com/team/several:1";
    let run = |args: &[&str]| -> Ran {
        let mut command = stage.command(args);
        command.env("SOURCE", source).env("TARGET", &target).output().expect("it runs").into()
    };
    let engine = engine();
    let engine = engine.to_str().expect("a path");
    let built = run(&["build", "n.yaml", "--tag", name, "--engine", engine]);
    assert_eq!(built.code, Some(0), "{}", built.err);
    let how = ["deploy", name, "--on", "kubernetes", "--dry-run", "--processes", "3"];
    let written = run(&how);
    assert_eq!(written.code, Some(0), "{}", written.err);
    let yaml = &written.out;
    for words in [
        "completionMode: Indexed",
        "completions: 3",
        "parallelism: 3",
        "backoffLimitPerIndex: 20",
        "podReplacementPolicy: Failed",
        "action: FailIndex",
        "action: FailJob",
        "$(JOB_COMPLETION_INDEX)/3",
    ] {
        assert!(yaml.contains(words), "{words}: {yaml}");
    }
    assert!(!yaml.contains("backoffLimit:"), "a limit for each, none for all: {yaml}");
    stage.write("several.yaml", yaml);
    for version in ["1.31", "1.34", "1.37"] {
        let (python, packages) = longshore_testkit::kubernetes_schemas();
        let mut check = std::process::Command::new(python);
        check.args(["-c", VALIDATE, version]).arg(stage.join("several.yaml"));
        let checked = check.env("PYTHONPATH", packages).output().expect("python starts");
        assert!(checked.status.success(), "{version}: {checked:?}\n{yaml}");
    }
    let elsewhere = run(&["deploy", name, "--on", "local", "--processes", "3"]);
    assert_eq!(elsewhere.code, Some(2), "{}", elsewhere.err);
}

const VALIDATE: &str = "
import sys, yaml, kubernetes_validate
for one in yaml.safe_load_all(open(sys.argv[2])):
    kubernetes_validate.validate(one, sys.argv[1], strict=True)
    print(one['kind'])
";
