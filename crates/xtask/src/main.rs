//! Development tasks: `cargo x check`, `cargo x test`, `cargo x bench`, `cargo x docs`,
//! `cargo x fuzz`, `cargo x cluster`, `cargo x services`.
//!
//! It starts other programs and reads their exit codes; it knows nothing of migrations.

mod bench;
mod check;
mod cluster;
mod docs;
mod fuzz;
mod services;
mod steps;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
Development tasks.

cargo x check           formatting, lints, the architecture, and cargo deny where it is installed
cargo x test            every test, the reference pages, and the demo as a release build
cargo x bench […]       the benchmark as a release build; its options are in benches/src/main.rs
cargo x docs            writes docs/reference anew
cargo x docs --check    fails when docs/reference is stale
cargo x fuzz [SECONDS]  every fuzz target for so long, 60 seconds by default
cargo x cluster         the tests that need a cluster of Kubernetes; without one, says what they need
cargo x services        fetches the servers that tests need
cargo x services --peers  and the tools that the benchmark compares with
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match words.as_slice() {
        ["check"] => check::run(),
        ["test"] => test::run(),
        ["bench", options @ ..] => bench::run(options),
        ["fuzz"] => fuzz::run(60),
        ["fuzz", seconds] if seconds.parse::<u32>().is_ok() => {
            fuzz::run(seconds.parse().unwrap_or(60))
        }
        ["cluster"] => cluster::run(),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["services"] => services::run(false),
        ["services", "--peers"] => services::run(true),
        [] | ["help" | "--help" | "-h"] => {
            steps::say(USAGE);
            true
        }
        _ => {
            steps::say(USAGE);
            return ExitCode::from(2);
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
