//! What the SQL of MySQL and MariaDB shares with that of other systems.

use longshore_dialect::{Column, Dialect, Function, Kind, Relation, Same};
use longshore_model::LogicalType;
use longshore_model::catalog::{self, TableName};
use longshore_model::plan::TablePlan;

use crate::{sql, types};

/// The words of both. Not here is what means something else there: `length` counts bytes, `||` is
/// OR unless a mode says otherwise.
pub(crate) const SQL: Dialect = Dialect {
    grammar: "mysql",
    quote: sql::quote,
    literal: sql::literal,
    functions: &[
        ("coalesce", Function::Coalesce),
        ("ifnull", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("char_length", Function::Characters),
        ("character_length", Function::Characters),
        ("trim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("substring", Function::Substring),
        ("concat", Function::Concat),
        ("lower", Function::Lower),
        ("lcase", Function::Lower),
        ("upper", Function::Upper),
        ("ucase", Function::Upper),
        ("if", Function::If),
        ("isnull", Function::IsNull),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[],
    joins: false,
    truth: false,
    same: Same::Arrow,
    like: true,
    nulls_last: false,
    nulls_said: false,
    decimals: true,
    wide: None,
    misquoted: false,
};

/// A table of a source.
pub(crate) fn source(table: &str, columns: &[catalog::Column]) -> Relation {
    let column = |column: &catalog::Column| Column::of(&column.name, kind(column), column.nullable);
    Relation::of(TableName::plain(table), columns.iter().map(column).collect())
}

/// A table of a plan, as the target has it.
pub(crate) fn target(table: &TablePlan) -> Relation {
    Relation::planned(table, sql::quote(&table.target.name), |column| {
        let is_text = matches!(types::word(&column.native), "longtext" | "json");
        match &column.to {
            LogicalType::Text | LogicalType::Opaque { .. } => Kind::of(&column.to),
            _ if is_text => Kind::Opaque("it is kept as a text".to_string()),
            logical => Kind::of(logical),
        }
    })
}

fn kind(column: &catalog::Column) -> Kind {
    if column.logical != LogicalType::Text {
        return Kind::of(&column.logical);
    }
    let name = column.collation.as_deref().unwrap_or_default();
    // Under these, texts are equal where every byte is, also spaces at the end.
    if name == "utf8mb4_0900_bin" || name.ends_with("_nopad_bin") {
        return Kind::Text;
    }
    if name.is_empty() {
        return Kind::Opaque(format!("its type {} compares in a way of its own", column.native));
    }
    Kind::Folded(match name {
        name if name.contains("_ci") => {
            format!("the source compares its texts without case ({name})")
        }
        name if name.ends_with("_bin") => {
            format!("the source takes texts that differ in spaces at the end for the same ({name})")
        }
        name => format!("the source compares its texts by rules of its own ({name})"),
    })
}
