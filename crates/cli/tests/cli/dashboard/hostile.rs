use crate::stage::Stage;

use super::Site;

/// What would run if it were taken as markup.
const MARKUP: &str = "<img src=x onerror=window.hacked=1>";

#[test]
fn names_that_are_markup_stay_text() {
    let stage = Stage::empty();
    stage.sql(
        "odd.db",
        &format!(
            "CREATE TABLE \"{MARKUP}\" (id INTEGER PRIMARY KEY, v REAL);
        INSERT INTO \"{MARKUP}\" VALUES (1, 0.5), (2, 1.5);
        CREATE TABLE \"\u{202e}sdrawkcab<script>\" (id INTEGER);"
        ),
    );
    let site = Site::start(stage);
    let page = site.admin();
    let yaml = format!(
        "longshore: v1\nname: odd\nversion: \"1{MARKUP}\"\n# {MARKUP}\n\
         moves: [{{from: 'sqlite:odd.db', to: 'sqlite:copy.db'}}]\n"
    );
    site.go(&page, "migrations");
    page.click("button|Add a migration");
    page.enter("dialog textarea", &yaml);
    page.click("dialog button|Check and add");
    // A version may be refused for its letters; then one without is taken, and the comment stays.
    page.until(
        "document.querySelector('dialog .fault:not([hidden])') || document.querySelector('.route')",
        "an answer",
    );
    if page.has("dialog .fault") {
        page.forget();
        page.enter("dialog textarea", &yaml.replacen(&format!("1{MARKUP}"), "1.0.0", 1));
        page.click("dialog button|Check and add");
    }
    page.wait_for("pre|onerror");
    site.run(&page);
    page.wait_for("section.verdict.good h1|Verified");
    page.wait_for(&format!("section[data-key='card Tables'] th|{MARKUP}"));
    page.wait_for(&format!("section[data-key='card Verification'] th|{MARKUP}"));
    page.click("button|Show the log");
    page.wait_for(&format!("#log-lines p|{MARKUP}"));
    for place in ["overview", "migrations", "runs", "settings"] {
        site.go(&page, place);
        page.wait_for("main h1");
        page.wait_until_gone("p|Loading…");
    }
    site.go(&page, &format!("runs/{}", "%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E"));
    page.wait_for("h1|This run cannot be shown");
    assert_eq!(page.count("main img, main script, main iframe"), 0);
    assert!(page.evaluate("window.hacked ?? null").is_null());
}

#[test]
fn an_address_that_leads_nowhere_is_said_to() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    for place in ["nowhere", "runs/a/b/c", "constructor", "__proto__", "runs/%", "migrations/"] {
        site.go(&page, place);
        page.wait_for("main h1");
        page.wait_until_gone("p|Loading…");
    }
    site.go(&page, "nowhere");
    page.wait_for("h1|There is nothing here");
    page.click("main a|To the overview");
    page.wait_for("h1|Overview");
    site.go(&page, "migrations/gone");
    page.wait_for(".fault|LS");
    page.wait_for(".fault|Next:");
}

#[test]
fn what_is_inserted_by_another_cannot_run() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    page.evaluate(&format!(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '{MARKUP}')"
    ));
    page.until("document.querySelector('main img')", "the picture is there");
    page.evaluate("new Promise(done => setTimeout(done, 300))");
    assert!(page.evaluate("window.hacked ?? null").is_null(), "the policy of the page forbids it");
    let framed = "fetch('/').then(a => a.headers.get('content-security-policy'))";
    let policy = page.evaluate(framed);
    let policy = policy.as_str().expect("a policy");
    assert!(
        policy.contains("default-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
}
