//! What a database holds: a few queries over all its tables, and every table's own definition.

mod column;
mod keys;
mod programs;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_dialect::read_generated;
use longshore_model::Result;
use longshore_model::catalog::{Catalog, Column, NotMoved, Program, Table, TableName};
use mysql_async::{Conn, Row};

use self::keys::Keys;
use crate::address::Address;
use crate::dialect::{self, SQL};
use crate::flavor::Flavor;
use crate::ledger;
use crate::session::{cell, rows};
use crate::sql::quote;

/// The attribute with the number from which `AUTO_INCREMENT` goes on.
pub(crate) const NEXT_NUMBER: &str = "auto-increment";

const DOING: &str = "read the catalog";

/// Reads the catalog.
pub(crate) async fn read(conn: &mut Conn, address: &Address) -> Result<Catalog> {
    let flavor = address.flavor;
    let listed = rows(conn, DOING, TABLES).await?;
    let (mut columns, own) = column::all(conn, flavor).await?;
    let mut keys = keys::all(conn, flavor, &columns).await?;
    let mut foreign = keys::foreign(conn, &address.database).await?;
    let mut catalog = Catalog { dialect: flavor.dialect().to_string(), ..Catalog::default() };
    catalog.programs.extend(own);
    let text = |row: &Row, at: usize| cell(row, at).unwrap_or_default();
    for row in &listed {
        let name = text(row, 0);
        match text(row, 1).as_str() {
            "BASE TABLE" | "SYSTEM VERSIONED" if !ledger::is_its_own(&name) => {}
            "SEQUENCE" => {
                catalog.not_moved.push(NotMoved {
                    kind: "sequence".to_string(),
                    name,
                    reason: "it belongs to no table; make it anew in the target".to_string(),
                });
                continue;
            }
            _ => continue,
        }
        let keys = keys.remove(&name).unwrap_or_default();
        let mut attributes = BTreeMap::new();
        if let Some(next) = cell(row, 2) {
            attributes.insert(NEXT_NUMBER.to_string(), next);
        }
        let columns = columns.remove(&name).unwrap_or_default();
        catalog.programs.extend(folded(&name, &columns, &keys));
        catalog.programs.extend(keys.own);
        catalog.tables.push(Table {
            columns,
            primary_key: keys.primary,
            indexes: keys.indexes,
            foreign_keys: foreign.remove(&name).unwrap_or_default(),
            checks: Vec::new(),
            rows_elsewhere: false,
            comment: cell(row, 3).filter(|text| !text.is_empty()),
            native: Some(definition(conn, &name).await?),
            attributes,
            name: TableName::plain(name.clone()),
        });
        if text(row, 4) == "1" {
            catalog.programs.push(part("partitions", &name, &name, ""));
        }
        if text(row, 1) == "SYSTEM VERSIONED" {
            catalog.not_moved.push(NotMoved {
                kind: "history of a system-versioned table".to_string(),
                name: text(row, 0),
                reason: "only its present rows move".to_string(),
            });
        }
    }
    for table in &mut catalog.tables {
        let relation = dialect::source(&table.name.name, &table.columns);
        read_generated(&SQL, &relation, &mut table.columns);
    }
    programs::read(conn, flavor, &mut catalog).await?;
    Ok(catalog)
}

/// A part of a table's own definition that other systems do not have.
fn part(kind: &str, name: &str, table: &str, native: &str) -> Program {
    Program {
        kind: kind.to_string(),
        name: name.to_string(),
        table: table.to_string(),
        native: native.to_string(),
        common: None,
        needs: Vec::new(),
        described: false,
    }
}

/// The unique columns whose collation takes different texts for the same.
fn folded(table: &str, columns: &[Column], keys: &Keys) -> Vec<Program> {
    let unique = keys.indexes.iter().filter(|index| index.unique);
    let unique = unique.flat_map(|index| &index.parts).filter_map(|part| part.column.as_ref());
    let named: BTreeSet<&String> = keys.primary.iter().chain(unique).collect();
    let folds = |column: &&Column| {
        let collation = column.collation.as_deref().unwrap_or_default();
        named.contains(&column.name) && (collation.contains("_ci") || collation.contains("_ai"))
    };
    let program = |column: &Column| {
        let collation = column.collation.as_deref().unwrap_or_default();
        let name = format!("{table}.{} ({collation})", column.name);
        part("uniqueness that ignores case or accents", &name, table, "")
    };
    columns.iter().filter(folds).map(program).collect()
}

/// A table's own definition.
async fn definition(conn: &mut Conn, table: &str) -> Result<String> {
    let shown = rows(conn, DOING, &format!("SHOW CREATE TABLE {}", quote(table))).await?;
    Ok(shown.first().and_then(|row| cell(row, 1)).unwrap_or_default())
}

/// The rows of a query by the table that their first column names.
fn by_table(rows: Vec<Row>) -> HashMap<String, Vec<Row>> {
    let mut all: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        all.entry(cell(&row, 0).unwrap_or_default()).or_default().push(row);
    }
    all
}

/// Whether a check says that a column of MariaDB is JSON.
fn is_json_check(check: &str, column: &str) -> bool {
    check.eq_ignore_ascii_case(&format!("json_valid({})", quote(column)))
}

/// The checks of a database: table, name, condition, whether rows have to meet it.
fn checks(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => {
            "SELECT TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE, 'YES' FROM \
             information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"
        }
        Flavor::MySql => {
            "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE, t.ENFORCED FROM \
             information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t \
             USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) \
             WHERE c.CONSTRAINT_SCHEMA = DATABASE() AND t.CONSTRAINT_TYPE = 'CHECK'"
        }
    }
}

const TABLES: &str = "SELECT TABLE_NAME, TABLE_TYPE, AUTO_INCREMENT, TABLE_COMMENT, \
    CREATE_OPTIONS LIKE '%partitioned%' \
    FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY BINARY TABLE_NAME";
