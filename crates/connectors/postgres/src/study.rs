//! The study of a table: how large it is, and whether its columns hold what other systems lack.
//! Types need no scan, because the server enforces them.

use std::collections::HashMap;

use longshore_model::connector::{Study, StudyRequest};
use longshore_model::{Code, Error, LogicalType, Result};
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::selection;
use crate::source::has_infinity;
use crate::survey::Facts;
use crate::types::{self, NativeType};
use crate::{range, reader, rights, sql, wire};

/// What only a look at a table shows.
#[derive(Default)]
pub(crate) struct Seen {
    /// The columns, by their index in the request, with values that their logical type cannot hold.
    infinite: Vec<usize>,
    /// The rows that the server's planner expects.
    rows: Option<u64>,
}

/// Whether the facts about a table do not suffice.
pub(crate) fn needs_a_look(facts: &Facts, request: &StudyRequest<'_>) -> bool {
    request.decoded || request.filter.is_some() || facts.rows.is_none()
}

/// Looks at one table.
pub(crate) async fn look(
    client: &Client,
    address: &Address,
    facts: &Facts,
    request: &StudyRequest<'_>,
) -> Result<Seen> {
    let name = reader::qualified(&request.table.name, address);
    let columns = columns(&name, facts, request)?;
    let types: Vec<LogicalType> =
        columns.iter().map(|(_, native)| types::logical(native)).collect();
    let infinite = match request.decoded {
        true => infinite(client, &name, &columns, &types, request.filter).await?,
        false => Vec::new(),
    };
    let condition = request.filter.map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
    let explain = format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM ONLY {name}{condition}");
    let rows =
        match facts.rows {
            Some(_) if request.filter.is_none() => None,
            _ if facts.blocks == 0 => None,
            _ => Some(expected(client, &explain, request.filter).await.map_err(|error| {
                rights::reading(error.with("table", name.clone()), &name, address)
            })?),
        };
    Ok(Seen { infinite, rows })
}

/// Studies one table by what is known of it.
pub(crate) fn study(
    address: &Address,
    facts: &Facts,
    request: &StudyRequest<'_>,
    seen: &Seen,
) -> Result<Study> {
    let name = reader::qualified(&request.table.name, address);
    let columns = columns(&name, facts, request)?;
    let mut types: Vec<LogicalType> =
        columns.iter().map(|(_, native)| types::logical(native)).collect();
    let mut notes = Vec::new();
    for column in &seen.infinite {
        notes.push(format!(
            "{} holds infinity or NaN, which its type has nowhere else: it travels as text",
            columns[*column].0
        ));
        types[*column] = LogicalType::Text;
    }
    let binary = columns.iter().all(|(_, native)| types::passes_in_binary(native));
    let wires = vec![if binary { wire::BINARY } else { wire::TEXT }.to_string()];
    let rows = seen.rows.or(facts.rows).unwrap_or(0);
    let bytes = if facts.blocks == 0 { 0 } else { facts.bytes };
    let chunks = range::chunks(facts.blocks, bytes, rows, request.chunk_bytes)?;
    Ok(Study { types, chunks, wires, notes })
}

/// The columns that were asked for.
fn columns<'a>(
    name: &str,
    facts: &'a Facts,
    request: &StudyRequest<'_>,
) -> Result<Vec<(&'a str, &'a NativeType)>> {
    let known: HashMap<&str, &NativeType> =
        facts.columns.iter().map(|(name, native)| (name.as_str(), native)).collect();
    let find = |wanted: &String| {
        known.get_key_value(wanted.as_str()).map(|(name, native)| (*name, *native)).ok_or_else(
            || {
                Error::new(Code::SourceChanged, "a column is no longer there")
                    .with("table", name)
                    .with("column", wanted.clone())
            },
        )
    };
    request.columns.iter().map(find).collect()
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
