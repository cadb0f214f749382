//! What is there before the load.

use std::collections::BTreeSet;

use longshore_model::catalog::{Catalog, Program, Table};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};

use super::kept::{Kept, place};
use super::{not_moved, portable, statement};
use crate::DIALECT;
use crate::catalog::{identity, key};

/// The names of everything that is made, tables and partitioned tables among them.
pub(super) type Made = BTreeSet<String>;

/// Types, functions, sequences and tables, each after what it needs.
pub(super) fn prepare(
    tables: &[TablePlan],
    catalog: &Catalog,
    kept: &Kept,
    schema: &str,
    design: &mut Design,
) -> Made {
    let mut made: Made = kept.names.keys().cloned().collect();
    let mut makings = makings(tables, catalog, kept, schema, design).into_iter().peekable();
    let programs = match catalog.dialect == DIALECT {
        true => catalog.programs.as_slice(),
        false => &[],
    };
    for (number, program) in programs.iter().enumerate() {
        while let Some((_, statement)) = makings.next_if(|((before, _), _)| *before <= number) {
            design.prepare.push(statement);
        }
        if !is_early(program) {
            continue;
        }
        // The sequence of a table that is not selected stays with it.
        let known = |name: &String| kept.names.contains_key(name) || kept.changed.contains(name);
        if program.kind == "sequence" && !program.table.is_empty() && !known(&program.table) {
            continue;
        }
        match program.needs.iter().find(|need| !made.contains(*need)) {
            None => {
                made.insert(identity(program));
                design.prepare.push(statement(program, None, 0));
            }
            Some(missing) => design.not_moved.push(not_moved(
                program,
                &format!("{missing}, which it needs, does not move as it is"),
            )),
        }
    }
    design.prepare.extend(makings.map(|(_, statement)| statement));
    made
}

fn is_early(program: &Program) -> bool {
    matches!(
        program.kind.as_str(),
        "schema"
            | "extension"
            | "collation"
            | "type"
            | "function"
            | "procedure"
            | "aggregate"
            | "operator"
            | "cast"
            | "text search dictionary"
            | "text search configuration"
            | "sequence"
    ) || program.kind.starts_with("early ")
}

/// The tables with their places, in the order of these.
fn makings(
    tables: &[TablePlan],
    catalog: &Catalog,
    kept: &Kept,
    schema: &str,
    design: &mut Design,
) -> Vec<((usize, usize), Statement)> {
    let mut makings = Vec::with_capacity(tables.len());
    let empty = |table: &&Table| table.rows_elsewhere && kept.names.contains_key(&key(&table.name));
    for table in catalog.tables.iter().filter(empty) {
        let Some(sql) = table.native.clone() else { continue };
        let purpose = format!("partitioned table {}", table.name);
        makings.push((place(table), Statement { table: None, step: 0, purpose, sql }));
    }
    for (number, table) in tables.iter().enumerate() {
        let native = table.structure.native.as_ref().filter(|_| kept.verbatim.contains(&number));
        let sql = match native {
            Some(native) => native.clone(),
            None => portable::create(table, catalog.dialect == DIALECT, schema, design),
        };
        let purpose = format!("table {}", table.target);
        let statement = Statement { table: Some(number), step: 0, purpose, sql };
        makings.push((place(&table.structure), statement));
    }
    makings.sort_by_key(|(place, _)| *place);
    makings
}
