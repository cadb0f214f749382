//! PostgreSQL to PostgreSQL: what pg_dump says of both sides is the same.

use longshore_testkit::postgres::{Postgres, Version};
use serde_json::Value;

use crate::stage::Stage;

const RENTAL: &str = include_str!("rental.sql");
const WORKS: &str = include_str!("works.sql");
const ODD: &str = include_str!("odd.sql");
const PROGRAMS: &str = include_str!("programs.sql");
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

    /// The rows of every table, without the order of rows and columns, and what sequences say.
    fn rows(&self) -> Vec<String> {
        let list = "SELECT format('%I.%I', n.nspname, c.relname), c.relkind FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'm', 'S') AND c.relispopulated AND n.nspname !~ '^pg_'
                AND n.nspname NOT IN ('information_schema', '_longshore') ORDER BY 1";
        let select = |line: &str| {
            let (name, kind) = line.rsplit_once('|').expect("a name and a kind");
            let from = if kind == "r" { format!("ONLY {name}") } else { name.to_string() };
            // The number of log entries that are left is nobody's data.
            let row = if kind == "S" {
                "jsonb_build_array(last_value, is_called)"
            } else {
                "to_jsonb(t)"
            };
            format!(
                "SELECT '{}' || coalesce(string_agg(words, E'\\n' ORDER BY words COLLATE \"C\"), '')
                 FROM (SELECT ({row})::text AS words FROM {from} AS t) AS x;\n",
                format!("{name}\n").replace('\'', "''")
            )
        };
        let sql: String = self.server.psql(&self.database, list).lines().map(select).collect();
        self.server.psql(&self.database, &sql).split('\n').map(str::to_string).collect()
    }
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

fn moves_whole(name: &str, sql: &str, from: Version, to: Version) {
    let source = Side::new(from, name, sql);
    let target = Side::new(to, name, "");
    assert_eq!(copy(&source, &target), Vec::<String>::new());
    let newer = if from == V18 { source.server } else { target.server };
    // Versions write the same thing in other words: what the server makes of the source's
    // definitions is what it is to have.
    let expected = match from == to {
        true => source.structure(newer),
        false => Side::new(to, name, &source.structure(newer)).structure(newer),
    };
    same("the structure", &expected, &target.structure(newer));
    same("the rows", &source.rows().join("\n"), &target.rows().join("\n"));
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
fn what_stays_behind_is_named_and_the_rest_moves() {
    for version in [V15, V18] {
        // Roles and subscriptions belong to the server, so it is one of its own.
        let server: &'static Postgres = Box::leak(Box::new(Postgres::start(version)));
        let side = |sql: &str| {
            let database = server.create("left");
            server.psql(&database, sql);
            Side { server, database }
        };
        let (source, target) = (side(include_str!("left.sql")), side(""));
        let left = copy(&source, &target);
        let expected = [
            "access method heap2",
            "conversion public.conv",
            "event trigger guard",
            "foreign data wrapper wrapper",
            "foreign server far away",
            "foreign table public.far",
            "function public.native(text,text)",
            "grants 1",
            "large objects 2",
            "operator family public.family",
            "policy readers on public.film",
            "publication outward",
            "subscription inward",
        ];
        assert_eq!(left, expected);
        assert_eq!(target.server.psql(&target.database, "SELECT title FROM film"), "x");
        source.server.psql(
            &source.database,
            "ALTER SUBSCRIPTION inward DISABLE; ALTER SUBSCRIPTION inward SET (slot_name = NONE);
             DROP SUBSCRIPTION inward",
        );
    }
}
