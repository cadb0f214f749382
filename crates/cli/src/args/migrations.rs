//! What the verbs of migrations take.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use longshore_engine::Process;
use longshore_model::loss::OnReject;
use longshore_model::spec::{Existing, Rate, Size, VerifyLevel, Workers};
use longshore_service::Overrides;

use super::FetchArgs;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The source's address, such as sqlite:shop.db.
    pub(crate) from: String,
    /// The target's address, such as file:out?format=parquet.
    pub(crate) to: String,
    /// Write to this file, which must not be there yet, instead of the standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The source's address, such as sqlite:shop.db.
    pub(crate) from: String,
    /// The target's address, such as file:out?format=parquet.
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) options: RunOptions,
}

/// What is asked of an image before its engine runs.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Refuse an image that this public key does not prove.
    #[arg(long, value_name = "FILE")]
    pub(crate) require_signature: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) fetch: FetchArgs,
}

/// A migration file, or two addresses.
#[derive(Debug, Args)]
pub(crate) struct MigrationArgs {
    /// The migration file, or a folder with migration.yaml in it; or the source's address; to run it, also
    /// an image.
    #[arg(value_name = "MIGRATION | FROM", default_value = "migration.yaml")]
    pub(crate) first: String,
    /// The target's address, when the first argument is the source's.
    #[arg(value_name = "TO")]
    pub(crate) second: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) migration: MigrationArgs,
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
    /// Exit with 0 when a run would move everything exactly, with 3 when values would be lost or
    /// refused, or something of the source would stay behind.
    #[arg(long)]
    pub(crate) check: bool,
    /// Write the plan to this file, for `run --plan`.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write the statements that will run in the target.
    #[arg(long, conflicts_with_all = ["json", "details"])]
    pub(crate) sql: bool,
    /// Show every column, also when there are many tables.
    #[arg(long)]
    pub(crate) details: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) migration: MigrationArgs,
    /// Run this plan, made by `plan --output`.
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    #[command(flatten)]
    pub(crate) options: RunOptions,
    /// With --json, write the whole report as an event too, for whoever cannot read the folder of the run.
    #[arg(long)]
    pub(crate) emit_report: bool,
    #[command(flatten)]
    pub(crate) processes: ProcessArgs,
}

/// Which of several processes of one run this is.
#[derive(Debug, Args)]
pub(crate) struct ProcessArgs {
    /// Be one of COUNT processes that run the migration together, each started with its own INDEX from 0 on.
    /// The one with 0 makes the target ready, copies, finishes and verifies; the others wait for it, copy,
    /// and end when everything is in.
    #[arg(long, value_name = "INDEX/COUNT", value_parser = one_of)]
    process: Option<(u32, u32)>,
    /// Seconds after which others may take a chunk of a process that gives no sign of life; the same for all
    /// of them.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "process", value_parser = clap::value_parser!(u32).range(1..=3600))]
    lease: u32,
    /// Seconds for which the processes above 0 wait while no process holds the target.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, requires = "process", value_parser = clap::value_parser!(u32).range(1..=86400))]
    wait: u32,
}

impl ProcessArgs {
    /// The process; `None` for the only one.
    pub(crate) fn process(&self) -> Option<Process> {
        let (index, count) = self.process.filter(|(_, count)| *count > 1)?;
        let seconds = |number: u32| Duration::from_secs(number.into());
        Some(Process { index, count, lease: seconds(self.lease), wait: seconds(self.wait) })
    }
}

fn one_of(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| text.parse::<u32>().ok()).flatten()
    };
    let parts = text.split_once('/');
    match parts.and_then(|(index, count)| Some((number(index)?, number(count)?))) {
        Some((index, count @ 1..=MOST_PROCESSES)) if index < count => Ok((index, count)),
        _ => Err(format!(
            "it is INDEX/COUNT, with a COUNT of 1 to {MOST_PROCESSES} and an INDEX below it, such as 0/3"
        )),
    }
}

/// The most processes of one run: each needs a few connections to both ends.
const MOST_PROCESSES: u32 = 1000;

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) overrides: OverrideArgs,
    /// How much is verified after the copy.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) verify: Option<VerifyChoice>,
    /// Show the plan and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) traces: TraceArgs,
}

/// Where what is done is traced.
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// Send traces to a collector of OpenTelemetry, by OTLP over HTTP: its address, such as http://127.0.0.1:4318.
    /// They are parts of the trace that TRACEPARENT names, where it is set.
    #[arg(long, value_name = "URL")]
    pub(crate) otlp_endpoint: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OverrideArgs {
    /// What to do with data that the target holds already.
    #[arg(long, value_name = "CHOICE")]
    existing: Option<ExistingChoice>,
    /// What to do with rows that cannot be written; the migration's own choice without it.
    #[arg(long, value_name = "CHOICE")]
    on_reject: Option<RejectChoice>,
    /// Chunks at work at the same time: a number, or auto for the number of cores.
    #[arg(long, value_name = "N", value_parser = workers)]
    workers: Option<Workers>,
    /// Memory for batches in flight, such as 512MiB.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Size>,
    /// The most that is read from the source in a second, such as 100MiB/s.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    source_rate: Option<Rate>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    pub(crate) migration: MigrationArgs,
    #[command(flatten)]
    pub(crate) trust: TrustArgs,
    /// Mend what differs, and verify again.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Read both sides again instead of using the fingerprints that the run took.
    #[arg(long)]
    pub(crate) independent: bool,
    /// How much is verified; the migration's own level without it.
    #[arg(long)]
    pub(crate) level: Option<LevelChoice>,
    #[command(flatten)]
    pub(crate) traces: TraceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The run, or the start of its id; the newest without it.
    pub(crate) run: Option<String>,
    /// Write the report as one HTML page to this file.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// List the runs.
    #[arg(long, conflicts_with_all = ["run", "html"])]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// About how many rows the shop has.
    #[arg(long, value_name = "N", default_value_t = 700_000, value_parser = clap::value_parser!(u64).range(2_000..=50_000_000))]
    pub(crate) rows: u64,
    /// The folder in which everything is made, and stays.
    #[arg(long, value_name = "DIR", default_value = "longshore-demo")]
    pub(crate) keep: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExistingChoice {
    /// Refuse to start.
    Refuse,
    /// Add rows to the tables that are there; in a tree, keep the objects whose names the source lacks.
    Append,
    /// Empty the tables that are there first.
    Truncate,
    /// Drop the tables that are there and make them anew.
    Replace,
    /// Make a tree of objects just what the source is: what is the same stays, the rest is removed.
    Mirror,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RejectChoice {
    /// End the run with an error.
    Fail,
    /// Put them into reject files, and go on.
    Divert,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LevelChoice {
    /// Every row.
    Full,
    /// Every row of a part of the chunks, and the number of rows of all.
    Sample,
    /// The number of rows.
    Count,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum VerifyChoice {
    /// Every row.
    Full,
    /// Every row of a part of the chunks, and the number of rows of all.
    Sample,
    /// The number of rows.
    Count,
    /// Nothing is read back.
    None,
}

impl OverrideArgs {
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            existing: self.existing.map(|choice| match choice {
                ExistingChoice::Refuse => Existing::Refuse,
                ExistingChoice::Append => Existing::Append,
                ExistingChoice::Truncate => Existing::Truncate,
                ExistingChoice::Replace => Existing::Replace,
                ExistingChoice::Mirror => Existing::Mirror,
            }),
            on_reject: self.on_reject.map(|choice| match choice {
                RejectChoice::Fail => OnReject::Fail,
                RejectChoice::Divert => OnReject::Divert,
            }),
            workers: self.workers,
            memory: self.memory,
            source_rate: self.source_rate,
            verify: None,
        }
    }
}

impl From<LevelChoice> for VerifyLevel {
    fn from(choice: LevelChoice) -> Self {
        match choice {
            LevelChoice::Full => VerifyLevel::Full,
            LevelChoice::Sample => VerifyLevel::Sample,
            LevelChoice::Count => VerifyLevel::Count,
        }
    }
}

impl VerifyChoice {
    /// The level; `None` when nothing is read back.
    pub(crate) fn level(self) -> Option<VerifyLevel> {
        match self {
            VerifyChoice::Full => Some(VerifyLevel::Full),
            VerifyChoice::Sample => Some(VerifyLevel::Sample),
            VerifyChoice::Count => Some(VerifyLevel::Count),
            VerifyChoice::None => None,
        }
    }
}

fn workers(text: &str) -> Result<Workers, String> {
    match text.parse() {
        Ok(number @ 1..) => Ok(Workers::Fixed(number)),
        _ if text == "auto" => Ok(Workers::Auto),
        _ => Err("it is a number above 0, or auto".to_string()),
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    Rate::try_from(text.to_string())
}
