//! The process that waits for a confined engine.

use std::fs::{self, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use longshore_model::{Code, Error, Result};

use super::{END, ERROR, End, ORDER, OUT, Order, PROCESS, Process, Processes, read, write};

/// The exit code of an engine that gave up.
const ABORTED: i64 = 134;
/// What it then says of memory that it was refused.
const REFUSED: &str = "memory allocation of ";
/// The end of a log is enough to find it.
const TAIL: usize = 4096;

/// Starts the engine of the deployment in a folder by `launcher`, waits for it, and writes down how it ended.
///
/// # Errors
/// When that cannot be done; the engine then does not run.
pub fn supervise(folder: &Path, launcher: &Path) -> Result<()> {
    // Whoever deploys may close the terminal.
    let _ = rustix::process::setsid();
    let ended = run(folder, launcher);
    if let Err(error) = &ended {
        // Nobody looks at this process's own output.
        let _ = fs::write(folder.join(ERROR), format!("{}\n", error.chain().join(": ")));
    }
    let exit = *ended.as_ref().unwrap_or(&1);
    let out_of_memory = exit == ABORTED && tells_of_memory(&folder.join(ERROR));
    if let Ok(Some(order)) = read::<Order>(&folder.join(ORDER))
        && let Some(secrets) = order.secrets
    {
        // What stays goes with the deployment.
        let _ = fs::remove_dir_all(secrets);
    }
    write(&folder.join(END), &End { exit, out_of_memory })?;
    ended.map(drop)
}

fn tells_of_memory(log: &Path) -> bool {
    let text = fs::read(log).unwrap_or_default();
    let tail = &text[text.len().saturating_sub(TAIL)..];
    String::from_utf8_lossy(tail).contains(REFUSED)
}

fn run(folder: &Path, launcher: &Path) -> Result<i64> {
    let order: Order = read(&folder.join(ORDER))?.ok_or_else(|| {
        Error::new(Code::DeploymentMissing, "there is no deployment in the folder")
            .with("folder", folder.display().to_string())
    })?;
    let log = |name: &str| {
        let path = folder.join(name);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| Error::io("write what the engine says", path.display(), error))
    };
    let mut command = Command::new(launcher);
    command.args(["confined", "enter"]).arg(folder);
    command.stdin(Stdio::null()).stdout(log(OUT)?).stderr(log(ERROR)?);
    command.env_clear().envs(&order.environment).current_dir(&order.work);
    let mut child = command
        .spawn()
        .map_err(|error| Error::io("start the engine", launcher.display(), error))?;
    let id = i32::try_from(child.id()).unwrap_or_default();
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    if let (Some(engine), Some(supervisor)) = (Process::of(id), Process::of(own)) {
        let written = write(&folder.join(PROCESS), &Processes { engine, supervisor });
        if let Err(error) = written {
            // One that nobody could find again must not go on.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    }
    let status =
        child.wait().map_err(|error| Error::io("wait for the engine", folder.display(), error))?;
    // As shells tell of signals.
    let exit = status.code().or(status.signal().map(|signal| 128 + signal));
    Ok(i64::from(exit.unwrap_or(1)))
}
