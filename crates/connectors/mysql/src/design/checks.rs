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

#[cfg(test)]
mod tests {
    use super::{make, names};
    use crate::flavor::Flavor;
    use crate::types::map_column;
    use longshore_model::LogicalType;
    use longshore_model::catalog::{Check, Column, Common, ForeignKey, Table, TableName};
    use longshore_model::connector::Design;
    use longshore_model::plan::{ColumnPlan, TablePlan};

    /// A table with a key that numbers its rows, a column that a foreign key changes, and another.
    fn table(name: &str, checks: &[(&str, &str)]) -> TablePlan {
        let column = |name: &str| Column::new(name, LogicalType::INT64);
        let columns =
            vec![Column { increments: true, ..column("id") }, column("parent"), column("n")];
        let planned = |column: &Column| {
            let mapping = map_column(column, Flavor::MySql);
            ColumnPlan {
                source: column.name.clone(),
                target: column.name.clone(),
                from: column.logical.clone(),
                to: mapping.logical,
                native: mapping.native,
                declared: String::new(),
                mask: None,
                guards: Vec::new(),
                computed: false,
            }
        };
        let check = |(name, common): &(&str, &str)| Check {
            name: name.to_string(),
            common: Common::Sql(common.to_string()),
        };
        let words = |text: &str| text.to_string();
        TablePlan {
            source: TableName::plain(name),
            target: TableName::plain(name),
            columns: columns.iter().map(planned).collect(),
            described: Vec::new(),
            wire: None,
            filter: None,
            rows: 0,
            bytes: 0,
            key: Vec::new(),
            structure: Table {
                name: TableName::plain(name),
                columns,
                primary_key: vec![words("id")],
                indexes: Vec::new(),
                foreign_keys: vec![ForeignKey {
                    columns: vec![words("parent")],
                    references: TableName::plain("up"),
                    referenced: vec![words("id")],
                    on_delete: words("SET NULL"),
                    on_update: words("NO ACTION"),
                    deferred: false,
                }],
                checks: checks.iter().map(check).collect(),
                native: None,
                rows_elsewhere: false,
                comment: None,
                attributes: Default::default(),
            },
            chunks: Vec::new(),
        }
    }

    #[test]
    fn checks_are_added_together_and_named_where_no_server_takes_them() {
        let tables = [
            table("t", &[("up", r#""n" > 0"#), ("", r#""n" < 9"#), ("key", r#""id" > 0"#)]),
            table("u", &[("up", r#""n" > 0"#), ("child", r#""parent" > 0"#)]),
        ];
        let names = names(&tables);
        for (flavor, second) in [
            (Flavor::MySql, "ALTER TABLE `u` ADD CONSTRAINT `u_up` CHECK (`n` > 0)"),
            (
                Flavor::MariaDb,
                "ALTER TABLE `u` ADD CONSTRAINT `u_up` CHECK (`n` > 0), \
                 ADD CONSTRAINT `child` CHECK (`parent` > 0)",
            ),
        ] {
            let mut design = Design::default();
            for (number, table) in tables.iter().enumerate() {
                make(number, table, flavor, &names, &mut design);
            }
            let sql: Vec<&str> = design.finish.iter().map(|one| one.sql.as_str()).collect();
            let first = "ALTER TABLE `t` ADD CONSTRAINT `t_up` CHECK (`n` > 0), \
                         ADD CONSTRAINT `t_check_2` CHECK (`n` < 9)";
            assert_eq!(sql, [first, second], "{flavor:?}");
            let left: Vec<&str> = design.not_moved.iter().map(|one| one.name.as_str()).collect();
            let expected: &[&str] =
                if flavor == Flavor::MySql { &["t.key", "u.child"] } else { &["t.key"] };
            assert_eq!(left, expected, "{flavor:?}");
        }
    }
}
