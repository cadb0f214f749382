//! What is said in SQL, from each database to each other.

mod checks;
mod generated;
mod indexes;
mod views;

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::stage::Stage;

/// A kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    MySql,
    MariaDb,
    Postgres,
    Sqlite,
}

use System::{MariaDb, MySql, Postgres as Pg, Sqlite};

const ALL: [System; 4] = [MySql, MariaDb, Pg, Sqlite];

/// A database of its own.
#[derive(Debug)]
struct Place {
    system: System,
    name: String,
}

impl Place {
    fn new(system: System, stage: &Stage) -> Self {
        let name = match (mysql(system), system) {
            (Some(server), _) => server.create("said"),
            (None, Pg) => postgres().create("said"),
            (None, _) => {
                let used = std::fs::read_dir(stage.path()).expect("a folder").count();
                format!("said{used}.db")
            }
        };
        Self { system, name }
    }

    fn url(&self) -> String {
        match (mysql(self.system), self.system) {
            (Some(server), _) => server.url(&self.name),
            (None, Pg) => postgres().url(&self.name),
            (None, _) => format!("sqlite:{}", self.name),
        }
    }

    /// Runs statements that must succeed.
    fn run(&self, stage: &Stage, sql: &str) {
        match (mysql(self.system), self.system) {
            (Some(server), _) => drop(server.sql(&self.name, sql)),
            (None, Pg) => drop(postgres().psql(&self.name, sql)),
            (None, _) => stage.sql(&self.name, sql),
        }
    }

    /// Whether a statement is taken.
    fn takes(&self, stage: &Stage, sql: &str) -> bool {
        let done = |command: &mut std::process::Command| {
            let output = command.output().expect("a client");
            let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
            // The words of PostgreSQL and MySQL, and of MariaDB.
            let words = ["check constraint", "constraint `", "unique constraint"];
            let refused = words.iter().any(|words| told.contains(words));
            assert!(output.status.success() || refused, "{sql}: {told}");
            output.status.success()
        };
        match (mysql(self.system), self.system) {
            (Some(server), _) => done(server.client("mysql", &self.name).args(["-e", sql])),
            (None, Pg) => done(postgres().client("psql", &self.name).args(["-c", sql])),
            (None, _) => {
                let connection = Connection::open(stage.join(&self.name)).expect("a database");
                connection.execute_batch(sql).is_ok()
            }
        }
    }

    /// The rows of a query: columns by `|`, truth values as numbers, NULL as nothing.
    fn rows(&self, stage: &Stage, sql: &str) -> Vec<String> {
        match (mysql(self.system), self.system) {
            (Some(server), _) => {
                let text = server.sql(&self.name, sql);
                text.lines().map(|line| line.replace('\t', "|").replace("NULL", "")).collect()
            }
            (None, Pg) => postgres().psql(&self.name, sql).lines().map(str::to_string).collect(),
            (None, _) => {
                let connection = Connection::open(stage.join(&self.name)).expect("a database");
                let mut statement = connection.prepare(sql).expect("a query");
                let count = statement.column_count();
                let mut rows = statement.query([]).expect("rows");
                let mut found = Vec::new();
                while let Some(row) = rows.next().expect("a row") {
                    let cell = |at: usize| match row.get::<_, Value>(at).expect("a value") {
                        Value::Null => String::new(),
                        Value::Integer(number) => number.to_string(),
                        Value::Real(number) => number.to_string(),
                        Value::Text(text) => text,
                        Value::Blob(_) => "bytes".to_string(),
                    };
                    found.push((0..count).map(cell).collect::<Vec<_>>().join("|"));
                }
                found
            }
        }
    }
}

fn mysql(system: System) -> Option<&'static Mysql> {
    match system {
        MySql => Some(Mysql::shared(Flavor::MySql)),
        MariaDb => Some(Mysql::shared(Flavor::MariaDb)),
        _ => None,
    }
}

fn postgres() -> &'static Postgres {
    Postgres::shared(Version::V18)
}

/// What the plan of `m.yaml` leaves behind, each a line of its kind, name and reason.
fn left(stage: &Stage) -> Vec<String> {
    stage.done(&["plan", "m.yaml", "--output", "plan.json"]);
    let text = std::fs::read_to_string(stage.join("plan.json")).expect("a plan");
    let plan: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let all = plan["moves"][0]["not_moved"].as_array().cloned().unwrap_or_default();
    let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap_or("").to_string();
    let line = |one: &serde_json::Value| {
        format!("{} {}: {}", text(one, "kind"), text(one, "name"), text(one, "reason"))
    };
    all.iter().map(line).collect()
}
