//! The study of a table: how large it is, and whether its columns hold what other systems lack.
//! Types need no scan, because the server enforces them.

use longshore_model::connector::{Study, StudyRequest};
use longshore_model::{Code, Error, LogicalType, Result};
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::{failure, selection};
use crate::source::has_infinity;
use crate::types::{self, NativeType};
use crate::{catalog, range, reader, rights, sql, wire};

/// Studies one table. Rows are what the server's planner expects; no count is taken.
pub(crate) async fn study(
    client: &Client,
    address: &Address,
    request: &StudyRequest<'_>,
) -> Result<Study> {
    let name = reader::qualified(&request.table.name, address);
    let all = catalog::columns_of(client, &name)
        .await
        .map_err(|error| rights::reading(error, &name, address))?;
    let columns = request
        .columns
        .iter()
        .map(|wanted| {
            let found = all.iter().find(|(name, _)| name == wanted);
            found.map(|(name, native)| (name.as_str(), native)).ok_or_else(|| {
                Error::new(Code::SourceChanged, "a column is no longer there")
                    .with("table", name.clone())
                    .with("column", wanted.clone())
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let mut types: Vec<LogicalType> =
        columns.iter().map(|(_, native)| types::logical(native)).collect();
    let mut notes = Vec::new();
    if request.decoded {
        for column in infinite(client, &name, &columns, &types, request.filter).await? {
            notes.push(format!(
                "{} holds infinity or NaN, which its type has nowhere else: it travels as text",
                columns[column].0
            ));
            types[column] = LogicalType::Text;
        }
    }
    let size = size(client, address, &name, request.filter).await?;
    let binary = columns.iter().all(|(_, native)| types::passes_in_binary(native));
    let wires = vec![if binary { wire::BINARY } else { wire::TEXT }.to_string()];
    let chunks = range::chunks(size.blocks, size.bytes, size.rows, request.chunk_bytes)?;
    Ok(Study { types, chunks, wires, notes })
}

struct Size {
    blocks: u32,
    bytes: u64,
    rows: u64,
}

async fn size(
    client: &Client,
    address: &Address,
    name: &str,
    filter: Option<&str>,
) -> Result<Size> {
    let told = |error| failure("ask for a table's size", error).with("table", name);
    let sql = format!(
        "SELECT pg_catalog.pg_relation_size({0}::pg_catalog.regclass, 'main')
                / pg_catalog.current_setting('block_size')::pg_catalog.int8,
            pg_catalog.pg_table_size({0}::pg_catalog.regclass)",
        sql::literal(name)
    );
    let row = client.query_one(&sql, &[]).await.map_err(told)?;
    let (blocks, bytes): (i64, i64) =
        (row.try_get(0).map_err(told)?, row.try_get(1).map_err(told)?);
    let condition = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    let explain = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM ONLY {name}{condition}");
    let rows = if blocks == 0 {
        0
    } else {
        expected(client, &explain, filter)
            .await
            .map_err(|error| rights::reading(error.with("table", name), name, address))?
    };
    Ok(Size {
        blocks: u32::try_from(blocks).unwrap_or(u32::MAX),
        bytes: if blocks == 0 { 0 } else { u64::try_from(bytes).unwrap_or(0) },
        rows,
    })
}

/// The rows that the server's planner expects.
async fn expected(client: &Client, explain: &str, filter: Option<&str>) -> Result<u64> {
    let told = |error| selection("ask for a table's rows", error, filter);
    let messages = client.simple_query(explain).await.map_err(told)?;
    let text: String = messages
        .iter()
        .filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        })
        .collect();
    let plan: serde_json::Value = serde_json::from_str(&text).map_err(|error| {
        Error::new(Code::Database, "the server's estimate is not understood").because(error)
    })?;
    Ok(plan[0]["Plan"]["Plan Rows"].as_u64().unwrap_or(0))
}

/// The columns, by their index, with values that their logical type cannot hold.
async fn infinite(
    client: &Client,
    name: &str,
    columns: &[(&str, &NativeType)],
    types: &[LogicalType],
    filter: Option<&str>,
) -> Result<Vec<usize>> {
    let suspects: Vec<usize> = (0..columns.len()).filter(|at| has_infinity(&types[*at])).collect();
    let mut found = Vec::new();
    // A select list has at most 1,664 items.
    for some in suspects.chunks(1000) {
        let tests: Vec<String> = some
            .iter()
            .map(|at| {
                let column = sql::quote(columns[*at].0);
                let test = match types[*at] {
                    LogicalType::Decimal { .. } => format!("{column} = 'NaN'::pg_catalog.numeric"),
                    LogicalType::Timestamp { .. } => format!(
                        "NOT pg_catalog.isfinite({column}) OR {column} > '294246-12-31 00:00:00'"
                    ),
                    _ => format!("NOT pg_catalog.isfinite({column})"),
                };
                format!("COALESCE(pg_catalog.bool_or({test}), false)")
            })
            .collect();
        let condition = filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
        let query = format!("SELECT {} FROM ONLY {name}{condition}", tests.join(", "));
        let told = |error| selection("look for infinite values", error, filter).with("table", name);
        let row = client.query_one(&query, &[]).await.map_err(told)?;
        for (place, at) in some.iter().enumerate() {
            if row.try_get::<_, bool>(place).map_err(told)? {
                found.push(*at);
            }
        }
    }
    Ok(found)
}
