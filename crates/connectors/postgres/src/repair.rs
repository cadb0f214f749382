//! Rows taken out and put in, exactly as many as are asked for.

use arrow_array::RecordBatch;
use bytes::Bytes;
use futures_util::SinkExt;
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, LogicalType, Result};
use tokio_postgres::Client;

use crate::binary::Encoder;
use crate::failure::refusal;
use crate::sql::quote;
use crate::types::NativeType;
use crate::wire::{self, Wire};

const MESSAGE_BYTES: usize = 256 << 10;

/// Replaces rows inside the open transaction. Rows are compared by their text, in which every value
/// of every type differs from every other.
pub(crate) async fn replace_rows(
    client: &Client,
    name: &str,
    table: &TablePlan,
    columns: &[(String, NativeType)],
    remove: &RecordBatch,
    add: &RecordBatch,
) -> Result<()> {
    let chosen = choose(table, columns)?;
    let list: Vec<String> = chosen.iter().map(|(name, ..)| quote(name)).collect();
    let list = list.join(", ");
    if remove.num_rows() > 0 {
        let sql = format!(
            "CREATE TEMP TABLE longshore_remove ON COMMIT DROP AS
             SELECT {list} FROM ONLY {name} WITH NO DATA"
        );
        client.batch_execute(&sql).await.map_err(told("set rows aside"))?;
        copy(client, "pg_temp.longshore_remove", &list, &chosen, remove).await?;
        let sql = format!(
            "DELETE FROM ONLY {name} WHERE ctid IN (
                SELECT here.id FROM (
                    SELECT ctid AS id, ROW({list})::pg_catalog.text AS words,
                        pg_catalog.row_number() OVER (PARTITION BY ROW({list})::pg_catalog.text)
                            AS number
                    FROM ONLY {name}) AS here
                JOIN (SELECT ROW({list})::pg_catalog.text AS words, pg_catalog.count(*) AS many
                    FROM pg_temp.longshore_remove GROUP BY 1) AS gone USING (words)
                WHERE here.number <= gone.many)"
        );
        let removed = client.execute(&sql, &[]).await.map_err(told("remove rows"))?;
        if removed != remove.num_rows() as u64 {
            return Err(Error::new(Code::RowsUnattributed, "rows to be removed are not there")
                .with("table", table.target.to_string())
                .hint("Something else writes to the target: stop it and verify again."));
        }
        client
            .batch_execute("DROP TABLE pg_temp.longshore_remove")
            .await
            .map_err(told("set rows aside"))?;
    }
    if add.num_rows() > 0 {
        copy(client, name, &list, &chosen, add).await?;
    }
    Ok(())
}

type Chosen = Vec<(String, NativeType, LogicalType)>;

fn choose(table: &TablePlan, columns: &[(String, NativeType)]) -> Result<Chosen> {
    let find = |name: &String| columns.iter().find(|(column, _)| column == name);
    table
        .columns
        .iter()
        .map(|column| {
            let (_, native) = find(&column.target).ok_or_else(|| {
                Error::new(Code::TargetNotEmpty, "the target's table lacks a column")
                    .with("table", table.target.to_string())
                    .with("column", column.target.clone())
            })?;
            Ok((column.target.clone(), native.clone(), column.to.clone()))
        })
        .collect()
}

async fn copy(
    client: &Client,
    name: &str,
    list: &str,
    chosen: &Chosen,
    rows: &RecordBatch,
) -> Result<()> {
    let encoder = Encoder::new(chosen)?;
    let form = encoder.wire();
    let sql = format!("COPY {name} ({list}) FROM STDIN (FORMAT {})", form.format());
    let sink = client.copy_in(sql.as_str()).await.map_err(told("put rows in"))?;
    let mut sink = Box::pin(sink);
    if form == Wire::Binary {
        sink.send(Bytes::from_static(wire::HEADER)).await.map_err(told("put rows in"))?;
    }
    let mut left = encoder.rows(rows)?;
    while let Some(message) = left.message(MESSAGE_BYTES)? {
        sink.send(message).await.map_err(told("put rows in"))?;
    }
    if form == Wire::Binary {
        sink.send(Bytes::from_static(&wire::TRAILER)).await.map_err(told("put rows in"))?;
    }
    sink.as_mut().finish().await.map(drop).map_err(told("put rows in"))
}

fn told(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| refusal(doing, error)
}
