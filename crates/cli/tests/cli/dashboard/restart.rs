use crate::stage::Stage;

use super::{Site, shop};

#[test]
fn a_killed_server_is_waited_for_and_the_run_is_taken_up_and_verified() {
    let mut site = Site::start(Stage::shop(20_000));
    let page = site.admin();
    site.add(&page, &shop("chunk: 16KiB, workers: 2, source-rate: 300KiB/s"));
    site.run(&page);
    page.wait_for("section.verdict.busy h1|Running");
    let rows = "Number(document.querySelector('.figures dd').textContent.replaceAll(',', ''))";
    page.until(&format!("{rows} > 1000"), "rows arrive");
    site.calm(&page);

    site.kill();
    page.wait_for("#banner|The server does not answer");
    // What was known is still to be seen.
    page.wait_for("section.verdict h1|Running");
    site.resume();
    page.wait_until_gone("#banner");
    page.wait_for("section.verdict h1|Running");
    page.wait_for("section.verdict.good h1|Verified");
    page.wait_for("dl.facts dd|2");
    site.stage.same("shop.db", "copy.db");

    // The browser says that the server was gone; the page itself has nothing to say.
    let own = page.problems().into_iter().filter(|problem| !problem.contains("Failed to load"));
    assert_eq!(
        own.filter(|problem| !problem.contains("ERR_")).collect::<Vec<_>>(),
        Vec::<String>::new()
    );
}

#[test]
fn a_page_that_is_opened_while_the_server_is_gone_comes_back_with_it() {
    let mut site = Site::start(Stage::shop(10));
    let page = site.admin();
    site.kill();
    page.wait_for("#banner|The server does not answer");
    site.go(&page, "runs");
    page.wait_for("p|Loading…");
    site.resume();
    page.wait_for("h1|Runs");
    page.wait_for("p|No runs");
}
