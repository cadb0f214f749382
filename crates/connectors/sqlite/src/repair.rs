//! Mending differences row by row.

use arrow_array::RecordBatch;
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, LogicalType, Result};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params_from_iter};

use crate::ledger;
use crate::open::target_failure;
use crate::shape::Shape;
use crate::sql::quote;
use crate::value::{self, Stored};
use crate::writer::{insert_rows, insert_sql, views};

/// Takes rows out and puts rows in, inside the caller's transaction. Every row of `remove` takes
/// exactly one row with it.
pub(crate) fn replace_rows(
    connection: &Connection,
    table: &TablePlan,
    remove: &RecordBatch,
    add: &RecordBatch,
) -> Result<()> {
    let name = &table.target.name;
    let shape = Shape::get(connection, name)?;
    let types: Vec<&LogicalType> = table.columns.iter().map(|column| &column.to).collect();
    let removed: Vec<LogicalType> = remove
        .schema()
        .fields()
        .iter()
        .zip(&types)
        .map(|(field, planned)| LogicalType::of_field(field).unwrap_or_else(|| (*planned).clone()))
        .collect();
    let removed: Vec<&LogicalType> = removed.iter().collect();
    for row in 0..remove.num_rows() {
        delete_one(connection, table, &shape, &removed, remove, row)?;
    }
    let mut insert = connection
        .prepare(&insert_sql(table))
        .map_err(|error| target_failure("insert a row", error).with("table", name.clone()))?;
    insert_rows(connection, &mut insert, &types, add, |_| {})
        .map_err(|error| error.with("table", name.clone()))?;
    if add.num_rows() > 0 && shape.alias.is_none() && !shape.without_rowid {
        // The rows that came in have the highest numbers, whatever chunk they are of.
        ledger::put(connection, &ledger::scattered(name), "true")?;
    }
    Ok(())
}

fn delete_one(
    connection: &Connection,
    table: &TablePlan,
    shape: &Shape,
    types: &[&LogicalType],
    batch: &RecordBatch,
    row: usize,
) -> Result<()> {
    let name = &table.target.name;
    let columns = views(types, batch)?;
    let mut conditions = Vec::with_capacity(columns.len());
    let mut parameters: Vec<Stored<'_>> = Vec::with_capacity(columns.len());
    for ((view, logical), column) in columns.iter().zip(types).zip(&table.columns) {
        let stored = value::store(logical, view.cell(row)).map_err(|misfit| {
            Error::new(Code::ValueRefused, format!("a value {}", misfit.describe()))
                .with("column", column.target.clone())
        })?;
        let quoted = quote(&column.target);
        let class = match stored.value() {
            ValueRef::Null => {
                conditions.push(format!("{quoted} IS NULL"));
                continue;
            }
            ValueRef::Integer(_) => "integer",
            ValueRef::Real(_) if shape.keeps_whole_floats_as_integers(&column.target) => {
                "integer', 'real"
            }
            ValueRef::Real(_) => "real",
            ValueRef::Text(_) => "text",
            ValueRef::Blob(_) => "blob",
        };
        conditions.push(format!("{quoted} = ? COLLATE BINARY AND typeof({quoted}) IN ('{class}')"));
        parameters.push(stored);
    }
    let matching = if conditions.is_empty() { "1".to_string() } else { conditions.join(" AND ") };
    let quoted = quote(name);
    let sql = match &shape.rowid {
        Some(rowid) => format!(
            "DELETE FROM {quoted} WHERE {0} = (SELECT {0} FROM {quoted} WHERE {matching} LIMIT 1)",
            quote(rowid)
        ),
        None => format!("DELETE FROM {quoted} WHERE {matching}"),
    };
    let gone = connection
        .execute(&sql, params_from_iter(&parameters))
        .map_err(|error| target_failure("remove a row", error).with("table", name.clone()))?;
    if gone == 1 {
        return Ok(());
    }
    Err(Error::new(Code::RowsUnattributed, "a row to remove is not there exactly once")
        .with("table", name.clone())
        .with("rows", gone.to_string()))
}
