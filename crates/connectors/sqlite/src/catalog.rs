//! The catalog: what a database holds.

use std::collections::BTreeMap;

use longshore_dialect::{
    Relation, View, read_condition, read_expression, read_generated, read_views,
};
use longshore_model::Result;
use longshore_model::catalog::{
    Catalog, Check, Column, ForeignKey, Generated, Index, IndexPart, NotMoved, Program, Table,
    TableName,
};
use rusqlite::{Connection, OptionalExtension, Row};

use crate::dialect::SQL;
use crate::open::failure;
use crate::shape::{Generation, Listed, Shape};
use crate::sql::index_parts;
use crate::sql::{Definition, definition};
use crate::{DIALECT, dialect, ledger, types};

type Definitions = BTreeMap<String, String>;

/// Reads the whole structure.
pub(crate) fn read(connection: &Connection) -> Result<Catalog> {
    let mut catalog = Catalog { dialect: DIALECT.to_string(), ..Catalog::default() };
    let database = |error| failure("read the catalog", error);
    let definitions = definitions(connection).map_err(database)?;
    for (listed, kind) in names(connection).map_err(database)? {
        let name = &listed.name;
        if name.starts_with("sqlite_") || name.starts_with(ledger::PREFIX) {
            continue;
        }
        match kind.as_str() {
            "table" => catalog.tables.push(table(connection, &listed, &definitions)?),
            "virtual" => catalog.not_moved.push(NotMoved {
                kind: "virtual table".to_string(),
                name: name.clone(),
                reason: "its content belongs to a module of SQLite and is not moved; make and \
                         fill it in the target"
                    .to_string(),
            }),
            "shadow" => catalog.not_moved.push(NotMoved {
                kind: "shadow table".to_string(),
                name: name.clone(),
                reason: "it is the storage of a virtual table, which is not moved".to_string(),
            }),
            _ => {}
        }
    }
    catalog.programs = programs(connection).map_err(database)?;
    views(&mut catalog);
    catalog.programs.extend(settings(connection).map_err(database)?);
    Ok(catalog)
}

/// Reads views for other systems.
fn views(catalog: &mut Catalog) {
    let mut programs: Vec<&mut Program> =
        catalog.programs.iter_mut().filter(|program| program.kind == "view").collect();
    let view = |program: &&mut Program| View {
        name: TableName::plain(program.name.clone()),
        text: Ok(program.native.clone()),
    };
    let views: Vec<View> = programs.iter().map(view).collect();
    let tables = catalog.tables.iter().map(dialect::source).collect();
    for (program, common) in programs.iter_mut().zip(read_views(&SQL, tables, &views)) {
        program.common = Some(common);
    }
}

/// The numbers that applications keep in the file itself.
fn settings(connection: &Connection) -> rusqlite::Result<Vec<Program>> {
    let mut found = Vec::new();
    for name in ["user_version", "application_id"] {
        let number: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        if number != 0 {
            found.push(Program {
                kind: "setting".to_string(),
                name: name.to_string(),
                table: name.to_string(),
                native: format!("PRAGMA {name} = {number}"),
                common: None,
                needs: Vec::new(),
                described: false,
            });
        }
    }
    Ok(found)
}

fn names(connection: &Connection) -> rusqlite::Result<Vec<(Listed, String)>> {
    collect(
        connection,
        "SELECT name, wr, strict, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name",
        [],
        |row| {
            let (name, without_rowid) = (row.get(0)?, row.get(1)?);
            Ok((Listed { name, without_rowid, strict: row.get(2)? }, row.get(3)?))
        },
    )
}

/// The texts of tables and indexes, which share one space of names. Each costs a look at all when
/// they are read one by one.
fn definitions(connection: &Connection) -> rusqlite::Result<Definitions> {
    let texts: Vec<(String, String)> = collect(
        connection,
        "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'index') AND sql IS NOT NULL",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(texts.into_iter().collect())
}

fn table(connection: &Connection, listed: &Listed, definitions: &Definitions) -> Result<Table> {
    let shape = Shape::of(connection, listed)?;
    let name = listed.name.as_str();
    let database = |error| failure("read a table's definition", error).with("table", name);
    let native = definitions.get(name).cloned();
    let text = definition(native.as_deref().unwrap_or_default());
    let mut attributes = attributes(&shape);
    if text.autoincrement {
        attributes.insert("autoincrement".to_string(), sequence(connection, name)?.to_string());
    }
    let mut table = Table {
        name: TableName::plain(name),
        columns: columns(&shape, &text),
        primary_key: shape.primary_key(),
        indexes: Vec::new(),
        foreign_keys: foreign_keys(connection, name, native.as_deref()).map_err(database)?,
        checks: Vec::new(),
        native,
        rows_elsewhere: false,
        comment: None,
        attributes,
    };
    let relation = dialect::source(&table);
    table.indexes = indexes(connection, name, &relation, definitions).map_err(database)?;
    read_generated(&SQL, &relation, &mut table.columns);
    table.checks = text
        .checks
        .iter()
        .map(|check| Check {
            name: check.name.clone(),
            common: read_condition(&SQL, &relation, &check.condition),
        })
        .collect();
    Ok(table)
}

fn attributes(shape: &Shape) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    if shape.without_rowid {
        made.insert("without-rowid".to_string(), "true".to_string());
    }
    if shape.strict {
        made.insert("strict".to_string(), "true".to_string());
    }
    if let Some(alias) = &shape.alias {
        made.insert("rowid-alias".to_string(), alias.clone());
    }
    made
}

/// The highest number that AUTOINCREMENT has given out in a table.
fn sequence(connection: &Connection, table: &str) -> Result<i64> {
    connection
        .query_row(
            "SELECT CAST(seq AS INTEGER) FROM sqlite_sequence WHERE name = ?1",
            [table],
            |row| row.get::<_, Option<i64>>(0),
        )
        .optional()
        .map(|found| found.flatten().unwrap_or(0))
        .map_err(|error| failure("read a table's sequence", error).with("table", table))
}

fn columns(shape: &Shape, text: &Definition) -> Vec<Column> {
    shape
        .columns
        .iter()
        .map(|column| {
            let written = text.columns.iter().find(|written| written.name == column.name);
            let generated = (column.generated != Generation::Plain).then(|| Generated {
                expression: written.and_then(|w| w.generated.clone()).unwrap_or_default(),
                common: None,
                stored: column.generated == Generation::Stored,
            });
            let declared = match column.generated {
                Generation::Plain => column.declared.clone(),
                // SQLite counts GENERATED ALWAYS to the type.
                _ => without_generated(&column.declared),
            };
            let enforced_any = shape.strict && declared.eq_ignore_ascii_case("ANY");
            Column {
                name: column.name.clone(),
                logical: types::guess(if enforced_any { "" } else { &declared }),
                native: declared,
                nullable: !column.not_null
                    && !(column.key > 0 && (shape.without_rowid || shape.strict))
                    && shape.alias.as_ref() != Some(&column.name),
                default: column.default.clone(),
                generated,
                collation: written
                    .and_then(|written| written.collation.clone())
                    .filter(|collation| !collation.eq_ignore_ascii_case("BINARY")),
                increments: shape.alias.as_ref() == Some(&column.name),
                values: Vec::new(),
                length: None,
                comment: None,
            }
        })
        .collect()
}

fn without_generated(declared: &str) -> String {
    let lower = declared.to_ascii_lowercase();
    let cut = lower.rfind("generated always").unwrap_or(declared.len());
    declared[..cut].trim_end().to_string()
}

fn indexes(
    connection: &Connection,
    table: &str,
    relation: &Relation,
    definitions: &Definitions,
) -> rusqlite::Result<Vec<Index>> {
    let found: Vec<(String, bool, String)> = collect(
        connection,
        "SELECT name, \"unique\", origin FROM pragma_index_list(?1) WHERE origin <> 'pk'
         ORDER BY seq DESC",
        [table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    found
        .into_iter()
        .map(|(name, unique, origin)| {
            let native = definitions.get(&name).cloned();
            let mut parts: Vec<IndexPart> = collect(
                connection,
                "SELECT name, \"desc\", cid FROM pragma_index_xinfo(?1) WHERE key = 1
                 ORDER BY seqno",
                [&name],
                |row| Ok(IndexPart { column: row.get(0)?, descending: row.get(1)?, common: None }),
            )?;
            let written = native.as_deref().map(index_parts).unwrap_or_default();
            for (part, text) in parts.iter_mut().zip(written) {
                if part.column.is_none() {
                    part.common = Some(read_expression(&SQL, relation, &text, !unique));
                }
            }
            let condition = native.as_deref().and_then(condition);
            Ok(Index {
                common: condition.as_ref().map(|text| read_condition(&SQL, relation, text)),
                condition,
                name,
                parts,
                unique,
                constraint: origin == "u",
                native,
            })
        })
        .collect()
}

/// The condition of a partial index.
fn condition(native: &str) -> Option<String> {
    let mut depth = 0_usize;
    let found = crate::sql::tokens(native).into_iter().find(|token| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && token.is("WHERE")
    })?;
    Some(native[found.span.end..].trim().to_string())
}

fn foreign_keys(
    connection: &Connection,
    table: &str,
    native: Option<&str>,
) -> rusqlite::Result<Vec<ForeignKey>> {
    type Part = (i64, String, String, Option<String>, String, String);
    let parts: Vec<Part> = collect(
        connection,
        "SELECT id, \"table\", \"from\", \"to\", on_delete, on_update
         FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq",
        [table],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?)),
    )?;
    // SQLite does not tell which key is deferred; one that is not marked so is checked early.
    let deferred = native.is_some_and(|sql| {
        let tokens = crate::sql::tokens(sql);
        tokens.windows(2).any(|pair| pair[0].is("INITIALLY") && pair[1].is("DEFERRED"))
    });
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    for (id, references, from, to, on_delete, on_update) in parts {
        if keys.last().is_none_or(|(last, _)| *last != id) {
            let references = TableName::plain(references);
            let key = ForeignKey {
                columns: Vec::new(),
                references,
                referenced: Vec::new(),
                on_delete,
                on_update,
                deferred,
            };
            keys.push((id, key));
        }
        if let Some((_, key)) = keys.last_mut() {
            key.columns.push(from);
            key.referenced.extend(to);
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// Views before triggers, which may belong to them, each in the order in which they were made.
fn programs(connection: &Connection) -> rusqlite::Result<Vec<Program>> {
    collect(
        connection,
        "SELECT type, name, tbl_name, sql FROM sqlite_schema
         WHERE type IN ('view', 'trigger') AND sql IS NOT NULL
         ORDER BY type = 'trigger', rowid",
        [],
        |row| {
            Ok(Program {
                kind: row.get(0)?,
                name: row.get(1)?,
                table: row.get(2)?,
                native: row.get(3)?,
                common: None,
                needs: Vec::new(),
                described: false,
            })
        },
    )
}

fn collect<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map(parameters, read)?;
    rows.collect()
}
