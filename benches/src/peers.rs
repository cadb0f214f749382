//! Other tools that do the same. None is needed: a step whose tool is not there is left out.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Failure;
use crate::meter::Meter;
use crate::postgres::good;
use crate::servers::Server;
use crate::steps;

/// The steps that run other tools.
pub(crate) const NAMES: &[&str] = &["connectorx", "adbc", "sling", "pgcopydb", "pgloader"];

/// The folder of a Python environment with connectorx, adbc-driver-postgresql, pyarrow and sling.
const PYTHON: &str = "LONGSHORE_BENCH_PYTHON";

/// Tables to Parquet with zstd, by connectorx or by adbc.
const SCRIPT: &str = r#"
import sys, pyarrow as arrow, pyarrow.parquet as parquet
tool, url, folder = sys.argv[1:]
for table in ("lineitem", "orders", "customer"):
    path, query = f"{folder}/{table}.parquet", f"SELECT * FROM {table}"
    if tool == "connectorx":
        import connectorx
        key = {"lineitem": "l_orderkey", "orders": "o_orderkey", "customer": "c_custkey"}[table]
        rows = connectorx.read_sql(url, query, return_type="arrow", partition_on=key, partition_num=2)
        parquet.write_table(arrow.table(rows), path, compression="zstd")
    else:
        import adbc_driver_postgresql.dbapi as adbc
        with adbc.connect(url) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            reader = cursor.fetch_record_batch()
            with parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
                for batch in reader:
                    writer.write_batch(batch)
"#;

/// Runs a peer; `None` when it is not there.
pub(crate) fn run(
    name: &str,
    dir: &Path,
    source: &Server,
    target: &Server,
) -> Result<Option<Value>, Failure> {
    match name {
        "connectorx" | "adbc" => {
            let module = if name == "adbc" { "adbc_driver_postgresql" } else { name };
            let Some(python) = python("python3") else { return Ok(None) };
            if !quiet(&python, ["-c", &format!("import {module}")]) {
                return Ok(None);
            }
            let mut command = Command::new(python);
            command.args(["-c", SCRIPT, name, &source.url("bare")]).arg(emptied(dir, name)?);
            measured(dir, &mut command)
        }
        "sling" => {
            let Some(sling) = python("sling") else { return Ok(None) };
            let folder = emptied(dir, name)?;
            let meter = Meter::start(dir)?;
            for table in crate::servers::tables("bare") {
                let to = format!("file://{}/{table}.parquet", folder.display());
                let mut command = Command::new(&sling);
                command.env("SLING_SOURCE", source.url("bare")).env("COMPRESSION", "zstd");
                command.args(["run", "--src-conn", "SLING_SOURCE", "--src-stream"]);
                command.arg(format!("public.{table}")).args(["--tgt-object", &to]);
                command.args(["--tgt-options", "{ compression: zstd, format: parquet }"]);
                good(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?)?;
            }
            meter.read().map(Some)
        }
        "pgcopydb" => {
            let Some(program) = longshore_services::peer("pgcopydb") else { return Ok(None) };
            target.fresh("other")?;
            let work = emptied(dir, name)?;
            let mut command = Command::new(program);
            let path = std::env::var_os("PATH").unwrap_or_default();
            let mut folders = vec![longshore_services::postgres_programs(18)];
            folders.extend(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(folders)?);
            command.args(["clone", "--restart", "--no-owner", "--table-jobs", "2"]);
            command.args(["--index-jobs", "2", "--use-copy-binary", "--dir"]).arg(work);
            command.args(["--source", &source.url("keyed"), "--target", &target.url("other")]);
            measured(dir, &mut command)
        }
        "pgloader" => {
            let Some(program) = installed("pgloader") else { return Ok(None) };
            target.fresh("other")?;
            let mut command = Command::new(program);
            command.arg(steps::source(dir)).arg(target.url("other"));
            measured(dir, &mut command)
        }
        _ => Err(format!("unknown step {name}").into()),
    }
}

pub(crate) fn measured(dir: &Path, command: &mut Command) -> Result<Option<Value>, Failure> {
    let meter = Meter::start(dir)?;
    let output = command.stdin(Stdio::null()).output()?;
    let read = meter.read()?;
    if output.status.success() {
        return Ok(Some(read));
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    Err(format!("{:?} failed:\n{said}", command.get_program()).into())
}

/// A program that the machine has. pgloader is one: a copy whose loader is patched does not run.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.exists())
}

/// That of the machine, or the one that tests take for a server.
pub(crate) fn rclone() -> PathBuf {
    installed("rclone").unwrap_or_else(longshore_services::rclone)
}

/// A program of the Python environment.
fn python(name: &str) -> Option<PathBuf> {
    let program = PathBuf::from(std::env::var_os(PYTHON)?).join("bin").join(name);
    program.exists().then_some(program)
}

fn quiet<S: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = S>) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

pub(crate) fn emptied(dir: &Path, name: &str) -> Result<PathBuf, Failure> {
    let folder = dir.join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
