//! What the verbs of deployments take.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use longshore_model::spec::Size;
use longshore_service::{Claim, Mount, Place};

use super::TrustArgs;

/// Where an image runs.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum On {
    /// Docker, over its socket.
    Docker,
    /// Podman, over its socket.
    Podman,
    /// This machine itself, confined as far as its kernel grants that.
    Local,
    /// Kubernetes, over its API; with --dry-run, its objects are written.
    Kubernetes,
}

/// What a process of ours does for a deployment on this machine itself.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfinedVerb {
    /// Starts the engine of a deployment, and waits for it.
    Supervise {
        /// The deployment's folder.
        folder: PathBuf,
    },
    /// Becomes the engine, confined.
    Enter {
        /// The deployment's folder.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) image: Place,
    /// Where it runs.
    #[arg(long, value_name = "PLATFORM")]
    pub(crate) on: On,
    /// The socket of the platform; without it DOCKER_HOST or CONTAINER_HOST, and then the usual one.
    #[arg(long, value_name = "FILE")]
    pub(crate) socket: Option<PathBuf>,
    /// The deployment's name; longshore-MIGRATION-PLAN without it.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// A folder of this machine that it sees, and where: FOLDER:PLACE or FOLDER:PLACE:ro; can be given again.
    /// Relative paths of the migration are in /work.
    #[arg(long, short, value_name = "VOLUME")]
    pub(crate) volume: Vec<Mount>,
    /// The network that it joins, such as host or none; the platform's default without it.
    #[arg(long)]
    pub(crate) network: Option<String>,
    /// The user, and the group, that it runs as: who may write the volumes. 65532:65532 without it.
    #[arg(long, value_name = "USER[:GROUP]")]
    pub(crate) user: Option<String>,
    /// The most memory; without it twice what the migration allows for rows, and 512 MiB.
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<Size>,
    /// The most processors, such as 1.5.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) cpus: Option<f64>,
    /// A variable that is no secret; can be given again. Secrets that the migration names are taken from here
    /// too, and come to it as files.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) env: Vec<(String, String)>,
    /// The context of kubectl's settings; the current one without it, and in a pod the cluster that it runs in.
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) context: Option<String>,
    /// The namespace; that of the context without it.
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) namespace: Option<String>,
    /// A PersistentVolumeClaim that it sees, and where: NAME:PLACE or NAME:PLACE:ro; can be given again.
    #[arg(long, value_name = "CLAIM", help_heading = "Kubernetes")]
    pub(crate) claim: Vec<Claim>,
    /// A port that it may reach; can be given again. Those of source and target without it.
    #[arg(long, value_name = "PORT", help_heading = "Kubernetes")]
    pub(crate) egress: Vec<u16>,
    /// The object that holds the secrets in the cluster already. Without it, one is made of what is set here, and goes
    /// with the deployment; it is called as the deployment and -secrets.
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) secret: Option<String>,
    /// The object by which the cluster may pull the image.
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) pull_secret: Option<String>,
    /// How many processes run the migration together, each in a pod of its own: an Indexed Job.
    #[arg(long, value_name = "N", help_heading = "Kubernetes", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) processes: u32,
    /// Do not follow it.
    #[arg(long, short)]
    pub(crate) detach: bool,
    /// Show what would be sent to the platform, and send nothing.
    #[arg(long, conflicts_with = "detach")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Options for the run, after --, such as --verify sample.
    #[arg(last = true, value_name = "OPTION")]
    pub(crate) arguments: Vec<String>,
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_string(), value.to_string())),
        _ => Err("write NAME=VALUE".to_string()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The deployment; all of them without it.
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The deployment; the only one without it.
    pub(crate) name: Option<String>,
    /// Go on until it ends, and end with its exit code.
    #[arg(long, short)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// The deployment; the only one without it.
    pub(crate) name: Option<String>,
    /// How many seconds it has to stop at a safe point.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) grace: u32,
}

#[derive(Debug, Args)]
pub(crate) struct UndeployArgs {
    /// The deployment; the only one without it.
    pub(crate) name: Option<String>,
}
