use std::fmt::Write;
use std::time::{Duration, Instant};

use longshore_testkit::browser::Page;
use serde_json::json;

use crate::stage::Stage;

use super::Site;

const TABLES: usize = 5000;
const RUNS: usize = 10_000;

/// How long a page may take to answer somebody, on a machine that does other things too.
const AT_ONCE: f64 = 400.0;

#[test]
fn five_thousand_tables_are_watched_sorted_and_found() {
    let stage = Stage::empty();
    let mut sql = String::from("BEGIN;");
    for number in 0..TABLES {
        let _ = write!(
            sql,
            "CREATE TABLE t{number} (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t{number} VALUES (1, 'x');"
        );
    }
    sql.push_str("COMMIT;");
    stage.sql("many.db", &sql);
    let site = Site::start(stage);
    let page = site.admin();
    site.add(
        &page,
        "longshore: v1\nname: many\nmoves: [{from: 'sqlite:many.db', to: 'sqlite:copy.db'}]\n",
    );
    site.run(&page);
    let tables = "section[data-key='card Tables']";
    page.wait_longer_for(&format!("{tables}|of 5,000 tables are in"), Duration::from_secs(120));
    let rows = page.count(&format!("{tables} tbody tr"));
    assert!(rows <= 50, "{rows} rows are in the page at once");
    page.enter(&format!("{tables} input[type=search]"), "t4321");
    page.wait_for(&format!("{tables} tbody tr|t4321"));
    assert_eq!(page.count(&format!("{tables} tbody tr")), 1);
    page.wait_longer_for("section.verdict.good h1|Verified", Duration::from_secs(180));
    // What was looked for is still looked for.
    assert_eq!(
        page.evaluate(&format!("document.querySelector(\"{tables} input\").value")),
        "t4321"
    );

    let typed = format!(
        "(() => {{ const e = document.querySelector(\"{tables} input\"); e.value = 't1'; \
         e.dispatchEvent(new Event('input')); }})()"
    );
    quick(&page, &typed);
    quick(&page, &format!("document.querySelector(\"{tables} th:nth-child(1) button\").click()"));
    quick(&page, &format!("document.querySelector(\"{tables} th:nth-child(3) button\").click()"));
    page.click(&format!("{tables} .pager button|Next"));
    page.wait_for(&format!("{tables} .pager|51 to 100 of"));
    site.calm(&page);
}

#[test]
fn ten_thousand_runs_are_leafed_through() {
    let site = Site::start(Stage::shop(10));
    fill(&site);
    let page = site.admin();
    page.wait_for("dd|10,000");
    let start = Instant::now();
    site.go(&page, "runs");
    page.wait_for("tbody tr a|shop");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(page.count("tbody tr"), 50);
    for number in 2..=5 {
        page.click(".pager button|Older");
        page.wait_for(&format!(".pager|Page {number}"));
    }
    page.click(".pager button|Newer");
    page.wait_for(".pager|Page 4");
    page.choose("#runs-state", "failed");
    page.wait_for("tbody tr .badge|Failed");
    page.wait_until_gone("tbody tr .badge|Verified");
    page.wait_for(".pager|Page 1");
    site.calm(&page);
}

/// Something that the page does at once.
fn quick(page: &Page, action: &str) {
    let took = page.evaluate(&format!(
        "(() => {{ const before = performance.now(); {action}; return performance.now() - before; }})()"
    ));
    let took = took.as_f64().expect("a time");
    assert!(took < AT_ONCE, "{took} ms for {action}");
}

/// Puts runs of the past into the server's own database.
fn fill(site: &Site) {
    let state = std::fs::read_dir(site.stage.path()).expect("a folder");
    let folders = state.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let file = folders.map(|path| path.join("control.db")).find(|path| path.is_file());
    let mut database = rusqlite::Connection::open(file.expect("a database")).expect("it opens");
    let transaction = database.transaction().expect("a transaction");
    for number in 0..RUNS {
        let outcome = if number % 100 == 0 { "failed" } else { "verified" };
        let id = format!("20260101T000000-{number:06}");
        let run = json!({
            "id": id, "migration": "shop", "version": "1.4.0", "image": null, "on": "here", "task": "run",
            "verify": "full", "state": "ended", "outcome": outcome, "queued": "2026-01-01T00:00:00Z",
            "started": "2026-01-01T00:00:01Z", "ended": "2026-01-01T00:00:09Z", "by": "admin",
            "attempts": 1, "rows": number, "rows_expected": number, "bytes": 10, "bytes_expected": 10,
            "seconds": 8.0, "error": [],
        });
        transaction
            .execute(
                "INSERT INTO runs (id, migration, state, outcome, run, spec, whole) \
                 VALUES (?1, 'shop', 'ended', ?2, ?3, '', 1)",
                rusqlite::params![id, outcome, run.to_string()],
            )
            .expect("a run");
    }
    transaction.commit().expect("they are in");
}
