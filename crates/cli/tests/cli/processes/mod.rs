//! Several processes of one run, which agree through the ledger in the target alone.

mod copies;
mod dialects;
mod lost;
mod network;
mod refused;
mod scale;
mod storm;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use longshore_testkit::postgres::Postgres;
use serde_json::Value;

use crate::stage::{Ran, Stage};

/// How long anything is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// A process at work, and what it has told.
pub(crate) struct Worker {
    child: Child,
    told: Arc<Mutex<Vec<Value>>>,
    lines: JoinHandle<String>,
    errors: JoinHandle<String>,
}

impl Worker {
    /// Starts a process of `m.yaml`.
    pub(crate) fn start(stage: &Stage, process: &str, more: &[&str]) -> Self {
        let args = [&["run", "m.yaml", "--json", "--process", process][..], more].concat();
        Self::of(stage.command(&args))
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let told = Arc::new(Mutex::new(Vec::new()));
        let shared = told.clone();
        let lines = std::thread::spawn(move || {
            let mut text = String::new();
            for line in BufReader::new(out.expect("piped")).lines() {
                // A killed process leaves half a line.
                let Ok(line) = line else { break };
                let Ok(event) = serde_json::from_str(&line) else { continue };
                shared.lock().expect("no reader panics").push(event);
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        let errors = std::thread::spawn(move || {
            std::io::read_to_string(err.expect("piped")).unwrap_or_default()
        });
        Self { child, told, lines, errors }
    }

    /// How often something was told.
    pub(crate) fn count(&self, event: &str) -> usize {
        let told = self.told.lock().expect("no reader panics");
        told.iter().filter(|one| one["event"] == event).count()
    }

    /// Waits until something was told so often.
    pub(crate) fn wait_for(&mut self, event: &str, times: usize) {
        let start = Instant::now();
        while self.count(event) < times {
            let ended = self.child.try_wait().expect("a child");
            let told = || format!("{:?}", self.told.lock().expect("no reader panics"));
            assert!(ended.is_none(), "it ended before {event}: {}", told());
            assert!(start.elapsed() < PATIENCE, "no {event}: {}", told());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether it runs still.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_none()
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("kill starts").success(), "{name} to {pid}");
    }

    /// Kills it.
    pub(crate) fn kill(mut self) -> Ran {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ran {
        let start = Instant::now();
        while self.runs() {
            if start.elapsed() > PATIENCE {
                let _ = self.child.kill();
                let told = self.lines.join().expect("a reader");
                panic!("it does not end: {told}");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let code = self.child.wait().expect("a child").code();
        let out = self.lines.join().expect("a reader");
        Ran { code, out, err: self.errors.join().expect("a reader") }
    }

    /// Waits for its end, which must be a good one.
    pub(crate) fn done(self) -> Ran {
        let ran = self.end();
        assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
        ran
    }
}

/// The chunks that were told to be in, by table and number, with how often that was.
pub(crate) fn chunks<'a>(runs: impl IntoIterator<Item = &'a Ran>) -> BTreeMap<(String, u64), u32> {
    let mut chunks = BTreeMap::new();
    for event in runs.into_iter().flat_map(Ran::events) {
        if event["event"] == "chunk-done" {
            let table = event["table"].as_str().expect("a table").to_string();
            *chunks.entry((table, event["chunk"].as_u64().expect("a number"))).or_default() += 1;
        }
    }
    chunks
}

/// The rows that a process told to be in, with those of others and without those that it took back.
pub(crate) fn rows_told(ran: &Ran) -> i64 {
    let rows = |event: &Value| event["rows"].as_i64().expect("rows");
    ran.events()
        .iter()
        .map(|event| match event["event"].as_str() {
            Some("copied" | "chunk-elsewhere") => rows(event),
            Some("chunk-dropped" | "chunk-retry") => -rows(event),
            Some("move-started") => {
                let tables = event["tables"].as_array().expect("tables");
                tables.iter().map(|table| table["rows_in"].as_i64().expect("rows")).sum()
            }
            _ => 0,
        })
        .sum()
}

/// Two tables, one without a key, and one with wide rows: some dozens of chunks of 64 KiB.
pub(crate) const SHOP: &str = "
    CREATE TABLE orders (id bigint PRIMARY KEY, at timestamptz, price numeric(12,2), note text);
    CREATE TABLE log (what text, number int);
    CREATE TABLE wide (id int PRIMARY KEY, raw bytea);
    CREATE INDEX orders_by_at ON orders (at);
    INSERT INTO orders SELECT i, 'epoch'::timestamptz + i * interval '1 hour', i / 7.0,
        'Bestellung ☕ ' || i FROM generate_series(1, 20000) AS i;
    INSERT INTO log SELECT 'twice', i / 2 FROM generate_series(1, 20000) AS i;
    INSERT INTO wide SELECT i, decode(repeat(md5(i::text), 300), 'hex')
    FROM generate_series(1, 100) AS i;
    VACUUM ANALYZE;";

pub(crate) const TABLES: [&str; 3] = ["orders", "log", "wide"];

pub(crate) const ROWS: i64 = 40_100;

/// The rows of a table as one short text, whatever their order.
pub(crate) fn sum(server: &Postgres, database: &str, table: &str) -> String {
    server.psql(
        database,
        &format!(
            "SET timezone = 'UTC'; SELECT count(*) || ' ' || coalesce(md5(string_agg(words, '|'
             ORDER BY words COLLATE \"C\")), '') FROM (SELECT t::text AS words FROM ONLY {table} t) x"
        ),
    )
}

/// The target has just the rows of the source, every chunk once, and no lease is left.
pub(crate) fn exactly_once(source: (&Postgres, &str), target: (&Postgres, &str)) {
    for table in TABLES {
        assert_eq!(sum(source.0, source.1, table), sum(target.0, target.1, table), "{table}");
    }
    let sql = "SELECT count(*) FROM _longshore.leases";
    assert_eq!(target.0.psql(target.1, sql), "0", "leases are left");
    // A chunk's rows carry the number of the transaction that its entry names.
    let sql = "SELECT count(*), count(DISTINCT (entry::jsonb #>> '{range,transaction}'))
               FROM _longshore.entries";
    let counts = target.0.psql(target.1, sql);
    let (entries, transactions) = counts.split_once('|').expect("two numbers");
    assert_eq!(entries, transactions, "each chunk in a transaction of its own");
    for table in TABLES {
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE xmin::text NOT IN
             (SELECT entry::jsonb #>> '{{range,transaction}}' FROM _longshore.entries)"
        );
        assert_eq!(target.0.psql(target.1, &sql), "0", "rows of {table} without an entry");
    }
}

pub(crate) fn migration(stage: &Stage, from: &str, to: &str, limits: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: shop\nmoves: [{{from: '{from}', to: '{to}'}}]\nlimits: {{{limits}}}\n"
        ),
    );
}
