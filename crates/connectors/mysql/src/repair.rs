//! Rows taken out and put in, exactly as many as are asked for.

use arrow_array::RecordBatch;
use longshore_model::plan::TablePlan;
use longshore_model::{Cell, Code, Error, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::columns;
use crate::encode::{Column, hex};
use crate::failure::refusal;
use crate::sql::quote;
use crate::writer::{Layout, Pending};

/// Replaces rows inside the open transaction.
pub(crate) async fn replace_rows(
    conn: &mut Conn,
    table: &TablePlan,
    remove: &RecordBatch,
    add: &RecordBatch,
) -> Result<()> {
    let name = &table.target.name;
    let there = columns::of_table(conn, name).await?;
    let layout = Layout::of(table, &there)?;
    if remove.num_rows() > 0 {
        let columns = layout.columns(remove)?;
        for row in 0..remove.num_rows() {
            remove_one(conn, name, &columns, row).await?;
        }
    }
    let mut pending = Pending::default();
    layout.insert(conn, add, &mut pending).await?;
    layout.send(conn, &mut pending).await
}

async fn remove_one(
    conn: &mut Conn,
    table: &str,
    columns: &[Column<'_>],
    row: usize,
) -> Result<()> {
    let conditions = columns
        .iter()
        .map(|column| equal(column, row))
        .collect::<Result<Vec<String>>>()
        .map_err(|error| error.with("table", table))?;
    let sql = format!("DELETE FROM {} WHERE {} LIMIT 1", quote(table), conditions.join(" AND "));
    let told = |error| refusal("remove a row", error).with("table", table);
    conn.query_drop(sql).await.map_err(told)?;
    if conn.affected_rows() == 1 {
        return Ok(());
    }
    Err(Error::new(Code::RowsUnattributed, "rows to be removed are not there")
        .with("table", table)
        .hint("Something else writes to the target: stop it and verify again."))
}

/// The condition that a column holds exactly a value. Texts are equal to the servers that differ in
/// case or in spaces at the end: their bytes are compared, and the texts for the sake of an index.
fn equal(column: &Column<'_>, row: usize) -> Result<String> {
    let name = quote(column.name);
    let mut literal = String::new();
    column.literal(row, &mut literal, &mut String::new())?;
    let mut condition = format!("{name} <=> {literal}");
    if literal.starts_with('\'')
        && let Cell::Text(text) = column.view.cell(row)
    {
        let mut bytes = String::new();
        hex(text.as_bytes(), &mut bytes);
        condition += &format!(" AND CAST(CONVERT({name} USING utf8mb4) AS BINARY) <=> X'{bytes}'");
    }
    Ok(condition)
}
