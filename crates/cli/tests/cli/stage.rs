//! A folder with a small shop in it, in which the binary runs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Stage(TempDir);

/// What a run of the binary left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Stage {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with `shop.db`: `rows` orders with a key, a log without one, and oddities.
    pub(crate) fn shop(rows: u32) -> Self {
        let stage = Self::empty();
        stage.sql(
            "shop.db",
            &format!(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT, price REAL, raw BLOB, odd);
                 CREATE TABLE log (at TEXT, what TEXT);
                 CREATE TABLE empty (id INTEGER PRIMARY KEY);
                 CREATE INDEX orders_by_note ON orders (note);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})
                 INSERT INTO orders SELECT i, iif(i % 7 = 0, NULL, 'Bestellung ☕ ' || i), i / 3.0,
                   randomblob(i % 40), CASE i % 3 WHEN 0 THEN i WHEN 1 THEN 'x' || i ELSE x'00ff' END
                 FROM n;
                 INSERT INTO log SELECT 'now', 'twice' FROM orders WHERE id <= 20;
                 INSERT INTO log VALUES (NULL, ''), ('', NULL);"
            ),
        );
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) {
        let connection = Connection::open(self.join(database)).expect("a database");
        connection.execute_batch(sql).expect("the statements run");
    }

    /// One value of a database.
    pub(crate) fn value(&self, database: &str, sql: &str) -> i64 {
        let connection = Connection::open(self.join(database)).expect("a database");
        connection.query_row(sql, [], |row| row.get(0)).expect("one number")
    }

    /// One text of a database.
    pub(crate) fn text(&self, database: &str, sql: &str) -> String {
        let connection = Connection::open(self.join(database)).expect("a database");
        connection.query_row(sql, [], |row| row.get(0)).expect("one text")
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.join(name), text).expect("a file");
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        // A soak of full size takes a release build.
        let release = std::env::var_os("LONGSHORE_SOAK_BINARY");
        let binary = release.unwrap_or_else(|| env!("CARGO_BIN_EXE_longshore").into());
        let mut command = Command::new(binary);
        command.args(args).current_dir(self.path()).stdin(Stdio::null()).env_remove("NO_COLOR");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.command(args).output().expect("the binary runs").into()
    }

    /// Runs it and expects success.
    pub(crate) fn done(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}\n{}", ran.out, ran.err);
        ran
    }

    /// Runs a migration of one move.
    pub(crate) fn migrate(&self, from: &str, to: &str, policies: &str) -> Ran {
        self.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: pair\nmoves: [{{from: '{from}', to: '{to}'}}]\npolicies: {{{policies}}}\n"
            ),
        );
        self.run(&["run", "m.yaml", "--json"])
    }

    /// What the plan of the migration warns of.
    pub(crate) fn risks(&self) -> Vec<String> {
        self.done(&["plan", "m.yaml", "--output", "plan.json"]);
        let text = std::fs::read_to_string(self.join("plan.json")).expect("a plan");
        let plan: Value = serde_json::from_str(&text).expect("JSON");
        let risks = plan["moves"][0]["risks"].as_array().cloned().unwrap_or_default();
        risks.iter().filter_map(|risk| risk.as_str().map(str::to_string)).collect()
    }

    pub(crate) fn start(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
    }

    /// Whether the orders and the log of two databases are the same, with duplicates and types.
    pub(crate) fn same(&self, left: &str, right: &str) {
        let rows = |database: &str, sql: &str| -> Vec<String> {
            let connection = Connection::open(self.join(database)).expect("a database");
            let mut statement = connection.prepare(sql).expect("a query");
            let rows = statement.query_map([], |row| row.get(0)).expect("rows");
            rows.collect::<Result<_, _>>().expect("text")
        };
        for sql in [
            "SELECT quote(id)||quote(note)||quote(price)||quote(raw)||quote(odd) FROM orders ORDER BY id",
            "SELECT quote(at)||quote(what) AS row FROM log ORDER BY row",
        ] {
            assert!(rows(left, sql) == rows(right, sql), "{left} and {right} differ: {sql}");
        }
    }
}

impl Ran {
    /// The lines of the standard output as JSON.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    pub(crate) fn event(&self, name: &str) -> Value {
        let found = self.events().into_iter().find(|event| event["event"] == name);
        found.unwrap_or_else(|| panic!("no {name} in {}", self.out))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}
