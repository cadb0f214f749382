//! SQL that means the same in several dialects: conditions, expressions and views. It never knows a
//! system; what tells one from another is a [`Dialect`], which the connector of each describes.
//!
//! A source *reads* its native text into common SQL, which stands in the catalog: names in double
//! quotes, standard words, no casts that say nothing. A target *writes* that in its own words. Both
//! ways go through [`term`], which has no node for anything whose meaning differs: what is not there
//! is refused, with the reason. Types are looked at twice, as the source has them and as the target
//! stores them, because an operator means the same for some of them only.

mod dialect;
mod kind;
mod query;
mod read;
mod relation;
mod settle;
mod term;
mod views;
mod write;

#[cfg(test)]
mod tests;

pub use dialect::{Cast, Dialect, Function, Same};
pub use kind::Kind;
pub use relation::{Column, Relation};
pub use views::{Names, View, read_views, write_views};

use longshore_model::catalog::{self, Common, TableName};
use longshore_model::plan::TablePlan;

use dialect::COMMON;
use settle::Settler;
use term::Term;

/// Why something has no form that means the same elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A sentence about it, without a capital and without a full stop.
    Because(String),
    /// A table or view that is not known, or not yet.
    Missing(TableName),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Because(reason) => f.write_str(reason),
            Refusal::Missing(name) => write!(f, "it needs {name}, which does not move as it is"),
        }
    }
}

type Result<T> = std::result::Result<T, Refusal>;

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Refusal::Because(reason.into()))
}

/// Reads a condition on the rows of a table.
pub fn read_condition(dialect: &Dialect, table: &Relation, text: &str) -> Common {
    let term = read::term(dialect, text);
    common(settled(term, dialect, table, true, |settler, term| settler.condition(term)))
}

/// Reads an expression over the columns of a table. One that is only `searched` by changes no row, so
/// that functions are taken whose results differ for some letters.
pub fn read_expression(dialect: &Dialect, table: &Relation, text: &str, searched: bool) -> Common {
    let term = read::term(dialect, text);
    common(settled(term, dialect, table, true, |settler, term| {
        settler.searched = searched;
        settler.kind(term).map(drop)
    }))
}

/// Writes a condition for a table as the target has it.
///
/// # Errors
/// Why it does not mean the same there.
pub fn write_condition(dialect: &Dialect, table: &Relation, common: &str) -> Result<String> {
    let term = read::term(&COMMON, common);
    let term = settled(term, dialect, table, false, |settler, term| settler.condition(term))?;
    Ok(write::condition(dialect, &term))
}

/// Writes an expression for a table as the target has it, and says of what kind it is.
///
/// # Errors
/// Why it does not mean the same there.
pub fn write_expression(
    dialect: &Dialect,
    table: &Relation,
    common: &str,
    searched: bool,
) -> Result<(String, Kind)> {
    let mut kind = Kind::Nothing;
    let term = read::term(&COMMON, common);
    let term = settled(term, dialect, table, false, |settler, term| {
        settler.searched = searched;
        kind = settler.kind(term)?.kind;
        Ok(())
    })?;
    Ok((write::term(dialect, &term), kind))
}

/// Reads the expressions of the generated columns of a table.
pub fn read_generated(dialect: &Dialect, table: &Relation, columns: &mut [catalog::Column]) {
    for generated in columns.iter_mut().filter_map(|column| column.generated.as_mut()) {
        generated.common = Some(read_expression(dialect, table, &generated.expression, false));
    }
}

/// Writes the expression of a generated column of a table of a plan.
///
/// # Errors
/// Why the target would not compute what the source does.
pub fn write_generated(
    dialect: &Dialect,
    relation: &Relation,
    table: &TablePlan,
    column: &str,
) -> Result<String> {
    let described = table.structure.column(column);
    let generated = described.and_then(|described| described.generated.as_ref());
    let common = match generated.and_then(|generated| generated.common.as_ref()) {
        Some(Common::Sql(common)) => common,
        Some(Common::Refused(reason)) => return refuse(reason),
        None => return refuse("its expression is not known"),
    };
    let is_generated = |name: &String| {
        let mut planned = table.columns.iter().filter(|column| column.source == *name);
        planned.any(|column| {
            let described = table.structure.column(&column.target);
            described.is_some_and(|described| described.generated.is_some())
        })
    };
    if columns(common).iter().any(is_generated) {
        return refuse("it is computed from another generated column");
    }
    let (text, kind) = write_expression(dialect, relation, common, false)?;
    let stored = relation.columns.iter().find(|known| known.written == column);
    match (kind, stored.map(|stored| &stored.kind)) {
        (Kind::Exact { scale, .. }, Some(Kind::Exact { scale: kept, .. })) if scale <= *kept => {
            Ok(text)
        }
        (Kind::Exact { .. }, Some(Kind::Exact { .. })) => {
            refuse("it is rounded to the digits of its column")
        }
        (Kind::Text | Kind::Word, Some(Kind::Text)) => Ok(text),
        (kind, Some(stored)) if kind == *stored && !matches!(kind, Kind::Opaque(_)) => Ok(text),
        _ => refuse("its expression gives a value of another type than its column has"),
    }
}

/// The columns that a common condition or expression names.
pub fn columns(common: &str) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(term) = read::term(&COMMON, common) {
        term.walk(&mut |term| {
            if let Term::Column { name, .. } = term
                && !found.contains(name)
            {
                found.push(name.clone());
            }
        });
    }
    found
}

/// A term with its names and types, in the source's own dialect (`reading`) or for the target's.
fn settled(
    term: Result<Term>,
    dialect: &Dialect,
    table: &Relation,
    reading: bool,
    settle: impl FnOnce(&mut Settler<'_>, &mut Term) -> Result<()>,
) -> Result<Term> {
    let mut term = term?;
    let scope = [settle::Seen::alone(table)];
    settle(&mut Settler::new(dialect, &scope, reading), &mut term)?;
    Ok(term)
}

fn common(term: Result<Term>) -> Common {
    match term {
        Ok(term) => Common::Sql(write::condition(&COMMON, &term)),
        Err(refusal) => Common::Refused(refusal.to_string()),
    }
}
