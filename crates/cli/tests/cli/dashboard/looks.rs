use std::path::PathBuf;

use longshore_testkit::browser::Page;
use serde_json::{Value, json};

use crate::stage::Stage;

use super::{Site, shop};

const LOOK: &str = include_str!("look.js");

/// Nothing is wrong with what is shown.
fn look(page: &Page, place: &str) {
    assert_eq!(page.evaluate(LOOK), json!([]), "{place}");
    if let Some(folder) = std::env::var_os("LONGSHORE_TEST_PICTURES") {
        let name = format!("{}.png", place.replace(['/', ' '], "-"));
        page.screenshot(&PathBuf::from(folder).join(name));
    }
}

#[test]
fn every_page_is_in_order_at_every_width_in_light_and_in_dark() {
    let site = Site::start(Stage::shop(3000));
    site.push();
    let page = site.browser.page();
    page.open(&site.address);
    page.wait_for("h2|Sign in");
    look(&page, "sign-in");
    let page = site.admin();
    site.add(&page, &shop("chunk: 16KiB"));
    site.run(&page);
    page.wait_for("section.verdict.good h1|Verified");
    let verified = place(&page);
    site.add(
        &page,
        &shop("chunk: 16KiB")
            .replace("copy.db", "/nowhere/x.db")
            .replace("name: shop", "name: failing-and-with-a-very-long-name"),
    );
    site.run(&page);
    page.wait_for("section.verdict.bad h1|Failed");
    let failed = place(&page);
    let slow = shop("chunk: 16KiB, source-rate: 16KiB/s").replace("copy.db", "slow.db");
    site.add(&page, &slow.replace("name: shop", "name: slow"));
    site.run(&page);
    page.wait_for("section.verdict.busy h1|Running");
    page.wait_for(".plot svg");
    let running = place(&page);

    let places =
        ["overview", "migrations", "migrations/shop", "runs", "images", "settings", "nowhere"];
    for (width, height) in [(375, 800), (1280, 800), (2560, 1400)] {
        page.resize(width, height);
        for dark in [false, true] {
            page.prefer(dark, true);
            let runs = [("verified", &verified), ("failed", &failed), ("running", &running)];
            let runs = runs.map(|(name, place)| (name, place.as_str()));
            for (name, place) in places.map(|place| (place, place)).into_iter().chain(runs) {
                site.go(&page, place);
                page.wait_for("main h1");
                page.wait_until_gone("p|Loading…");
                page.until(
                    "document.querySelectorAll('main section, main p').length > 0",
                    "content",
                );
                let colours = if dark { "dark" } else { "light" };
                look(&page, &format!("{name} {width} {colours}"));
            }
        }
    }
    site.calm(&page);
}

#[test]
fn dialogs_are_in_order_and_the_keyboard_is_enough() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    site.add(&page, &shop(""));
    for (place, button) in [
        ("migrations", "Add a migration"),
        ("migrations/shop", "Start…"),
        ("migrations/shop", "Remove…"),
        ("migrations/shop", "Add…"),
        ("settings", "New token…"),
    ] {
        site.go(&page, place);
        page.click(&format!("main button|{button}"));
        page.wait_for("dialog[open]");
        for width in [375, 1280] {
            page.resize(width, 800);
            look(&page, &format!("dialog {button} {width}"));
        }
        page.press("Escape");
        page.wait_until_gone("dialog");
    }

    // From the top, by keys alone: the link to the content, and every stop shows where it is.
    page.open(&format!("{}/?anew", site.address));
    page.wait_for("h1|Overview");
    page.press("Tab");
    assert_eq!(page.evaluate("document.activeElement.className"), "skip");
    page.press("Enter");
    assert_eq!(page.evaluate("document.activeElement.id"), "main");
    page.wait_for("h1|Overview");
    let focus = "(() => { const e = document.activeElement; const s = getComputedStyle(e); \
        return [e.textContent.slice(0, 30), parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== 'none']; })()";
    page.evaluate("document.querySelector('.brand').focus()");
    let mut stops = 0;
    while stops < 40 && page.evaluate("document.activeElement !== document.body") == true {
        let at = page.evaluate(focus);
        assert_eq!(at[1], true, "no ring around {}", at[0]);
        page.press("Tab");
        stops += 1;
    }
    assert!(stops > 8, "{stops} stops");
    page.evaluate("document.querySelector('nav a[href=\"#/runs\"]').focus()");
    page.press("Enter");
    page.wait_for("h1|Runs");
    site.calm(&page);
}

#[test]
fn the_colours_follow_the_system_until_others_are_chosen() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    let paper = "getComputedStyle(document.body).backgroundColor";
    page.prefer(false, false);
    let light = page.evaluate(paper);
    page.prefer(true, false);
    let dark = page.evaluate(paper);
    assert_ne!(light, dark);
    page.click("button|Theme: system");
    assert_eq!(page.evaluate(paper), light);
    page.open(&format!("{}/#/runs", site.address));
    page.wait_for("button|Theme: light");
    assert_eq!(page.evaluate(paper), light);
    page.click("button|Theme: light");
    page.wait_for("button|Theme: dark");
    assert_eq!(page.evaluate(paper), dark);
    let moves = "getComputedStyle(document.querySelector('.pulse') ?? document.body).animationName";
    page.prefer(true, true);
    assert_eq!(page.evaluate(moves), "none");
}

#[test]
fn the_look_finds_what_is_wrong() {
    let site = Site::start(Stage::shop(10));
    let page = site.admin();
    page.wait_for(".figures dd");
    look(&page, "overview");
    page.evaluate(
        "document.documentElement.style.setProperty('--soft', '#99aaaa'); \
         document.querySelector('.figures dd').style.marginTop = '-18px'; \
         document.querySelector('main h2').outerHTML = '<h4>Left out</h4>'; \
         document.querySelector('main').insertAdjacentHTML('beforeend', \
           '<button></button><table><tr><th>x</th></tr></table><label for=gone>x</label>'); \
         const wide = document.createElement('p'); wide.style.width = '4000px'; wide.textContent = 'wide'; \
         document.querySelector('main').append(wide);",
    );
    let Value::Array(wrong) = page.evaluate(LOOK) else { panic!("a list") };
    let wrong = wrong.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n");
    for what in [
        "wider than the window",
        "overlap",
        "contrast",
        "a level is left out",
        "without a name",
        "without a caption",
        "without scope",
        "leads nowhere",
    ] {
        assert!(wrong.contains(what), "{what} in\n{wrong}");
    }
}

fn place(page: &Page) -> String {
    page.evaluate("location.hash.slice(2)").as_str().expect("a place").to_string()
}
