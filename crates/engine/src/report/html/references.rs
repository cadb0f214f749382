//! Rows and the objects that they name.

use super::format::{count, escape, name};
use super::table::{Align, table};
use crate::report::{ReferenceReport, Report};

/// Whether the objects that rows name are there; nothing when no column names any.
pub(super) fn section(report: &Report) -> String {
    if report.references.is_empty() {
        return String::new();
    }
    let rows = report.references.iter().map(|one| {
        let columns: Vec<_> = one.columns.iter().map(|column| name(column)).collect();
        vec![
            columns.join(", "),
            super::code(&one.objects),
            verdict(one).to_string(),
            count(one.rows),
            count(one.names),
            count(one.missing),
            count(one.in_source),
            count(one.unnamed),
        ]
    });
    let columns = [
        ("Columns", Align::Left),
        ("Objects", Align::Left),
        ("Result", Align::Left),
        ("Rows", Align::Right),
        ("Names", Align::Right),
        ("Missing", Align::Right),
        ("Of these in the source", Align::Right),
        ("Objects that no row names", Align::Right),
    ];
    let mut html = format!(
        "<section><h2>Rows that name objects</h2>{}",
        table("What the rows of the target name, and what is there", &columns, rows)
    );
    for one in &report.references {
        html.push_str(&names("Missing in the target", &one.missing_names, one.missing));
        html.push_str(&names("Named by no row", &one.unnamed_names, one.unnamed));
    }
    html.push_str("</section>\n");
    html
}

fn verdict(one: &ReferenceReport) -> &'static str {
    match (one.missing, one.matches) {
        (0, _) => "<span class=\"tag good\">✓ all are there</span>",
        (_, true) => "<span class=\"tag good\">✓ missing as allowed</span>",
        (_, false) => "<span class=\"tag bad\">≠ some are missing</span>",
    }
}

fn names(title: &str, shown: &[String], number: u64) -> String {
    if shown.is_empty() {
        return String::new();
    }
    let items: Vec<_> = shown.iter().map(|one| format!("<li>{}</li>", name(one))).collect();
    format!("<h3>{}: {}</h3><ul>{}</ul>", escape(title), count(number), items.join(""))
}
