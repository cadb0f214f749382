//! Keys, indexes and foreign keys of the catalog.

use std::collections::HashMap;

use longshore_model::Result;
use longshore_model::catalog::{ForeignKey, Index, IndexPart, TableName};
use mysql_async::{Conn, Row};

use super::{DOING, by_table};
use crate::flavor::Flavor;
use crate::session::{cell, number, rows};

/// The primary key of a table and its other indexes.
pub(super) type Keys = (Vec<String>, Vec<Index>);

/// The keys of every table.
pub(super) async fn all(conn: &mut Conn, flavor: Flavor) -> Result<HashMap<String, Keys>> {
    // Indexes over expressions exist in MySQL alone, since version 8.0.13.
    let expression = match flavor == Flavor::MySql && has_expressions(conn).await? {
        true => "EXPRESSION",
        false => "NULL",
    };
    let query = format!(
        "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, COLLATION, SUB_PART, INDEX_TYPE, \
         {expression} FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() \
         ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
    );
    let listed = by_table(rows(conn, DOING, &query).await?);
    Ok(listed.into_iter().map(|(table, rows)| (table, of_table(&rows))).collect())
}

async fn has_expressions(conn: &mut Conn) -> Result<bool> {
    let query = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE \
                 TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'STATISTICS' AND \
                 COLUMN_NAME = 'EXPRESSION'";
    let found = rows(conn, DOING, query).await?;
    Ok(found.first().is_some_and(|row| number(row, 0) > 0))
}

fn of_table(rows: &[Row]) -> Keys {
    let text = |row: &Row, at: usize| cell(row, at).unwrap_or_default();
    let (mut primary, mut indexes): (Vec<String>, Vec<Index>) = (Vec::new(), Vec::new());
    for row in rows {
        let name = text(row, 1);
        if name == "PRIMARY" {
            primary.extend(cell(row, 3));
            continue;
        }
        let unique = number(row, 2) == 0;
        if indexes.last().is_none_or(|last| last.name != name) {
            // Other systems have another index for these.
            let kind = text(row, 6);
            let native = (kind != "BTREE" && kind != "HASH").then_some(kind);
            indexes.push(Index {
                name: name.clone(),
                parts: Vec::new(),
                unique,
                constraint: unique,
                condition: None,
                native,
            });
        }
        let Some(index) = indexes.last_mut() else { continue };
        // A unique index over the beginning of a text is none over the text.
        let prefix = cell(row, 5).is_some();
        let column = cell(row, 3).filter(|_| !(prefix && unique));
        index.constraint &= column.is_some();
        index.parts.push(IndexPart { column, descending: text(row, 4) == "D" });
    }
    (primary, indexes)
}

/// The foreign keys of every table.
pub(super) async fn foreign(
    conn: &mut Conn,
    database: &str,
) -> Result<HashMap<String, Vec<ForeignKey>>> {
    let listed = by_table(rows(conn, DOING, FOREIGN).await?);
    let text = |row: &Row, at: usize| cell(row, at).unwrap_or_default();
    Ok(listed
        .into_iter()
        .map(|(table, rows)| {
            let mut keys: Vec<(String, ForeignKey)> = Vec::new();
            for row in &rows {
                let name = text(row, 1);
                if keys.last().is_none_or(|(last, _)| *last != name) {
                    let namespace = Some(text(row, 3)).filter(|other| other != database);
                    let references = TableName { namespace, name: text(row, 4) };
                    let key = ForeignKey {
                        columns: Vec::new(),
                        references,
                        referenced: Vec::new(),
                        on_delete: text(row, 6),
                        on_update: text(row, 7),
                        deferred: false,
                    };
                    keys.push((name, key));
                }
                if let Some((_, key)) = keys.last_mut() {
                    key.columns.push(text(row, 2));
                    key.referenced.push(text(row, 5));
                }
            }
            (table, keys.into_iter().map(|(_, key)| key).collect())
        })
        .collect())
}

const FOREIGN: &str = "SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, \
    k.REFERENCED_TABLE_SCHEMA, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, \
    r.DELETE_RULE, r.UPDATE_RULE FROM information_schema.KEY_COLUMN_USAGE k \
    JOIN information_schema.REFERENTIAL_CONSTRAINTS r \
    ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
    AND r.TABLE_NAME = k.TABLE_NAME \
    WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL \
    ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION";
