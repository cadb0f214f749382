//! The demo: a shop is made, migrated, killed half-way, migrated on, and compared value by value.

mod child;
mod compare;
mod sealed;
mod seed;
mod words;

use std::path::{Path, PathBuf};
use std::time::Instant;

use longshore_engine::report::Report;
use longshore_model::plan::Plan;
use longshore_model::spec::{Size, Spec};
use longshore_model::{Code, Error, Result};

use crate::args::DemoArgs;
use crate::commands::make_plan;
use crate::context::Context;
use crate::failure::DONE;
use crate::interrupt;
use crate::output::Style;
use crate::summary;
use longshore_service::number::{counted, grouped, seconds, size};

/// Marks a folder as one that the demo made and may make anew.
const MARK: &str = ".longshore-demo";

/// All that the demo makes in its folder.
const OWN: [&str; 12] = [
    "shop.db",
    "parquet",
    "copy.db",
    "sealed.db",
    "to-parquet.yaml",
    "to-sqlite.yaml",
    "to-sealed.yaml",
    "demo.key",
    "demo.pub",
    ".longshore",
    sealed::REGISTRY,
    sealed::ELSEWHERE,
];
/// The databases among it.
const DATABASES: [&str; 3] = ["shop.db", "copy.db", "sealed.db"];

/// Small, so that a shop of this size has many chunks.
const CHUNK: Size = Size(1 << 20);

pub(crate) async fn demo(args: &DemoArgs, context: &Context) -> Result<u8> {
    let _listening = interrupt::leave(&context.output)?;
    let folder = args.keep.as_path();
    let start = Instant::now();
    prepare(folder)?;
    step(context, "A shop in SQLite");
    let shop = folder.join("shop.db");
    let rows = seed::make(&shop, args.rows)?;
    say(context, &format!("  {}, {}, in {}", shop.display(), counted(rows, "row"), took(start)));
    migrations(folder)?;

    step(context, "The plan: SQLite to Parquet");
    brief(&plan_of_shop(folder, context).await?, context);

    step(context, "The run, killed half-way and started again");
    let reports = [killed_and_resumed(folder, context)?, back(folder, context)?];
    sealed::run(folder, context).await?;

    step(context, "The proof that needs no trust in longshore");
    compare::compare(&shop, &folder.join("copy.db"))?;
    let equal = compare::compare(&shop, &folder.join("sealed.db"))?;
    say(
        context,
        &format!(
            "  shop.db, copy.db and sealed.db hold the same in {}: {}, {} values, type and bits, no row missing, none too many",
            counted(equal.tables, "table"),
            counted(equal.rows, "row"),
            grouped(equal.values)
        ),
    );
    for (name, (report, page)) in
        ["SQLite to Parquet, second start", "Parquet to SQLite"].iter().zip(&reports)
    {
        step(context, name);
        say(context, summary::steps(report).trim_end());
        say(context, &format!("  report: {}", page.display()));
    }
    let done = context.output.styled(Style::Green, "done");
    say(context, &format!("\n{done} in {}; everything is in {}", took(start), folder.display()));
    Ok(DONE)
}

/// Makes the folder, or empties it when the demo made it.
fn prepare(folder: &Path) -> Result<()> {
    let failed = |error| Error::io("prepare the folder of the demo", folder.display(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mark = folder.join(MARK);
    let mut entries = std::fs::read_dir(folder).map_err(failed)?;
    if !mark.is_file() && entries.next().is_some() {
        return Err(Error::new(Code::TargetNotEmpty, "the folder holds something else")
            .with("folder", folder.display().to_string())
            .hint("Name another folder with --keep DIR; the demo replaces only its own."));
    }
    for name in OWN {
        remove(&folder.join(name)).map_err(failed)?;
    }
    for name in DATABASES {
        for ending in ["-wal", "-shm", "-journal"] {
            remove(&folder.join(format!("{name}{ending}"))).map_err(failed)?;
        }
    }
    std::fs::write(mark, "Made by `longshore demo`, which may replace what it made here.\n")
        .map_err(failed)
}

fn remove(path: &Path) -> std::io::Result<()> {
    let removed = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes the migration files, so that everything can be run again by hand.
fn migrations(folder: &Path) -> Result<()> {
    for (name, from, to) in [
        ("to-parquet", "sqlite:shop.db", "file:parquet?format=parquet"),
        ("to-sqlite", "file:parquet?format=parquet", "sqlite:copy.db"),
        ("to-sealed", "sqlite:shop.db", "sqlite:sealed.db"),
    ] {
        let mut spec = Spec::short(from, to);
        spec.name = name.to_string();
        spec.limits.chunk = CHUNK;
        let path = folder.join(format!("{name}.yaml"));
        std::fs::write(&path, spec.to_yaml()?)
            .map_err(|error| Error::io("write a migration file", path.display(), error))?;
    }
    Ok(())
}

/// The plan of the first migration, as seen from here: its addresses name the folder.
async fn plan_of_shop(folder: &Path, context: &Context) -> Result<Plan> {
    let address = |name: &str| {
        folder.join(name).display().to_string().replace('%', "%25").replace('?', "%3f")
    };
    let (from, to) = (
        format!("sqlite:{}", address("shop.db")),
        format!("file:{}?format=parquet", address("parquet")),
    );
    let mut spec = Spec::short(&from, &to);
    spec.limits.chunk = CHUNK;
    let silent = Context { quiet: true, ..context.again() };
    make_plan(&spec, &silent).await
}

fn brief(plan: &Plan, context: &Context) {
    for one in &plan.moves {
        say(
            context,
            &format!(
                "  {}, {}, {} in {}",
                counted(one.tables.len() as u64, "table"),
                counted(one.rows(), "row"),
                size(one.bytes()),
                counted(one.chunks() as u64, "chunk")
            ),
        );
        let losses = match one.losses.len() {
            0 => "no value will be lost".to_string(),
            number => counted(number as u64, "predicted loss"),
        };
        say(context, &format!("  {losses}"));
        for left in &one.not_moved {
            say(context, &format!("  stays behind: {} {}", left.kind, left.name));
        }
        for risk in &one.risks {
            say(context, &format!("  note: {risk}"));
        }
    }
}

fn killed_and_resumed(folder: &Path, context: &Context) -> Result<(Report, PathBuf)> {
    let first = child::run(folder, &["run", "to-parquet.yaml"], true, &context.output)?;
    say(
        context,
        &format!(
            "  killed with SIGKILL when {} of {} were written, {} of {} committed",
            grouped(first.rows_in),
            counted(first.rows, "row"),
            grouped(first.copied),
            counted(first.chunks, "chunk")
        ),
    );
    let second = child::run(folder, &["run", "to-parquet.yaml"], false, &context.output)?;
    say(
        context,
        &format!(
            "  started again: {} kept from the ledger, {} copied",
            counted(second.kept, "chunk"),
            grouped(second.copied)
        ),
    );
    if !first.killed || second.kept + second.copied != second.chunks {
        return Err(Error::new(Code::Internal, "the second start did not go on from the first"));
    }
    finished(folder, &second, context)
}

fn back(folder: &Path, context: &Context) -> Result<(Report, PathBuf)> {
    step(context, "And back: Parquet to a second SQLite database");
    let seen = child::run(folder, &["run", "to-sqlite.yaml"], false, &context.output)?;
    say(
        context,
        &format!("  {} in {}", counted(seen.rows_in, "row"), counted(seen.chunks, "chunk")),
    );
    finished(folder, &seen, context)
}

/// Reads a child's report and shows its verdict.
fn finished(folder: &Path, seen: &child::Seen, context: &Context) -> Result<(Report, PathBuf)> {
    let path =
        seen.report.as_ref().map(|report| folder.join(report)).ok_or_else(|| {
            Error::new(Code::Internal, "the migration of the demo left no report")
        })?;
    let text = std::fs::read(&path)
        .map_err(|error| Error::io("read the report", path.display(), error))?;
    let report: Report = serde_json::from_slice(&text)
        .map_err(|error| Error::new(Code::Internal, "the report is not valid").because(error))?;
    say(context, &format!("  {}", summary::verdict(&report, &context.output)));
    Ok((report, path.with_extension("html")))
}

/// A failure of the demo's own SQLite work.
fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |error| Error::new(Code::Database, format!("could not {doing}")).because(error)
}

fn step(context: &Context, title: &str) {
    say(context, &format!("\n{}", context.output.styled(Style::Bold, title)));
}

fn say(context: &Context, text: &str) {
    context.print(&format!("{text}\n"));
}

fn took(start: Instant) -> String {
    seconds(start.elapsed().as_secs_f64())
}
