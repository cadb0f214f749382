//! `CREATE INDEX`: the source's own text where the table is untouched, else one made from parts.

use std::collections::BTreeSet;

use longshore_dialect::{Relation, write_condition, write_expression};
use longshore_model::catalog::{Common, Index, IndexPart, NotMoved};
use longshore_model::plan::TablePlan;

use super::not_moved;
use super::table::Making;
use crate::dialect::{self, SQL};
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
    let left = |reason: String| not_moved("index", &index.name, format!("{reason}; make it anew"));
    let relation = dialect::target(table);
    let parts = index.parts.iter().map(|part| part_of(part, index.unique, &relation));
    let parts = parts.collect::<Result<Vec<String>, String>>().map_err(left)?;
    let condition = where_of(index, &relation).map_err(left)?;
    let wanted = if index.constraint || index.name.starts_with("sqlite_") {
        let columns: Vec<&str> =
            index.parts.iter().filter_map(|part| part.column.as_deref()).collect();
        format!("{name}_{}_key", columns.join("_"))
    } else {
        index.name.clone()
    };
    let free = free_name(&wanted, name, names);
    let unique = if index.unique { "UNIQUE " } else { "" };
    let (own, on, parts) = (quote(&free), quote(name), parts.join(", "));
    Ok((free, format!("CREATE {unique}INDEX {own} ON {on} ({parts}){condition}")))
}

/// A column or an expression of an index.
fn part_of(part: &IndexPart, unique: bool, table: &Relation) -> Result<String, String> {
    let text = match (&part.column, &part.common) {
        (Some(column), _) => quote(column),
        (None, Some(Common::Sql(common))) => {
            let written = write_expression(&SQL, table, common, !unique);
            written.map_err(|refusal| refusal.to_string())?.0
        }
        (None, Some(Common::Refused(reason))) => return Err(reason.clone()),
        (None, None) => return Err("it has an expression of another system".to_string()),
    };
    Ok(if part.descending { text + " DESC" } else { text })
}

/// The condition of an index.
fn where_of(index: &Index, table: &Relation) -> Result<String, String> {
    match (&index.condition, &index.common) {
        (None, _) => Ok(String::new()),
        (Some(_), Some(Common::Sql(common))) => {
            let written = write_condition(&SQL, table, common);
            Ok(format!(" WHERE {}", written.map_err(|refusal| refusal.to_string())?))
        }
        (Some(_), Some(Common::Refused(reason))) => Err(reason.clone()),
        (Some(_), None) => Err("its condition is of another system".to_string()),
    }
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
