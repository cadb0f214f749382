//! The steps with PostgreSQL: ours, the same rows through bare COPY, and other tools where they are.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::meter::Meter;
use crate::servers::{self, Server};
use crate::{Failure, peers, steps};

/// Streams of the bare COPYs: as many as ours has workers.
const STREAMS: u64 = 2;

/// Every step, in the order of a turn: a step may use what an earlier one of the turn has made.
pub(crate) const NAMES: &[&str] = &[
    "pipes",
    "pg-pg",
    "pg-verify",
    "piped-out",
    "pg-out",
    "pipes-wide",
    "pg-pg-wide",
    "pg-pg-keys",
    "pgcopydb",
    "pg-parquet",
    "pg-csv",
    "connectorx",
    "adbc",
    "sling",
    "parquet-pg",
    "load-parquet",
    "csv-pg",
    "load-csv",
    "sqlite-pg",
    "pgloader",
];

/// Runs a step; `None` when the tool that it runs is not there.
pub(crate) async fn run(name: &str, dir: &Path) -> Result<Option<Value>, Failure> {
    let (source, target) = servers::find(dir)?;
    let folder = |name: &str| dir.join(name).display().to_string();
    match name {
        "pipes" => pipes(dir, &source, &target, "bare"),
        "pipes-wide" => pipes(dir, &source, &target, "wide"),
        // Like ours, read for the first time since it was loaded.
        "piped-out" => out(dir, &target, "piped"),
        "pg-out" => out(dir, &source, "bare"),
        "load-parquet" => load(dir, &target, "parquet"),
        "load-csv" => load(dir, &target, "csv"),
        "pg-verify" => {
            let (from, to) = (source.url("bare"), target.url("ours"));
            return steps::verify(dir, &from, &to).await.map(Some);
        }
        "pg-pg" | "pg-pg-wide" | "pg-pg-keys" => {
            let from = match name {
                "pg-pg" => "bare",
                "pg-pg-wide" => "wide",
                _ => "keyed",
            };
            let to = if name == "pg-pg" { "ours" } else { "other" };
            target.fresh(to)?;
            return copy(dir, &source.url(from), &target.url(to)).await;
        }
        "pg-parquet" => {
            let to = steps::fresh(dir, "pg-parquet")?;
            return copy(dir, &source.url("bare"), &to).await;
        }
        "pg-csv" => {
            let to = format!("{}?format=csv", steps::fresh(dir, "pg-csv")?);
            return copy(dir, &source.url("bare"), &to).await;
        }
        "parquet-pg" | "csv-pg" => {
            let format = name.trim_end_matches("-pg");
            let from = format!("file:{}", folder(&format!("pg-{format}")));
            target.fresh(format)?;
            return copy(dir, &from, &target.url(format)).await;
        }
        "sqlite-pg" => {
            target.fresh("other")?;
            return copy(dir, &steps::sqlite(dir), &target.url("other")).await;
        }
        peer => return peers::run(peer, dir, &source, &target),
    }
    .map(Some)
}

async fn copy(dir: &Path, from: &str, to: &str) -> Result<Option<Value>, Failure> {
    steps::measured_copy(dir, from, to).await.map(Some)
}

/// One COPY of a part of a table.
struct Part {
    table: &'static str,
    condition: String,
}

fn parts(server: &Server, database: &str) -> Result<Vec<Part>, Failure> {
    let mut parts = Vec::new();
    for table in servers::tables(database) {
        for condition in server.parts(database, table, STREAMS)? {
            parts.push(Part { table, condition });
        }
    }
    Ok(parts)
}

impl Part {
    fn copy_out(&self) -> String {
        let Self { table, condition } = self;
        format!("COPY (SELECT * FROM {table} WHERE {condition}) TO STDOUT (FORMAT binary)")
    }

    fn copy_in(&self) -> String {
        format!("COPY {} FROM STDIN (FORMAT binary)", self.table)
    }

    fn file(&self, dir: &Path, number: usize) -> PathBuf {
        dir.join(format!("{number:02}-{}.copy", self.table))
    }
}

/// The rows of a database through pairs of psql.
fn pipes(dir: &Path, from: &Server, to: &Server, database: &str) -> Result<Value, Failure> {
    to.fresh("piped")?;
    define(to, "piped", &from.schema(database)?)?;
    let parts = parts(from, database)?;
    let meter = Meter::start(dir)?;
    in_streams(parts, |part| {
        let mut reader =
            start(from.psql(database).args(["-c", &part.copy_out()]).stdout(Stdio::piped()))?;
        let pipe = reader.stdout.take().ok_or("psql has no output")?;
        let mut writer = start(to.psql("piped").args(["-c", &part.copy_in()]).stdin(pipe))?;
        good(writer.wait()?)?;
        good(reader.wait()?)
    })?;
    analyze(to, "piped", servers::tables(database))?;
    meter.read()
}

/// The statistics that ours takes too at the end of a load.
fn analyze(server: &Server, database: &str, tables: &[&str]) -> Result<(), Failure> {
    in_streams(tables.to_vec(), |table| {
        server.run(database, &format!("ANALYZE {table}"))?;
        Ok(())
    })
}

/// The rows of a database read and thrown away.
fn out(dir: &Path, from: &Server, database: &str) -> Result<Value, Failure> {
    let parts = parts(from, database)?;
    let meter = Meter::start(dir)?;
    in_streams(parts, |part| {
        good(from.psql(database).args(["-c", &part.copy_out()]).stdout(Stdio::null()).status()?)
    })?;
    meter.read()
}

/// The rows that ours made of files, from ready files of binary COPY.
fn load(dir: &Path, server: &Server, database: &str) -> Result<Value, Failure> {
    let folder = dir.join(format!("copy-{database}"));
    let parts = parts(server, database)?;
    let numbered: Vec<(usize, Part)> = parts.into_iter().enumerate().collect();
    if !folder.exists() {
        std::fs::create_dir_all(&folder)?;
        for (number, part) in &numbered {
            let file = File::create(part.file(&folder, *number))?;
            good(server.psql(database).args(["-c", &part.copy_out()]).stdout(file).status()?)?;
        }
    }
    server.fresh("loaded")?;
    define(server, "loaded", &server.schema(database)?)?;
    let meter = Meter::start(dir)?;
    in_streams(numbered, |(number, part)| {
        let file = File::open(part.file(&folder, number))?;
        good(server.psql("loaded").args(["-c", &part.copy_in()]).stdin(file).status()?)
    })?;
    analyze(server, "loaded", servers::tables(database))?;
    meter.read()
}

fn define(server: &Server, database: &str, schema: &[u8]) -> Result<(), Failure> {
    let mut psql =
        start(server.psql(database).args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()))?;
    psql.stdin.take().ok_or("psql has no input")?.write_all(schema)?;
    good(psql.wait()?)
}

/// Does the work on so many threads, in order.
pub(crate) fn in_streams<T: Send>(
    items: Vec<T>,
    work: impl Fn(T) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let queue = Mutex::new(VecDeque::from(items));
    let take = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    std::thread::scope(|scope| {
        let worker = || {
            while let Some(item) = take() {
                work(item).map_err(|error| error.to_string())?;
            }
            Ok::<(), String>(())
        };
        let threads: Vec<_> = (0..STREAMS).map(|_| scope.spawn(worker)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a stream panicked")??;
        }
        Ok(())
    })
}

fn start(command: &mut Command) -> Result<Child, Failure> {
    Ok(command.spawn()?)
}

/// The error of a program that failed.
pub(crate) fn good(status: ExitStatus) -> Result<(), Failure> {
    if status.success() { Ok(()) } else { Err(format!("a program failed: {status}").into()) }
}
