//! `cargo x fuzz`: the decoders of foreign bytes, fed by a fuzzer. `cargo x test` feeds them the
//! corpus alone.

use crate::steps::{Steps, cargo, has_cargo, say};

const TARGETS: &[&str] = &["csv", "jsonl", "parquet", "migration", "plan", "values", "words"];

/// Runs every target for some seconds; true when none found anything. What one found is in
/// `fuzz/artifacts`.
pub(crate) fn run(seconds: u32) -> bool {
    if !has_cargo("fuzz") {
        say("The fuzzer is not installed: cargo install cargo-fuzz --locked\n");
        return false;
    }
    let mut steps = Steps::default();
    let time = format!("-max_total_time={seconds}");
    for target in TARGETS {
        let found = format!("fuzz/found/{target}");
        let folder = crate::steps::root().join(&found);
        if let Err(error) = std::fs::create_dir_all(&folder) {
            say(&format!("{found} cannot be made: {error}\n"));
            return false;
        }
        // New inputs go into the first folder; the corpus stays as it is.
        let corpus = format!("fuzz/corpus/{target}");
        let limits = [time.as_str(), "-max_len=4096", "-timeout=20", "-rss_limit_mb=4096"];
        let mut command = cargo(&["fuzz", "run", target, &found, &corpus, "--"]);
        // The instrumentation is not in the stable compiler's public options.
        command.args(limits).env("RUSTC_BOOTSTRAP", "1");
        steps.run(target, &mut command);
    }
    steps.summary("fuzz")
}
