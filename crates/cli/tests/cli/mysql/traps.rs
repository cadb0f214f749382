//! What broke other tools: days that are none, keys whose order is the collation's, texts with NUL,
//! tables without keys.

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use serde_json::{Value, json};

use super::{BOTH, same_dump, verified};
use crate::stage::Stage;

const NO_DAYS: &str = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES';
    CREATE TABLE days (id int PRIMARY KEY, d date NOT NULL DEFAULT '0000-00-00', t datetime(3),
        s timestamp NOT NULL DEFAULT '0000-00-00 00:00:00');
    INSERT INTO days VALUES (1, '0000-00-00', '2020-00-00 00:00:00', '0000-00-00 00:00:00'),
        (2, '2020-00-15', '0000-00-00 00:00:00', '2024-02-29 12:00:00'),
        (3, '2021-02-30', '9999-12-31 23:59:59.999', '2038-01-19 03:14:07'),
        (4, '2024-02-29', NULL, '1971-01-01 00:00:01')";

#[test]
fn days_that_are_none_follow_their_policy_in_plan_run_and_verification() {
    let postgres = Postgres::shared(Version::V18);
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("days");
        server.sql(&from, NO_DAYS);
        let stage = Stage::empty();
        let to = postgres.create("days");
        let ran = stage.migrate(&server.url(&from), &postgres.url(&to), "");
        assert_eq!(ran.code, Some(42), "{}", ran.err);
        assert!(ran.err.contains("LS0301") && ran.err.contains("zero-date"), "{}", ran.err);
        let plan = stage.done(&["plan", "m.yaml"]).out;
        assert!(plan.contains("zero-date"), "{plan}");

        let to = postgres.create("days");
        let ran = stage.migrate(&server.url(&from), &postgres.url(&to), "zero-date: 'null'");
        verified(&ran);
        let nulls = "SELECT count(*) FROM days WHERE d IS NULL OR s IS NULL OR t IS NULL";
        assert_eq!(postgres.psql(&to, nulls), "4");
        let plan = stage.done(&["plan", "m.yaml"]).out;
        assert!(plan.contains("NOT NULL days.d"), "{plan}");

        // The same system keeps them, and so does a file.
        let copy = server.create("copy");
        verified(&stage.migrate(&server.url(&from), &server.url(&copy), ""));
        same_dump(server, &from, &copy);
    }
}

#[test]
fn days_that_become_null_are_counted_alike_three_times() {
    let postgres = Postgres::shared(Version::V18);
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("days");
        server.sql(
            &from,
            &NO_DAYS
                .replace("NOT NULL DEFAULT '0000-00-00'", "NULL")
                .replace("NOT NULL DEFAULT '0000-00-00 00:00:00'", "NULL"),
        );
        let stage = Stage::empty();
        let to = postgres.create("days");
        verified(&stage.migrate(&server.url(&from), &postgres.url(&to), "zero-date: 'null'"));
        assert_eq!(
            postgres.psql(&to, "SELECT id, d, t, s AT TIME ZONE 'UTC' FROM days ORDER BY id"),
            "1|||\n2|||2024-02-29 10:00:00\n3||9999-12-31 23:59:59.999|2038-01-19 01:14:07\n4|2024-02-29||1970-12-31 22:00:01",
        );
        let runs = std::fs::read_dir(stage.join(".longshore/runs")).expect("runs");
        let report = runs.flatten().next().expect("a run").path().join("report.json");
        let text = std::fs::read_to_string(report).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let fidelity = report["moves"][0]["fidelity"].as_array().expect("losses").clone();
        for (column, count) in [("d", 3), ("t", 2), ("s", 1)] {
            let loss = fidelity.iter().find(|loss| loss["column"] == column);
            let loss = loss.unwrap_or_else(|| panic!("{column} in {fidelity:?}"));
            assert_eq!((&loss["predicted"], &loss["counted"]), (&json!(count), &json!(count)));
            assert_eq!(loss["verified"], true, "{flavor:?} {column}");
        }
    }
}

#[test]
fn keys_are_walked_in_the_order_of_their_collation() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("keys");
        let german = match flavor {
            Flavor::MySql => "utf8mb4_de_pb_0900_ai_ci",
            Flavor::MariaDb => "utf8mb4_german2_ci",
        };
        server.sql(
            &from,
            &format!(
                "CREATE TABLE words (w varchar(40) COLLATE {german} PRIMARY KEY, n int);
                 CREATE TABLE pairs (a char(3) CHARACTER SET latin1 NOT NULL, b bigint unsigned NOT NULL,
                    v text, PRIMARY KEY (a, b));
                 CREATE TABLE moments (at timestamp(6) NOT NULL, v int, UNIQUE (at));
                 CREATE TABLE raw (k varbinary(9) PRIMARY KEY);
                 CREATE TABLE keyless (a int, b varchar(9), KEY (b));
                 INSERT INTO words VALUES ('', 0), ('Zoo', 1), ('äb', 2), ('Afr', 3), ('ß', 4), ('t', 5),
                    ('Öl', 6), ('ole', 7), ('😀', 8), ('z', 9), ('a b', 10), ('_', 11);
                 INSERT INTO words SELECT CONCAT(w, '-', n), n FROM words;
                 INSERT INTO words SELECT CONCAT('Ä', w, '-', n), n FROM words;
                 INSERT INTO words SELECT CONCAT('x', w, '-', n), n FROM words;
                 INSERT INTO pairs SELECT x.a, y.n, w FROM (SELECT 'é' AS a UNION SELECT 'a' UNION
                    SELECT 'Z') x, (SELECT DISTINCT 18446744073709551604 + n AS n FROM words) y,
                    (SELECT max(w) AS w FROM words) z;
                 INSERT INTO moments SELECT FROM_UNIXTIME(n * 1000 + 0.000001), n FROM (SELECT DISTINCT n + 1
                    AS n FROM words) x;
                 INSERT INTO raw SELECT DISTINCT UNHEX(SUBSTR(SHA2(w, 256), 1, 2 * (n % 9))) FROM words;
                 INSERT INTO keyless SELECT n, CONCAT('x', n % 3) FROM words;"
            ),
        );
        for place in ["sqlite:keys.db", "file:keys?format=jsonl"] {
            let stage = Stage::empty();
            stage.write(
                "m.yaml",
                &format!(
                    "longshore: v1\nname: keys\nmoves: [{{from: '{}', to: '{place}'}}]\nlimits: {{chunk: 100B}}\n",
                    server.url(&from)
                ),
            );
            let ran = stage.run(&["run", "m.yaml", "--json"]);
            verified(&ran);
            let chunks = ran.events().iter().filter(|event| event["event"] == "chunk-done").count();
            assert!(chunks > 20, "{flavor:?}: {chunks} chunks");
        }
    }
}

#[test]
fn odd_tables_and_names_move() {
    let postgres = Postgres::shared(Version::V15);
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("odd");
        server.sql(
            &from,
            "CREATE TABLE `select` (`from` int PRIMARY KEY, `Ünï co``de` text, `a.b` int);
             INSERT INTO `select` VALUES (1, 'x', 2);
             CREATE TABLE parent (id int PRIMARY KEY, next int, FOREIGN KEY (next) REFERENCES child (id));
             CREATE TABLE child (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES parent (id));
             INSERT INTO parent VALUES (1, NULL); INSERT INTO child VALUES (1, 1);
             UPDATE parent SET next = 1;
             CREATE TABLE long_text (id int PRIMARY KEY, t mediumtext, KEY (t(20)));
             INSERT INTO long_text VALUES (1, REPEAT('ä', 20000)), (2, CONCAT('a', CHAR(0), 'b'));
             CREATE TABLE one (v varchar(9)); INSERT INTO one VALUES (''), (NULL), ('\\\\N'), ('\\t\\n');
             SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';
             CREATE TABLE numbered (id int AUTO_INCREMENT PRIMARY KEY, raw blob, v int);
             INSERT INTO numbered VALUES (0, 'x', 1), (5, NULL, 2), (-3, '', 0);
             CREATE TABLE bits_only (b bit(3), raw blob); INSERT INTO bits_only VALUES (NULL, ''), (b'101', NULL);
             CREATE TABLE mixed (id int PRIMARY KEY, l text CHARACTER SET latin1, u text);
             SET NAMES utf8mb4; INSERT INTO mixed VALUES (1, 'é', 'é'), (2, x'C3A9', '😀')"
                .replace("CREATE TABLE parent", "SET foreign_key_checks = 0; CREATE TABLE parent")
                .as_str(),
        );
        let stage = Stage::empty();
        let to = postgres.create("odd");
        let ran = stage.migrate(&server.url(&from), &postgres.url(&to), "nul-text: strip");
        verified(&ran);
        assert_eq!(postgres.psql(&to, "SELECT length(t) FROM long_text ORDER BY id"), "20000\n2");
        assert_eq!(postgres.psql(&to, "SELECT l, u FROM mixed ORDER BY id"), "é|é\nÃ©|😀");
        assert_eq!(postgres.psql(&to, "SELECT \"a.b\", \"Ünï co`de\" FROM \"select\""), "2|x");
        let copy = server.create("copy");
        verified(&stage.migrate(&server.url(&from), &server.url(&copy), ""));
        same_dump(server, &from, &copy);
    }
}

#[test]
fn two_runs_at_once_and_a_target_with_rows_are_refused() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("rows");
        server.sql(&from, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)");
        let to = server.create("busy");
        server.sql(&to, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (7)");
        let stage = Stage::empty();
        let ran = stage.migrate(&server.url(&from), &server.url(&to), "");
        assert_eq!(ran.code, Some(43), "{}", ran.err);
        assert_eq!(server.sql(&to, "SELECT id FROM t"), "7");
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: t\nmoves: [{{from: '{}', to: '{}', existing: append}}]\n",
                server.url(&from),
                server.url(&to)
            ),
        );
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        assert_eq!(server.sql(&to, "SELECT id FROM t ORDER BY id"), "1\n2\n7");
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: again\nmoves: [{{from: '{}', to: '{}', existing: replace}}]\n",
                server.url(&from),
                server.url(&to)
            ),
        );
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        assert_eq!(server.sql(&to, "SELECT id FROM t ORDER BY id"), "1\n2");
    }
}

#[test]
fn foreign_keys_are_checked_and_none_is_made_to_what_stays_behind() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let from = server.create("family");
        server.sql(
            &from,
            "CREATE TABLE parent (id int PRIMARY KEY);
             CREATE TABLE child (id int PRIMARY KEY, up int, FOREIGN KEY (up) REFERENCES parent (id)
                ON DELETE CASCADE);
             INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1), (2, NULL);",
        );
        let keys = "SELECT count(*) FROM information_schema.REFERENTIAL_CONSTRAINTS
            WHERE CONSTRAINT_SCHEMA = DATABASE()";
        let to = server.create("child");
        let stage = Stage::empty();
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: t\nmoves: [{{from: '{}', to: '{}', tables: [child]}}]\n",
                server.url(&from),
                server.url(&to)
            ),
        );
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        assert_eq!(server.sql(&to, keys), "0");
        let to = server.create("both");
        verified(&stage.migrate(&server.url(&from), &server.url(&to), ""));
        assert_eq!(server.sql(&to, keys), "1");
        server.sql(&from, "SET foreign_key_checks = 0; INSERT INTO child VALUES (3, 7)");
        let to = server.create("orphan");
        let ran = stage.migrate(&server.url(&from), &server.url(&to), "");
        assert!(ran.err.contains("LS0305") && ran.err.contains("check of child"), "{}", ran.err);
    }
}

#[test]
fn converted_columns_of_the_same_system_are_declared_anew() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        let (from, to) = (server.create("rules"), server.create("rules"));
        server.sql(
            &from,
            "CREATE TABLE t (id int PRIMARY KEY, n int, secret int, twice int AS (n * 2) STORED);
             INSERT INTO t (id, n, secret) VALUES (1, 5, 7), (2, NULL, 8)",
        );
        let stage = Stage::empty();
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: t\nmoves:\n- from: '{}'\n  to: '{}'\n  types: {{t.n: text}}\n  columns: {{t: {{mask: {{secret: redact}}}}}}\n",
                server.url(&from),
                server.url(&to)
            ),
        );
        verified(&stage.run(&["run", "m.yaml", "--json"]));
        let plan = stage.done(&["plan", "m.yaml"]).out;
        assert!(plan.contains("generated column t.twice"), "{plan}");
        assert_eq!(server.sql(&to, "SELECT * FROM t ORDER BY id"), "1\t5\t***\n2\tNULL\t***");
        let declared = "SELECT GROUP_CONCAT(COLUMN_TYPE ORDER BY COLUMN_NAME) FROM
            information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't'
            AND COLUMN_NAME <> 'id'";
        assert_eq!(server.sql(&to, declared), "longtext,longtext");
    }
}

#[test]
fn what_a_target_would_change_is_refused_and_nothing_is_kept() {
    for flavor in BOTH {
        let server = Mysql::shared(flavor);
        for (from, to, there, value, code) in [
            ("varchar(20)", "varchar(3)", "'a'", "'abcdef'", "LS0301"),
            ("int", "tinyint", "1", "300", "LS0301"),
            ("varchar(20)", "varchar(9) NOT NULL", "'a'", "NULL", "LS0305"),
            ("varchar(20)", "enum('a')", "'a'", "'b'", "LS0301"),
            ("varchar(20)", "varchar(9) CHECK (v <> 'abcdef')", "'a'", "'abcdef'", "LS0305"),
            ("varchar(20)", "varchar(9) CHARACTER SET latin1", "'a'", "'☕'", "LS0301"),
        ] {
            let column = to;
            let made = |name: &str, column: &str, rows: &str| {
                let database = server.create(name);
                let table = format!("CREATE TABLE t (id int PRIMARY KEY, v {column})");
                server.sql(&database, &format!("{table}; INSERT INTO t VALUES {rows}"));
                database
            };
            let from = made("wide", from, &format!("(1, {there}), (2, {value})"));
            let to = made("narrow", to, &format!("(7, {there})"));
            let stage = Stage::empty();
            stage.write(
                "m.yaml",
                &format!(
                    "longshore: v1\nname: t\nmoves: [{{from: '{}', to: '{}', existing: append}}]\n",
                    server.url(&from),
                    server.url(&to)
                ),
            );
            let ran = stage.run(&["run", "m.yaml", "--json"]);
            assert_eq!(ran.code, Some(42), "{flavor:?} {column}: {}", ran.out);
            assert!(ran.err.contains(code), "{flavor:?} {column}: {}", ran.err);
            assert!(!ran.err.contains("abcdef"), "{flavor:?} {column}: {}", ran.err);
            assert_eq!(server.sql(&to, "SELECT id FROM t"), "7", "{flavor:?} {column}");
        }
    }
}
