//! Tables from the plan's columns: what any system's structure becomes.

use longshore_model::LogicalType;
use longshore_model::catalog::{Column, NotMoved};
use longshore_model::connector::Design;
use longshore_model::plan::{ColumnPlan, Statement, TablePlan};

use super::{LONGEST_NAME, Turns, step};
use crate::sql::{self, quote};

/// The statement that makes a table, without what follows the load.
pub(super) fn create(table: &TablePlan, same: bool, schema: &str, design: &mut Design) -> String {
    let lines: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let mut line = format!("{} {}", quote(&column.target), column.native);
            let Some(described) = table.structure.column(&column.target) else { return line };
            match default(described, column, same) {
                Ok(Some(default)) => line += &format!(" DEFAULT {default}"),
                Ok(None) => {}
                Err(reason) => design.not_moved.push(NotMoved {
                    kind: "default".to_string(),
                    name: format!("{}.{}", table.target, column.target),
                    reason: reason.to_string(),
                }),
            }
            if !described.nullable {
                line += " NOT NULL";
            }
            line
        })
        .collect();
    format!(
        "CREATE TABLE {} (\n    {}\n)",
        sql::table(&table.target, schema),
        lines.join(",\n    ")
    )
}

/// The default of a column, where it means the same here.
fn default(
    described: &Column,
    column: &ColumnPlan,
    same: bool,
) -> Result<Option<String>, &'static str> {
    let Some(text) = described.default.as_deref().map(str::trim) else { return Ok(None) };
    if same {
        return match column.native == column.declared {
            true => Ok(Some(text.to_string())),
            false => Err("its column has another type now"),
        };
    }
    let number = text.parse::<f64>().is_ok() && text.ends_with(|c: char| c.is_ascii_digit());
    let quoted = text.len() >= 2
        && text.starts_with('\'')
        && text.ends_with('\'')
        && !text[1..text.len() - 1].replace("''", "").contains(['\'', '\\']);
    let takes_numbers = matches!(
        column.to,
        LogicalType::Int { .. }
            | LogicalType::Float { .. }
            | LogicalType::Decimal { .. }
            | LogicalType::Number
    );
    match column.to {
        _ if text.eq_ignore_ascii_case("null") => Ok(None),
        _ if number && takes_numbers => Ok(Some(text.to_string())),
        LogicalType::Text if quoted => Ok(Some(text.to_string())),
        LogicalType::Boolean if matches!(text, "0" | "1") => Ok(Some((text == "1").to_string())),
        LogicalType::Timestamp { .. } if text.eq_ignore_ascii_case("current_timestamp") => {
            Ok(Some("CURRENT_TIMESTAMP".to_string()))
        }
        _ => Err("its text is of another system; set it anew for PostgreSQL"),
    }
}

/// Keys and indexes of a table.
pub(super) fn finish(
    number: usize,
    table: &TablePlan,
    same: bool,
    schema: &str,
    turns: &mut Turns,
    design: &mut Design,
) {
    let name = sql::table(&table.target, schema);
    let structure = &table.structure;
    let mut add = |step, purpose: String, sql| {
        design.finish.push(Statement { table: Some(number), step, purpose, sql });
    };
    if !structure.primary_key.is_empty() {
        let sql = format!("ALTER TABLE {name} ADD PRIMARY KEY ({})", list(&structure.primary_key));
        add(step::KEYS, format!("key of {}", table.target), sql);
    }
    let mut left = Vec::new();
    for index in &structure.indexes {
        let plain: Option<Vec<String>> = index
            .parts
            .iter()
            .map(|part| {
                let column = quote(part.column.as_ref()?);
                Some(if part.descending { column + " DESC NULLS LAST" } else { column })
            })
            .collect();
        let reason = match (&plain, &index.condition) {
            (None, _) => "it has an expression of another system; make it anew",
            (_, Some(_)) if !same => "its condition is of another system; make it anew",
            (Some(parts), condition) => {
                let mut at = step::INDEXES;
                let condition =
                    condition.as_ref().map(|text| format!(" WHERE {text}")).unwrap_or_default();
                let sql = if index.constraint && condition.is_empty() {
                    at = step::KEYS;
                    format!(
                        "ALTER TABLE {name} ADD UNIQUE ({})",
                        parts.join(", ").replace(" DESC NULLS LAST", "")
                    )
                } else {
                    let unique = if index.unique { "UNIQUE " } else { "" };
                    // A name of its own would have to be free in the whole schema.
                    let own = index.name.len() <= LONGEST_NAME && !index.name.is_empty();
                    let called = if own { quote(&index.name) + " " } else { String::new() };
                    format!(
                        "CREATE {unique}INDEX {called}ON {name} ({}){condition}",
                        parts.join(", ")
                    )
                };
                add(at, format!("index {}", index.name), sql);
                continue;
            }
        };
        left.push(NotMoved {
            kind: "index".to_string(),
            name: index.name.clone(),
            reason: reason.to_string(),
        });
    }
    for foreign in &structure.foreign_keys {
        let to = sql::table(&foreign.references, schema);
        let referenced = match foreign.referenced.is_empty() {
            true => String::new(),
            false => format!(" ({})", list(&foreign.referenced)),
        };
        let actions = [("DELETE", &foreign.on_delete), ("UPDATE", &foreign.on_update)]
            .into_iter()
            .filter(|(_, action)| {
                matches!(action.as_str(), "CASCADE" | "RESTRICT" | "SET NULL" | "SET DEFAULT")
            })
            .map(|(event, action)| format!(" ON {event} {action}"))
            .collect::<String>();
        let deferred = if foreign.deferred { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
        let sql = format!(
            "ALTER TABLE {name} ADD FOREIGN KEY ({}) REFERENCES {to}{referenced}{actions}{deferred}",
            list(&foreign.columns)
        );
        add(turns.next(&[&name, &to]), format!("foreign key of {}", table.target), sql);
    }
    design.not_moved.extend(left);
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}
