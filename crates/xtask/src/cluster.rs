//! `cargo x cluster`: the tests that need a cluster of Kubernetes, which no package registry has.

use crate::steps::{Steps, cargo, say};

const NEEDED: &[(&str, &str)] = &[
    ("KUBECONFIG", "kubectl's settings, whose current context is a cluster for tests"),
    ("LONGSHORE_CLUSTER_REGISTRY", "HOST:PORT of a registry to push to, that its nodes pull from"),
    (
        "LONGSHORE_CLUSTER_DATABASE",
        "the URL of a PostgreSQL that this machine and its pods reach, in which databases can be made",
    ),
];

/// Runs them; true when all passed.
pub(crate) fn run() -> bool {
    let missing: Vec<_> =
        NEEDED.iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
    for (name, what) in &missing {
        say(&format!("{name} is not set: {what}\n"));
    }
    if !missing.is_empty() {
        return false;
    }
    let mut steps = Steps::default();
    steps.check("services", || crate::services::run(false));
    let tests = ["test", "--locked", "--package", "longshore-cli", "--test", "cli"];
    let chosen = ["--", "--ignored", "--test-threads", "2", "deploy::cluster::"];
    steps.run("tests in a cluster", &mut cargo(&[&tests[..], &chosen].concat()));
    steps.summary("cluster")
}
