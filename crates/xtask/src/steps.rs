//! Steps of a task: each is a program that runs to its end, and the summary tells how it went.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What was run so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    passed: bool,
    time: Duration,
}

impl Steps {
    /// Runs a program, without input and with its output on the terminal.
    pub(crate) fn run(&mut self, name: &'static str, command: &mut Command) {
        self.check(name, || {
            say(&format!("$ {}\n", line(command)));
            match command.stdin(Stdio::null()).status() {
                Ok(status) => status.success(),
                Err(error) => {
                    say(&format!("it cannot be started: {error}\n"));
                    false
                }
            }
        });
    }

    /// Does something that succeeds or not.
    pub(crate) fn check(&mut self, name: &'static str, work: impl FnOnce() -> bool) {
        say(&format!("\n── {name}\n"));
        let start = Instant::now();
        let passed = work();
        self.done.push(Step { name, passed, time: start.elapsed() });
    }

    /// Prints how every step went; true when all passed.
    pub(crate) fn summary(&self, task: &str) -> bool {
        let width = self.done.iter().map(|step| step.name.len()).max().unwrap_or(0);
        let mut text = format!("\n── cargo x {task}\n");
        for step in &self.done {
            let result = if step.passed { "passed" } else { "FAILED" };
            text +=
                &format!("{:width$}  {result}  {:>7.1} s\n", step.name, step.time.as_secs_f64());
        }
        let failed = self.done.iter().filter(|step| !step.passed).count();
        let total: f64 = self.done.iter().map(|step| step.time.as_secs_f64()).sum();
        text += &match failed {
            0 => format!("All {} steps passed in {total:.0} s.\n", self.done.len()),
            _ => format!("{failed} of {} steps failed.\n", self.done.len()),
        };
        say(&text);
        failed == 0
    }
}

/// A command of the cargo that runs this, in the workspace's root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// Whether a subcommand of cargo is installed.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    let mut command = cargo(&[subcommand, "--version"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is in crates/xtask").to_path_buf()
}

/// Writes to the terminal. A reader that has gone away is no failure of the task.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn line(command: &Command) -> String {
    let mut line = String::from("cargo");
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}
