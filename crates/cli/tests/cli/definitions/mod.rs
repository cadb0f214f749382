//! PostgreSQL to PostgreSQL: what pg_dump says of both sides is the same.

mod scale;

use longshore_testkit::postgres::{Postgres, Version};
use serde_json::Value;

use crate::stage::Stage;

const RENTAL: &str = include_str!("rental.sql");
const WORKS: &str = include_str!("works.sql");
const ODD: &str = include_str!("odd.sql");
const PROGRAMS: &str = include_str!("programs.sql");
const LEFT: &str = include_str!("left.sql");
const NEWEST: &str = include_str!("newest.sql");

use Version::{V15, V18};

/// A server with a database of its own in it.
struct Side {
    server: &'static Postgres,
    database: String,
}

impl Side {
    fn new(version: Version, name: &str, sql: &str) -> Self {
        let server = Postgres::shared(version);
        let database = server.create(name);
        server.psql(&database, sql);
        Self { server, database }
    }

    fn url(&self) -> String {
        self.server.url(&self.database)
    }

    /// What a server's own pg_dump says of the database.
    fn dump(&self, by: &Postgres, options: &[&str]) -> String {
        let mut dump = by.client("pg_dump", &self.database);
        dump.arg("-h").arg(self.server.socket()).args(["-p", &self.server.port().to_string()]);
        dump.args(["--no-owner", "--no-privileges"]);
        dump.args(["--exclude-schema=_longshore"]).args(options);
        let output = dump.output().expect("pg_dump starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        // What differs from call to call, or names the server's version.
        let kept = |line: &&str| {
            !["--", "\\restrict", "\\unrestrict"].iter().any(|start| line.starts_with(start))
        };
        text.lines().filter(kept).map(|line| format!("{line}\n")).collect()
    }

    fn structure(&self, by: &Postgres) -> String {
        self.dump(by, &["--schema-only"])
    }

    /// The rows, sorted. Heirs may have their columns in another order, so these are sorted too.
    fn rows(&self, by: &Postgres) -> Vec<String> {
        let text = self.dump(by, &["--data-only"]);
        let mut tables: Vec<String> = text.split("\nCOPY ").map(sorted).collect();
        tables.sort_unstable();
        tables
    }
}

fn sorted(table: &str) -> String {
    let mut lines = table.lines().filter(|line| !line.is_empty());
    let head = lines.next().unwrap_or_default();
    let columns = head.split_once(" (").and_then(|(_, rest)| rest.rsplit_once(") FROM stdin;"));
    let mut columns: Vec<(usize, &str)> =
        columns.map_or_else(Vec::new, |(names, _)| names.split(", ").enumerate().collect());
    columns.sort_unstable_by_key(|(_, name)| *name);
    let mut rows: Vec<String> = lines
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields.len() == columns.len() {
                true => columns.iter().map(|(at, _)| fields[*at]).collect::<Vec<_>>().join("\t"),
                false => line.to_string(),
            }
        })
        .collect();
    rows.sort_unstable();
    let name = head.split(" (").next().unwrap_or_default();
    format!("{name} {columns:?}\n", columns = columns.iter().map(|c| c.1).collect::<Vec<_>>())
        + &rows.join("\n")
}

/// Moves everything, and returns what the plan says of what stays behind.
fn copy(from: &Side, to: &Side) -> Vec<String> {
    let stage = Stage::empty();
    let plan = stage.done(&["plan", &from.url(), &to.url(), "--json"]);
    let plan: Value = serde_json::from_str(&plan.out).expect("a plan");
    stage.done(&["copy", &from.url(), &to.url()]);
    let left = plan["moves"][0]["not_moved"].as_array().expect("a list");
    let text = |one: &Value, key: &str| one[key].as_str().expect("a text").to_string();
    left.iter().map(|one| format!("{} {}", text(one, "kind"), text(one, "name"))).collect()
}

/// Fails with the lines that two texts do not share.
fn same(what: &str, left: &str, right: &str) {
    if left == right {
        return;
    }
    let lines = |text: &str, other: &str, mark: char| -> String {
        let other: std::collections::HashSet<&str> = other.lines().collect();
        let only = text.lines().filter(|line| !other.contains(line));
        only.take(60).map(|line| format!("{mark} {line}\n")).collect()
    };
    panic!("{what} differs\n{}{}", lines(left, right, '-'), lines(right, left, '+'));
}

/// A dump without the settings that older versions do not know.
fn readable(dump: &str) -> String {
    let known = |line: &&str| !line.starts_with("SET transaction_timeout");
    dump.lines().filter(known).map(|line| format!("{line}\n")).collect()
}

fn moves_whole(name: &str, sql: &str, from: Version, to: Version) {
    let source = Side::new(from, name, sql);
    let target = Side::new(to, name, "");
    assert_eq!(copy(&source, &target), Vec::<String>::new());
    let newer = if from == V18 { source.server } else { target.server };
    // Another version says some things in other words: what counts is what it makes of the dump.
    let expected = source.structure(newer);
    let expected = match from == to {
        true => expected,
        false => Side::new(to, "expected", &readable(&expected)).structure(newer),
    };
    same("the structure", &expected, &target.structure(newer));
    let (there, here) = (source.rows(newer), target.rows(newer));
    assert_eq!(there.len(), here.len());
    for (left, right) in there.iter().zip(&here) {
        same("a table", left, right);
    }
}

macro_rules! moved {
    ($($test:ident: $sql:expr, $from:expr => $to:expr;)*) => {$(
        #[test]
        fn $test() {
            moves_whole(stringify!($test), $sql, $from, $to);
        }
    )*};
}

moved! {
    rental_15_to_15: RENTAL, V15 => V15;
    rental_15_to_18: RENTAL, V15 => V18;
    rental_18_to_18: RENTAL, V18 => V18;
    rental_18_to_15: RENTAL, V18 => V15;
    works_15_to_15: WORKS, V15 => V15;
    works_15_to_18: WORKS, V15 => V18;
    works_18_to_18: WORKS, V18 => V18;
    odd_15_to_15: ODD, V15 => V15;
    odd_15_to_18: ODD, V15 => V18;
    odd_18_to_18: ODD, V18 => V18;
    programs_15_to_15: PROGRAMS, V15 => V15;
    programs_15_to_18: PROGRAMS, V15 => V18;
    programs_18_to_18: PROGRAMS, V18 => V18;
    newest_18_to_18: NEWEST, V18 => V18;
}

#[test]
fn what_stays_behind_is_named_and_nothing_else_does() {
    let moving = RENTAL.to_string()
        + "CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';\n";
    for version in [V15, V18] {
        let expected = Side::new(version, "expected", &moving);
        let source = Side::new(version, "source", &(moving.clone() + LEFT));
        let target = Side::new(version, "target", "");
        assert_eq!(
            copy(&source, &target),
            [
                "access method heap2",
                "conversion public.conv",
                "database setting work_mem",
                "default privileges 1",
                "event trigger guard",
                "foreign data wrapper wrapper",
                "foreign server far away",
                "foreign table public.far",
                "function public.native(text, text)",
                "grants on 3 things",
                "large objects 2",
                "operator class public.abs_ops using btree",
                "operator family public.family using btree",
                "owner longshore_owner of 2 things",
                "policy readers on public.language",
                "publication outward",
                "subscription inward",
                "invalid index broken",
            ]
        );
        same("the structure", &expected.structure(source.server), &target.structure(source.server));
    }
}

/// A table that comes with a rule of its own leaves behind what needs it, and says so.
#[test]
fn what_a_rule_changes_takes_what_needs_it_along() {
    let source = Side::new(V15, "source", RENTAL);
    let target = Side::new(V15, "target", "");
    let stage = Stage::empty();
    let migration = format!(
        "longshore: v1\nname: masked\nmoves:\n  - from: {}\n    to: {}\n    columns: {{ public.customer: {{ mask: {{ email: sha256 }} }} }}\n",
        source.url(),
        target.url()
    );
    stage.write("migration.yaml", &migration);
    let plan = stage.done(&["plan", "--json"]);
    let plan: Value = serde_json::from_str(&plan.out).expect("a plan");
    let left = plan["moves"][0]["not_moved"].as_array().expect("a list");
    let left: Vec<String> = left
        .iter()
        .map(|one| {
            format!("{} {}", one["kind"].as_str().unwrap_or(""), one["name"].as_str().unwrap_or(""))
        })
        .collect();
    for expected in [
        "function public.customers()",
        "view public.customer_list",
        "materialized view public.sales",
    ] {
        assert!(left.iter().any(|one| one == expected), "{expected} in {left:?}");
    }
    stage.done(&["run"]);
    let dump = target.structure(source.server);
    assert!(
        dump.contains("public.film_totals") && !dump.contains("public.customer_list"),
        "{dump}"
    );
}

#[test]
fn tables_that_are_kept_get_no_key_twice() {
    const TABLES: &str = "CREATE TABLE public.t (
            id int PRIMARY KEY, u int UNIQUE, r int REFERENCES public.t, e int,
            EXCLUDE USING btree (e WITH =));
        CREATE INDEX ON public.t (r);";
    const ROWS: &str = "INSERT INTO public.t SELECT i, i, i, i FROM generate_series(1, 10) i";
    for existing in ["truncate", "append"] {
        for (from, to) in [(V15, V18), (V18, V15)] {
            let source = Side::new(from, "kept", &format!("{TABLES}{ROWS}"));
            // Its primary key has another name.
            let other = TABLES.replace("PRIMARY KEY", "CONSTRAINT own PRIMARY KEY");
            let target = Side::new(to, "kept", &other);
            let by = Postgres::shared(V18);
            let before = target.structure(by);
            let stage = Stage::empty();
            for _ in 0..2 {
                stage.done(&["copy", &source.url(), &target.url(), "--existing", existing]);
                same("the structure", &before, &target.structure(by));
                assert_eq!(source.rows(by), target.rows(by));
            }
        }
    }
}
