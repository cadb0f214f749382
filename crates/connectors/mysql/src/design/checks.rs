//! Checks, added when the rows are there.

use std::collections::HashMap;

use longshore_dialect::{Relation, columns, write_condition};
use longshore_model::catalog::{Check, Common};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};

use super::portable::left;
use super::{LONGEST_NAME, step};
use crate::dialect::{self, SQL};
use crate::flavor::Flavor;
use crate::sql::quote;

/// How many checks have each name.
pub(super) type Names<'a> = HashMap<&'a str, u32>;

/// The names of all checks: MySQL wants them to differ in a whole database.
pub(super) fn names(tables: &[TablePlan]) -> Names<'_> {
    let mut names = Names::new();
    for check in tables.iter().flat_map(|table| &table.structure.checks) {
        *names.entry(check.name.as_str()).or_default() += 1;
    }
    names
}

/// Adds the checks of a table that mean the same here.
pub(super) fn make(
    number: usize,
    table: &TablePlan,
    flavor: Flavor,
    names: &Names<'_>,
    design: &mut Design,
) {
    let relation = dialect::target(table);
    let mut added = Vec::new();
    for (at, check) in table.structure.checks.iter().enumerate() {
        match condition(check, table, &relation, flavor) {
            Ok(condition) => {
                let called = called(check, table, names, at);
                added.push(format!("ADD {called}CHECK ({condition})"));
            }
            Err(reason) => {
                let name = format!("{}.{}", table.target, check.name);
                let reason = format!("{reason}; write it anew for {}", flavor.title());
                design.not_moved.push(left("check", &name, &reason));
            }
        }
    }
    if !added.is_empty() {
        design.finish.push(Statement {
            table: Some(number),
            step: step::CHECKS,
            purpose: format!("checks of {}", table.target),
            sql: format!("ALTER TABLE {} {}", quote(&table.target.name), added.join(", ")),
        });
    }
}

/// What a check says here, or why it cannot be.
fn condition(
    check: &Check,
    table: &TablePlan,
    relation: &Relation,
    flavor: Flavor,
) -> Result<String, String> {
    let common = match &check.common {
        Common::Sql(common) => common,
        Common::Refused(reason) => return Err(reason.clone()),
    };
    let condition =
        write_condition(&SQL, relation, common).map_err(|refusal| refusal.to_string())?;
    match unnamed(common, table, flavor) {
        Some(reason) => Err(reason),
        None => Ok(condition),
    }
}

/// Why the columns that an expression names may not be named by a check or a generated column.
pub(super) fn unnamed(common: &str, table: &TablePlan, flavor: Flavor) -> Option<String> {
    let named: Vec<&str> = columns(common)
        .iter()
        .filter_map(|name| table.columns.iter().find(|column| column.source == *name))
        .map(|column| column.target.as_str())
        .collect();
    let numbers = |name: &&&str| {
        table.structure.column(name).is_some_and(|column| column.increments)
            && table.structure.primary_key.first().is_some_and(|first| first == **name)
    };
    if let Some(name) = named.iter().find(numbers) {
        return Some(format!("{name} numbers rows, and no expression may name such a column"));
    }
    let changes = |name: &&&str| {
        let acts = |action: &str| matches!(action, "CASCADE" | "SET NULL");
        let mut keys = table.structure.foreign_keys.iter();
        keys.any(|key| {
            key.columns.iter().any(|column| column == **name)
                && (acts(&key.on_delete) || acts(&key.on_update))
        })
    };
    match named.iter().find(changes) {
        Some(name) if flavor == Flavor::MySql => {
            Some(format!("a foreign key changes {name}, and no expression may name such a column"))
        }
        _ => None,
    }
}

fn called(check: &Check, table: &TablePlan, names: &Names<'_>, at: usize) -> String {
    let own = &table.target.name;
    let name = match names.get(check.name.as_str()) {
        _ if check.name.is_empty() => format!("{own}_check_{}", at + 1),
        Some(2..) => format!("{own}_{}", check.name),
        _ => check.name.clone(),
    };
    match name.chars().count() <= LONGEST_NAME {
        true => format!("CONSTRAINT {} ", quote(&name)),
        false => String::new(),
    }
}
