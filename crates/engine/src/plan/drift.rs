//! What a source has become since a plan was made for it.

use std::collections::HashMap;

use longshore_model::catalog::{Catalog, Table, TableName};
use longshore_model::plan::MovePlan;
use longshore_model::{Code, Error, Result, pattern};

/// Differences that are named in an error; the others are counted.
const SHOWN: usize = 10;

/// A table in the words of its source.
pub(crate) fn describe(table: &Table) -> Vec<String> {
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let native = if column.native.is_empty() { "untyped" } else { &column.native };
            let null = if column.nullable { "" } else { " not null" };
            let generated = column.generated.as_ref().map(|g| format!(" as {}", g.expression));
            format!("column {}: {native}{null}{}", column.name, generated.unwrap_or_default())
        })
        .collect();
    lines.push(format!("primary key: {}", table.primary_key.join(", ")));
    lines
}

/// Refuses a source that holds other tables or columns than those that the plan was made for: what
/// is new would stay behind without a word.
pub(crate) fn check(plan: &MovePlan, catalog: &Catalog) -> Result<()> {
    let found = differences(plan, catalog);
    if found.is_empty() {
        return Ok(());
    }
    let mut text = found[..found.len().min(SHOWN)].join("; ");
    if found.len() > SHOWN {
        text += &format!("; and {} more", found.len() - SHOWN);
    }
    Err(Error::new(Code::SourceChanged, "the source is no longer what the plan was made for")
        .with("source", plan.from.clone())
        .with("differences", text)
        .hint(
            "Make a new plan. If an interrupted run is in the target, start over with \
             --existing replace.",
        ))
}

fn differences(plan: &MovePlan, catalog: &Catalog) -> Vec<String> {
    let planned: HashMap<&TableName, &[String]> =
        plan.tables.iter().map(|table| (&table.source, table.described.as_slice())).collect();
    let mut found = Vec::new();
    let mut there = 0;
    for table in &catalog.tables {
        match planned.get(&table.name) {
            Some(described) => {
                there += 1;
                changes(&table.name, described, &describe(table), &mut found);
            }
            None if table.rows_elsewhere => {}
            None if pattern::selects(&plan.selects, &catalog.called(&table.name)) => {
                found.push(format!("table {} is new", table.name));
            }
            None => {}
        }
    }
    if there < planned.len() {
        let gone = |name: &&TableName| catalog.tables.iter().all(|table| table.name != **name);
        let mut gone: Vec<String> =
            planned.into_keys().filter(gone).map(|name| format!("table {name} is gone")).collect();
        gone.sort_unstable();
        found.extend(gone);
    }
    found
}

fn changes(name: &TableName, before: &[String], after: &[String], found: &mut Vec<String>) {
    // Plans of the first builds do not describe their tables.
    if before.is_empty() || before == after {
        return;
    }
    let count = found.len();
    let lines = before.iter().filter(|line| !after.contains(line)).map(|line| ("was", line));
    let lines = lines.chain(after.iter().filter(|l| !before.contains(l)).map(|l| ("is", l)));
    found.extend(lines.map(|(verb, line)| format!("{name}: {verb} {line}")));
    if found.len() == count {
        found.push(format!("{name}: the order of its columns has changed"));
    }
}

#[cfg(test)]
mod tests {
    use super::changes;
    use longshore_model::catalog::TableName;

    #[test]
    fn changes_are_named() {
        let lines =
            |texts: &[&str]| texts.iter().map(|text| (*text).to_string()).collect::<Vec<_>>();
        let check = |before: &[&str], after: &[&str], expected: &[&str]| {
            let mut found = Vec::new();
            changes(&TableName::plain("t"), &lines(before), &lines(after), &mut found);
            assert_eq!(found, expected);
        };
        check(&["column a: INT"], &["column a: INT"], &[]);
        check(&[], &["column a: INT"], &[]);
        check(
            &["column a: INT"],
            &["column a: TEXT"],
            &["t: was column a: INT", "t: is column a: TEXT"],
        );
        check(&["column a: INT"], &["column a: INT", "column b: INT"], &["t: is column b: INT"]);
        check(
            &["column a: INT", "column b: INT"],
            &["column b: INT", "column a: INT"],
            &["t: the order of its columns has changed"],
        );
    }
}
