//! The statements that make a migration's tables and finish them.
//!
//! What comes from PostgreSQL and moves as it is keeps its own definition; everything else is made
//! from the plan's columns ([`portable`]).

mod portable;

use std::collections::{BTreeMap, BTreeSet};

use longshore_model::catalog::{Catalog, NotMoved, Program};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};
use longshore_model::{Code, Error, Result};

use crate::catalog::{DEPTH, PARENTS, key};
use crate::{DIALECT, sql};

/// The longest name that the server keeps, in bytes.
const LONGEST_NAME: usize = 63;

/// The steps of the finish: statements of one step run at the same time.
mod step {
    pub(super) const INDEXES: u32 = 1;
    pub(super) const PARTITIONS: u32 = 2;
    pub(super) const MARKS: u32 = 3;
    pub(super) const FOREIGN_KEYS: u32 = 4;
    /// Views, and functions that need views.
    pub(super) const LATE: u32 = 5;
    pub(super) const VIEW_INDEXES: u32 = 6;
    pub(super) const VIEW_MARKS: u32 = 7;
    pub(super) const TRIGGERS: u32 = 8;
    pub(super) const COMMENTS: u32 = 9;
    pub(super) const STATISTICS: u32 = 10;
}

/// Designs the tables and what follows them.
pub(crate) fn design(tables: &[TablePlan], catalog: &Catalog, schema: &str) -> Result<Design> {
    let mut design = Design::default();
    for table in tables {
        check_names(table)?;
    }
    let same = catalog.dialect == DIALECT;
    let kept = if same { kept(tables, catalog, schema) } else { Kept::default() };
    schemas(tables, schema, &mut design);
    if same {
        needed(catalog, &kept, &mut design);
    }
    make_tables(tables, catalog, &kept, schema, &mut design);
    for (number, table) in tables.iter().enumerate() {
        if !kept.verbatim.contains(&number) {
            portable::finish(number, table, same, schema, &mut design);
        }
    }
    if same {
        finish(catalog, &kept, &mut design);
    } else {
        let foreign = catalog.programs.iter().filter(|program| !program.described);
        design.not_moved.extend(foreign.map(|program| {
            not_moved(program, "its text is of another system; write it anew for PostgreSQL")
        }));
    }
    for (number, table) in tables.iter().enumerate() {
        let name = sql::table(&table.target, schema);
        let sql = format!("ANALYZE {name}");
        let purpose = format!("statistics of {}", table.target);
        design.finish.push(Statement { table: Some(number), step: step::STATISTICS, purpose, sql });
    }
    Ok(design)
}

/// What keeps its own definition.
#[derive(Default)]
struct Kept {
    /// Tables of the plan, by number.
    verbatim: BTreeSet<usize>,
    /// The same and the partitioned tables above them, as programs name them.
    names: BTreeMap<String, Option<usize>>,
    /// Tables that move with another structure.
    changed: BTreeSet<String>,
}

fn kept(tables: &[TablePlan], catalog: &Catalog, schema: &str) -> Kept {
    let mut kept = Kept::default();
    for (number, table) in tables.iter().enumerate() {
        let name = key(&table.source);
        if table.structure.native.is_some() && name == sql::table(&table.target, schema) {
            kept.verbatim.insert(number);
            kept.names.insert(name, Some(number));
            let parents = table.structure.attributes.get(PARENTS);
            for parent in parents.iter().flat_map(|parents| parents.split('\n')) {
                kept.names.entry(parent.to_string()).or_insert(None);
            }
        } else {
            kept.changed.insert(name);
        }
    }
    // A partitioned table without partitions holds no row and is easily kept.
    if kept.changed.is_empty() && tables.len() == rows_of(catalog) {
        for table in catalog.tables.iter().filter(|table| table.rows_elsewhere) {
            kept.names.entry(key(&table.name)).or_insert(None);
        }
    }
    kept
}

fn rows_of(catalog: &Catalog) -> usize {
    catalog.tables.iter().filter(|table| !table.rows_elsewhere).count()
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

fn schemas(tables: &[TablePlan], schema: &str, design: &mut Design) {
    let names: BTreeSet<&str> = tables
        .iter()
        .map(|table| table.target.namespace.as_deref().unwrap_or(schema))
        .filter(|name| *name != "public")
        .collect();
    design.prepare.extend(names.into_iter().map(|name| Statement {
        table: None,
        step: 0,
        purpose: format!("schema {name}"),
        sql: format!("CREATE SCHEMA {}", sql::quote(name)),
    }));
}

/// Types, functions and sequences that tables need.
fn needed(catalog: &Catalog, kept: &Kept, design: &mut Design) {
    for program in &catalog.programs {
        let wanted = match program.kind.as_str() {
            "schema"
            | "extension"
            | "collation"
            | "type"
            | "function"
            | "operator"
            | "cast"
            | "text search dictionary"
            | "text search configuration" => true,
            "sequence" => {
                program.table.is_empty()
                    || kept.names.contains_key(&program.table)
                    || kept.changed.contains(&program.table)
            }
            _ => false,
        };
        if wanted {
            design.prepare.push(statement(program, None, 0));
        }
    }
}

fn make_tables(
    tables: &[TablePlan],
    catalog: &Catalog,
    kept: &Kept,
    schema: &str,
    design: &mut Design,
) {
    let mut makings: Vec<(usize, Statement)> = Vec::with_capacity(tables.len());
    for table in catalog.tables.iter().filter(|table| table.rows_elsewhere) {
        let name = key(&table.name);
        if let (true, Some(native)) = (kept.names.contains_key(&name), &table.native) {
            let purpose = format!("partitioned table {}", table.name);
            let statement = Statement { table: None, step: 0, purpose, sql: native.clone() };
            makings.push((depth(&table.attributes), statement));
        }
    }
    for (number, table) in tables.iter().enumerate() {
        let native = table.structure.native.as_ref().filter(|_| kept.verbatim.contains(&number));
        let sql = match native {
            Some(native) => native.clone(),
            None => portable::create(table, catalog.dialect == DIALECT, schema, design),
        };
        let purpose = format!("table {}", table.target);
        let statement = Statement { table: Some(number), step: 0, purpose, sql };
        makings.push((native.map_or(0, |_| depth(&table.structure.attributes)), statement));
    }
    makings.sort_by_key(|(depth, _)| *depth);
    design.prepare.extend(makings.into_iter().map(|(_, statement)| statement));
}

fn depth(attributes: &BTreeMap<String, String>) -> usize {
    attributes.get(DEPTH).and_then(|depth| depth.parse().ok()).unwrap_or(0)
}

/// What follows the load, of things that move as they are.
fn finish(catalog: &Catalog, kept: &Kept, design: &mut Design) {
    let mut names = kept.names.clone();
    let (views, others): (Vec<&Program>, Vec<&Program>) =
        catalog.programs.iter().partition(|program| program.kind.ends_with("view"));
    for program in views {
        match program.needs.iter().find(|need| !names.contains_key(*need)) {
            None => {
                names.insert(program.table.clone(), None);
                design.finish.push(statement(program, None, step::LATE));
            }
            Some(missing) => design.not_moved.push(not_moved(
                program,
                &format!("{missing}, which it needs, does not move as it is"),
            )),
        }
    }
    for program in others {
        let Some(step) = step_of(program, kept) else { continue };
        if program.table.is_empty() {
            design.finish.push(statement(program, None, step));
            continue;
        }
        match names.get(&program.table) {
            Some(number) => match program.needs.iter().find(|need| !names.contains_key(*need)) {
                None => design.finish.push(statement(program, *number, step)),
                Some(missing) => design.not_moved.push(not_moved(
                    program,
                    &format!("{missing}, which it refers to, does not move as it is"),
                )),
            },
            None if kept.changed.contains(&program.table) && !is_portable(program) => design
                .not_moved
                .push(not_moved(program, &format!("{} does not move as it is", program.table))),
            // What belongs to a table that was not selected is not named.
            None => {}
        }
    }
    design.finish.sort_by_key(|statement| statement.step);
    for program in catalog.programs.iter().filter(|program| program.kind == "invalid index") {
        design.not_moved.push(not_moved(program, "it is invalid in the source: reindex it there"));
    }
}

/// Whether [`portable`] makes it, or says that it cannot.
fn is_portable(program: &Program) -> bool {
    matches!(
        program.kind.as_str(),
        "key"
            | "index"
            | "check"
            | "foreign key"
            | "sequence value"
            | "owner of a sequence"
            | "mark"
    )
}

fn step_of(program: &Program, kept: &Kept) -> Option<u32> {
    Some(match program.kind.as_str() {
        "index" if !kept.names.contains_key(&program.table) => step::VIEW_INDEXES,
        "key" | "index" | "check" => step::INDEXES,
        "index of a partition" => step::PARTITIONS,
        "mark" if !kept.names.contains_key(&program.table) => step::VIEW_MARKS,
        "mark" | "owner of a sequence" | "sequence value" => step::MARKS,
        "foreign key" => step::FOREIGN_KEYS,
        "late function" | "late check" | "aggregate" => step::LATE,
        "trigger" | "rule" | "statistics" => step::TRIGGERS,
        "comment" => step::COMMENTS,
        _ => return None,
    })
}

fn statement(program: &Program, table: Option<usize>, step: u32) -> Statement {
    let purpose = format!("{} {}", program.kind, program.name);
    Statement { table, step, purpose, sql: program.native.clone() }
}

fn not_moved(program: &Program, reason: &str) -> NotMoved {
    let name = program.name.clone();
    NotMoved { kind: program.kind.clone(), name, reason: reason.to_string() }
}
