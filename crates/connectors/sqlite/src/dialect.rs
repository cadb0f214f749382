//! What SQLite's SQL shares with that of other systems.

use longshore_dialect::{Column, Dialect, Function, Kind, Relation, Same};
use longshore_model::LogicalType;
use longshore_model::catalog;
use longshore_model::plan::TablePlan;

use crate::sql;

/// The words of SQLite. LIKE takes upper and lower case of ASCII for the same, GLOB does not; numbers
/// with a fraction are floats.
pub(crate) const SQL: Dialect = Dialect {
    grammar: "sqlite",
    quote: sql::quote,
    literal: sql::text_literal,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("ifnull", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("length", Function::Characters),
        ("trim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("iif", Function::If),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[],
    joins: true,
    truth: false,
    same: Same::Is,
    like: false,
    nulls_last: false,
    nulls_said: true,
    decimals: false,
    wide: None,
    misquoted: true,
};

/// A table of a source. Types are not enforced: what operators may do is known after the study.
pub(crate) fn source(table: &catalog::Table) -> Relation {
    let column = |column: &catalog::Column| {
        let kind = match &column.collation {
            Some(name) => Kind::Folded(format!("the source compares its texts by {name}")),
            None => Kind::Loose,
        };
        Column::of(&column.name, kind, column.nullable)
    };
    Relation::of(table.name.clone(), table.columns.iter().map(column).collect())
}

/// A table of a plan, as the target has it: decimals, days and moments are texts.
pub(crate) fn target(table: &TablePlan) -> Relation {
    Relation::planned(table, sql::quote(&table.target.name), |column| match &column.to {
        LogicalType::Number => Kind::Opaque("it is kept as a text".to_string()),
        logical => match Kind::of(logical) {
            Kind::Exact { whole, scale } if matches!(logical, LogicalType::Decimal { .. }) => {
                Kind::Digits { whole, scale }
            }
            Kind::Date | Kind::Timestamp | Kind::Instant => Kind::Mark,
            kind => kind,
        },
    })
}
