//! `cargo x check`: what a change must pass before anybody reads it.

use crate::steps::{Steps, cargo, has_cargo};

/// Checks everything; true when all is well.
pub(crate) fn run() -> bool {
    let mut steps = Steps::default();
    steps.run("formatting", &mut cargo(&["fmt", "--all", "--check"]));
    let lints = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"];
    steps.run("lints", &mut cargo(&lints));
    let architecture = ["test", "--quiet", "--locked", "-p", "xtask", "--test", "architecture"];
    steps.run("architecture", &mut cargo(&architecture));
    if has_cargo("deny") {
        let deny = ["deny", "--all-features", "check", "bans", "licenses", "sources"];
        steps.run("dependencies", &mut cargo(&deny));
    }
    steps.summary("check")
}
