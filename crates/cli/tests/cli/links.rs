//! What the pages lead to is there: files, and headings in them.

use std::path::{Path, PathBuf};

#[test]
fn every_link_of_the_pages_leads_somewhere() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut pages = vec![root.join("README.md"), root.join("docs/README.md")];
    for folder in ["docs/guides", "docs/concepts", "docs/decisions"] {
        let entries = std::fs::read_dir(root.join(folder)).expect(folder);
        pages.extend(entries.map(|entry| entry.expect("an entry").path()));
    }
    let mut links = 0;
    for page in &pages {
        let text = std::fs::read_to_string(page).expect("a page");
        for link in links_of(&text) {
            assert!(leads_somewhere(page, &link), "{}: {link}", page.display());
            links += 1;
        }
    }
    assert!(links > 100, "only {links} links were found");
}

/// The links to other pages and to headings, in brackets and in definitions, but not in blocks of code.
fn links_of(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for prose in text.split("\n```").step_by(2) {
        let ends = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        found.extend(ends.map(|(link, _)| link.to_string()));
        let defined = prose.lines().filter(|line| line.starts_with('['));
        found.extend(
            defined.filter_map(|line| line.split_once("]: ")).map(|(_, link)| link.to_string()),
        );
    }
    found.retain(|link| !link.contains("://"));
    found
}

fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let folder = page.parent().expect("a page is in a folder");
    let file = if file.is_empty() { PathBuf::from(page) } else { folder.join(file) };
    if heading.is_empty() {
        return file.exists();
    }
    let Ok(text) = std::fs::read_to_string(&file) else { return false };
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line) == heading)
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}
