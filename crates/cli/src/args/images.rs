//! What the verbs of images take.

use std::path::PathBuf;

use clap::Args;
use longshore_image::Name;
use longshore_image::document::Platform;
use longshore_service::Place;

use super::{FetchArgs, MigrationArgs, OverrideArgs};

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    #[command(flatten)]
    pub(crate) migration: MigrationArgs,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
    /// A name of the image, such as registry.example.com/team/shop:1.4.0; can be given again. The
    /// migration's own name and version without it.
    #[arg(long, short, value_name = "NAME")]
    pub(crate) tag: Vec<Name>,
    /// Seal this plan, made by `plan --output`, instead of making one.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    /// A static binary of longshore, one for each platform; this one without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) engine: Vec<PathBuf>,
    /// Make a list of platforms also when there is one engine.
    #[arg(long)]
    pub(crate) index: bool,
    /// Write the image there too: archive:FILE, which docker load takes, or oci-layout:FOLDER.
    #[arg(long, short, value_name = "PLACE")]
    pub(crate) output: Vec<Place>,
}

#[derive(Debug, Args)]
pub(crate) struct ImagesArgs {
    /// Take in the images of an archive or another layout.
    #[arg(long, value_name = "PLACE")]
    pub(crate) load: Option<Place>,
}

#[derive(Debug, Args)]
pub(crate) struct TagArgs {
    /// The image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) image: Place,
    /// Its new name, which another image loses.
    pub(crate) name: Name,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// The images.
    #[arg(value_name = "NAME")]
    pub(crate) images: Vec<Name>,
    /// Only say what would be removed and freed.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// The image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) image: Place,
    /// Show the sealed migration.
    #[arg(long)]
    pub(crate) migration: bool,
    /// Show the sealed plan.
    #[arg(long, conflicts_with = "migration")]
    pub(crate) plan: bool,
    /// Write the bill of materials of the engine, as CycloneDX.
    #[arg(long, conflicts_with_all = ["migration", "plan"])]
    pub(crate) sbom: bool,
    /// The platform whose engine is meant, such as linux/arm64; this machine's without it.
    #[arg(long, value_name = "OS/ARCHITECTURE")]
    pub(crate) platform: Option<Platform>,
    /// The public key to check by what is stated of the image.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fetch: FetchArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The earlier image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) from: Place,
    /// The later one.
    pub(crate) to: Place,
    /// Exit with 3 when they differ.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// What both files are called before their endings, .key and .pub.
    #[arg(default_value = "longshore")]
    pub(crate) name: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// The private key; the secret LONGSHORE_KEY without it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The image.
    pub(crate) image: Name,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AttestArgs {
    /// The image.
    pub(crate) image: Name,
    /// The run, or the start of its id; the newest without it.
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvidenceArgs {
    /// The image: a name, archive:FILE or oci-layout:FOLDER.
    pub(crate) image: Place,
    /// The public key that must prove it.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fetch: FetchArgs,
}
