//! Tables with caption and scopes, that scroll by themselves on narrow screens.

use std::fmt::Write;

use super::format::escape;

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers, under each other digit by digit.
    Right,
}

/// A table. The first cell of a row names it; cells are HTML.
pub(super) fn table(
    caption: &str,
    columns: &[(&str, Align)],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> String {
    let class = |align| if align == Align::Right { " class=\"number\"" } else { "" };
    let mut html = format!(
        "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{0}\"><table>\
         <caption>{0}</caption><thead><tr>",
        escape(caption)
    );
    for (title, align) in columns {
        let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(*align), escape(title));
    }
    html.push_str("</tr></thead><tbody>\n");
    for cells in rows {
        html.push_str("<tr>");
        for (index, (cell, (_, align))) in cells.iter().zip(columns).enumerate() {
            let class = class(*align);
            let _ = match index {
                0 => write!(html, "<th scope=\"row\"{class}>{cell}</th>"),
                _ => write!(html, "<td{class}>{cell}</td>"),
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// A cell's content with a bar below it, as long as the share in percent.
pub(super) fn with_bar(content: &str, percent: f64) -> String {
    format!("{content}<span class=\"bar\"><span style=\"width:{percent:.2}%\"></span></span>")
}
