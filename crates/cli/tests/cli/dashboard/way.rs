use crate::stage::Stage;

use super::{Site, shop};

#[test]
fn a_migration_is_added_planned_started_and_watched_to_its_proof() {
    let site = Site::start(Stage::shop(2000));
    let page = site.admin();
    page.wait_for("h2|Nothing has run yet");
    site.add(&page, &shop("chunk: 16KiB"));
    page.wait_for("pre|longshore: v1");
    page.wait_for("code|sqlite:shop.db");

    page.click("button|Start…");
    page.choose("dialog select[name=task]", "plan");
    page.click("dialog button.primary|Start");
    page.wait_for("section.verdict.calm h1|Planned");
    page.wait_for("section|The plan predicts no loss");

    site.go(&page, "migrations/shop");
    site.run(&page);
    page.wait_for("section.verdict.good h1|Verified");
    page.wait_for("p.lead|All 2,022 rows of shop 1.4.0 are in");
    page.wait_for("section|Every value arrived exactly as it was");
    page.wait_for("section[data-key='card Verification'] .badge.good|equal");
    page.wait_for("section[data-key='card Tables']|3 of 3 tables are in");
    page.wait_for("p.formula|P = T / (T − idle) =");
    assert_eq!(page.count("section[data-key='card Verification'] tbody tr"), 3);
    let fill = "document.querySelector('.yard .checked').style.width";
    assert_eq!(page.evaluate(fill), "100%");

    page.click("button|Show the log");
    page.wait_for("#log-lines p|run-done");
    let report = page.evaluate("document.querySelector('a[href$=\"report.html\"]').href");
    site.calm(&page);

    site.go(&page, "overview");
    page.wait_for("h2|All is well");
    page.wait_for("td .badge.good|Verified");
    site.calm(&page);
    page.open(report.as_str().expect("an address"));
    page.wait_for("h1|Verified");
    site.calm(&page);
    site.stage.same("shop.db", "copy.db");
}

#[test]
fn a_run_is_watched_stopped_and_goes_on_when_it_is_retried() {
    let site = Site::start(Stage::shop(20_000));
    let page = site.admin();
    site.add(&page, &shop("chunk: 16KiB, workers: 2, source-rate: 128KiB/s"));
    site.run(&page);
    page.wait_for("section.verdict.busy h1|Running");
    page.wait_for("li[aria-current=step]|Copy");
    page.wait_for("section|Your limits are the brake");
    page.wait_for(".lanes li|orders");
    page.wait_for(".plot svg[aria-label^='Rows over']");
    let rows = "Number(document.querySelector('.figures dd').textContent.replaceAll(',', ''))";
    page.until(&format!("{rows} > 0"), "rows arrive");
    let first = page.evaluate(rows).as_f64().expect("a number");
    page.until(&format!("{rows} > {first}"), "more rows arrive");
    page.wait_for("strong|%");

    // What is under the pointer is read out, and under the arrow keys too.
    page.until(
        "document.querySelector('.plot-x').textContent.match(/[2-9]/)",
        "a curve of seconds",
    );
    page.evaluate("document.querySelector('.plot svg').focus()");
    page.press("ArrowLeft");
    page.wait_for(".plot-head|after");

    page.click("button|Stop…");
    page.press("Escape");
    page.wait_until_gone("dialog");
    page.click("button|Stop…");
    page.click("dialog button|Stop the run");
    page.wait_for("section.verdict.calm h1|Stopped");
    site.calm(&page);
    let stopped = page.evaluate("location.hash");
    site.stage.sql("shop.db", "SELECT 1");
    page.click("button|Retry");
    page.until(&format!("location.hash !== {stopped}"), "another run");
    page.wait_for("section.verdict h1|Running");
    page.wait_for("#said|The run");
    site.calm(&page);
}

#[test]
fn what_the_migration_gets_wrong_is_said_and_the_text_stays() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    site.go(&page, "migrations");
    page.click("button|Add a migration");
    page.enter("dialog textarea", "longshore: v1\nname: shop\nmvoes: []\n");
    page.click("dialog button|Check and add");
    page.wait_for("dialog .fault|mvoes");
    page.wait_for("dialog .fault|Next:");
    let typed = page.evaluate("document.querySelector('dialog textarea').value");
    assert_eq!(typed, "longshore: v1\nname: shop\nmvoes: []\n");
    // A browser says of itself that a request was refused.
    page.forget();
    page.enter(
        "dialog textarea",
        "longshore: v1\nname: gone\nmoves: [{from: 'sqlite:gone.db', to: 'sqlite:copy.db'}]\n",
    );
    page.click("dialog button|Check and add");
    site.run(&page);
    page.wait_for("section.verdict.bad h1|Failed");
    page.wait_for(".fault|Next:");
    page.wait_for(".fault code|longshore explain LS");
    site.calm(&page);
    site.go(&page, "overview");
    page.wait_for("h2|The last run of gone needs you");
}

#[test]
fn a_schedule_is_kept_and_removed() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    site.add(&page, &shop(""));
    page.click("button|Add…");
    page.enter("dialog input[name=cron]", "0 3 * * *");
    page.click("dialog button.primary|Add");
    page.wait_for("li code|0 3 * * *");
    page.wait_for("li time|in");
    page.click("li button|Remove");
    page.wait_for("p|It starts when somebody starts it");
    site.calm(&page);
}
