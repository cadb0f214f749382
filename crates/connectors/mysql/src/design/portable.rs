//! Tables from the plan's columns: what any system's structure becomes.

use std::collections::HashSet;

use longshore_model::LogicalType;
use longshore_model::catalog::{Column, Index, NotMoved, TableName};
use longshore_model::connector::Design;
use longshore_model::plan::{ColumnPlan, Statement, TablePlan};

use super::{LONGEST_NAME, step};
use crate::flavor::Flavor;
use crate::sql::{list, literal, quote, text_of_standard};
use crate::types;

/// The longest key, in bytes, and the bytes that a character may take.
const KEY_BYTES: usize = 3072;
const CHARACTER_BYTES: usize = 4;

/// The most characters of a text that is part of a key.
const LONGEST_KEY_TEXT: usize = 255;

/// Makes a table and what follows its load.
pub(super) fn make(
    number: usize,
    table: &TablePlan,
    tables: &[TablePlan],
    flavor: Flavor,
    same: bool,
    design: &mut Design,
) {
    let keyed = Keyed::of(table, tables);
    let name = quote(&table.target.name);
    let mut lines: Vec<String> = Vec::with_capacity(table.columns.len() + 1);
    for column in &table.columns {
        lines.push(line(table, column, &keyed, same, design));
    }
    let structure = &table.structure;
    if !structure.primary_key.is_empty() {
        lines.push(format!("PRIMARY KEY ({})", list(&structure.primary_key)));
    }
    design.prepare.push(Statement {
        table: Some(number),
        step: 0,
        purpose: format!("table {}", table.target),
        sql: format!(
            "CREATE TABLE {name} (\n  {}\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE={}",
            lines.join(",\n  "),
            flavor.exact_collation()
        ),
    });
    let keys: Vec<String> = structure
        .indexes
        .iter()
        .filter_map(|index| match key(index, table, &keyed) {
            Ok(key) => Some(format!("ADD {key}")),
            Err(reason) => {
                design.not_moved.push(left("index", &index.name, reason));
                None
            }
        })
        .collect();
    if !keys.is_empty() {
        design.finish.push(Statement {
            table: Some(number),
            step: step::KEYS,
            purpose: format!("indexes of {}", table.target),
            sql: format!("ALTER TABLE {name} {}", keys.join(", ")),
        });
    }
    foreign_keys(number, table, design);
}

fn left(kind: &str, name: &str, reason: &str) -> NotMoved {
    NotMoved { kind: kind.to_string(), name: name.to_string(), reason: reason.to_string() }
}

/// The declaration of a column.
fn line(
    table: &TablePlan,
    column: &ColumnPlan,
    keyed: &Keyed,
    same: bool,
    design: &mut Design,
) -> String {
    let mut line = format!("{} {}", quote(&column.target), keyed.declare(column));
    let Some(described) = table.structure.column(&column.target) else { return line };
    if same
        && types::is_text(&column.native)
        && let Some(collation) = &described.collation
    {
        line += &format!(" COLLATE {collation}");
    }
    let is_key = table.structure.primary_key.contains(&column.target);
    line += if described.nullable && !is_key { " NULL" } else { " NOT NULL" };
    let first = table.structure.primary_key.first() == Some(&column.target);
    if described.increments && first && matches!(column.to, LogicalType::Int { .. }) {
        return line + " AUTO_INCREMENT";
    }
    match default(described, column, same) {
        Ok(Some(default)) => line += &format!(" DEFAULT {default}"),
        Ok(None) => {}
        Err(reason) => {
            let name = format!("{}.{}", table.target, column.target);
            design.not_moved.push(left("default", &name, reason));
        }
    }
    if !described.values.is_empty() && types::word(&column.native) != "enum" {
        let values: Vec<String> = described.values.iter().map(|text| literal(text)).collect();
        line += &format!(" CHECK ({} IN ({}))", quote(&column.target), values.join(", "));
    }
    line
}

/// The default of a column, where it means the same here.
fn default(
    described: &Column,
    column: &ColumnPlan,
    same: bool,
) -> Result<Option<String>, &'static str> {
    const OTHER: &str = "its text is of another system; set it anew";
    let Some(text) = described.default.as_deref().map(str::trim) else { return Ok(None) };
    let upper = text.to_ascii_uppercase();
    if upper == "NULL" {
        return Ok(None);
    }
    if same {
        return if column.native == column.declared {
            Ok(Some(text_of_standard(text).map_or_else(|| text.to_string(), |text| literal(&text))))
        } else {
            Err(OTHER)
        };
    }
    let number = text.parse::<f64>().is_ok_and(f64::is_finite)
        && text.ends_with(|c: char| c.is_ascii_digit());
    let quoted = text_of_standard(text).map(|text| literal(&text));
    let is_large = matches!(types::word(&column.native), "longtext" | "longblob" | "json");
    // Texts without bounds take expressions only.
    let plain = |text: &str| if is_large { format!("({text})") } else { text.to_string() };
    let now = ["CURRENT_TIMESTAMP", "NOW()", "CURRENT_TIMESTAMP()"].contains(&upper.as_str());
    match column.to {
        LogicalType::Int { .. } | LogicalType::Float { .. } | LogicalType::Decimal { .. }
            if number =>
        {
            Ok(Some(text.to_string()))
        }
        LogicalType::Boolean if matches!(upper.as_str(), "0" | "FALSE") => {
            Ok(Some("0".to_string()))
        }
        LogicalType::Boolean if matches!(upper.as_str(), "1" | "TRUE") => Ok(Some("1".to_string())),
        LogicalType::Text if let Some(quoted) = &quoted => Ok(Some(plain(quoted))),
        LogicalType::Timestamp { .. } if now && types::word(&column.native) == "datetime" => {
            Ok(Some("CURRENT_TIMESTAMP(6)".to_string()))
        }
        _ => Err(OTHER),
    }
}

/// The columns of a table that are in keys, which bounds them.
struct Keyed {
    columns: HashSet<String>,
    characters: usize,
}

impl Keyed {
    fn of(table: &TablePlan, tables: &[TablePlan]) -> Self {
        let structure = &table.structure;
        let mut lists: Vec<Vec<String>> = vec![structure.primary_key.clone()];
        lists.extend(
            structure
                .indexes
                .iter()
                .filter(|index| index.unique)
                .map(|index| index.parts.iter().filter_map(|part| part.column.clone()).collect()),
        );
        lists.extend(structure.foreign_keys.iter().map(|key| key.columns.clone()));
        let refers = |target: &TableName| *target == table.target;
        lists.extend(tables.iter().flat_map(|other| {
            let keys = other.structure.foreign_keys.iter();
            keys.filter(|key| refers(&key.references)).map(|key| key.referenced.clone())
        }));
        let most = lists.iter().map(Vec::len).max().unwrap_or(1).max(1);
        let characters = LONGEST_KEY_TEXT.min(KEY_BYTES / CHARACTER_BYTES / most);
        Self { columns: lists.into_iter().flatten().collect(), characters }
    }

    /// The declaration of a column: texts in keys have a bound.
    fn declare(&self, column: &ColumnPlan) -> String {
        match (self.columns.contains(&column.target), column.native.as_str()) {
            (true, "longtext") => format!("varchar({})", self.characters),
            (true, "longblob") => format!("varbinary({})", self.characters * CHARACTER_BYTES),
            (_, native) => native.to_string(),
        }
    }
}

/// An index.
fn key(index: &Index, table: &TablePlan, keyed: &Keyed) -> Result<String, &'static str> {
    if index.condition.is_some() {
        return Err("it has a condition, which MySQL and MariaDB do not know");
    }
    let parts = index
        .parts
        .iter()
        .map(|part| {
            let name = part.column.as_ref()?;
            let column = table.columns.iter().find(|column| column.target == *name)?;
            let declared = keyed.declare(column);
            let large = matches!(types::word(&declared), "longtext" | "longblob" | "json");
            let length = if large {
                format!("({})", LONGEST_KEY_TEXT.min(keyed.characters))
            } else {
                String::new()
            };
            Some(format!("{}{length}{}", quote(name), if part.descending { " DESC" } else { "" }))
        })
        .collect::<Option<Vec<String>>>()
        .ok_or("it has an expression of another system; make it anew")?;
    let unique = if index.unique { "UNIQUE " } else { "" };
    let own = !index.name.is_empty() && index.name.chars().count() <= LONGEST_NAME;
    let name = if own { quote(&index.name) + " " } else { String::new() };
    Ok(format!("{unique}INDEX {name}({})", parts.join(", ")))
}

fn foreign_keys(number: usize, table: &TablePlan, design: &mut Design) {
    for foreign in &table.structure.foreign_keys {
        if foreign.referenced.is_empty() {
            let name = format!("{} → {}", table.target, foreign.references);
            let reason = "it does not say which columns it refers to";
            design.not_moved.push(left("foreign key", &name, reason));
            continue;
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
                list(&foreign.referenced)
            ),
        });
    }
}
