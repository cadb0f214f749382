use crate::stage::Stage;

#[test]
fn sqlite_to_parquet_to_sqlite_keeps_every_value() {
    let stage = Stage::shop(3000);
    let there = stage.done(&["copy", "sqlite:shop.db", "file:out?format=parquet"]);
    for part in ["verified:", "equal", "3,022 rows", "step", "report: .longshore/runs/"] {
        assert!(there.out.contains(part), "{part} in {}", there.out);
    }
    stage.done(&["copy", "file:out?format=parquet", "sqlite:copy.db"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_dry_run_changes_nothing() {
    let stage = Stage::shop(100);
    let before = std::fs::read(stage.join("shop.db")).expect("the shop");
    let ran = stage.done(&["copy", "sqlite:shop.db", "sqlite:copy.db", "--dry-run"]);
    assert!(ran.out.contains("122 rows"), "{}", ran.out);
    let plan = stage.done(&["plan", "sqlite:shop.db", "sqlite:copy.db", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).expect("a plan");
    assert_eq!(plan["format"], "longshore-plan/v1");
    let sql = stage.done(&["plan", "sqlite:shop.db", "sqlite:copy.db", "--sql"]);
    assert!(sql.out.contains("CREATE TABLE") && sql.out.contains("orders_by_note"), "{}", sql.out);
    assert_eq!(std::fs::read(stage.join("shop.db")).expect("the shop"), before);
    let names: Vec<_> = std::fs::read_dir(stage.path()).expect("the folder").collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn init_writes_a_file_that_runs_and_never_writes_over_one() {
    let stage = Stage::shop(100);
    let args = ["init", "sqlite:shop.db", "sqlite:copy.db", "--output", "migration.yaml"];
    stage.done(&args);
    assert_eq!(stage.run(&args).code, Some(2));
    let text = std::fs::read_to_string(stage.join("migration.yaml")).expect("the file");
    assert!(text.contains("\"orders\"    # 100 rows") && text.contains("no primary key"), "{text}");
    stage.done(&["plan", "--check"]);
    stage.done(&["run"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_given_plan_must_fit_its_migration() {
    let stage = Stage::shop(100);
    stage.done(&["init", "sqlite:shop.db", "sqlite:copy.db", "--output", "a.yaml"]);
    stage.done(&["plan", "a.yaml", "--output", "plan.json"]);
    stage.done(&["init", "sqlite:shop.db", "sqlite:other.db", "--output", "b.yaml"]);
    let ran = stage.run(&["run", "b.yaml", "--plan", "plan.json"]);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(ran.err.contains("LS0203"), "{}", ran.err);
    assert!(!stage.join("other.db").exists());
    stage.done(&["run", "a.yaml", "--plan", "plan.json"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_file_that_came_after_the_plan_is_never_left_out_silently() {
    let stage = Stage::shop(10);
    let put = |name: &str| {
        std::fs::create_dir_all(stage.join("in/t")).expect("a folder");
        std::fs::write(stage.join("in/t").join(name), "a\n1\n").expect("a file");
    };
    put("1.csv");
    stage.done(&["init", "file:in", "sqlite:a.db", "--output", "a.yaml"]);
    stage.done(&["plan", "a.yaml", "--output", "plan.json"]);
    put("2.csv");
    let ran = stage.run(&["run", "a.yaml", "--plan", "plan.json"]);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(ran.err.contains("LS0102"), "{}", ran.err);
    let ran = stage.done(&["run", "a.yaml"]);
    assert!(ran.out.contains("2 rows"), "{}", ran.out);
    put("3.csv");
    let ran = stage.run(&["verify", "a.yaml", "--independent"]);
    assert!(ran.err.contains("LS0102"), "{}", ran.err);
}

#[test]
fn a_folder_with_a_migration_and_its_plan_runs_as_it_is_sealed() {
    let stage = Stage::shop(100);
    std::fs::create_dir(stage.join("sealed")).expect("a folder");
    let both = ["sqlite:shop.db", "sqlite:copy.db"];
    stage.done(&["init", both[0], both[1], "--output", "sealed/migration.yaml"]);
    stage.done(&["plan", "sealed", "--output", "sealed/plan.json"]);
    stage.done(&["run", "sealed"]);
    stage.same("shop.db", "copy.db");
    stage.done(&["verify", "sealed"]);
}

#[test]
fn predicted_losses_fail_the_check() {
    let stage = Stage::empty();
    stage.sql("a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, flag TEXT); INSERT INTO t VALUES (1, 'true'), (2, 'perhaps');");
    stage.write(
        "m.yaml",
        "longshore: v1\nname: x\nmoves: [{from: 'sqlite:a.db', to: 'file:o', types: {t.flag: boolean}}]\n",
    );
    assert_eq!(stage.run(&["plan", "m.yaml", "--check"]).code, Some(3));
    assert_eq!(stage.run(&["plan", "m.yaml"]).code, Some(0));
    let ran = stage.run(&["run", "m.yaml"]);
    assert_eq!(ran.code, Some(42), "{}", ran.err);
    assert!(!ran.err.contains("perhaps"), "a value shows: {}", ran.err);
}

#[test]
fn data_in_the_target_is_never_written_over_unasked() {
    let stage = Stage::shop(100);
    stage.sql("copy.db", "CREATE TABLE log (at TEXT, what TEXT); INSERT INTO log VALUES (1, 2);");
    let args = ["copy", "sqlite:shop.db", "sqlite:copy.db"];
    let ran = stage.run(&args);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(ran.err.contains("LS0201"), "{}", ran.err);
    assert_eq!(stage.value("copy.db", "SELECT count(*) FROM log"), 1);
    stage.done(&[args[0], args[1], args[2], "--existing", "replace"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn events_and_reports_are_json() {
    let stage = Stage::shop(500);
    let ran = stage.done(&["copy", "sqlite:shop.db", "file:out", "--json"]);
    assert_eq!(ran.event("run-done")["outcome"], "verified");
    let result = ran.event("result");
    assert_eq!(result["exit"], 0);
    let copied: u64 = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "copied")
        .filter_map(|event| event["rows"].as_u64())
        .sum();
    assert_eq!(copied, 522);
    let run = result["run"].as_str().expect("a run");
    let report = stage.done(&["report", &run[..15], "--json", "--html", "page.html"]);
    let report: serde_json::Value = serde_json::from_str(&report.out).expect("a report");
    assert_eq!(report["run"], run);
    assert!(std::fs::read_to_string(stage.join("page.html")).expect("a page").contains("<html"));
    assert!(stage.done(&["report", "--list"]).out.contains(run));
    assert!(stage.done(&["report"]).out.contains("verified:"));
    for name in ["spec.yaml", "plan.json", "events.jsonl", "report.json", "report.html"] {
        assert!(stage.join(&format!(".longshore/runs/{run}/{name}")).is_file(), "{name}");
    }
}

#[test]
fn differences_are_found_shown_and_mended() {
    let stage = Stage::shop(300);
    let both = ["sqlite:shop.db", "sqlite:copy.db"];
    stage.done(&["copy", both[0], both[1]]);
    stage.done(&["verify", both[0], both[1]]);
    stage.sql(
        "copy.db",
        "UPDATE orders SET note = 'wrong' WHERE id = 5; DELETE FROM orders WHERE id = 9;
         INSERT INTO log VALUES ('now', 'twice');",
    );
    for extra in [&[][..], &["--independent"]] {
        let ran = stage.run(&[&["verify", both[0], both[1]], extra].concat());
        assert_eq!(ran.code, Some(3), "{} {}", ran.out, ran.err);
        assert!(ran.out.contains("id=5") || ran.out.contains("id = 5"), "{}", ran.out);
        assert!(!ran.out.contains("wrong"), "a value shows: {}", ran.out);
    }
    stage.done(&["verify", both[0], both[1], "--repair"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn quiet_is_quiet() {
    let stage = Stage::shop(50);
    let ran = stage.done(&["copy", "sqlite:shop.db", "file:out", "--quiet"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
}

#[test]
fn a_damaged_file_of_the_target_is_found_and_mended() {
    let stage = Stage::shop(3000);
    let target = "file:out?format=parquet";
    stage.done(&["copy", "sqlite:shop.db", target]);
    let part = stage.join("out/orders/part-00000.parquet");
    let whole = std::fs::read(&part).expect("the file");
    for damaged in [&whole[..whole.len() / 2], b"", b"PAR1 no more"] {
        std::fs::write(&part, damaged).expect("written");
        let found = stage.run(&["verify", "sqlite:shop.db", target]);
        assert_eq!(found.code, Some(3), "{}", found.err);
        assert!(found.out.contains("orders: 3,000 missing"), "{}", found.out);
        stage.done(&["verify", "sqlite:shop.db", target, "--repair"]);
    }
    std::fs::write(&part, &whole[..100]).expect("written");
    let refused = stage.run(&["copy", "sqlite:shop.db", "file:out?format=csv"]);
    assert_eq!(refused.code, Some(43), "{}", refused.err);
    stage.done(&["copy", "sqlite:shop.db", "file:out?format=csv", "--existing", "replace"]);
    stage.done(&["copy", "file:out?format=csv", "sqlite:copy.db"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn rows_that_a_constraint_refuses_are_no_reason_to_try_again() {
    let stage = Stage::shop(10);
    stage.done(&["copy", "sqlite:shop.db", "sqlite:copy.db"]);
    let append = ["copy", "sqlite:shop.db", "sqlite:copy.db", "--existing", "append"];
    let refused = stage.run(&append);
    assert_eq!(refused.code, Some(42), "{}", refused.err);
    assert!(refused.err.contains("error[LS0305]"), "{}", refused.err);
    assert_eq!(stage.value("copy.db", "SELECT count(*) FROM orders"), 10);
}

/// What is added to a source, or taken from it, after its plan was made.
#[test]
fn a_source_that_no_longer_fits_its_plan_is_refused_with_the_difference() {
    for (change, named) in [
        ("CREATE TABLE later (id INTEGER)", Some("table later is new")),
        ("DROP TABLE empty", Some("table empty is gone")),
        ("ALTER TABLE orders ADD COLUMN later TEXT", Some("orders: is column later: TEXT")),
        ("ALTER TABLE orders RENAME COLUMN odd TO even", Some("orders: was column odd")),
        ("CREATE TABLE left_out (id INTEGER)", None),
        ("INSERT INTO orders (id) VALUES (1000)", None),
    ] {
        let stage = Stage::shop(50);
        stage.write(
            "a.yaml",
            "longshore: v1\nname: shop\nversion: 1.0.0\nmoves:\n  - from: sqlite:shop.db\n    \
             to: sqlite:copy.db\n    tables: [\"*\", \"!left_*\"]\n",
        );
        stage.done(&["plan", "a.yaml", "--output", "plan.json"]);
        stage.sql("shop.db", change);
        let ran = stage.run(&["run", "a.yaml", "--plan", "plan.json"]);
        match named {
            Some(named) => {
                assert_eq!(ran.code, Some(43), "{change}: {}", ran.err);
                assert!(ran.err.contains("LS0102") && ran.err.contains(named), "{}", ran.err);
            }
            None => {
                assert_eq!(ran.code, Some(0), "{change}: {}", ran.err);
                let rows = |database| stage.value(database, "SELECT count(*) FROM orders");
                assert_eq!(rows("copy.db"), rows("shop.db"), "{change}");
            }
        }
    }
}

/// The plan in the ledger of an interrupted run is held to the same.
#[test]
fn a_restart_does_not_leave_a_new_column_behind() {
    let stage = Stage::shop(3000);
    let args = ["copy", "sqlite:shop.db", "sqlite:copy.db"];
    let killed = stage.run(&[&args[..], &["--failpoint", "copy.chunk-committed:1:kill"]].concat());
    assert_ne!(killed.code, Some(0));
    stage.sql("shop.db", "ALTER TABLE orders ADD COLUMN later TEXT DEFAULT 'x'");
    let ran = stage.run(&args);
    assert_eq!(ran.code, Some(43), "{}", ran.err);
    assert!(ran.err.contains("later"), "{}", ran.err);
    stage.done(&["copy", "sqlite:shop.db", "sqlite:copy.db", "--existing", "replace"]);
    stage.same("shop.db", "copy.db");
}

#[test]
fn a_finished_run_started_again_says_that_its_source_has_moved_on() {
    let stage = Stage::shop(50);
    let args = ["copy", "sqlite:shop.db", "file:out?format=parquet"];
    stage.done(&args);
    stage.sql("shop.db", "INSERT INTO orders (id) VALUES (1000)");
    let again = stage.done(&args);
    assert!(again.out.contains("The source may have changed since it was read"), "{}", again.out);
}
