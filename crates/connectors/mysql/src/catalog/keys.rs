//! Keys, indexes and foreign keys of the catalog.

use std::collections::HashMap;

use longshore_dialect::{Relation, read_expression};
use longshore_model::Result;
use longshore_model::catalog::{Column, Common, ForeignKey, Index, IndexPart, Program, TableName};
use mysql_async::{Conn, Row};

use super::{DOING, by_table, part};
use crate::dialect::{self, SQL};
use crate::flavor::Flavor;
use crate::session::{cell, number, rows};
use crate::sql::unescaped;

/// The keys of a table.
#[derive(Default)]
pub(super) struct Keys {
    /// The columns of the primary key.
    pub(super) primary: Vec<String>,
    /// The other indexes that every system has.
    pub(super) indexes: Vec<Index>,
    /// Those that only the same dialect has.
    pub(super) own: Vec<Program>,
}

/// The keys of every table.
pub(super) async fn all(
    conn: &mut Conn,
    flavor: Flavor,
    columns: &HashMap<String, Vec<Column>>,
) -> Result<HashMap<String, Keys>> {
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
    let of_table = |(table, rows): (String, Vec<Row>)| {
        let relation = columns.get(&table).map(|columns| dialect::source(&table, columns));
        (table.clone(), of_table(&table, &rows, relation))
    };
    Ok(listed.into_iter().map(of_table).collect())
}

async fn has_expressions(conn: &mut Conn) -> Result<bool> {
    let query = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE \
                 TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'STATISTICS' AND \
                 COLUMN_NAME = 'EXPRESSION'";
    let found = rows(conn, DOING, query).await?;
    Ok(found.first().is_some_and(|row| number(row, 0) > 0))
}

fn of_table(table: &str, rows: &[Row], relation: Option<Relation>) -> Keys {
    let text = |row: &Row, at: usize| cell(row, at).unwrap_or_default();
    let mut keys = Keys::default();
    for rows in rows.chunk_by(|one, two| text(one, 1) == text(two, 1)) {
        let name = text(&rows[0], 1);
        if name == "PRIMARY" {
            keys.primary = rows.iter().filter_map(|row| cell(row, 3)).collect();
            continue;
        }
        let unique = number(&rows[0], 2) == 0;
        let prefix = rows.iter().any(|row| cell(row, 5).is_some());
        let kind = match text(&rows[0], 6).as_str() {
            "BTREE" | "HASH" if prefix && unique => "unique index over beginnings of texts",
            "BTREE" | "HASH" if prefix => "index over beginnings of texts",
            "BTREE" | "HASH" => {
                keys.indexes.push(index(name, unique, rows, relation.as_ref()));
                continue;
            }
            "FULLTEXT" => "full-text index",
            "SPATIAL" => "spatial index",
            _ => "index of a kind of its own",
        };
        keys.own.push(part(kind, &format!("{table}.{name}"), table, ""));
    }
    keys
}

fn index(name: String, unique: bool, rows: &[Row], table: Option<&Relation>) -> Index {
    let part = |row: &Row| IndexPart {
        column: cell(row, 3),
        descending: cell(row, 4).as_deref() == Some("D"),
        // The server shows the text as a literal would have it.
        common: cell(row, 7).map(|text| match table {
            Some(table) => read_expression(&SQL, table, &unescaped(&text), !unique),
            None => Common::Refused("it has an expression".to_string()),
        }),
    };
    let parts: Vec<IndexPart> = rows.iter().map(part).collect();
    let constraint = unique && parts.iter().all(|part| part.column.is_some());
    Index { name, parts, unique, constraint, condition: None, common: None, native: None }
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
