//! A deployment as objects of Kubernetes: a job that cannot do more than its migration needs, and the network that it
//! may reach. They hold under the *restricted* Pod Security Standard.

use std::collections::BTreeMap;

use longshore_model::{Code, Error, Result};
use serde_json::{Value, json};

use super::Cluster;
use crate::{DEPLOYMENT, Deployment, SECRETS};

/// The container's name.
pub(super) const CONTAINER: &str = "longshore";
/// Who says so of what it makes.
pub(super) const MANAGER: &str = "longshore";
const WORK: &str = "/work";
/// The user of images.
const USER: u32 = 65532;
/// Exit codes after which another try is pointless: usage, differences, this cannot work, the world is not as planned.
const FINAL: [u8; 4] = [2, 3, 42, 43];
/// Seconds that a migration has to stop at a safe point.
const GRACE: u32 = 60;
const TRIES: u32 = 20;
/// The same where several processes run: what is pointless for one of them need not be for the others.
const FINAL_OF_ALL: [u8; 3] = [2, 3, 43];
const FINAL_OF_ONE: [u8; 1] = [42];
/// Seconds that the others wait for the process with index 0 while it is not there; they are started again
/// afterwards.
const WAIT: u32 = 300;

/// The objects, in the order in which they are applied: the network's rules before what they hold for.
fn objects(deployment: &Deployment, cluster: &Cluster) -> [Value; 2] {
    [network(deployment, cluster), job(deployment, cluster)]
}

/// The object that holds the secrets.
pub(super) fn secret(
    deployment: &Deployment,
    cluster: &Cluster,
    values: &BTreeMap<String, String>,
) -> Value {
    let mut metadata = metadata(deployment, cluster);
    metadata["name"] = json!(secret_name(deployment, cluster));
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "Opaque",
        "stringData": values,
    })
}

/// The objects as YAML.
pub fn yaml(deployment: &Deployment, cluster: &Cluster) -> Result<String> {
    let mut out = String::new();
    for object in objects(deployment, cluster) {
        let text = serde_saphyr::to_string(&object).map_err(|error| {
            Error::new(Code::Internal, "the objects cannot be written").because(error.to_string())
        })?;
        out.push_str("---\n");
        out.push_str(&text);
    }
    Ok(out)
}

fn metadata(deployment: &Deployment, cluster: &Cluster) -> Value {
    let mut metadata = json!({ "name": deployment.name, "labels": labels(deployment) });
    let annotations: serde_json::Map<String, Value> =
        deployment.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    metadata["annotations"] = Value::Object(annotations);
    if let Some(namespace) = &cluster.namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

/// What is chosen by. Digests are too long for labels, and are annotations.
fn labels(deployment: &Deployment) -> Value {
    json!({
        "app.kubernetes.io/managed-by": MANAGER,
        "app.kubernetes.io/name": "longshore",
        DEPLOYMENT: deployment.name,
    })
}

pub(super) fn network(deployment: &Deployment, cluster: &Cluster) -> Value {
    let port = |protocol: &str, port: u16| json!({ "protocol": protocol, "port": port });
    let ports: Vec<Value> = cluster.ports.iter().map(|one| port("TCP", *one)).collect();
    let mut egress = vec![json!({ "ports": [port("UDP", 53), port("TCP", 53)] })];
    if !ports.is_empty() {
        egress.push(json!({ "ports": ports }));
    }
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(deployment, cluster),
        "spec": {
            "podSelector": { "matchLabels": { DEPLOYMENT: deployment.name } },
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": egress,
        },
    })
}

pub(super) fn job(deployment: &Deployment, cluster: &Cluster) -> Value {
    let mut spec = match cluster.processes {
        0 | 1 => json!({
            "backoffLimit": TRIES,
            "completions": 1,
            "parallelism": 1,
            "podFailurePolicy": { "rules": [exits("FailJob", &FINAL), disruption()] },
        }),
        // Each process has its number from the platform, and is started again under the same one.
        several => json!({
            "completionMode": "Indexed",
            "backoffLimitPerIndex": TRIES,
            "completions": several,
            "parallelism": several,
            "podFailurePolicy": { "rules": [
                exits("FailJob", &FINAL_OF_ALL),
                exits("FailIndex", &FINAL_OF_ONE),
                disruption(),
            ] },
        }),
    };
    // A process that is only going may still write: its successor starts when it is gone.
    spec["podReplacementPolicy"] = json!("Failed");
    spec["template"] = json!({
        "metadata": { "labels": labels(deployment) },
        "spec": pod(deployment, cluster),
    });
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(deployment, cluster),
        "spec": spec,
    })
}

fn exits(action: &str, values: &[u8]) -> Value {
    json!({
        "action": action,
        "onExitCodes": { "containerName": CONTAINER, "operator": "In", "values": values },
    })
}

/// A node that goes is nobody's failure.
fn disruption() -> Value {
    json!({ "action": "Ignore", "onPodConditions": [{ "type": "DisruptionTarget", "status": "True" }] })
}

/// The words for the engine. Kubernetes puts the number of a process in where it is named.
fn arguments(deployment: &Deployment, cluster: &Cluster) -> Vec<String> {
    let mut words = deployment.command.clone();
    if cluster.processes > 1 {
        let process = format!("$(JOB_COMPLETION_INDEX)/{}", cluster.processes);
        let more = ["--process", &process, "--wait", &WAIT.to_string()];
        words.extend(more.map(str::to_string));
    }
    words
}

fn pod(deployment: &Deployment, cluster: &Cluster) -> Value {
    let (user, group) = user(deployment);
    json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "terminationGracePeriodSeconds": GRACE,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": user,
            "runAsGroup": group,
            "fsGroup": group,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
        "imagePullSecrets": cluster.pull_secret.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "containers": [container(deployment, cluster)],
        "volumes": volumes(deployment, cluster),
    })
}

fn user(deployment: &Deployment) -> (u32, u32) {
    let told = deployment.user.as_deref().unwrap_or_default();
    let (user, group) = told.split_once(':').unwrap_or((told, told));
    (user.parse().unwrap_or(USER), group.parse().unwrap_or(USER))
}

fn container(deployment: &Deployment, cluster: &Cluster) -> Value {
    let plain = deployment.environment.iter();
    let plain = plain.map(|(name, value)| json!({ "name": name, "value": value }));
    let secrets = deployment.secrets.iter().map(
        |name| json!({ "name": format!("{name}_FILE"), "value": format!("{SECRETS}/{name}") }),
    );
    json!({
        "name": CONTAINER,
        "image": deployment.image.name,
        "args": arguments(deployment, cluster),
        "env": plain.chain(secrets).collect::<Vec<_>>(),
        "resources": resources(deployment),
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        },
        "volumeMounts": mounts(deployment, cluster),
    })
}

fn resources(deployment: &Deployment) -> Value {
    let mut limits = serde_json::Map::new();
    if let Some(memory) = deployment.limits.memory {
        limits.insert("memory".to_string(), json!(memory.to_string()));
    }
    if let Some(cpus) = deployment.limits.cpus {
        limits.insert("cpu".to_string(), json!(format!("{}m", (cpus * 1000.0).round())));
    }
    json!({ "limits": limits, "requests": limits })
}

fn mounts(deployment: &Deployment, cluster: &Cluster) -> Vec<Value> {
    let mut mounts = Vec::new();
    for (number, claim) in cluster.claims.iter().enumerate() {
        mounts.push(json!({
            "name": format!("claim-{number}"), "mountPath": claim.to, "readOnly": claim.read_only,
        }));
    }
    if !is_work_claimed(cluster) {
        mounts.push(json!({ "name": "work", "mountPath": WORK }));
    }
    if !deployment.secrets.is_empty() {
        mounts.push(json!({ "name": "secrets", "mountPath": SECRETS, "readOnly": true }));
    }
    mounts
}

fn volumes(deployment: &Deployment, cluster: &Cluster) -> Vec<Value> {
    let mut volumes = Vec::new();
    for (number, claim) in cluster.claims.iter().enumerate() {
        let source = json!({ "claimName": claim.name, "readOnly": claim.read_only });
        volumes.push(json!({ "name": format!("claim-{number}"), "persistentVolumeClaim": source }));
    }
    if !is_work_claimed(cluster) {
        volumes.push(json!({ "name": "work", "emptyDir": {} }));
    }
    if !deployment.secrets.is_empty() {
        let items = deployment.secrets.iter().map(|name| json!({ "key": name, "path": name }));
        let source = json!({
            "name": secret_name(deployment, cluster), "items": items.collect::<Vec<_>>(),
        });
        volumes.push(json!({
            "name": "secrets",
            "projected": { "defaultMode": 0o440, "sources": [{ "secret": source }] },
        }));
    }
    volumes
}

fn is_work_claimed(cluster: &Cluster) -> bool {
    cluster.claims.iter().any(|claim| claim.to == std::path::Path::new(WORK))
}

/// The name of the object that holds the secrets.
pub(super) fn secret_name(deployment: &Deployment, cluster: &Cluster) -> String {
    cluster.secret.clone().unwrap_or_else(|| format!("{}-secrets", deployment.name))
}
