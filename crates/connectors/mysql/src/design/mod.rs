//! The statements that make a migration's tables and finish them.
//!
//! What comes from the same system and moves as it is keeps its own definition ([`native`]);
//! everything else is made from the plan's columns ([`portable`]).

mod checks;
mod foreign;
mod native;
mod portable;

use std::collections::BTreeSet;

use longshore_dialect::{Names, write_generated, write_views};
use longshore_model::catalog::{Catalog, Common, NotMoved, Program, TableName};
use longshore_model::connector::Design;
use longshore_model::plan::{Statement, TablePlan};
use longshore_model::{Code, Error, Result};

use crate::dialect::{self, SQL};
use crate::flavor::Flavor;
use crate::sql::quote;

/// The longest name that the servers keep, in characters.
const LONGEST_NAME: usize = 64;

/// The steps of the finish: statements of one step may run at the same time, up to `KEYS`.
pub(crate) mod step {
    pub(crate) const KEYS: u32 = 1;
    pub(crate) const FOREIGN_KEYS: u32 = 2;
    pub(super) const CHECKS: u32 = FOREIGN_KEYS;
    /// Queries for rows that violate a foreign key.
    pub(crate) const FOREIGN_KEY_CHECKS: u32 = 3;
    pub(super) const STATISTICS: u32 = 4;
    /// Views and routines, in an order that is found by trying.
    pub(crate) const PROGRAMS: u32 = 5;
    pub(super) const TRIGGERS: u32 = 6;
}

/// Designs the tables and what follows them.
pub(crate) fn design(tables: &[TablePlan], catalog: &Catalog, flavor: Flavor) -> Result<Design> {
    for table in tables {
        check_names(table)?;
    }
    let same = catalog.dialect == flavor.dialect();
    let mut design = Design::default();
    // Foreign keys in a definition name tables as the source does.
    let renamed = tables.iter().any(|table| table.source.name != table.target.name);
    let names = checks::names(tables);
    let mut verbatim = BTreeSet::new();
    for (number, table) in tables.iter().enumerate() {
        // A definition declares columns as they were, also those that are converted.
        let kept = table
            .columns
            .iter()
            .all(|column| column.native == column.declared && column.mask.is_none());
        let native = table.structure.native.as_deref().filter(|_| same && !renamed && kept);
        let made = native.and_then(|text| native::make(number, table, text, &mut design));
        match made {
            Some(()) => drop(verbatim.insert(table.target.name.as_str())),
            None => {
                portable::make(number, table, tables, flavor, same, &mut design);
                checks::make(number, table, flavor, &names, &mut design);
            }
        }
    }
    for (number, table) in tables.iter().enumerate() {
        foreign::checks(number, table, tables, &mut design);
        design.finish.push(Statement {
            table: Some(number),
            step: step::STATISTICS,
            purpose: format!("statistics of {}", table.target),
            sql: format!("ANALYZE TABLE {}", quote(&table.target.name)),
        });
    }
    if !same {
        views(tables, catalog, flavor, &mut design);
    }
    programs(catalog, same, flavor, &verbatim, &mut design);
    design.finish.sort_by_key(|one| (one.step, one.table.unwrap_or(usize::MAX)));
    Ok(design)
}

/// Views of another system, in the order in which they can be made.
fn views(tables: &[TablePlan], catalog: &Catalog, flavor: Flavor, design: &mut Design) {
    let views = catalog.programs.iter();
    let views: Vec<(&Program, &Common)> =
        views.filter_map(|program| Some((program, program.common.as_ref()?))).collect();
    let texts: Vec<&Common> = views.iter().map(|(_, common)| *common).collect();
    let known = tables.iter().map(dialect::target).collect();
    let name = |name: &TableName| quote(&catalog.plain_name(name));
    let fits = |name: &str| name.chars().count() <= LONGEST_NAME && is_name(name);
    let written = write_views(&SQL, known, &texts, &Names { view: &name, fits: &fits });
    for (at, outcome) in written {
        let program = views[at].0;
        match outcome {
            Ok(sql) => design.finish.push(Statement {
                table: None,
                step: step::PROGRAMS,
                purpose: format!("view {}", program.name),
                sql,
            }),
            Err(refusal) => {
                let reason = format!("{refusal}; write it anew for {}", flavor.title());
                design.not_moved.push(not_moved(program, &reason));
            }
        }
    }
}

/// Views, routines, triggers and events.
fn programs(
    catalog: &Catalog,
    same: bool,
    flavor: Flavor,
    verbatim: &BTreeSet<&str>,
    design: &mut Design,
) {
    for program in catalog.programs.iter().filter(|program| !program.described) {
        if !same && program.common.is_some() {
            continue;
        }
        if !same {
            let title = flavor.title();
            let reason = format!("its text is of another system; write it anew for {title}");
            design.not_moved.push(not_moved(program, &reason));
            continue;
        }
        let at = match program.kind.as_str() {
            "view" | "routine" => step::PROGRAMS,
            "trigger" if verbatim.contains(program.table.as_str()) => step::TRIGGERS,
            "trigger" => {
                let reason = format!("{} does not move as it is", program.table);
                design.not_moved.push(not_moved(program, &reason));
                continue;
            }
            "event" => {
                let reason = "it would begin to run in the target: make it there at the cutover";
                design.not_moved.push(not_moved(program, reason));
                continue;
            }
            // The others are parts of the tables' own definitions.
            _ if verbatim.contains(program.table.as_str()) => continue,
            _ => {
                let reason = format!("{} does not move as it is", program.table);
                design.not_moved.push(not_moved(program, &reason));
                continue;
            }
        };
        design.finish.push(Statement {
            table: None,
            step: at,
            purpose: format!("{} {}", program.kind, program.name),
            sql: program.native.clone(),
        });
    }
}

/// The expression of a generated column of another dialect.
pub(crate) fn generated(
    table: &TablePlan,
    column: &str,
    flavor: Flavor,
) -> std::result::Result<String, String> {
    let written = write_generated(&SQL, &dialect::target(table), table, column);
    let written = written.map_err(|refusal| refusal.to_string())?;
    let described = table.structure.column(column).and_then(|column| column.generated.as_ref());
    match described.and_then(|generated| generated.common.as_ref()) {
        Some(Common::Sql(common)) => match checks::unnamed(common, table, flavor) {
            Some(reason) => Err(reason),
            None => Ok(written),
        },
        _ => Ok(written),
    }
}

fn not_moved(program: &Program, reason: &str) -> NotMoved {
    let (kind, name) = (program.kind.clone(), program.name.clone());
    NotMoved { kind, name, reason: reason.to_string() }
}

/// Names that the servers would refuse after half of the tables are made, and columns that differ in
/// case only.
fn check_names(table: &TablePlan) -> Result<()> {
    let refuse = |name: &str, why: String| {
        Err(Error::new(Code::SpecInvalid, why)
            .with("table", table.target.to_string())
            .with("name", name)
            .hint("Give it another name under `rename`."))
    };
    let mut known = BTreeSet::new();
    for column in &table.columns {
        if !known.insert(column.target.to_lowercase()) {
            return refuse(&column.target, "two columns differ in case only".to_string());
        }
    }
    let columns = table.columns.iter().map(|column| &column.target);
    for name in [&table.target.name].into_iter().chain(columns) {
        if name.chars().count() > LONGEST_NAME {
            let why = format!("a name is longer than {LONGEST_NAME} characters");
            return refuse(name, why);
        }
        if !is_name(name) {
            let why = "a name is none that MySQL and MariaDB take: it ends with a space, or has \
                       characters outside of the basic plane";
            return refuse(name, why.to_string());
        }
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.ends_with(' ')
        && name.chars().all(|c| c != '\0' && u32::from(c) <= 0xffff)
}
