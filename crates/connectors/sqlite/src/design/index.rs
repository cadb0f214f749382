//! `CREATE INDEX`: the source's own text where the table is untouched, else one made from parts.

use std::collections::BTreeSet;

use longshore_model::catalog::{Index, NotMoved};
use longshore_model::plan::TablePlan;

use super::not_moved;
use super::table::Making;
use crate::sql::{quote, tokens};

/// Makes the indexes of a table: name and statement, or why there is none.
pub(super) fn make(
    table: &TablePlan,
    making: &Making,
    same: bool,
    names: &mut BTreeSet<String>,
) -> Vec<Result<(String, String), NotMoved>> {
    table
        .structure
        .indexes
        .iter()
        // The source's own text of the table makes them already.
        .filter(|index| !(making.verbatim && index.constraint))
        .map(|index| one(table, index, making.verbatim && same, names))
        .collect()
}

fn one(
    table: &TablePlan,
    index: &Index,
    untouched: bool,
    names: &mut BTreeSet<String>,
) -> Result<(String, String), NotMoved> {
    let name = &table.target.name;
    if let Some(native) = index.native.as_ref().filter(|_| untouched) {
        names.insert(index.name.to_lowercase());
        return Ok((index.name.clone(), renamed(native, table)));
    }
    let columns: Option<Vec<&str>> =
        index.parts.iter().map(|part| part.column.as_deref()).collect();
    let columns = columns.filter(|_| index.condition.is_none()).ok_or_else(|| {
        let reason = "it has an expression or a condition, which cannot be kept here";
        not_moved("index", &index.name, reason.to_string())
    })?;
    let wanted = if index.constraint || index.name.starts_with("sqlite_") {
        format!("{name}_{}_key", columns.join("_"))
    } else {
        index.name.clone()
    };
    let free = free_name(&wanted, name, names);
    let parts: Vec<String> = index
        .parts
        .iter()
        .zip(&columns)
        .map(|(part, column)| {
            format!("{}{}", quote(column), if part.descending { " DESC" } else { "" })
        })
        .collect();
    let unique = if index.unique { "UNIQUE " } else { "" };
    let sql =
        format!("CREATE {unique}INDEX {} ON {} ({})", quote(&free), quote(name), parts.join(", "));
    Ok((free, sql))
}

/// Tables and indexes share one space of names, which are the same in upper and lower case.
fn free_name(wanted: &str, table: &str, names: &mut BTreeSet<String>) -> String {
    let candidates = std::iter::once(wanted.to_string())
        .chain(std::iter::once(format!("{table}_{wanted}")))
        .chain((2_u64..).map(|number| format!("{table}_{wanted}_{number}")));
    candidates
        .into_iter()
        .find(|name| names.insert(name.to_lowercase()))
        .expect("the candidates do not end")
}

/// The source's text for the target's table.
fn renamed(native: &str, table: &TablePlan) -> String {
    if table.source == table.target {
        return native.to_string();
    }
    let words = tokens(native);
    let written = words.iter().position(|word| word.is("ON")).and_then(|on| words.get(on + 1));
    match written {
        Some(word) => format!(
            "{}{}{}",
            &native[..word.span.start],
            quote(&table.target.name),
            &native[word.span.end..]
        ),
        None => native.to_string(),
    }
}
