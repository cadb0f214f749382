//! Tables from the plan's columns: what any system's structure becomes.

use longshore_dialect::{Relation, write_condition, write_expression, write_generated};
use longshore_model::catalog::{Check, Common, Index, IndexPart, NotMoved};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};

use super::column::Column;
use super::{LONGEST_NAME, Turns, step};
use crate::dialect::{self, SQL};
use crate::sql::{self, quote};

/// The statement that makes a table, without what follows the load.
pub(super) fn create(table: &TablePlan, same: bool, schema: &str, design: &mut Design) -> String {
    let mut lines = Vec::with_capacity(table.columns.len());
    let relation = dialect::target(table, schema);
    for planned in &table.columns {
        lines.push(match table.structure.column(&planned.target) {
            Some(described) => {
                let written = || write_generated(&SQL, &relation, table, &planned.target).ok();
                let computed = planned.computed.then(written).flatten();
                let column = Column { planned, described, same, computed };
                column.declare(&table.target, &mut design.not_moved)
            }
            None => format!("{} {}", quote(&planned.target), planned.native),
        });
    }
    format!(
        "CREATE TABLE {} (\n    {}\n)",
        sql::table(&table.target, schema),
        lines.join(",\n    ")
    )
}

/// Keys and indexes of a table, and where its numbers go on.
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
    for planned in &table.columns {
        let Some(described) = structure.column(&planned.target) else { continue };
        if let Some(sequence) =
            (Column { planned, described, same, computed: None }).sequence(&name)
        {
            let purpose = format!("numbers of {}.{}", table.target, planned.target);
            add(step::MARKS, purpose, go_on_after_the_rows(&sequence, &name, &planned.target));
        }
    }
    let mut left = Vec::new();
    let relation = dialect::target(table, schema);
    for index in &structure.indexes {
        let parts = index.parts.iter().map(|part| part_of(part, index.unique, &relation));
        let parts = parts.collect::<Result<Vec<String>, String>>();
        let written = parts.and_then(|parts| Ok((parts, where_of(index, same, &relation)?)));
        let reason = match written {
            Err(reason) => reason,
            Ok((parts, condition)) => {
                let mut at = step::INDEXES;
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
            reason: format!("{reason}; make it anew"),
        });
    }
    if !same {
        let texts = comments(table, &name);
        for sql in texts {
            add(step::COMMENTS, format!("comment of {}", table.target), sql);
        }
    }
    for (at, check) in structure.checks.iter().enumerate() {
        match condition(check, &relation) {
            Ok(condition) => {
                let called = called(check, table, at);
                let sql = format!("ALTER TABLE {name} ADD {called}CHECK ({condition})");
                add(step::MARKS, format!("check of {}", table.target), sql);
            }
            Err(reason) => left.push(NotMoved {
                kind: "check".to_string(),
                name: format!("{}.{}", table.target, check.name),
                reason: format!("{reason}; write it anew for PostgreSQL"),
            }),
        }
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

/// A column or an expression of an index.
fn part_of(part: &IndexPart, unique: bool, table: &Relation) -> Result<String, String> {
    let text = match (&part.column, &part.common) {
        (Some(column), _) => quote(column),
        (None, Some(Common::Sql(common))) => {
            let written = write_expression(&SQL, table, common, !unique);
            format!("({})", written.map_err(|refusal| refusal.to_string())?.0)
        }
        (None, Some(Common::Refused(reason))) => return Err(reason.clone()),
        (None, None) => return Err("it has an expression of another system".to_string()),
    };
    Ok(if part.descending { text + " DESC NULLS LAST" } else { text })
}

/// The condition of an index.
fn where_of(index: &Index, same: bool, table: &Relation) -> Result<String, String> {
    let condition = match (&index.condition, &index.common) {
        (None, _) => return Ok(String::new()),
        (Some(native), _) if same => native.clone(),
        (Some(_), Some(Common::Sql(common))) => {
            write_condition(&SQL, table, common).map_err(|refusal| refusal.to_string())?
        }
        (Some(_), Some(Common::Refused(reason))) => return Err(reason.clone()),
        (Some(_), None) => return Err("its condition is of another system".to_string()),
    };
    Ok(format!(" WHERE {condition}"))
}

/// What a check says here, or why it does not mean the same.
fn condition(check: &Check, table: &Relation) -> Result<String, String> {
    match &check.common {
        Common::Sql(common) => {
            write_condition(&SQL, table, common).map_err(|refusal| refusal.to_string())
        }
        Common::Refused(reason) => Err(reason.clone()),
    }
}

/// The name of a check, where the server keeps it.
fn called(check: &Check, table: &TablePlan, at: usize) -> String {
    let name = match check.name.is_empty() {
        true => format!("{}_check_{}", table.target.name, at + 1),
        false => check.name.clone(),
    };
    if name.len() > LONGEST_NAME { String::new() } else { format!("CONSTRAINT {} ", quote(&name)) }
}

/// What people say of a table and of its columns.
fn comments(table: &TablePlan, name: &str) -> Vec<String> {
    let say = |of: String, text: &str| format!("COMMENT ON {of} IS {}", sql::literal(text));
    let whole = table.structure.comment.iter().map(|text| say(format!("TABLE {name}"), text));
    let columns = table.columns.iter().filter_map(|planned| {
        let text = table.structure.column(&planned.target)?.comment.as_ref()?;
        Some(say(format!("COLUMN {name}.{}", quote(&planned.target)), text))
    });
    whole.chain(columns).collect()
}

/// Sets a sequence to the largest number of the rows, or leaves it where it is when that is larger: a
/// table that was there before may have given it out.
fn go_on_after_the_rows(sequence: &str, table: &str, column: &str) -> String {
    let column = quote(column);
    format!(
        "SELECT pg_catalog.setval(seqrelid::pg_catalog.regclass, \
         LEAST(GREATEST(at, seqmin), seqmax), at >= seqmin) FROM (SELECT seqrelid, seqmin, seqmax, \
         GREATEST((SELECT pg_catalog.max({column}) FROM {table}), \
         pg_catalog.pg_sequence_last_value(seqrelid)) AS at FROM pg_catalog.pg_sequence \
         WHERE seqincrement > 0 AND seqrelid = {sequence}) AS sequence"
    )
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}
