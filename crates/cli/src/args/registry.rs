//! What the verbs of registries take.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use longshore_image::Name;
use longshore_service::Place;

use super::upkeep::{CheckArgs, DuArgs, HoldArgs, MirrorArgs, RetentionArgs};

/// What the registry in the box does.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryVerb {
    /// Serves images from a folder, to longshore, Docker, Podman, skopeo and all that speaks OCI's protocol.
    #[command(
        after_help = "Examples:\n  longshore registry serve\n  longshore registry serve --listen 0.0.0.0:5000 --root /srv/registry --access access.yaml --certificate registry.pem --key registry.key\n\nIt serves this machine alone unless --listen says another address, for which it wants to know who may do what\nand a certificate. SIGTERM ends it when the requests at hand are answered; whatever ends it, nothing that was\nanswered is lost."
    )]
    Serve(ServeArgs),
    /// Frees what no manifest has needed for a while, also while the registry serves.
    #[command(
        after_help = "Examples:\n  longshore registry gc\n  longshore registry gc --root /srv/registry --dry-run\n\nWhat is not needed is marked first, and removed by a later collection that finds it as it was: run it\nregularly, such as once in a day. What somebody asked for meanwhile waits anew."
    )]
    Gc(GcArgs),
    /// Removes the tags that no rule of the policy keeps, also while the registry serves.
    #[command(
        after_help = "Examples:\n  longshore registry retention --dry-run\n  longshore registry retention --root /srv/registry\n\nThe rules stand in policy.yaml in the folder of the images. Each tag is told with the rule that keeps it. What is held or immutable stays. Only names go: `longshore registry gc --untagged` frees what no tag leads to any more."
    )]
    Retention(RetentionArgs),
    /// Keeps images from being removed by anybody, with the reason why; lets them go; lists them.
    #[command(
        after_help = "Examples:\n  longshore registry hold team/shop:1.4.0 --reason 'the audit of May' --until 2027-05-31\n  longshore registry hold --list\n  longshore registry hold team/shop:1.4.0 --release\n\nNeither retention, nor gc, nor a client removes what is held, what it needs, and what speaks of it. The hold is on the image, not on the tag: the tag may name another one later."
    )]
    Hold(HoldArgs),
    /// Says how much the registry holds, and whose it is.
    #[command(
        after_help = "Examples:\n  longshore registry du\n  longshore registry du --root /srv/registry --json\n\nBYTES has each blob of a repository once, APART what its images would take each for itself. UNIQUE is what no other repository has. The sums are the length of the files on the disk."
    )]
    Du(DuArgs),
    /// Reads all that the registry holds, and says what is damaged or missing and which images need it.
    #[command(
        after_help = "Examples:\n  longshore registry check --root /srv/registry\n  longshore registry check --repair registry.example.com --dry-run\n  longshore registry check --repair registry.example.com/copies\n\nIt ends with 3 when damage remains. What is fetched is proved by its digest and put in its place at once; the registry may serve meanwhile."
    )]
    Check(CheckArgs),
    /// Copies whole repositories into the registry in the box, out of it, or between others.
    #[command(
        after_help = "Examples:\n  longshore registry mirror 'registry.example.com/team/*' --root /srv/registry\n  longshore registry mirror registry.example.com/team/shop --to backup.example.com/copies\n  longshore registry mirror 'team/*' --from-root /srv/registry --to registry.example.com --dry-run\n\nAll tags come with signatures and all that is said of their images. What is there is not sent again; tags that are only there stay. It ends with 3 when a tag could not be copied."
    )]
    Mirror(MirrorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// How long nothing must have needed what is removed, such as 30m or 2h. With 0s all is removed at once:
    /// only where nobody pushes.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = humantime::parse_duration)]
    pub(crate) grace: Duration,
    /// Also remove manifests to which no tag leads, neither by a list nor because they speak of one that stays;
    /// their layers go in later collections.
    #[arg(long)]
    pub(crate) untagged: bool,
    /// Only say what would be removed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The address and the port to listen at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5000")]
    pub(crate) listen: SocketAddr,
    /// The folder of the images; `registry` in the state folder without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Who may do what, as YAML: users with hashes of passwords by bcrypt, and rights.
    #[arg(long, value_name = "FILE")]
    pub(crate) access: Option<PathBuf>,
    /// The certificate to show, with those between it and its authority, as PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) certificate: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) key: Option<PathBuf>,
    /// Let everybody in who reaches the address, also from other machines.
    #[arg(long, conflicts_with = "access")]
    pub(crate) open: bool,
    /// Speak HTTP without TLS to other machines too, such as a proxy that has the certificate.
    #[arg(long, conflicts_with = "certificate")]
    pub(crate) plain_http: bool,
    /// Serve the numbers of the registry at this address, at /metrics in the form of Prometheus, over HTTP to
    /// whoever reaches it.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    #[command(flatten)]
    pub(crate) patience: PatienceArgs,
}

/// How long a registry waits for clients, and for how many.
#[derive(Debug, Args)]
pub(crate) struct PatienceArgs {
    /// The longest that a client may take for the head of a request, to agree on TLS, or between two requests.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = humantime::parse_duration)]
    pub(crate) head_timeout: Duration,
    /// The longest that a client is waited for while a body moves: 16 KiB must move in each such while. Who is slow
    /// and moves is not cut.
    #[arg(long, value_name = "TIME", default_value = "1m", value_parser = humantime::parse_duration)]
    pub(crate) stall_timeout: Duration,
    /// Connections at once. When there are more, the one that has waited longest for a request makes room.
    #[arg(long, value_name = "NUMBER", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_connections: u32,
}

/// How a registry is reached.
#[derive(Debug, Args)]
pub(crate) struct RegistryArgs {
    /// Trust the certificates in this file too, besides those of the system; the variable
    /// LONGSHORE_REGISTRY_CA without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Speak HTTP without TLS. On this machine itself that needs no option.
    #[arg(long)]
    pub(crate) plain_http: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PushArgs {
    /// The image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) image: Place,
    /// The name that it gets there, when it is another one.
    pub(crate) name: Option<Name>,
    /// Say which blobs would be sent, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// The image.
    pub(crate) image: Name,
    /// Refuse an image that this public key does not prove, before its layers come.
    #[arg(long, value_name = "FILE")]
    pub(crate) require_signature: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TagsArgs {
    /// The repository, with its host.
    #[arg(value_name = "HOST/REPOSITORY")]
    pub(crate) repository: Name,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The image, by a tag or a digest.
    pub(crate) from: Name,
    /// The name that it gets.
    pub(crate) to: Name,
    /// Refuse an image that this public key does not prove.
    #[arg(long, value_name = "FILE")]
    pub(crate) require_signature: Option<PathBuf>,
    /// Say which blobs would be sent, and send nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Whether an image that is not here is looked for in its registry.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// Pull an image that is not here.
    #[arg(long)]
    pub(crate) pull: bool,
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}
