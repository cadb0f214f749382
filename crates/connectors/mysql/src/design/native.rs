//! Tables of the same system: their own definitions, with what slows a load down set aside.

use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};

use super::step;
use crate::sql::{leading_name, parentheses, quote, split};

/// Makes a table from its definition; `None` when it is not understood.
pub(super) fn make(
    number: usize,
    table: &TablePlan,
    definition: &str,
    design: &mut Design,
) -> Option<()> {
    let (head, body, tail) = parentheses(definition)?;
    if !head.starts_with("CREATE TABLE ") {
        return None;
    }
    let name = quote(&table.target.name);
    let (mut kept, mut keys, mut foreign) = (Vec::new(), Vec::new(), Vec::new());
    let items = split(body);
    let numbered = items.iter().find(|item| is_numbered(item)).and_then(|item| leading_name(item));
    for item in items {
        match kind(item) {
            // The server numbers rows by a column that begins a key only.
            Item::Key if numbered.as_ref().is_some_and(|(column, _)| begins_with(item, column)) => {
                kept.push(item);
            }
            Item::Key => keys.push(item),
            Item::Foreign => foreign.push(item),
            Item::Other => kept.push(item),
        }
    }
    design.prepare.push(Statement {
        table: Some(number),
        step: 0,
        purpose: format!("table {}", table.target),
        sql: format!("CREATE TABLE {name} (\n  {}\n){}", kept.join(",\n  "), tail.trim_end()),
    });
    let mut add = |step, purpose: String, items: &[&str]| {
        let items: Vec<String> = items.iter().map(|item| format!("ADD {item}")).collect();
        let sql = format!("ALTER TABLE {name} {}", items.join(", "));
        design.finish.push(Statement { table: Some(number), step, purpose, sql });
    };
    // The server builds one full-text index at a time.
    let (text, plain): (Vec<&str>, Vec<&str>) =
        keys.into_iter().partition(|item| item.starts_with("FULLTEXT "));
    if !plain.is_empty() {
        add(step::KEYS, format!("indexes of {}", table.target), &plain);
    }
    for item in text {
        add(step::KEYS, format!("full-text index of {}", table.target), &[item]);
    }
    if !foreign.is_empty() {
        add(step::FOREIGN_KEYS, format!("foreign keys of {}", table.target), &foreign);
    }
    Some(())
}

enum Item {
    Key,
    Foreign,
    Other,
}

fn kind(item: &str) -> Item {
    let is_key = ["KEY ", "UNIQUE KEY ", "FULLTEXT KEY ", "SPATIAL KEY ", "VECTOR KEY "];
    if is_key.iter().any(|start| item.starts_with(start)) {
        return Item::Key;
    }
    let constraint = item.strip_prefix("CONSTRAINT ").and_then(leading_name);
    match constraint {
        Some((_, rest)) if rest.trim_start().starts_with("FOREIGN KEY") => Item::Foreign,
        _ => Item::Other,
    }
}

/// Whether an item is a column that the server numbers.
fn is_numbered(item: &str) -> bool {
    item.starts_with('`') && item.to_ascii_uppercase().contains(" AUTO_INCREMENT")
}

fn begins_with(key: &str, column: &str) -> bool {
    parentheses(key)
        .and_then(|(_, parts, _)| leading_name(parts))
        .is_some_and(|(first, _)| first == column)
}
