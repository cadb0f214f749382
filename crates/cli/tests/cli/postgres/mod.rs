//! PostgreSQL, with real servers of two ages.

mod faults;
mod kills;
mod pairs;
mod rights;
mod ways;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use longshore_testkit::postgres::Postgres;
use serde_json::Value;

use crate::stage::{Ran, Stage};

/// A table with a key, one without, and one whose rows are wide.
const SHOP: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz,
        price numeric(12,2), note text, mood mood, tags text[], extra jsonb);
    CREATE TABLE log (at timestamp, what text);
    CREATE TABLE wide (id int PRIMARY KEY, raw bytea);
    CREATE INDEX orders_by_at ON orders (at);
    INSERT INTO orders (at, price, note, mood, tags, extra)
    SELECT 'epoch'::timestamptz + i * interval '1 hour', i / 7.0, 'Bestellung ☕ ' || i,
        (ARRAY['sad', 'ok', NULL])[1 + i % 3]::mood, ARRAY['a', NULL, i::text],
        jsonb_build_object('n', i, 'f', i / 3.0)
    FROM generate_series(1, 40000) AS i;
    INSERT INTO log SELECT 'infinity', 'twice' FROM generate_series(1, 500);
    INSERT INTO wide SELECT i, decode(repeat(md5(i::text), 400), 'hex')
    FROM generate_series(1, 300) AS i;";

/// The rows of a table as one short text, whatever their order.
fn sum(server: &Postgres, database: &str, table: &str) -> String {
    server.psql(
        database,
        &format!(
            "SET timezone = 'UTC'; SELECT count(*) || ' ' || coalesce(md5(string_agg(words, '|'
             ORDER BY words COLLATE \"C\")), '') FROM (SELECT t::text AS words FROM ONLY {table} t) x"
        ),
    )
}

fn same_shop(left: (&Postgres, &str), right: (&Postgres, &str)) {
    for table in ["orders", "log", "wide"] {
        assert_eq!(sum(left.0, left.1, table), sum(right.0, right.1, table), "{table}");
    }
}

fn migration(stage: &Stage, from: &str, to: &str, limits: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: shop\nmoves: [{{from: '{from}', to: '{to}'}}]\nlimits: {{{limits}}}\n"
        ),
    );
}

/// Runs the migration to its end; `seen` is told of every event on the way.
pub(crate) fn run_watched(stage: &Stage, mut seen: impl FnMut(&Value)) -> Ran {
    let mut command = stage.command(&["run", "m.yaml", "--json"]);
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let mut err = child.stderr.take().expect("piped");
    let errors =
        std::thread::spawn(move || std::io::read_to_string(&mut err).expect("the errors are text"));
    let mut out = String::new();
    for line in BufReader::new(child.stdout.take().expect("piped")).lines() {
        let line = line.expect("a line");
        seen(&serde_json::from_str(&line).expect("an event"));
        out.push_str(&line);
        out.push('\n');
    }
    let code = child.wait().expect("a child").code();
    Ran { code, out, err: errors.join().expect("a reader") }
}

pub(crate) fn verified(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.event("result")["outcome"], "verified");
}
