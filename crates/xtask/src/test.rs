//! `cargo x test`: every test there is, from unit tests to the demo of a release build.

use std::path::Path;

use crate::steps::{Steps, cargo, has_cargo, say};
use crate::{docs, services};

/// Tests everything; true when all passed.
pub(crate) fn run() -> bool {
    let mut steps = Steps::default();
    steps.check("services", || services::run(false));
    if has_cargo("nextest") {
        steps.run("tests", &mut cargo(&["nextest", "run", "--workspace", "--locked"]));
        steps.run("doc tests", &mut cargo(&["test", "--workspace", "--locked", "--doc"]));
    } else {
        let tests = ["test", "--workspace", "--locked", "--no-fail-fast"];
        steps.run("tests", &mut cargo(&tests));
    }
    steps.check("reference pages", docs::check);
    demo(&mut steps);
    steps.summary("test")
}

/// The demo, as a user would run it: a release build in an empty folder, which stays only when the
/// demo fails.
fn demo(steps: &mut Steps) {
    let release = ["build", "--release", "--locked", "--package", "longshore-cli"];
    steps.run("release build", &mut cargo(&release));
    let folder = std::env::temp_dir().join(format!("longshore-demo-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir(&folder) {
        say(&format!("{} cannot be made: {error}\n", folder.display()));
        steps.check("demo", || false);
        return;
    }
    let mut passed = true;
    steps.check("demo", || {
        passed = run_demo(&folder.join("shop"));
        passed
    });
    if passed {
        let _ = std::fs::remove_dir_all(&folder);
    } else {
        say(&format!("What the demo made is in {}\n", folder.display()));
    }
}

fn run_demo(folder: &Path) -> bool {
    // In the project's folder, whose settings make the binary static, as the demo's image needs it.
    let run = ["run", "--quiet", "--release", "--locked", "--package", "longshore-cli", "--"];
    let mut command = cargo(&run);
    command.args(["demo", "--keep"]).arg(folder).stdin(std::process::Stdio::null());
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            say(&format!("it cannot be started: {error}\n"));
            false
        }
    }
}
