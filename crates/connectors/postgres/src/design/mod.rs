//! The statements that make a migration's tables and finish them.
//!
//! What comes from PostgreSQL and moves as it is keeps its own definition; everything else is made
//! from the plan's columns ([`portable`]).

mod column;
mod default;
mod finish;
mod kept;
mod portable;
mod prepare;

use std::collections::{BTreeMap, BTreeSet};

use longshore_dialect::{Names, write_views};
use longshore_model::catalog::{Catalog, Common, NotMoved, Program};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};
use longshore_model::{Code, Error, Result};

use crate::dialect::{self, SQL};
use crate::{DIALECT, sql};
use kept::Kept;

/// The longest name that the server keeps, in bytes.
const LONGEST_NAME: usize = 63;

/// Statements of tables below this size take a moment only.
pub(crate) const SMALL: u64 = 1 << 20;

/// How a statement begins that runs in no transaction.
pub(crate) const VACUUM: &str = "VACUUM (ANALYZE) ";

/// The steps of the finish: statements of one step may run at the same time. Views, partitions and
/// foreign keys have steps of their own from here on.
pub(crate) mod step {
    /// Any number of them are built of a table at the same time.
    pub(crate) const INDEXES: u32 = 1;
    pub(super) const KEYS: u32 = 2;
    /// Extended statistics, then the values of all: foreign keys are checked by good plans.
    pub(super) const EXTENDED_STATISTICS: u32 = 3;
    pub(super) const STATISTICS: u32 = 4;
    pub(super) const PARTITIONS: u32 = 10;
    pub(crate) const MARKS: u32 = 1_000;
    pub(super) const FOREIGN_KEYS: u32 = 1_001;
    pub(super) const FOREIGN_KEY_CHECKS: u32 = 999_999;
    pub(super) const VIEWS: u32 = 1_000_000;
    pub(super) const VIEW_INDEXES: u32 = 2_000_000;
    pub(super) const VIEW_MARKS: u32 = 2_000_001;
    pub(super) const TRIGGERS: u32 = 2_000_002;
    pub(super) const PARTS_OF_TRIGGERS: u32 = 2_000_003;
    pub(super) const COMMENTS: u32 = 2_000_004;
    /// Steps of one phase follow each other for each table, and phases for all of them.
    pub(crate) fn phase(step: u32) -> u32 {
        step.max(STATISTICS)
    }

    /// The most partitioned tables above each other whose indexes are told apart.
    pub(super) const DEEPEST: u32 = MARKS - PARTITIONS - 1;
}

/// Designs the tables and what follows them.
pub(crate) fn design(tables: &[TablePlan], catalog: &Catalog, schema: &str) -> Result<Design> {
    let mut design = Design::default();
    for table in tables {
        check_names(table)?;
    }
    let same = catalog.dialect == DIALECT;
    let kept = match same {
        true => Kept::of(tables, catalog, schema, &mut design.not_moved),
        false => Kept::default(),
    };
    schemas(tables, catalog, schema, &mut design);
    let made = prepare::prepare(tables, catalog, &kept, schema, &mut design);
    let mut turns = Turns::default();
    for (number, table) in tables.iter().enumerate() {
        if !kept.verbatim.contains(&number) {
            portable::finish(number, table, same, schema, &mut turns, &mut design);
        }
    }
    if same {
        finish::finish(catalog, &kept, made, &mut turns, &mut design);
    } else {
        views(tables, catalog, schema, &mut design);
        let foreign = catalog.programs.iter().filter(|program| !program.described);
        let foreign = foreign.filter(|program| program.common.is_none());
        design.not_moved.extend(foreign.map(|program| {
            not_moved(program, "its text is of another system; write it anew for PostgreSQL")
        }));
    }
    let indexed = design.finish.iter().filter(|one| one.step <= step::KEYS);
    let indexed: BTreeSet<usize> = indexed.filter_map(|one| one.table).collect();
    for (number, table) in tables.iter().enumerate() {
        let name = sql::table(&table.target, schema);
        // What is known to be visible to all is found in indexes alone, by the checks of foreign keys
        // to begin with. Of small tables nobody would notice.
        let sql = match table.bytes >= SMALL && indexed.contains(&number) {
            true => format!("{VACUUM}{name}"),
            false => format!("ANALYZE {name}"),
        };
        let purpose = format!("statistics of {}", table.target);
        design.finish.push(Statement { table: Some(number), step: step::STATISTICS, purpose, sql });
    }
    // The largest tables come first in a plan.
    design
        .finish
        .sort_by_key(|one| (step::phase(one.step), one.table.unwrap_or(usize::MAX), one.step));
    Ok(design)
}

/// Views of another system, each a step after what it selects from.
fn views(tables: &[TablePlan], catalog: &Catalog, schema: &str, design: &mut Design) {
    let views = catalog.programs.iter();
    let views: Vec<(&Program, &Common)> =
        views.filter_map(|program| Some((program, program.common.as_ref()?))).collect();
    let texts: Vec<&Common> = views.iter().map(|(_, common)| *common).collect();
    let known = tables.iter().map(|table| dialect::target(table, schema)).collect();
    let names = Names {
        view: &|name| sql::table(name, schema),
        fits: &|name| name.len() <= LONGEST_NAME && !name.is_empty(),
    };
    let written = write_views(&SQL, known, &texts, &names);
    for (number, (at, outcome)) in (0..).zip(written) {
        let program = views[at].0;
        match outcome {
            Ok(sql) => design.finish.push(Statement {
                table: None,
                step: step::VIEWS + number,
                purpose: format!("view {}", program.name),
                sql,
            }),
            Err(refusal) => {
                let reason = format!("{refusal}; write it anew for PostgreSQL");
                design.not_moved.push(not_moved(program, &reason));
            }
        }
    }
}

/// Whose turn it is among foreign keys: two that share a table lock it one after the other, and at
/// the same time they could wait for each other.
#[derive(Default)]
struct Turns(BTreeMap<String, u32>);

impl Turns {
    /// The step of the next foreign key, which locks the given tables.
    fn next(&mut self, tables: &[&str]) -> u32 {
        let used = tables.iter().filter_map(|table| self.0.get(*table)).max();
        let turn = used.map_or(0, |turn| turn + 1);
        for table in tables {
            self.0.insert((*table).to_string(), turn);
        }
        step::FOREIGN_KEYS + turn
    }
}

/// Longer names would be cut, and two tables could become one.
fn check_names(table: &TablePlan) -> Result<()> {
    let columns = table.columns.iter().map(|column| &column.target);
    for name in [&table.target.name].into_iter().chain(&table.target.namespace).chain(columns) {
        let wrong = if name.len() > LONGEST_NAME {
            "a name is longer than PostgreSQL's 63 bytes"
        } else if name.is_empty() || name.contains('\0') {
            "a name is none that PostgreSQL takes"
        } else {
            continue;
        };
        return Err(Error::new(Code::SpecInvalid, wrong)
            .with("table", table.target.to_string())
            .with("name", name.clone())
            .hint("Give it another name under `rename`."));
    }
    Ok(())
}

/// Schemas of tables; the others of the catalog are among its programs.
fn schemas(tables: &[TablePlan], catalog: &Catalog, schema: &str, design: &mut Design) {
    let own: BTreeSet<&str> = catalog
        .programs
        .iter()
        .filter(|program| catalog.dialect == DIALECT && program.kind == "schema")
        .map(|program| program.name.as_str())
        .collect();
    let names: BTreeSet<&str> = tables
        .iter()
        .map(|table| table.target.namespace.as_deref().unwrap_or(schema))
        .filter(|name| *name != "public" && !own.contains(name))
        .collect();
    design.prepare.extend(names.into_iter().map(|name| Statement {
        table: None,
        step: 0,
        purpose: format!("schema {name}"),
        sql: sql::create_schema(name),
    }));
}

fn statement(program: &Program, table: Option<usize>, step: u32) -> Statement {
    let purpose = format!("{} {}", kind(program), program.name);
    Statement { table, step, purpose, sql: program.native.clone() }
}

fn not_moved(program: &Program, reason: &str) -> NotMoved {
    let name = program.name.clone();
    NotMoved { kind: kind(program).to_string(), name, reason: reason.to_string() }
}

/// The kind of a program for people.
fn kind(program: &Program) -> &str {
    program.kind.trim_start_matches("late ").trim_start_matches("early ")
}

#[cfg(test)]
mod tests;
