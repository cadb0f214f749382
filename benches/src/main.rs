//! The benchmark. Each step runs in a process of its own, steps that are compared run in turn, and
//! every figure is a ratio of their medians in one run.
//!
//! `cargo x bench [--scale N] [--runs N] [--dir DIR]` prints JSON: seconds, peak memory, ratios.

mod steps;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Figures: a step's median seconds over that of the slowest of others, and the bound it must keep.
const RATIOS: &[(&str, &str, &[&str], f64)] = &[
    // Two cores overlap reading and encoding.
    (
        "SQLite → Parquet / the slower of scan and encode",
        "sqlite-parquet",
        &["scan", "encode"],
        1.15,
    ),
    ("Parquet → SQLite / bare inserts", "parquet-sqlite", &["insert"], 1.15),
];

struct Options {
    scale: f64,
    runs: usize,
    dir: PathBuf,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name, dir] = arguments.as_slice()
        && word == "step"
    {
        return print(&steps::run(name, Path::new(dir))?);
    }
    let options = options(&arguments)?;
    std::fs::create_dir_all(&options.dir)?;
    let data = steps::source(&options.dir);
    if !data.exists() {
        steps::generate(&data, options.scale)?;
    }
    let mut results: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for _ in 0..options.runs {
        for step in steps::NAMES {
            let output = Command::new(std::env::current_exe()?)
                .args(["step", step])
                .arg(&options.dir)
                .output()?;
            if !output.status.success() {
                return Err(format!("{step}: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
            results.entry(step).or_default().push(serde_json::from_slice(&output.stdout)?);
        }
    }
    print(&summary(&options, &results))
}

fn options(arguments: &[String]) -> Result<Options, Failure> {
    let mut options =
        Options { scale: 1.0, runs: 3, dir: std::env::temp_dir().join("longshore-bench") };
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().ok_or("a flag needs a value")?;
        match flag.as_str() {
            "--scale" => options.scale = value.parse()?,
            "--runs" => options.runs = value.parse::<usize>()?.max(1),
            "--dir" => options.dir = PathBuf::from(value),
            _ => {
                return Err(format!("unknown flag {flag}; there are --scale, --runs, --dir").into());
            }
        }
    }
    Ok(options)
}

fn summary(options: &Options, results: &BTreeMap<&str, Vec<Value>>) -> Value {
    let mut steps = serde_json::Map::new();
    for (step, runs) in results {
        steps.insert(
            (*step).to_string(),
            json!({
                "seconds": numbers(runs, "seconds"),
                "median": median(runs, "seconds"),
                "peak_mib": median(runs, "peak_mib"),
                "own_share": median(runs, "own_share"),
            }),
        );
    }
    let seconds = |step: &str| results.get(step).and_then(|runs| median(runs, "seconds"));
    let mut ratios = Vec::new();
    for (name, ours, peers, bound) in RATIOS {
        let peers_seconds: Option<Vec<f64>> = peers.iter().map(|peer| seconds(peer)).collect();
        if let (Some(ours), Some(peers)) = (seconds(ours), peers_seconds) {
            let ideal = peers.into_iter().fold(0.0, f64::max);
            ratios.push(json!({ "figure": name, "ratio": ours / ideal, "bound": bound }));
        }
    }
    if let (Some(own), Some(copy)) = (seconds("fingerprint"), seconds("sqlite-null")) {
        // Both cores are at work in a copy to nowhere.
        let share = own / (2.0 * copy);
        ratios.push(json!({ "figure": "engine's own work / copy to nowhere", "ratio": share, "bound": 0.05 }));
    }
    json!({ "scale": options.scale, "runs": options.runs, "steps": steps, "ratios": ratios })
}

fn numbers(runs: &[Value], key: &str) -> Vec<f64> {
    runs.iter().filter_map(|run| run[key].as_f64()).collect()
}

fn median(runs: &[Value], key: &str) -> Option<f64> {
    let mut numbers = numbers(runs, key);
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn print(value: &Value) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
