//! PostgreSQL to every other system and back, with every built-in type.

use longshore_testkit::postgres::{Postgres, Version};

use super::verified;
use crate::stage::Stage;

/// A table with a column of every type, and rows of ordinary and of odd values.
const TYPES: &str = include_str!("types.sql");

fn types(server: &Postgres) -> String {
    let database = server.create("types");
    server.psql(&database, TYPES);
    database
}

#[test]
fn files_bring_back_every_type_and_value() {
    for (version, other) in [(Version::V15, Version::V18), (Version::V18, Version::V15)] {
        let (source, target) = (Postgres::shared(version), Postgres::shared(other));
        let from = types(source);
        let stage = Stage::empty();
        for format in ["parquet", "csv", "jsonl"] {
            let files = format!("file:{format}?format={format}");
            verified(&stage.migrate(&source.url(&from), &files, ""));
            let to = target.create("copy");
            verified(&stage.migrate(&files, &target.url(&to), ""));
            for sql in [
                "SELECT t FROM types t ORDER BY id",
                "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute
                 WHERE attrelid = 'types'::regclass AND attnum > 0 ORDER BY attnum",
            ] {
                assert_eq!(source.psql(&from, sql), target.psql(&to, sql), "{format}");
            }
        }
    }
}

#[test]
fn servers_pass_every_type_and_value_on() {
    for (version, other) in
        [(Version::V15, Version::V18), (Version::V18, Version::V15), (Version::V18, Version::V18)]
    {
        let (source, target) = (Postgres::shared(version), Postgres::shared(other));
        let (from, to) = (types(source), target.create("copy"));
        verified(&Stage::empty().migrate(&source.url(&from), &target.url(&to), ""));
        let sql = "SELECT t FROM types t ORDER BY id";
        assert_eq!(source.psql(&from, sql), target.psql(&to, sql));
    }
}

#[test]
fn sqlite_takes_every_value_or_says_which_are_lost() {
    let server = Postgres::shared(Version::V15);
    let from = types(server);
    let stage = Stage::empty();
    let ran = stage.migrate(&server.url(&from), "sqlite:types.db", "");
    assert!(ran.err.contains("LS0301") && ran.err.contains("nan"), "{}", ran.err);
    let ran =
        stage.migrate(&server.url(&from), "sqlite:lossy.db", "nan: 'null', negative-zero: zero");
    verified(&ran);
    assert_eq!(stage.value("lossy.db", "SELECT count(*) FROM types WHERE f4 IS NULL"), 2);
    for (sql, expected) in [
        ("SELECT tz FROM types WHERE id = 1", "2024-02-29 09:00:00+00"),
        ("SELECT n FROM types WHERE id = 1", "12345678901234567890.123456789"),
        ("SELECT ts FROM types WHERE id = 2", "-infinity"),
        ("SELECT at FROM types WHERE id = 1", "{\"a,b\",NULL,\"NULL\",\"\\\"q\\\"\"}"),
        ("SELECT tm FROM types WHERE id = 3", "24:00:00"),
    ] {
        assert_eq!(stage.text("lossy.db", sql), expected, "{sql}");
    }
    let to = server.create("copy");
    verified(&stage.migrate("sqlite:lossy.db", &server.url(&to), ""));
    assert_eq!(server.psql(&to, "SELECT i8, f8, t FROM types WHERE id = 1"), {
        let sql = "SELECT i8, f8, t FROM types WHERE id = 1";
        server.psql(&from, sql)
    });
}

#[test]
fn databases_of_other_encodings_arrive_or_are_refused() {
    let server = Postgres::shared(Version::V15);
    let encoded = |encoding: &str| {
        let name = server.create("encoded");
        server.psql(
            "postgres",
            &format!(
                "DROP DATABASE {name}; CREATE DATABASE {name} ENCODING '{encoding}' LC_COLLATE 'C'
                 LC_CTYPE 'C' TEMPLATE template0"
            ),
        );
        name
    };
    let filled = |encoding: &str, texts: &str| {
        let name = encoded(encoding);
        server.psql(
            &name,
            &format!(
                "SET client_encoding = '{encoding}'; CREATE TABLE t (id int PRIMARY KEY, v text);
                 INSERT INTO t SELECT number, text FROM unnest(ARRAY[{texts}])
                 WITH ORDINALITY AS x (text, number)"
            ),
        );
        name
    };
    let latin = filled("LATIN1", "E'caf\\xe9'");
    let ascii = filled("SQL_ASCII", "E'caf\\xc3\\xa9', E'caf\\xe9'");
    let emoji = filled("UTF8", "E'\\u2615'");
    let bytes = "SET client_encoding = 'SQL_ASCII';
        SELECT encode(string_agg(convert_to(v, current_setting('server_encoding')), '|'
            ORDER BY id), 'hex') FROM t";
    for (from, encoding, expected) in [
        (&latin, "UTF8", Some("636166c3a9")),
        (&latin, "LATIN1", Some("636166e9")),
        (&ascii, "SQL_ASCII", Some("636166c3a97c636166e9")),
        (&ascii, "UTF8", None),
        (&emoji, "LATIN1", None),
        (&emoji, "SQL_ASCII", Some("e29895")),
    ] {
        let to = encoded(encoding);
        let ran = Stage::empty().migrate(&server.url(from), &server.url(&to), "");
        match expected {
            Some(expected) => {
                verified(&ran);
                assert_eq!(server.psql(&to, bytes), expected, "{from} as {encoding}");
            }
            None => assert!(ran.err.contains("encodings"), "{from} as {encoding}: {}", ran.err),
        }
    }
    let ran = Stage::empty().migrate(&server.url(&ascii), "sqlite:ascii.db", "");
    assert!(ran.err.contains("LS0302") && ran.err.contains("UTF-8"), "{}", ran.err);
}

#[test]
fn a_text_with_nul_follows_its_policy() {
    let server = Postgres::shared(Version::V18);
    let stage = Stage::empty();
    stage.sql(
        "odd.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);
         INSERT INTO t VALUES (1, 'a' || char(0) || 'b'), (2, 'c'), (3, '\\u0000')",
    );
    let to = server.create("nul");
    let ran = stage.migrate("sqlite:odd.db", &server.url(&to), "");
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0301") && ran.err.contains("nul-text: strip"), "{}", ran.err);
    for (policy, expected) in [("strip", "ab|c|\\u0000"), ("'null'", "∅|c|\\u0000")] {
        let to = server.create("nul");
        let ran = stage.migrate("sqlite:odd.db", &server.url(&to), &format!("nul-text: {policy}"));
        verified(&ran);
        let found = server.psql(&to, "SELECT string_agg(coalesce(v, '∅'), '|' ORDER BY id) FROM t");
        assert_eq!(found, expected, "{policy}");
    }
}

#[test]
fn rules_name_tables_of_public_with_their_schema_or_without() {
    let server = Postgres::shared(Version::V18);
    let from = server.create("named");
    server.psql(
        &from,
        "CREATE TABLE orders (id int, paid int, note text); INSERT INTO orders VALUES (1, 1, 'x');
         CREATE TABLE audit_log (id int); CREATE SCHEMA sales; CREATE TABLE sales.orders (id int);
         CREATE TABLE sales.audit_log (id int)",
    );
    for (number, (tables, name)) in [
        ("['orders']", "orders"),
        ("['public.*', '!audit_*']", "public.orders"),
        ("['*', '!*audit_*', '!sales.*']", "orders"),
    ]
    .into_iter()
    .enumerate()
    {
        let stage = Stage::empty();
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: named\nmoves:\n- from: '{}'\n  to: 'sqlite:copy.db'\n  tables: {tables}\n  rename: {{{name}: bought}}\n  types: {{{name}.paid: boolean}}\n  where: {{{name}: 'id < 5'}}\n  columns: {{{name}: {{mask: {{note: redact}}}}}}\n",
                server.url(&from)
            ),
        );
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        assert_eq!(stage.text("copy.db", "SELECT note FROM bought"), "***", "{number}");
        assert_eq!(stage.value("copy.db", "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"), 1);
    }
}

#[test]
fn rows_are_numbered_on_after_a_move() {
    let stage = Stage::empty();
    stage.sql(
        "from.db",
        "CREATE TABLE full (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO full VALUES (41, 'a');
         CREATE TABLE none (id INTEGER PRIMARY KEY, v TEXT);
         CREATE TABLE below (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO below VALUES (-5, 'a')",
    );
    let server = Postgres::shared(Version::V15);
    let to = server.create("numbers");
    verified(&stage.migrate("sqlite:from.db", &server.url(&to), ""));
    for (table, expected) in [("full", "42"), ("none", "1"), ("below", "1")] {
        let sql = format!("INSERT INTO \"{table}\" (v) VALUES ('b') RETURNING id");
        assert_eq!(server.psql(&to, &sql), expected, "{table}");
    }
    server
        .psql(&to, "CREATE TABLE serial (id serial, v text); INSERT INTO serial (v) VALUES ('a')");
    let again = server.create("again");
    stage.write(
        "renamed.yaml",
        &format!(
            "longshore: v1\nname: numbers\nmoves:\n- from: '{}'\n  to: '{}'\n  rename: {{full: more, serial: other}}\n",
            server.url(&to),
            server.url(&again)
        ),
    );
    verified(&stage.run(&["run", "renamed.yaml", "--json"]));
    for (table, expected) in [("more", "43"), ("other", "2")] {
        let sql = format!("INSERT INTO {table} (v) VALUES ('c') RETURNING id");
        assert_eq!(server.psql(&again, &sql), expected, "{table}");
    }
}
