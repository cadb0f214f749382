//! How elements are named: `CSS`, or `CSS|text` for the first that can be seen and holds the text.

use serde_json::Value;

/// JavaScript that gives the element, or null.
pub(super) fn element(name: &str) -> String {
    let (css, text) = name.split_once('|').unwrap_or((name, ""));
    // However many spaces there are, and whether lines may break at them.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "[...document.querySelectorAll({})].find(e => e.checkVisibility({{visibilityProperty: true}}) \
         && (e.textContent + ' ' + (e.value ?? '')).replace(/\\s+/g, ' ').includes({})) ?? null",
        quote(css),
        quote(&text),
    )
}

/// A text as JavaScript writes it.
pub(super) fn quote(text: &str) -> String {
    Value::from(text).to_string()
}
