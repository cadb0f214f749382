//! The benchmark. Each step runs in a process of its own, steps that are compared run in turn, and
//! every figure is the median of the turns' ratios.
//!
//! `cargo x bench [--scale N] [--runs N] [--dir DIR] [--steps NAME,…]` prints JSON: seconds,
//! processor time, peak memory, ratios. Peers that are not installed are left out.

mod load;
mod meter;
mod mysql;
mod peers;
mod postgres;
mod serve;
mod servers;
mod steps;
mod stores;
mod trees;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use servers::Servers;

type Failure = Box<dyn std::error::Error>;

/// A figure: a step's time over that of one of others in the same turn.
struct Figure {
    name: &'static str,
    step: &'static str,
    peers: &'static [&'static str],
    against: Against,
    bound: f64,
}

/// Which of the peers.
#[derive(Clone, Copy)]
enum Against {
    /// The slowest: the time that work on two cores cannot go below.
    Slowest,
    /// The fastest that is installed.
    Fastest,
}

const fn figure(
    name: &'static str,
    step: &'static str,
    peer: &'static [&'static str],
    bound: f64,
) -> Figure {
    Figure { name, step, peers: peer, against: Against::Fastest, bound }
}

const FIGURES: &[Figure] = &[
    Figure {
        name: "SQLite → Parquet / the slower of scan and encode",
        step: "sqlite-parquet",
        peers: &["scan", "encode"],
        against: Against::Slowest,
        bound: 1.15,
    },
    figure("Parquet → SQLite / bare inserts", "parquet-sqlite", &["insert"], 1.15),
    figure("PostgreSQL → PostgreSQL / psql pipes", "pg-pg", &["pipes"], 1.05),
    figure("the same, wide rows", "pg-pg-wide", &["pipes-wide"], 1.05),
    figure("PostgreSQL → PostgreSQL with keys / pgcopydb", "pg-pg-keys", &["pgcopydb"], 0.95),
    figure("verify PostgreSQL / COPY out", "pg-verify", &["piped-out"], 1.25),
    figure("PostgreSQL → Parquet / COPY out", "pg-parquet", &["pg-out"], 1.5),
    figure(
        "PostgreSQL → Parquet / the best of three",
        "pg-parquet",
        &["connectorx", "adbc", "sling"],
        0.65,
    ),
    figure("Parquet → PostgreSQL / ready COPY files", "parquet-pg", &["load-parquet"], 1.1),
    figure("CSV → PostgreSQL / ready COPY files", "csv-pg", &["load-csv"], 1.1),
    figure("SQLite → PostgreSQL / pgloader", "sqlite-pg", &["pgloader"], 0.25),
    figure("MariaDB → PostgreSQL / text pipes", "mariadb-pg", &["mariadb-pipes"], 0.75),
    figure("the same / pgloader", "mariadb-pg", &["mariadb-pgloader"], 0.25),
    figure("MariaDB → MariaDB with keys / myloader", "mariadb-mariadb", &["mariadb-myloader"], 1.0),
    figure("MySQL → PostgreSQL / text pipes", "mysql-pg", &["mysql-pipes"], 0.75),
    figure("tree of large files / cp", "tree-large", &["cp-large"], 1.11),
    figure("the same / rclone", "tree-large", &["rclone-large"], 1.0),
    figure("tree of small files / rclone", "tree-small", &["rclone-small"], 0.67),
    figure("the same / cp", "tree-small", &["cp-small"], 1.5),
    figure("large objects to S3 / rclone", "serve-up-large", &["serve-up-large-rclone"], 1.0),
    figure("large objects from S3 / rclone", "serve-down-large", &["serve-down-large-rclone"], 1.0),
    figure("small objects to S3 / rclone", "serve-up-small", &["serve-up-small-rclone"], 1.0),
    figure("small objects from S3 / rclone", "serve-down-small", &["serve-down-small-rclone"], 1.0),
    figure("large objects to moto / rclone", "moto-up-large", &["moto-up-large-rclone"], 1.0),
    figure("large objects from moto / rclone", "moto-down-large", &["moto-down-large-rclone"], 1.0),
    figure("small objects to moto / rclone", "moto-up-small", &["moto-up-small-rclone"], 1.0),
    figure("small objects from moto / rclone", "moto-down-small", &["moto-down-small-rclone"], 1.0),
    figure("MySQL → MySQL with keys / myloader", "mysql-mysql", &["mysql-myloader"], 1.0),
];

struct Options {
    scale: f64,
    runs: usize,
    dir: PathBuf,
    steps: Vec<String>,
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [word, name, dir, scale] = arguments.as_slice()
        && word == "step"
    {
        return print(&json!(steps::run(name, Path::new(dir), scale.parse()?)?));
    }
    let options = options(&arguments)?;
    std::fs::create_dir_all(&options.dir)?;
    let all = || {
        let rows = steps::NAMES.iter().chain(postgres::NAMES).chain(mysql::NAMES);
        rows.chain(trees::NAMES).chain(stores::NAMES).chain(serve::NAMES)
    };
    if let Some(unknown) = options.steps.iter().find(|step| !all().any(|name| name == step)) {
        return Err(format!("there is no step {unknown}").into());
    }
    let wanted =
        |name: &&&str| options.steps.is_empty() || options.steps.iter().any(|s| s == **name);
    let steps: Vec<&str> = all().filter(wanted).copied().collect();
    let others = [trees::NAMES, stores::NAMES, serve::NAMES];
    let has_rows = |step: &&str| !others.iter().any(|names| names.contains(step));
    let data = steps::source(&options.dir);
    if steps.iter().any(has_rows) && !data.exists() {
        steps::generate(&data, options.scale)?;
    }
    let with_postgres = steps.iter().any(|step| postgres::NAMES.contains(step));
    let with_mariadb = steps.iter().any(|step| mysql::NAMES.contains(step));
    let servers = (with_postgres || with_mariadb).then(|| Servers::start(&options.dir));
    let servers = servers.transpose()?;
    if let Some(servers) = servers.as_ref().filter(|_| with_postgres) {
        servers.fill(&options.dir, options.scale)?;
    }
    let _others = mysql::Server::for_steps(&steps, &options.dir)?;
    if steps.iter().any(|step| trees::NAMES.contains(step)) {
        trees::plant(&options.dir, options.scale)?;
    }
    serve::build(&steps)?;
    let _stores = stores::Servers::for_steps(&steps, &options.dir, options.scale)?;
    let has_trees = steps.iter().any(|step| trees::NAMES.contains(step));
    let mut results: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    // A tool of others that fails must not hide the other figures.
    let mut failed: BTreeMap<String, String> = BTreeMap::new();
    for _ in 0..options.runs {
        for step in &steps {
            match in_process(step, &options) {
                Ok(Value::Null) => {}
                Ok(result) => results.entry(step).or_default().push(result),
                Err(error) if is_peer(step) => {
                    failed.insert((*step).to_string(), error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }
    if has_trees {
        trees::clear(&options.dir)?;
    }
    let mut summary = summary(&options, &results);
    summary["failed_peers"] = json!(failed);
    print(&summary)
}

/// Whether a step runs a tool of others.
fn is_peer(step: &str) -> bool {
    let of_others = [peers::NAMES, mysql::PEERS, trees::PEERS];
    of_others.iter().any(|names| names.contains(&step)) || stores::is_peer(step)
}

fn in_process(step: &str, options: &Options) -> Result<Value, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["step", step]).arg(&options.dir).arg(options.scale.to_string());
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("{step}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn options(arguments: &[String]) -> Result<Options, Failure> {
    let dir = std::env::temp_dir().join("longshore-bench");
    let mut options = Options { scale: 0.1, runs: 3, dir, steps: Vec::new() };
    let mut rest = arguments.iter();
    while let Some(flag) = rest.next() {
        let value = rest.next().ok_or("a flag needs a value")?;
        match flag.as_str() {
            "--scale" => options.scale = value.parse()?,
            "--runs" => options.runs = value.parse::<usize>()?.max(1),
            "--dir" => options.dir = PathBuf::from(value),
            "--steps" => options.steps = value.split(',').map(str::to_string).collect(),
            _ => {
                let known = "--scale, --runs, --dir, --steps";
                return Err(format!("unknown flag {flag}; there are {known}").into());
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
                "median": median(numbers(runs, "seconds")),
                "client_cpu": median(numbers(runs, "client_cpu")),
                "servers_cpu": median(numbers(runs, "servers_cpu")),
                "peak_mib": median(numbers(runs, "peak_mib")),
                "own_share": median(numbers(runs, "own_share")),
                "waits": runs.last().map(|run| &run["waits"]),
                "stages": runs.last().map(|run| &run["stages"]),
                "figures": runs.iter().map(|run| &run["figures"]).filter(|one| !one.is_null()).collect::<Vec<_>>(),
            }),
        );
    }
    let ratios: Vec<Value> = FIGURES
        .iter()
        .filter_map(|figure| {
            let turns = ratios(figure, results)?;
            let ratio = median(turns.clone());
            Some(json!({ "figure": figure.name, "ratio": ratio, "turns": turns, "bound": figure.bound }))
        })
        .chain(own_work(results))
        .chain(client_share(results))
        .collect();
    json!({ "scale": options.scale, "runs": options.runs, "steps": steps, "ratios": ratios })
}

/// A figure's ratio in each turn.
fn ratios(figure: &Figure, results: &BTreeMap<&str, Vec<Value>>) -> Option<Vec<f64>> {
    let seconds = |step: &str| results.get(step).map(|runs| numbers(runs, "seconds"));
    let ours = seconds(figure.step)?;
    let peers: Vec<Vec<f64>> = figure.peers.iter().filter_map(|peer| seconds(peer)).collect();
    let all = matches!(figure.against, Against::Fastest) || peers.len() == figure.peers.len();
    if peers.is_empty() || !all {
        return None;
    }
    let ratio = |(turn, ours): (usize, &f64)| {
        let peers = peers.iter().filter_map(|runs| runs.get(turn).copied());
        ours / match figure.against {
            Against::Slowest => peers.fold(0.0, f64::max),
            Against::Fastest => peers.fold(f64::INFINITY, f64::min),
        }
    };
    Some(ours.iter().enumerate().map(ratio).collect())
}

/// Both cores are at work in a copy to nowhere.
fn own_work(results: &BTreeMap<&str, Vec<Value>>) -> Option<Value> {
    let seconds = |step: &str| median(numbers(results.get(step)?, "seconds"));
    let share = seconds("fingerprint")? / (2.0 * seconds("sqlite-null")?);
    Some(json!({ "figure": "engine's own work / copy to nowhere", "ratio": share, "bound": 0.05 }))
}

fn client_share(results: &BTreeMap<&str, Vec<Value>>) -> Option<Value> {
    let runs = results.get("pg-pg")?;
    let share = median(numbers(runs, "client_cpu"))? / median(numbers(runs, "servers_cpu"))?;
    let name = "PostgreSQL → PostgreSQL, processor time of client / of servers";
    Some(json!({ "figure": name, "ratio": share, "bound": 0.2 }))
}

fn numbers(runs: &[Value], key: &str) -> Vec<f64> {
    runs.iter().filter_map(|run| run[key].as_f64()).collect()
}

fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

#[expect(clippy::print_stdout, reason = "the result of the program")]
fn print(value: &Value) -> Result<(), Failure> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}
