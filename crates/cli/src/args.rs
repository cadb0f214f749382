//! The command line.

mod deploy;
mod images;
mod migrations;
mod registry;
mod serve;
mod upkeep;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::failpoint::Failpoint;
use crate::failure::EXITS;

pub(crate) use deploy::{
    ConfinedVerb, DeployArgs, LogsArgs, On, StatusArgs, StopArgs, UndeployArgs,
};
pub(crate) use images::{
    AttestArgs, BuildArgs, DiffArgs, EvidenceArgs, ImagesArgs, InspectArgs, KeyArgs, RmArgs,
    SignArgs, SigningArgs, TagArgs,
};
pub(crate) use migrations::{
    CopyArgs, DemoArgs, InitArgs, MigrationArgs, OverrideArgs, PlanArgs, ReportArgs, RunArgs,
    RunOptions, TraceArgs, TrustArgs, VerifyArgs, VerifyChoice,
};
pub(crate) use registry::{
    FetchArgs, GcArgs, PatienceArgs, PromoteArgs, PullArgs, PushArgs, RegistryArgs, RegistryVerb,
    ServeArgs, TagsArgs,
};
pub(crate) use serve::{ControlArgs, RoleChoice, TokenArgs};
pub(crate) use upkeep::{CheckArgs, DuArgs, HoldArgs, MirrorArgs, RetentionArgs};

/// Moves data between systems and proves that it arrived.
#[derive(Debug, Parser)]
#[command(
    name = "longshore",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = after_help()
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Write JSON to the standard output: one event a line, or the result of the verb.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Write nothing but errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The folder in which runs and their reports are kept.
    #[arg(long, global = true, value_name = "DIR", default_value = ".longshore")]
    pub(crate) state: PathBuf,
    /// Kills the process, or fails, when a point is passed for the N-th time.
    #[arg(long, global = true, hide = true, value_name = "NAME[:N][:kill|error]")]
    pub(crate) failpoint: Vec<Failpoint>,
    /// Ends the process when its standard input ends, as it does with a parent that holds it.
    #[arg(long, global = true, hide = true)]
    pub(crate) end_with_input: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Writes a migration file from a live source, with comments.
    #[command(
        after_help = "Examples:\n  longshore init sqlite:shop.db 'file:out?format=parquet' > migration.yaml\n  longshore init sqlite:shop.db sqlite:copy.db --output migration.yaml"
    )]
    Init(InitArgs),
    /// Copies everything from one system to another, and verifies it.
    #[command(
        after_help = "Examples:\n  longshore copy sqlite:shop.db 'file:out?format=parquet'\n  longshore copy 'file:out?format=parquet' sqlite:copy.db --existing replace\n\nStarted again after an interruption, it goes on where it stopped."
    )]
    Copy(CopyArgs),
    /// Studies source and target and says what a run will do. Changes nothing.
    #[command(
        after_help = "Examples:\n  longshore plan migration.yaml\n  longshore plan migration.yaml --details\n  longshore plan sqlite:shop.db sqlite:copy.db --sql\n  longshore plan migration.yaml --output plan.json\n  longshore plan migration.yaml --check   # for CI: 0 when nothing is lost, else 3"
    )]
    Plan(PlanArgs),
    /// Runs a migration, or goes on with an interrupted run of it, and verifies it.
    #[command(
        after_help = "Examples:\n  longshore run migration.yaml\n  longshore run migration.yaml --plan plan.json --verify sample\n  longshore run migration.yaml --dry-run\n  longshore run registry.example.com/team/shop:1.4.0   # an image: its own engine runs it"
    )]
    Run(RunArgs),
    /// Reads the target back and proves that every row is there, and no other.
    #[command(
        after_help = "Examples:\n  longshore verify migration.yaml\n  longshore verify sqlite:shop.db sqlite:copy.db --independent\n  longshore verify migration.yaml --repair"
    )]
    Verify(VerifyArgs),
    /// Seals a migration, its plan and the engine into an image.
    #[command(
        after_help = "Examples:\n  longshore build migration.yaml --tag registry.example.com/team/shop:1.4.0\n  longshore build migration.yaml --plan plan.json --tag shop:1.4.0 --output archive:shop.tar\n  longshore build migration.yaml --tag shop:1 --engine longshore-amd64 --engine longshore-arm64\n\nThe same inputs give the same digest. Nothing but the plan needs the systems that the migration names;\nwith --plan nothing does. SOURCE_DATE_EPOCH sets the time that the image says it was made at."
    )]
    Build(BuildArgs),
    /// Lists the images that are here, or takes images in.
    #[command(
        after_help = "Examples:\n  longshore images\n  longshore images --load archive:shop.tar"
    )]
    Images(ImagesArgs),
    /// Gives an image another name.
    #[command(after_help = "Examples:\n  longshore tag shop:1.4.0 shop:stable")]
    Tag(TagArgs),
    /// Removes names of images, and frees what no other image needs.
    #[command(
        after_help = "Examples:\n  longshore rm shop:1.3.0\n  longshore rm shop:1.3.0 --dry-run\n  longshore rm   # frees what no image needs"
    )]
    Rm(RmArgs),
    /// Shows what is in an image.
    #[command(
        after_help = "Examples:\n  longshore inspect shop:1.4.0\n  longshore inspect archive:shop.tar --plan\n  longshore inspect shop:1.4.0 --sbom > sbom.cdx.json"
    )]
    Inspect(InspectArgs),
    /// Shows what changed from one image of a migration to another: the migration, its plan, the statements,
    /// the engine and the packages in it.
    #[command(
        after_help = "Examples:\n  longshore diff shop:1.3.0 shop:1.4.0\n  longshore diff shop:1.3.0 archive:shop.tar --check   # 3 when they differ"
    )]
    Diff(DiffArgs),
    /// Makes a pair of keys, to sign images with.
    #[command(
        after_help = "Examples:\n  longshore key shop   # writes shop.key, which only you can read, and shop.pub"
    )]
    Key(KeyArgs),
    /// Signs an image, in the forms of cosign and sigstore.
    #[command(
        after_help = "Examples:\n  longshore sign registry.example.com/team/shop:1.4.0 --key shop.key\n  LONGSHORE_KEY_FILE=/run/secrets/key longshore sign shop:1.4.0"
    )]
    Sign(SignArgs),
    /// States, signed, on an image what a run of it did.
    #[command(
        after_help = "Examples:\n  longshore attest shop:1.4.0 --key shop.key\n  longshore attest shop:1.4.0 20260102-1030 --key shop.key"
    )]
    Attest(AttestArgs),
    /// Shows what an image did: its runs, and what their verification found.
    #[command(
        after_help = "Examples:\n  longshore evidence shop:1.4.0\n  longshore evidence shop:1.4.0 --key shop.pub   # 0 when a verified run is proved, else 3"
    )]
    Evidence(EvidenceArgs),
    /// Pushes an image to a registry, with its signatures and all that is said of it.
    #[command(
        after_help = "Examples:\n  longshore push registry.example.com/team/shop:1.4.0\n  longshore push shop:1.4.0 registry.example.com/team/shop:1.4.0\n  longshore push registry.example.com/team/shop:1.4.0 --dry-run\n\nCredentials are those of docker login and podman login. Interrupted, the same command goes on."
    )]
    Push(PushArgs),
    /// Pulls an image from a registry, with its signatures and all that is said of it.
    #[command(
        after_help = "Examples:\n  longshore pull registry.example.com/team/shop:1.4.0\n  longshore pull registry.example.com/team/shop@sha256:…\n\nEvery part is proved by its digest. Interrupted, the same command goes on."
    )]
    Pull(PullArgs),
    /// Lists the tags of a repository.
    #[command(after_help = "Examples:\n  longshore tags registry.example.com/team/shop")]
    Tags(TagsArgs),
    /// Brings an image from one repository or registry to another: the same digest, with all that is said of it.
    #[command(
        after_help = "Examples:\n  longshore promote registry.example.com/test/shop:1.4.0 registry.example.com/live/shop:1.4.0\n  longshore promote test.example.com/shop@sha256:… live.example.com/shop:1.4.0 --dry-run\n\nIt gets no name here. Where both are of one registry, no layer leaves it."
    )]
    Promote(PromoteArgs),
    /// Runs an image where containers run, with as little as a container can have, and follows it.
    #[command(
        after_help = "Examples:\n  longshore deploy registry.example.com/team/shop:1.4.0 --on docker\n  longshore deploy shop:1.4.0 --on podman --volume /srv/shop:/work --user 1000:1000\n  longshore deploy shop:1.4.0 --on docker --dry-run\n  longshore deploy shop:1.4.0 --on docker --require-signature shop.pub -- --verify sample\n\nIt ends with the exit code of the migration. Deployed again, a running one is followed; one that has ended\nis made anew, and goes on by what is in its target. An interrupt leaves it running."
    )]
    Deploy(Box<DeployArgs>),
    /// Shows what was deployed from here, and how it stands.
    #[command(
        after_help = "Examples:\n  longshore status\n  longshore status longshore-shop-0123456789 --json"
    )]
    Status(StatusArgs),
    /// Shows what a deployment wrote, or follows it until it ends.
    #[command(
        after_help = "Examples:\n  longshore logs\n  longshore logs longshore-shop-0123456789 --follow"
    )]
    Logs(LogsArgs),
    /// Asks a deployment to stop at a safe point.
    #[command(
        after_help = "Examples:\n  longshore stop longshore-shop-0123456789\n  longshore stop --grace 300\n\nDeployed again, it goes on from there."
    )]
    Stop(StopArgs),
    /// Removes a deployment, its log and its secrets. What it migrated stays.
    #[command(after_help = "Examples:\n  longshore undeploy longshore-shop-0123456789")]
    Undeploy(UndeployArgs),
    /// The registry in the box.
    #[command(subcommand)]
    Registry(RegistryVerb),
    /// Serves the API, the dashboard, the numbers and the registry, and runs migrations.
    #[command(
        after_help = "Examples:\n  longshore serve\n  longshore serve migration.yaml --start\n  longshore serve --listen 0.0.0.0:4680 --certificate server.pem --key server.key\n\nThe first start prints the token of an administrator, unless the variable LONGSHORE_TOKEN or the file that\nLONGSHORE_TOKEN_FILE names holds one. SIGTERM lets runs stop at a safe point; whatever ends it, the next start\ntakes up the runs that had not ended."
    )]
    Serve(ControlArgs),
    /// Makes or revokes a token for the server of a state folder, also while it serves.
    #[command(
        after_help = "Examples:\n  longshore token alice --role operator\n  longshore token alice --revoke"
    )]
    Token(TokenArgs),
    /// Shows the report of a run.
    #[command(
        after_help = "Examples:\n  longshore report\n  longshore report --list\n  longshore report 20260102-1030 --html report.html"
    )]
    Report(ReportArgs),
    /// Makes a shop, migrates it, kills the migration, goes on, and compares every value.
    #[command(
        after_help = "Examples:\n  longshore demo\n  longshore demo --rows 100000 --keep /tmp/demo"
    )]
    Demo(DemoArgs),
    /// Explains an error code; lists all of them without one.
    #[command(after_help = "Examples:\n  longshore explain LS0201\n  longshore explain")]
    Explain {
        /// The code, such as LS0201.
        code: Option<String>,
    },
    /// Writes the completion script of a shell.
    #[command(
        after_help = "Examples:\n  longshore completion bash > /etc/bash_completion.d/longshore\n  longshore completion fish > ~/.config/fish/completions/longshore.fish"
    )]
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Writes the manual page.
    #[command(
        after_help = "Examples:\n  longshore man > /usr/local/share/man/man1/longshore.1\n  longshore man | man --local-file -"
    )]
    Man,
    /// Parts of `deploy --on local`.
    #[command(subcommand, hide = true)]
    Confined(ConfinedVerb),
    /// Writes the reference pages into a folder.
    #[command(hide = true)]
    Reference {
        /// The folder.
        folder: PathBuf,
    },
}

fn after_help() -> String {
    let mut out = String::from(
        "Examples:\n  longshore demo\n  longshore copy sqlite:shop.db 'file:out?format=parquet'\n  longshore init sqlite:shop.db sqlite:copy.db --output migration.yaml\n  longshore plan migration.yaml\n  longshore run migration.yaml\n\nExit codes:\n",
    );
    for (code, _, meaning) in EXITS {
        out.push_str(&format!("  {code:<3}  {meaning}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_values_are_refused() {
        for line in [
            "longshore copy a:b c:d --workers 0",
            "longshore copy a:b c:d --memory lots",
            "longshore copy a:b c:d --source-rate 5MiB",
            "longshore copy a:b c:d --existing maybe",
            "longshore copy a:b",
            "longshore plan --sql --json",
            "longshore demo --rows 5",
            "longshore run --failpoint x:0",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
        let line = "longshore copy a:b c:d --workers auto --memory 1GiB --source-rate 5MiB/s";
        assert!(Cli::try_parse_from(line.split(' ')).is_ok());
    }
}
