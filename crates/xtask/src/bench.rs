//! `cargo x bench`: the benchmark, as a release build.

use std::process::Stdio;

use crate::steps::{cargo, say};

/// Runs the benchmark with the arguments given; its output stays alone on the standard output.
pub(crate) fn run(arguments: &[&str]) -> bool {
    let mut command =
        cargo(&["run", "--quiet", "--release", "--locked", "--package", "longshore-bench", "--"]);
    match command.args(arguments).stdin(Stdio::null()).status() {
        Ok(status) => status.success(),
        Err(error) => {
            say(&format!("it cannot be started: {error}\n"));
            false
        }
    }
}
