//! What the control plane takes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::TraceArgs;
use super::registry::PatienceArgs;

#[derive(Debug, Args)]
pub(crate) struct ControlArgs {
    /// Migrations to keep from the start: files, or folders with a sealed plan.
    #[arg(value_name = "MIGRATION")]
    pub(crate) migrations: Vec<PathBuf>,
    /// Run those migrations at once.
    #[arg(long, requires = "migrations")]
    pub(crate) start: bool,
    /// The address and the port to listen at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4680")]
    pub(crate) listen: SocketAddr,
    /// The certificate to show, with those between it and its authority, as PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Speak HTTP without TLS to other machines too, such as a proxy that has the certificate.
    #[arg(long, conflicts_with = "certificate")]
    pub(crate) plain_http: bool,
    /// The folder of the registry's images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR", conflicts_with = "no_registry")]
    pub(crate) registry: Option<PathBuf>,
    /// Serve no registry.
    #[arg(long)]
    pub(crate) no_registry: bool,
    /// Runs at work at a time; others wait their turn.
    #[arg(long, value_name = "NUMBER", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) runs: u16,
    /// Send JSON to this address when a run begins, stops or ends; ${secret:NAME} stands for a secret. Again for
    /// several.
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Vec<String>,
    /// The longest that runs may take to stop at a safe point when the server is asked to end.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,
    #[command(flatten)]
    pub(crate) traces: TraceArgs,
    #[command(flatten)]
    pub(crate) patience: PatienceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// Who gets it: a person or a program.
    pub(crate) name: String,
    /// What it allows.
    #[arg(long, value_enum, default_value_t = RoleChoice::Viewer)]
    pub(crate) role: RoleChoice,
    /// Revoke the token that has this name, and make no other.
    #[arg(long, conflicts_with = "role")]
    pub(crate) revoke: bool,
}

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleChoice {
    /// Look at everything but tokens and the audit log.
    Viewer,
    /// Keep migrations; start, stop and verify runs; push images.
    Operator,
    /// Make and revoke tokens, read the audit log, remove images.
    Admin,
}
