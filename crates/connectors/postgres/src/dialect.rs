//! What PostgreSQL's SQL shares with that of other systems.

use longshore_dialect::{Cast, Column, Dialect, Function, Kind, Relation, Same};
use longshore_model::LogicalType;
use longshore_model::catalog;
use longshore_model::plan::TablePlan;

use crate::sql;

/// The words of PostgreSQL. Not here is what means something else there: `concat` leaves NULL out,
/// `round` of floats takes the even neighbour, `real` is a cast that changes numbers.
pub(crate) const SQL: Dialect = Dialect {
    grammar: "postgresql",
    quote: sql::quote,
    literal: sql::literal,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("char_length", Function::Characters),
        ("character_length", Function::Characters),
        ("length", Function::Characters),
        ("btrim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("substring", Function::Substring),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[
        ("smallint", Cast::Whole),
        ("integer", Cast::Whole),
        ("bigint", Cast::Whole),
        ("numeric", Cast::Exact),
        ("double precision", Cast::Float),
        ("text", Cast::Text),
        ("character varying", Cast::Text),
        ("date", Cast::Date),
        ("timestamp without time zone", Cast::Timestamp),
    ],
    joins: true,
    truth: true,
    same: Same::Words,
    like: true,
    nulls_last: true,
    nulls_said: true,
    decimals: true,
    // A sum of two integers overflows where that of two bigints does not.
    wide: Some("numeric"),
    misquoted: false,
};

/// A table of a source.
pub(crate) fn source(table: &catalog::Table) -> Relation {
    let column = |column: &catalog::Column| Column {
        named: (!column.values.is_empty()).then(|| column.native.clone()),
        ..Column::of(&column.name, kind(column), column.nullable)
    };
    Relation::of(table.name.clone(), table.columns.iter().map(column).collect())
}

/// A table of a plan, as the target has it.
pub(crate) fn target(table: &TablePlan, schema: &str) -> Relation {
    let written = sql::table(&table.target, schema);
    Relation::planned(table, written, |column| Kind::of(&column.to))
}

fn kind(column: &catalog::Column) -> Kind {
    let native = column.native.as_str();
    let deterministic = |name: &String| name.starts_with("pg_catalog.");
    match &column.logical {
        // An enumeration: other systems have its texts.
        _ if !column.values.is_empty() => Kind::Text,
        LogicalType::Text if !native.starts_with("character varying") && native != "text" => {
            Kind::Opaque(format!("its type {native} compares in a way of its own"))
        }
        LogicalType::Text => match column.collation.as_ref().filter(|name| !deterministic(name)) {
            Some(name) => {
                Kind::Folded(format!("its collation {name} may take different texts for the same"))
            }
            None => Kind::Text,
        },
        LogicalType::Int { unsigned: true, .. } => {
            Kind::Opaque(format!("its type {native} has no equal everywhere"))
        }
        logical => Kind::of(logical),
    }
}
