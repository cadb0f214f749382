//! Foreign keys: made at once, their rows checked by queries. A server that checks while it makes one
//! copies the whole table.

use longshore_model::catalog::ForeignKey;
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};

use super::portable::left;
use super::step;
use crate::sql::{list, quote};

/// The foreign keys of a table that is made from its structure.
pub(super) fn keys(number: usize, table: &TablePlan, tables: &[TablePlan], design: &mut Design) {
    for foreign in &table.structure.foreign_keys {
        let Some(referenced) = referenced(foreign, tables) else {
            let name = format!("{} → {}", table.target, foreign.references);
            let reason = "it does not say which columns it refers to";
            design.not_moved.push(left("foreign key", &name, reason));
            continue;
        };
        let name = || format!("{} → {}", table.target, foreign.references);
        if foreign.deferred {
            let reason = "it is checked with each statement here, and not at commit";
            design.not_moved.push(left("deferral of a foreign key", &name(), reason));
        }
        if [&foreign.on_delete, &foreign.on_update].iter().any(|one| *one == "SET DEFAULT") {
            let reason = "InnoDB has no SET DEFAULT: rows that are referred to are kept";
            design.not_moved.push(left("action of a foreign key", &name(), reason));
        }
        let actions = [("DELETE", &foreign.on_delete), ("UPDATE", &foreign.on_update)]
            .into_iter()
            .filter(|(_, action)| matches!(action.as_str(), "CASCADE" | "RESTRICT" | "SET NULL"))
            .map(|(event, action)| format!(" ON {event} {action}"))
            .collect::<String>();
        design.finish.push(Statement {
            table: Some(number),
            step: step::FOREIGN_KEYS,
            purpose: format!("foreign key of {}", table.target),
            sql: format!(
                "ALTER TABLE {} ADD FOREIGN KEY ({}) REFERENCES {} ({}){actions}",
                quote(&table.target.name),
                list(&foreign.columns),
                quote(&foreign.references.name),
                list(referenced)
            ),
        });
    }
}

/// Queries that find a row of a table for which there is none that it refers to.
pub(super) fn checks(number: usize, table: &TablePlan, tables: &[TablePlan], design: &mut Design) {
    for foreign in &table.structure.foreign_keys {
        let Some(referenced) = referenced(foreign, tables) else { continue };
        let there: Vec<String> =
            foreign.columns.iter().map(|name| format!("c.{} IS NOT NULL", quote(name))).collect();
        let same: Vec<String> = referenced
            .iter()
            .zip(&foreign.columns)
            .map(|(parent, child)| format!("p.{} = c.{}", quote(parent), quote(child)))
            .collect();
        design.finish.push(Statement {
            table: Some(number),
            step: step::FOREIGN_KEY_CHECKS,
            purpose: format!("check of {} → {}", table.target, foreign.references),
            sql: format!(
                "SELECT 1 FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT 1",
                quote(&table.target.name),
                there.join(" AND "),
                quote(&foreign.references.name),
                same.join(" AND ")
            ),
        });
    }
}

/// The columns that a foreign key refers to.
fn referenced<'a>(foreign: &'a ForeignKey, tables: &'a [TablePlan]) -> Option<&'a [String]> {
    if !foreign.referenced.is_empty() {
        return Some(&foreign.referenced);
    }
    let other = tables.iter().find(|other| other.target == foreign.references)?;
    let key = &other.structure.primary_key;
    (key.len() == foreign.columns.len()).then_some(key)
}
