use longshore_testkit::browser::Page;

use crate::stage::Stage;

use super::{Site, TOKEN, shop};

const PLACES: [&str; 6] =
    ["overview", "migrations", "migrations/shop", "runs", "images", "settings"];

#[test]
fn a_viewer_sees_everything_and_nothing_that_she_may_not_use() {
    let site = Site::start(Stage::shop(100));
    let admin = site.admin();
    site.add(&admin, &shop(""));
    site.run(&admin);
    admin.wait_for("section.verdict.good h1|Verified");
    let run = admin.evaluate("location.hash.slice(2)");

    let page = site.signed_in(&site.token("eve", "viewer"));
    for place in PLACES.into_iter().chain(run.as_str()) {
        site.go(&page, place);
        page.wait_for("main h1");
        page.wait_until_gone("p|Loading…");
        for action in
            ["Start", "Stop", "Retry", "Verify again", "Add", "New", "Remove", "Promote", "Revoke"]
        {
            assert!(!page.has(&format!("main button|{action}")), "{place}: {action}");
            assert!(!page.has(&format!("main a.button|{action}")), "{place}: {action}");
        }
    }
    page.wait_for("a|Open the report");
    site.go(&page, "settings");
    page.wait_for("dd|viewer");
    assert!(!page.has("h2|Tokens") && !page.has("h2|Audit log"));
    site.calm(&page);

    // Hidden buttons are a courtesy; the server says no by itself.
    let status = "fetch('/api/v1/runs', {method: 'POST', body: '{\"migration\":\"shop\"}', \
        headers: {'x-longshore': '1', 'content-type': 'application/json'}}).then(a => a.status)";
    assert_eq!(page.evaluate(status), 403);

    let operator = site.signed_in(&site.token("olga", "operator"));
    site.go(&operator, "migrations/shop");
    operator.wait_for("button|Start…");
    site.go(&operator, "settings");
    operator.wait_for("dd|operator");
    assert!(!operator.has("h2|Tokens"));
}

#[test]
fn a_token_is_made_shown_once_used_and_revoked() {
    let site = Site::start(Stage::shop(10));
    let admin = site.admin();
    site.go(&admin, "settings");
    admin.click("button|New token…");
    admin.enter("dialog input[name=name]", "bob");
    admin.choose("dialog select[name=role]", "viewer");
    admin.click("dialog button.primary|Make");
    let token = admin.text("dialog .secret");
    admin.click("dialog button|Done");
    admin.wait_for("th|bob");
    assert!(!admin.evaluate("document.documentElement.outerHTML").to_string().contains(&token));
    admin.wait_for("td|token.make");

    let bob = site.signed_in(&token);
    admin.click("button[aria-label='Revoke bob']");
    admin.click("dialog button.primary|Revoke");
    admin.wait_until_gone("th|bob");
    site.calm(&admin);
    bob.wait_for("p|The session has ended");
    bob.wait_for("button|Sign in");
}

#[test]
fn nobody_comes_in_with_a_wrong_token_or_after_signing_out() {
    let site = Site::start(Stage::shop(10));
    let page = site.browser.page();
    page.open(&site.address);
    page.wait_for("h2|Sign in");
    site.calm(&page);
    page.enter("input[name=token]", "lsh_wrong");
    page.click("button|Sign in");
    page.wait_for(".fault|LS");
    page.forget();
    page.enter("input[name=token]", TOKEN);
    page.press("Enter");
    page.wait_for("h1|Overview");
    let cookie = page.evaluate("document.cookie");
    assert_eq!(cookie, "", "the page cannot read the session");
    page.open(&format!("{}/#/settings", site.address));
    page.wait_for("h1|Settings");

    sign_out(&page);
    page.open(&format!("{}/#/runs", site.address));
    page.wait_for("h2|Sign in");
    assert_eq!(page.evaluate("fetch('/api/v1/runs').then(a => a.status)"), 401);
}

fn sign_out(page: &Page) {
    page.click("#bar button|Sign out");
    page.wait_for("h2|Sign in");
}
