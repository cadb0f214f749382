//! The steps with the server: `longshore serve` of a release build, as a process on loopback, asked by this one.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::Failure;
use crate::load::{Client, Request, load};
use crate::meter::{self, Meter};
use crate::peers::emptied;

/// Every step, in the order of a turn.
pub(crate) const NAMES: &[&str] = &["serve-migrate", "serve-accept", "serve-api", "serve-runs"];

const TOKEN: &str = "lsh_of-the-administrator-of-the-bench";
/// Connections that ask at the same time.
const CONNECTIONS: usize = 8;
/// Requests of a kind at scale 1; migrations are a tenth of them.
const REQUESTS: f64 = 20_000.0;
/// How often a page is asked for by one who measures how long it takes.
const LOOKS: usize = 21;

/// Makes the release build that the steps start.
pub(crate) fn build(steps: &[&str]) -> Result<(), Failure> {
    if !steps.iter().any(|step| NAMES.contains(step)) {
        return Ok(());
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--release", "--locked", "--package", "longshore-cli"]);
    if cargo.stdin(Stdio::null()).status()?.success() {
        return Ok(());
    }
    Err("longshore cannot be built".into())
}

/// Runs a step.
pub(crate) fn run(name: &str, dir: &Path, scale: f64) -> Result<Option<Value>, Failure> {
    let folder = emptied(dir, "serve")?;
    make_shop(&folder)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a number of requests"
    )]
    let requests = (REQUESTS * scale).max(100.0) as usize;
    let meter = Meter::start(dir)?;
    let figures = match name {
        "serve-migrate" => migrations(&folder, requests / 10)?,
        "serve-accept" => accepted(&folder, requests / 10)?,
        "serve-api" => api(&folder, requests)?,
        "serve-runs" => runs(&folder)?,
        _ => return Err(format!("unknown step {name}").into()),
    };
    let mut read = meter.read()?;
    read["figures"] = figures;
    std::fs::remove_dir_all(folder)?;
    Ok(Some(read))
}

/// Verified migrations of a database with two tables, each in one request.
fn migrations(folder: &Path, requests: usize) -> Result<Value, Failure> {
    let server = Server::start(folder)?;
    let mut figures = server.migrate(folder, requests)?;
    figures["server_cpu_ms_each"] = json!(server.cpu()? * 1000.0 / requests as f64);
    figures["resident_mib"] = json!(server.resident_mib()?);
    Ok(figures)
}

/// The same, each answered at once: how many are taken, and that all of them come to their end.
fn accepted(folder: &Path, requests: usize) -> Result<Value, Failure> {
    let server = Server::start(folder)?;
    let start = Instant::now();
    let mut figures = server.ask(folder, requests, false)?;
    let mut client = server.client()?;
    loop {
        let told: Value = serde_json::from_slice(&client.send(&Request::get("/api/v1/overview"))?)?;
        let runs = &told["runs"];
        if runs["verified"] == json!(requests) {
            break;
        }
        let left = ["queued", "running"].iter().filter_map(|state| runs[state].as_u64());
        if left.sum::<u64>() == 0 {
            return Err(format!("runs ended otherwise: {runs}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    figures["ended_per_second"] = json!(requests as f64 / start.elapsed().as_secs_f64());
    Ok(figures)
}

/// What the dashboard, probes and Prometheus ask for.
fn api(folder: &Path, requests: usize) -> Result<Value, Failure> {
    let server = Server::start(folder)?;
    server.migrate(folder, 200)?;
    let listed: Value = serde_json::from_slice(&server.client()?.send(&Request::get(LIST))?)?;
    let id = listed["runs"][0]["id"].as_str().ok_or("no run is listed")?;
    let pages = [
        ("healthz", "/healthz".to_string()),
        ("metrics", "/metrics".to_string()),
        ("runs_of_50", "/api/v1/runs".to_string()),
        ("runs_of_200", LIST.to_string()),
        ("run", format!("/api/v1/runs/{id}")),
        ("overview", "/api/v1/overview".to_string()),
    ];
    let mut figures = json!({});
    for (name, path) in pages {
        let one = load(server.at(), CONNECTIONS, requests, &|_| Request::get(&path))?;
        figures[name] = one;
    }
    Ok(figures)
}

const LIST: &str = "/api/v1/runs?limit=200";

/// How long a list takes when there are few and when there are many, and what the server needs for it.
fn runs(folder: &Path) -> Result<Value, Failure> {
    let server = Server::start(folder)?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = server.resident_mib()?;
    server.migrate(folder, 200)?;
    let few = server.looks()?;
    drop(server);
    let book = Connection::open(folder.join("state/control.db"))?;
    book.execute_batch(MANY)?;
    drop(book);
    let server = Server::start(folder)?;
    let idle_of_many = server.resident_mib()?;
    let many = server.looks()?;
    Ok(json!({
        "resident_idle_mib": idle,
        "list_of_200_ms": few,
        "list_of_200_among_10000_ms": many,
        "resident_idle_with_10000_mib": idle_of_many,
        "resident_after_lists_mib": server.resident_mib()?,
    }))
}

/// A server in a process of its own, which is killed at the end.
struct Server {
    child: Child,
    host: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self, Failure> {
        let mut command = Command::new(binary()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--state"]);
        command.arg(folder.join("state")).env("LONGSHORE_TOKEN", TOKEN);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("its output is not there")?;
        // From here on it is killed, whatever fails.
        let mut server = Self { child, host: String::new() };
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line)?;
        let host = told["address"].as_str().and_then(|address| address.split_once("//"));
        server.host = host.ok_or("it says no address")?.1.to_string();
        Ok(server)
    }

    fn at(&self) -> (&str, &str) {
        (&self.host, TOKEN)
    }

    fn client(&self) -> Result<Client, Failure> {
        Client::connect(&self.host, TOKEN)
    }

    fn migrate(&self, folder: &Path, requests: usize) -> Result<Value, Failure> {
        self.ask(folder, requests, true)
    }

    fn ask(&self, folder: &Path, requests: usize, wait: bool) -> Result<Value, Failure> {
        load(self.at(), CONNECTIONS, requests, &|number| {
            let from = format!("sqlite:{}", folder.join("shop.db").display());
            let to = format!("sqlite:{}", folder.join(format!("copy-{number}.db")).display());
            let body = json!({ "source": from, "target": to, "wait": wait }).to_string();
            Request { method: "POST", path: "/migrate".to_string(), body }
        })
    }

    /// The median time of a list of 200 runs, in milliseconds.
    fn looks(&self) -> Result<f64, Failure> {
        let (mut client, mut took) = (self.client()?, Vec::new());
        for _ in 0..LOOKS {
            let start = Instant::now();
            client.send(&Request::get(LIST))?;
            took.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        took.sort_by(f64::total_cmp);
        Ok(took[LOOKS / 2])
    }

    fn cpu(&self) -> Result<f64, Failure> {
        meter::processor_time(&self.child.id().to_string())
    }

    fn resident_mib(&self) -> Result<f64, Failure> {
        meter::status_mib(&self.child.id().to_string(), "VmRSS:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program beside this one.
fn binary() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?.with_file_name("longshore");
    if program.is_file() {
        Ok(program)
    } else {
        Err("there is no longshore beside the bench".into())
    }
}

fn make_shop(folder: &Path) -> Result<(), Failure> {
    let shop = Connection::open(folder.join("shop.db"))?;
    shop.execute_batch(
        "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
         CREATE TABLE orders (id INTEGER PRIMARY KEY, customer INTEGER NOT NULL REFERENCES customers, what TEXT);
         INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)
         INSERT INTO orders SELECT i, 1 + i % 2, printf('order %d', i) FROM n;",
    )?;
    Ok(())
}

/// Runs that ended, as the control plane keeps them.
const MANY: &str = "
INSERT INTO runs (id, migration, state, outcome, run, spec, whole)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000),
     one AS (SELECT * FROM runs ORDER BY id LIMIT 1),
     many AS (SELECT printf('20250101-000000-%05d', i) AS id FROM n)
SELECT many.id, migration, state, outcome, json_set(run, '$.id', many.id), spec, whole FROM one, many;
";
