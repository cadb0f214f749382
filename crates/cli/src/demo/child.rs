//! A migration as a child process of the demo, watched through its events.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use indicatif::{ProgressBar, ProgressStyle};
use longshore_model::{Code, Error, Result};
use serde_json::Value;

use crate::output::Output;
use longshore_service::number::{counted, grouped};

/// What a child did.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Rows of the plan, and rows that are in.
    pub(super) rows: u64,
    pub(super) rows_in: u64,
    /// Chunks of the plan, chunks of earlier attempts, and chunks of this one.
    pub(super) chunks: u64,
    pub(super) kept: u64,
    pub(super) copied: u64,
    /// Whether we killed it.
    pub(super) killed: bool,
    /// Its report, relative to its folder.
    pub(super) report: Option<String>,
}

/// Runs a migration in `folder` in a process of its own. With `kill`, the process is ended with SIGKILL
/// as soon as half of the rows are written.
pub(super) fn run(folder: &Path, args: &[&str], kill: bool, output: &Output) -> Result<Seen> {
    let mut command = longshore(folder, args)?;
    command.args(["--json", "--end-with-input"]);
    // A Ctrl-C on the terminal is for us alone.
    command.process_group(0);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(failed)?;
    // Ours until we end, however we end: the child stops when it is closed.
    let hold = child.stdin.take();
    let stdout = child.stdout.take().expect("the output is piped");
    let bar = bar(output);
    let mut seen = Seen::default();
    for line in BufReader::new(stdout).lines() {
        let event: Value = serde_json::from_str(&line.map_err(failed)?).unwrap_or(Value::Null);
        seen.add(&event);
        bar.set_length(seen.rows);
        bar.set_position(seen.rows_in);
        bar.set_message(format!("{} of {}", grouped(seen.rows_in), counted(seen.rows, "row")));
        let half = seen.rows > 0 && seen.rows_in * 2 >= seen.rows;
        if kill && half {
            child.kill().map_err(failed)?;
            seen.killed = true;
            break;
        }
    }
    bar.finish_and_clear();
    drop(hold);
    let status = child.wait().map_err(failed)?;
    if seen.killed || status.success() {
        return Ok(seen);
    }
    Err(unsuccessful(args, status))
}

/// Runs another verb in `folder` to its end, and returns what it says.
pub(super) fn verb(folder: &Path, args: &[&str]) -> Result<String> {
    let mut command = longshore(folder, args)?;
    let ended = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(failed)?;
    match ended.status.success() {
        true => Ok(String::from_utf8_lossy(&ended.stdout).into_owned()),
        false => Err(unsuccessful(args, ended.status)),
    }
}

fn longshore(folder: &Path, args: &[&str]) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(args).current_dir(folder);
    Ok(command)
}

fn failed(error: io::Error) -> Error {
    Error::io("run longshore as a child", "longshore", error)
}

fn unsuccessful(args: &[&str], status: ExitStatus) -> Error {
    Error::new(Code::Internal, "a step of the demo failed")
        .with("step", args.join(" "))
        .with("status", status.to_string())
}

fn bar(output: &Output) -> ProgressBar {
    if !output.live {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {bar:30} {wide_msg}").expect("a valid template");
    ProgressBar::new(0).with_style(style)
}

impl Seen {
    fn add(&mut self, event: &Value) {
        let number = |value: &Value, key: &str| value[key].as_u64().unwrap_or(0);
        match event["event"].as_str() {
            Some("move-started") => {
                for table in event["tables"].as_array().into_iter().flatten() {
                    self.rows += number(table, "rows");
                    self.rows_in += number(table, "rows_in");
                    self.chunks += number(table, "chunks");
                    self.kept += number(table, "chunks_in");
                }
            }
            Some("copied") => self.rows_in += number(event, "rows"),
            Some("chunk-done") => self.copied += 1,
            Some("result") => self.report = event["report"].as_str().map(ToString::to_string),
            _ => {}
        }
    }
}
