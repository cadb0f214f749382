//! Many tables, many columns, many partitions: a plan takes seconds and few statements.
//!
//! The size is set from outside: `LONGSHORE_SCALE_TABLES` and `LONGSHORE_SCALE_PARTITIONS`.

use std::fs;
use std::time::Instant;

use longshore_testkit::postgres::{Postgres, Version};
use serde_json::Value;

use crate::stage::Stage;

/// Statements of a plan that do not depend on the number of tables, generously.
const FIXED: usize = 120;

/// Makes things in transactions that take few locks; `sql` says what for `i` from 1 to `count`.
fn many(server: &Postgres, database: &str, count: u32, sql: &str) {
    for first in (1..=count).step_by(500) {
        let last = (first + 499).min(count);
        server.psql(
            database,
            &format!(
                "DO $do$ BEGIN FOR i IN {first}..{last} LOOP EXECUTE replace($$ {sql} $$, '#', i::text); \
                 END LOOP; END $do$"
            ),
        );
    }
}

/// Plans, and returns the plan with its seconds and how many statements the source got.
fn plan(server: &Postgres, from: &str, to: &str) -> (Value, f64, usize) {
    let log = server.socket().join("log");
    let told = || {
        let text = fs::read_to_string(&log).expect("the server's log");
        text.lines()
            .filter(|l| l.contains("LOG:  statement:") || l.contains("LOG:  execute"))
            .count()
    };
    let before = told();
    let stage = Stage::empty();
    let began = Instant::now();
    let ran = stage.done(&["plan", &server.url(from), &server.url(to), "--json"]);
    let seconds = began.elapsed().as_secs_f64();
    let plan = serde_json::from_str(&ran.out).expect("a plan");
    (plan, seconds, told() - before)
}

/// How many, unless the environment says so.
fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn many_tables_are_planned_in_seconds_and_few_statements() {
    let count = setting("LONGSHORE_SCALE_TABLES", 2_000);
    for version in [Version::V15, Version::V18] {
        let settings = ["fsync=off", "full_page_writes=off", "log_statement=all"];
        let server = Postgres::with(version, &settings);
        let (from, to) = (server.create("from"), server.create("to"));
        many(
            &server,
            &from,
            count,
            "CREATE TABLE public.t# (id serial PRIMARY KEY, name text DEFAULT 'x' NOT NULL, up int); \
             CREATE INDEX ON public.t# (name); INSERT INTO public.t# (up) SELECT 1 FROM generate_series(1, # % 5)",
        );
        let (plan, seconds, statements) = plan(&server, &from, &to);
        eprintln!("{version:?}: {count} tables: {seconds:.1} s, {statements} statements");
        let tables = plan["moves"][0]["tables"].as_array().expect("tables");
        assert_eq!(tables.len(), count as usize);
        let rows: u64 = tables.iter().map(|table| table["rows"].as_u64().expect("a number")).sum();
        assert_eq!(rows, u64::from(count) * 2, "rows of small tables are counted");
        assert!(statements < FIXED + count as usize / 50, "{statements} statements");
        assert!(seconds < 90.0, "{seconds} s");
    }
}

#[test]
fn many_columns_and_partitions_arrive() {
    let settings = ["fsync=off", "full_page_writes=off", "log_statement=all"];
    let server = Postgres::with(Version::V18, &settings);
    let (from, to) = (server.create("from"), server.create("to"));
    let parts = setting("LONGSHORE_SCALE_PARTITIONS", 300);
    let columns: Vec<String> = (1..=1600).map(|i| format!("c{i} int")).collect();
    server.psql(&from, &format!("CREATE TABLE public.wide ({})", columns.join(", ")));
    server.psql(
        &from,
        "INSERT INTO public.wide (c1, c1600) SELECT i, i FROM generate_series(1, 100) i",
    );
    server
        .psql(&from, "CREATE TABLE public.p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)");
    many(
        &server,
        &from,
        parts,
        "CREATE TABLE public.p# PARTITION OF public.p FOR VALUES FROM (#) TO (# + 1)",
    );
    let rows = format!("INSERT INTO public.p SELECT i, 'x' FROM generate_series(1, {parts}) i");
    server.psql(&from, &rows);
    let (plan, seconds, statements) = plan(&server, &from, &to);
    eprintln!("1,600 columns and {parts} partitions: {seconds:.1} s, {statements} statements");
    assert_eq!(plan["moves"][0]["tables"].as_array().map(Vec::len), Some(parts as usize + 1));
    assert!(statements < FIXED + parts as usize / 50, "{statements} statements");
    assert!(seconds < 60.0, "{seconds} s");
    let began = Instant::now();
    Stage::empty().done(&["copy", &server.url(from.as_str()), &server.url(&to)]);
    eprintln!("copied in {:.1} s", began.elapsed().as_secs_f64());
    let count = server.psql(&to, "SELECT count(*) FROM public.p");
    assert_eq!(count, parts.to_string());
    assert_eq!(server.psql(&to, "SELECT sum(c1600) FROM public.wide"), "5050");
}
