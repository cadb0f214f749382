//! What the pods of a job tell.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// The number of a pod among those of an Indexed Job.
const INDEX: &str = "batch.kubernetes.io/job-completion-index";
/// An exit code of nothing that ran.
const UNKNOWN: i64 = 1;

pub(super) fn age(pod: &Pod) -> Option<Time> {
    pod.metadata.creation_timestamp.clone()
}

/// Whether it is the one that makes the target ready and ends the migration.
pub(super) fn leads(pod: &Pod) -> bool {
    let index = pod.metadata.annotations.iter().flatten().find(|(name, _)| *name == INDEX);
    index.is_none_or(|(_, index)| index == "0")
}

fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    container(pod)?.state.as_ref()?.terminated.as_ref()
}

/// Whether its engine has begun, so that it has a log.
pub(super) fn has_begun(pod: &Pod) -> bool {
    let state = container(pod).and_then(|one| one.state.as_ref());
    state.is_some_and(|state| state.running.is_some() || state.terminated.is_some())
}

/// Whether nothing of it runs any more.
pub(super) fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// The exit code of its engine, where it has ended.
pub(super) fn exit(pod: &Pod) -> Option<i64> {
    terminated(pod).map(|end| i64::from(end.exit_code))
}

/// How the pods of a job that failed have ended: the exit code of the last, and whether its memory was taken away.
pub(super) fn end(pods: &[Pod]) -> (i64, bool) {
    let ends = pods.iter().filter_map(terminated).filter(|end| end.exit_code != 0);
    let last = ends.max_by_key(|end| end.finished_at.clone());
    last.map_or((UNKNOWN, false), |end| {
        (i64::from(end.exit_code), end.reason.as_deref() == Some("OOMKilled"))
    })
}

/// Why it has not begun, as the cluster says it.
pub(super) fn waits_for(pod: &Pod) -> Option<String> {
    let waiting = container(pod).and_then(|one| one.state.as_ref()?.waiting.as_ref());
    if let Some(waiting) = waiting {
        let reason = waiting.reason.clone().unwrap_or_default();
        return Some(joined(&reason, waiting.message.as_deref()));
    }
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    let refused = conditions.find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
    Some(joined(refused.reason.as_deref().unwrap_or_default(), refused.message.as_deref()))
}

pub(super) fn joined(reason: &str, message: Option<&str>) -> String {
    match message {
        Some(message) => format!("{reason}: {message}"),
        None => reason.to_string(),
    }
}
