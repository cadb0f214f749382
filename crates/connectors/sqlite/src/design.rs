//! The statements that make a migration's tables and finish them. Every statement is tried on an
//! empty database in memory, so that a plan holds none that cannot run.

mod index;
mod scratch;
mod table;

use std::collections::BTreeSet;

use longshore_dialect::{Names, write_views};
use longshore_model::catalog::{Catalog, Common, NotMoved, Program, TableName};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};
use longshore_model::{Code, Error, Result};

use self::scratch::Scratch;
use self::table::Making;
use crate::DIALECT;
use crate::dialect::{self, SQL};
use crate::sql::{quote, text_literal};

/// Designs the tables and what follows them.
///
/// Foreign keys are made with their tables and never checked by the load: rows of the source that
/// violate one are copied as they are, which is what verification proves.
pub(crate) fn design(tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
    let same = catalog.dialect == DIALECT;
    let mut design = Design::default();
    let scratch = Scratch::open()?;
    let mut names = BTreeSet::new();
    let mut makings = Vec::with_capacity(tables.len());
    for (number, table) in tables.iter().enumerate() {
        if !names.insert(table.target.name.to_lowercase()) {
            return Err(Error::new(Code::SpecInvalid, "two tables get the same name in SQLite")
                .with("table", table.target.to_string())
                .hint("Give one of them another name under `rename`."));
        }
        let source = catalog.tables.iter().find(|source| source.name == table.source);
        let making = table::make(table, source, same);
        design.not_moved.extend(making.not_moved.iter().cloned());
        scratch.must_run(&making.sql, &table.target.name)?;
        design.prepare.push(Statement {
            table: Some(number),
            step: 0,
            purpose: format!("table {}", table.target.name),
            sql: making.sql.clone(),
        });
        makings.push(making);
    }
    for (number, (table, making)) in tables.iter().zip(&makings).enumerate() {
        for one in index::make(table, making, same, &mut names) {
            let made = one.and_then(|(name, sql)| match scratch.run(&sql) {
                Ok(()) => Ok((name, sql)),
                Err(reason) => Err(not_moved("index", &name, reason)),
            });
            match made {
                Ok((name, sql)) => design.finish.push(Statement {
                    table: Some(number),
                    step: 0,
                    purpose: format!("index {name}"),
                    sql,
                }),
                Err(left) => design.not_moved.push(left),
            }
        }
    }
    for (number, (table, making)) in tables.iter().zip(&makings).enumerate() {
        design.finish.extend(sequence(number, table, making));
    }
    programs(tables, &makings, catalog, &scratch, &mut design)?;
    Ok(design)
}

/// Sets the number from which AUTOINCREMENT goes on where it is above what the rows show.
fn sequence(number: usize, table: &TablePlan, making: &Making) -> Option<Statement> {
    let highest = making.sequence.filter(|highest| *highest > 0)?;
    let name = text_literal(&table.target.name);
    Some(Statement {
        table: Some(number),
        step: 0,
        purpose: format!("sequence {}", table.target.name),
        sql: format!(
            "INSERT INTO sqlite_sequence (name, seq) SELECT {name}, {highest} \
             WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {name});\n\
             UPDATE sqlite_sequence SET seq = {highest} WHERE name = {name} AND seq < {highest}"
        ),
    })
}

fn programs(
    tables: &[TablePlan],
    makings: &[Making],
    catalog: &Catalog,
    scratch: &Scratch,
    design: &mut Design,
) -> Result<()> {
    if catalog.dialect != DIALECT {
        views(tables, catalog, scratch, design);
        let foreign = catalog.programs.iter().filter(|program| !program.described);
        let foreign = foreign.filter(|program| program.common.is_none());
        design.not_moved.extend(foreign.map(|program| {
            not_moved(
                &program.kind,
                &program.name,
                "its text is of another system; write it anew for SQLite".to_string(),
            )
        }));
        return Ok(());
    }
    let mut views = BTreeSet::new();
    let wanted: Vec<&Program> =
        catalog.programs.iter().filter(|program| program.kind == "view").collect();
    for (program, outcome) in scratch.views(&wanted)? {
        match outcome {
            None => {
                views.insert(program.name.to_lowercase());
                design.finish.push(statement(program, None));
            }
            Some(reason) => {
                design.not_moved.push(not_moved(&program.kind, &program.name, reason));
            }
        }
    }
    for program in catalog.programs.iter().filter(|program| program.kind != "view") {
        let number = tables.iter().zip(makings).position(|(table, making)| {
            making.verbatim
                && table.source == table.target
                && table.target.name.eq_ignore_ascii_case(&program.table)
        });
        let reason = if program.kind == "trigger" {
            if number.is_none() && !views.contains(&program.table.to_lowercase()) {
                Some(format!("{} does not move as it is", program.table))
            } else {
                scratch.trigger(program)?
            }
        } else {
            None
        };
        match reason {
            None => design.finish.push(statement(program, number)),
            Some(reason) => {
                design.not_moved.push(not_moved(&program.kind, &program.name, reason));
            }
        }
    }
    Ok(())
}

/// Views of another system, in the order in which they can be made.
fn views(tables: &[TablePlan], catalog: &Catalog, scratch: &Scratch, design: &mut Design) {
    let views = catalog.programs.iter();
    let views: Vec<(&Program, &Common)> =
        views.filter_map(|program| Some((program, program.common.as_ref()?))).collect();
    let texts: Vec<&Common> = views.iter().map(|(_, common)| *common).collect();
    let known = tables.iter().map(dialect::target).collect();
    let name = |name: &TableName| quote(&catalog.plain_name(name));
    let names = Names { view: &name, fits: &|name| !name.is_empty() };
    for (at, outcome) in write_views(&SQL, known, &texts, &names) {
        let program = views[at].0;
        let outcome = outcome.map_err(|refusal| refusal.to_string());
        match outcome.and_then(|sql| scratch.run(&sql).map(|()| sql)) {
            Ok(sql) => design.finish.push(Statement {
                table: None,
                step: 0,
                purpose: format!("view {}", program.name),
                sql,
            }),
            Err(reason) => {
                let reason = format!("{reason}; write it anew for SQLite");
                design.not_moved.push(not_moved(&program.kind, &program.name, reason));
            }
        }
    }
}

fn statement(program: &Program, table: Option<usize>) -> Statement {
    Statement {
        table,
        step: 0,
        purpose: format!("{} {}", program.kind, program.name),
        sql: program.native.clone(),
    }
}

fn not_moved(kind: &str, name: &str, reason: String) -> NotMoved {
    NotMoved { kind: kind.to_string(), name: name.to_string(), reason }
}

#[cfg(test)]
mod tests;
