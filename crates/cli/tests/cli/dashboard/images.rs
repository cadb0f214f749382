use crate::stage::Stage;

use super::Site;

#[test]
fn an_image_shows_its_layers_and_is_promoted() {
    let site = Site::start(Stage::shop(50));
    let page = site.admin();
    page.wait_for("dd|0\u{a0}images in the registry");
    site.go(&page, "images");
    page.wait_for("p|The registry is empty");
    site.push();
    site.go(&page, "overview");
    site.go(&page, "images");
    page.wait_for("h2|team/shop:1.4.0");
    page.wait_for("p.formula|S = ");
    page.wait_for("a|shop 1.4.0");
    page.wait_for("span|not signed");
    page.click("summary|layers");
    page.wait_for("details[open] tbody th|sha256:");

    page.click("button[aria-label='Promote team/shop:1.4.0']");
    page.enter("dialog input[name=to]", "prod/shop:1.4.0");
    page.click("dialog button.primary|Promote");
    page.wait_for("h2|prod/shop:1.4.0");
    page.wait_for("dt|Capacity C, together");
    // Both repositories share every byte.
    page.wait_for("dd|50\u{a0}%");
    site.calm(&page);

    site.go(&page, "settings");
    page.wait_for("td|image.promote");
    page.wait_for("td|team/shop:1.4.0 → prod/shop:1.4.0");
    site.calm(&page);
}

#[test]
fn a_server_without_a_registry_says_so() {
    let site = Site::with(Stage::shop(10), &["--no-registry"]);
    let page = site.admin();
    page.wait_for("dd|no registry here");
    site.go(&page, "images");
    page.wait_for("p|No registry here");
    site.calm(&page);
}
