//! Columns of the catalog.

use std::collections::HashMap;

use longshore_model::catalog::{Column, Generated, Program};
use longshore_model::{LogicalType, Result};
use mysql_async::{Conn, Row};

use super::{DOING, by_table, checks, is_json_check, part};
use crate::flavor::Flavor;
use crate::session::{cell, rows};
use crate::sql::{standard_literal, text_of, unescaped};
use crate::types;

const COLUMNS: &str = "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, \
    EXTRA, GENERATION_EXPRESSION, COLLATION_NAME, COLUMN_COMMENT \
    FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() \
    ORDER BY TABLE_NAME, ORDINAL_POSITION";

/// The columns of every table and view, and what only the same dialect has of them.
pub(super) async fn all(
    conn: &mut Conn,
    flavor: Flavor,
) -> Result<(HashMap<String, Vec<Column>>, Vec<Program>)> {
    let listed = rows(conn, DOING, COLUMNS).await?;
    let own = listed.iter().flat_map(own).collect();
    let listed = by_table(listed);
    // Before version 8.0.16, MySQL has neither checks nor a table of them.
    let checks = match flavor {
        Flavor::MariaDb => by_table(rows(conn, DOING, checks(flavor)).await?),
        Flavor::MySql => HashMap::new(),
    };
    let is_json = |table: &str, column: &str| {
        checks.get(table).is_some_and(|checks| {
            let check = |row: &Row| cell(row, 2).is_some_and(|text| is_json_check(&text, column));
            checks.iter().any(check)
        })
    };
    let columns = listed
        .into_iter()
        .map(|(table, rows)| {
            let of_row = |row: &Row| {
                let mut column = column(row, flavor);
                if column.native == "longtext" && is_json(&table, &column.name) {
                    column.logical = LogicalType::Json;
                }
                column
            };
            let columns = rows.iter().map(of_row).collect();
            (table, columns)
        })
        .collect();
    Ok((columns, own))
}

/// What no other system has of a column.
fn own(row: &Row) -> Vec<Program> {
    let text = |at: usize| cell(row, at).unwrap_or_default();
    let (extra, mut found) = (text(5), Vec::new());
    let upper = extra.to_ascii_uppercase();
    let name = format!("{}.{}", text(0), text(1));
    let mut add = |kind: &str, native: &str| found.push(part(kind, &name, &text(0), native));
    if let Some(at) = upper.find("ON UPDATE") {
        add("update of a column with its row", &extra[at..]);
    }
    if upper.contains("INVISIBLE") {
        add("hiding of a column", "INVISIBLE");
    }
    found
}

fn column(row: &Row, flavor: Flavor) -> Column {
    let text = |at: usize| cell(row, at).unwrap_or_default();
    let (native, extra) = (text(2), text(5).to_ascii_uppercase());
    let is_generated = extra.contains("VIRTUAL GENERATED")
        || extra.contains("STORED GENERATED")
        || extra.contains("PERSISTENT");
    Column {
        name: text(1),
        logical: types::logical(&native),
        nullable: text(3) == "YES",
        default: match is_generated {
            true => None,
            false => default(cell(row, 4), &native, &extra, flavor),
        },
        generated: is_generated.then(|| Generated {
            expression: match flavor {
                // MySQL shows the text as a literal would have it.
                Flavor::MySql => unescaped(&text(6)),
                Flavor::MariaDb => text(6),
            },
            common: None,
            stored: !extra.contains("VIRTUAL"),
        }),
        collation: cell(row, 7),
        increments: extra.contains("AUTO_INCREMENT"),
        values: types::values(&native),
        length: types::length(&native),
        comment: cell(row, 8).filter(|text| !text.is_empty()),
        native,
    }
}

/// A default as an expression. MySQL tells texts without quotes, and MariaDB expressions.
fn default(told: Option<String>, native: &str, extra: &str, flavor: Flavor) -> Option<String> {
    let told = told?;
    if flavor == Flavor::MariaDb {
        if let Some(text) = text_of(&told) {
            return Some(standard_literal(&text));
        }
        let words = told.replace("current_timestamp()", "CURRENT_TIMESTAMP");
        return (words != "NULL").then_some(words);
    }
    let is_expression = extra.contains("DEFAULT_GENERATED")
        || told.to_ascii_uppercase().starts_with("CURRENT_TIMESTAMP");
    let is_number = matches!(
        types::word(native),
        "tinyint"
            | "smallint"
            | "mediumint"
            | "int"
            | "bigint"
            | "decimal"
            | "float"
            | "double"
            | "year"
            | "bit"
    );
    Some(match is_expression || is_number {
        true => told,
        false => standard_literal(&told),
    })
}

#[cfg(test)]
mod tests {
    use super::default;
    use crate::flavor::Flavor;

    #[test]
    fn defaults_are_expressions() {
        for (told, native, extra, flavor, expected) in [
            (Some("it's"), "varchar(9)", "", Flavor::MySql, Some("'it''s'")),
            (Some("0"), "int", "", Flavor::MySql, Some("0")),
            (Some("0"), "varchar(9)", "", Flavor::MySql, Some("'0'")),
            (Some("b'0'"), "bit(1)", "", Flavor::MySql, Some("b'0'")),
            (Some("uuid()"), "char(36)", "DEFAULT_GENERATED", Flavor::MySql, Some("uuid()")),
            (
                Some("CURRENT_TIMESTAMP(6)"),
                "datetime(6)",
                "DEFAULT_GENERATED",
                Flavor::MySql,
                Some("CURRENT_TIMESTAMP(6)"),
            ),
            (
                Some("0000-00-00 00:00:00"),
                "datetime",
                "",
                Flavor::MySql,
                Some("'0000-00-00 00:00:00'"),
            ),
            (None, "int", "", Flavor::MySql, None),
            (Some("NULL"), "int", "", Flavor::MariaDb, None),
            (Some(r"'it''s \\'"), "varchar(9)", "", Flavor::MariaDb, Some(r"'it''s \'")),
            (Some(r"\"), "varchar(9)", "", Flavor::MySql, Some(r"'\'")),
            (
                Some("current_timestamp()"),
                "datetime",
                "",
                Flavor::MariaDb,
                Some("CURRENT_TIMESTAMP"),
            ),
        ] {
            let found = default(told.map(str::to_string), native, extra, flavor);
            assert_eq!(found.as_deref(), expected, "{told:?} {native}");
        }
    }
}
