//! Rows that cannot be written: they go to reject files where the migration says so, and the run says
//! so.

use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use serde_json::{Value, json};

use crate::stage::{Ran, Stage};

/// 3,000 items, of which 600 have a code that is there already, 60 no name, and 3 a negative price.
const ITEMS: &str = "CREATE TABLE items (id INTEGER NOT NULL, code INTEGER NOT NULL, name TEXT,
        price INTEGER NOT NULL);
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO items SELECT i, CASE WHEN i % 5 = 0 THEN 1 ELSE i + 10 END,
        iif(i % 50 = 7, NULL, 'hunter' || i), iif(i IN (1, 1502, 3000), -i, i) FROM n;";

/// A table that is there already, which takes less than the source holds.
fn strict(text: &str) -> String {
    format!(
        "CREATE TABLE items (id bigint NOT NULL, code bigint NOT NULL UNIQUE, name {text} NOT NULL, \
         price bigint NOT NULL CHECK (price > 0)); INSERT INTO items VALUES (0, 1, 'old', 5);"
    )
}

fn migration(stage: &Stage, to: &str) {
    stage.write(
        "m.yaml",
        &format!(
            "longshore: v1\nname: items\non-reject: divert\nlimits: {{chunk: 16KiB}}\n\
             moves: [{{from: 'sqlite:items.db', to: '{to}', existing: append}}]\n"
        ),
    );
}

/// The lines of all reject files.
fn rejects(stage: &Stage) -> Vec<Value> {
    let mut lines = Vec::new();
    let Ok(runs) = std::fs::read_dir(stage.join(".longshore/rejects")) else { return lines };
    for run in runs.flatten() {
        for file in std::fs::read_dir(run.path().join("move-1")).expect("a folder").flatten() {
            let name = file.file_name().into_string().expect("UTF-8");
            assert!(name.ends_with(".jsonl"), "{name}");
            let text = std::fs::read_to_string(file.path()).expect("a file");
            lines.extend(text.lines().map(|line| serde_json::from_str(line).expect("JSON")));
        }
    }
    lines.sort_by_key(id);
    lines
}

fn id(line: &Value) -> i64 {
    line["values"]["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
}

fn is_refused(id: i64) -> bool {
    id % 5 == 0 || id % 50 == 7 || [1, 1502, 3000].contains(&id)
}

fn check_items(stage: &Stage, ran: &Ran, in_target: &str) {
    let refused: Vec<i64> = (1..=3000).filter(|id| is_refused(*id)).collect();
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.event("result")["outcome"], "rejected");
    assert!(
        ran.err.contains("LS0405") && ran.err.contains(&refused.len().to_string()),
        "{}",
        ran.err
    );
    assert!(!ran.err.contains("hunter") && !ran.out.contains("hunter"), "values are told");
    let lines = rejects(stage);
    assert_eq!(lines.iter().map(id).collect::<Vec<_>>(), refused);
    for line in &lines {
        let cause = line["cause"].as_str().expect("a cause");
        assert!(cause.contains("LS030") || cause.contains("could not"), "{cause}");
        assert!(!cause.contains("hunter"), "{cause}");
        assert_eq!(line["table"], "items");
        assert!(line["row"].as_u64().is_some_and(|row| row > 0), "{line}");
    }
    let name = |line: &Value| line["values"]["name"].clone();
    assert_eq!(name(&lines[1]), json!("hunter5"));
    assert_eq!(lines.iter().find(|line| id(line) == 7).map(name), Some(Value::Null));
    assert_eq!(in_target, (3001 - refused.len()).to_string());
}

#[test]
fn rows_that_a_table_refuses_go_to_reject_files_and_the_rest_is_proved() {
    let postgres = Postgres::shared(Version::V18);
    let mut targets: Vec<(String, Box<dyn Fn() -> String>)> = Vec::new();
    let to = postgres.create("strict");
    postgres.psql(&to, &strict("text"));
    let url = postgres.url(&to);
    targets.push((url, Box::new(move || postgres.psql(&to, "SELECT count(*) FROM items"))));
    for flavor in [Flavor::MySql, Flavor::MariaDb] {
        let server = Mysql::shared(flavor);
        let to = server.create("strict");
        server.sql(&to, &strict("varchar(40)"));
        let count = {
            let to = to.clone();
            move || server.sql(&to, "SELECT count(*) FROM items").trim().to_string()
        };
        targets.push((server.url(&to), Box::new(count)));
    }
    for (url, count) in targets {
        let stage = Stage::empty();
        stage.sql("items.db", ITEMS);
        migration(&stage, &url);
        let ran = stage.run(&["run", "m.yaml", "--json"]);
        check_items(&stage, &ran, &count());
        verify_again(&stage);
    }
    let stage = Stage::empty();
    stage.sql("items.db", ITEMS);
    stage.sql("strict.db", &strict("text"));
    migration(&stage, "sqlite:strict.db");
    let ran = stage.run(&["run", "m.yaml", "--json"]);
    check_items(&stage, &ran, &stage.value("strict.db", "SELECT count(*) FROM items").to_string());
    verify_again(&stage);
}

/// A verification finds no difference, and says still that rows are missing.
fn verify_again(stage: &Stage) {
    for args in
        [&["verify", "m.yaml", "--json"][..], &["verify", "m.yaml", "--independent", "--json"]]
    {
        let ran = stage.run(args);
        assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
        assert_eq!(ran.event("result")["outcome"], "rejected", "{args:?} {}", ran.err);
        assert_eq!(ran.event("table-verified")["matches"], true);
    }
}

#[test]
fn without_the_word_the_first_refusal_ends_the_run() {
    let stage = Stage::empty();
    stage.sql("items.db", ITEMS);
    stage.sql("strict.db", &strict("text"));
    migration(&stage, "sqlite:strict.db");
    let ran = stage.run(&["run", "m.yaml", "--on-reject", "fail", "--json"]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(ran.err.contains("LS0305"), "{}", ran.err);
    assert_eq!(rejects(&stage), Vec::<Value>::new());
}

#[test]
fn killed_anywhere_a_reject_is_kept_once() {
    for point in ["copy.rejects-written:2", "copy.chunk-committed:2", "sqlite.before-commit:3"] {
        let stage = Stage::empty();
        stage.sql("items.db", ITEMS);
        stage.sql("strict.db", &strict("text"));
        migration(&stage, "sqlite:strict.db");
        let killed = stage.run(&["run", "m.yaml", "--failpoint", point]);
        assert_eq!(killed.code, None, "{point}: not killed\n{}", killed.err);
        let ran = stage.run(&["run", "m.yaml", "--json"]);
        let count = stage.value("strict.db", "SELECT count(*) FROM items");
        check_items(&stage, &ran, &count.to_string());
        verify_again(&stage);
    }
}

#[test]
fn days_that_are_none_are_diverted_with_their_keys() {
    let postgres = Postgres::shared(Version::V18);
    for (flavor, keys) in [(Flavor::MySql, "plain"), (Flavor::MariaDb, "sha256")] {
        let server = Mysql::shared(flavor);
        let from = server.create("days");
        server.sql(
            &from,
            "SET SESSION sql_mode = '';
             CREATE TABLE days (id int PRIMARY KEY, d date, e date, note text, secret varchar(30));
             INSERT INTO days VALUES (1, '0000-00-00', '0000-00-00', 'a\\nb', 'hunter2'),
                (2, '2024-02-29', '2024-02-29', NULL, 'x'), (3, NULL, '2020-00-00', 'ü', 'hunter3');",
        );
        let stage = Stage::empty();
        let to = postgres.create("days");
        stage.write(
            "m.yaml",
            &format!(
                "longshore: v1\nname: days\non-reject: divert\nkeys: {keys}\n\
                 moves: [{{from: '{}', to: '{}', columns: {{days: {{mask: {{secret: redact}}}}}}}}]\n",
                server.url(&from),
                postgres.url(&to)
            ),
        );
        let plan = stage.done(&["plan", "m.yaml"]).out;
        assert!(plan.contains("divert"), "{plan}");
        let ran = stage.run(&["run", "m.yaml", "--json"]);
        assert_eq!(ran.code, Some(3), "{}", ran.err);
        assert_eq!(postgres.psql(&to, "SELECT id, d, secret FROM days"), "2|2024-02-29|***");
        let lines = rejects(&stage);
        assert_eq!(
            lines[0]["values"],
            json!({"id": "1", "d": "0000-00-00", "e": "0000-00-00", "note": "a\nb", "secret": "***"})
        );
        assert_eq!((&lines[0]["column"], &lines[1]["column"]), (&json!("d"), &json!("e")));
        assert_eq!((&lines[1]["row"], lines.len()), (&json!(3), 2));
        let report = ran.event("result")["report"].as_str().expect("a path").to_string();
        let text = std::fs::read_to_string(stage.join(&report)).expect("a report");
        let report: Value = serde_json::from_str(&text).expect("JSON");
        let fidelity = report["moves"][0]["fidelity"].as_array().expect("losses").clone();
        for (column, count) in [("d", 1), ("e", 2)] {
            let loss = fidelity.iter().find(|loss| loss["column"] == column).expect(column);
            assert_eq!((&loss["predicted"], &loss["counted"]), (&json!(count), &json!(count)));
            assert_eq!((&loss["verified"], &loss["action"]), (&json!(true), &json!("divert")));
            let key = loss["keys"][0].as_str().expect("a key");
            assert_eq!(key == "id=1", keys == "plain", "{key}");
            assert!(key.starts_with("id="), "{key}");
        }
        assert_eq!(report["moves"][0]["tables"][0]["rejected"], 2);
        assert!(!text.contains("hunter"), "the report holds values");
    }
}
