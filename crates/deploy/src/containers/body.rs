//! A deployment as the request that makes its container: with as little as a container can have.

use std::collections::HashMap;

use bollard::models::{ContainerCreateBody, HostConfig, Mount as Told, MountType};

use crate::{DEPLOYMENT, Deployment, Mount, SECRETS};

/// Seconds that a migration has to stop at a safe point, when the engine itself ends it.
const GRACE: i64 = 60;

pub(super) fn of(deployment: &Deployment, image: &str) -> ContainerCreateBody {
    let variables = deployment.environment.iter().map(|(name, value)| format!("{name}={value}"));
    let secrets = deployment.secrets.iter().map(|name| format!("{name}_FILE={SECRETS}/{name}"));
    let mut labels: HashMap<String, String> = deployment.labels.clone().into_iter().collect();
    labels.insert(DEPLOYMENT.to_string(), deployment.name.clone());
    ContainerCreateBody {
        image: Some(image.to_string()),
        cmd: Some(deployment.command.clone()),
        env: Some(variables.chain(secrets).collect()),
        user: deployment.user.clone(),
        labels: Some(labels),
        stop_timeout: Some(GRACE),
        host_config: Some(host(deployment)),
        ..Default::default()
    }
}

fn host(deployment: &Deployment) -> HostConfig {
    let limits = &deployment.limits;
    let memory = limits.memory.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    HostConfig {
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_string()]),
        security_opt: Some(vec!["no-new-privileges".to_string()]),
        pids_limit: Some(i64::from(limits.processes)),
        memory,
        // No swap beside it: rows in a swap file would be rows on a disk.
        memory_swap: memory,
        #[expect(clippy::cast_possible_truncation, reason = "processors are few")]
        nano_cpus: limits.cpus.map(|cpus| (cpus * 1e9).round() as i64),
        network_mode: deployment.network.clone(),
        mounts: Some(mounts(deployment)),
        ..Default::default()
    }
}

fn mounts(deployment: &Deployment) -> Vec<Told> {
    let secrets = deployment.secrets_folder.iter().map(|folder| Mount {
        from: folder.clone(),
        to: SECRETS.into(),
        read_only: true,
    });
    let all = deployment.mounts.iter().cloned().chain(secrets);
    all.map(|one| Told {
        typ: Some(MountType::BIND),
        source: Some(one.from.display().to_string()),
        target: Some(one.to.display().to_string()),
        read_only: Some(one.read_only),
        ..Default::default()
    })
    .collect()
}
