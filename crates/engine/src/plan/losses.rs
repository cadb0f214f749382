//! Losses, predicted by doing to every value what the run will do, without a target.

use longshore_model::Result;
use longshore_model::catalog::NotMoved;
use longshore_model::connector::{ReadRequest, Snapshot};
use longshore_model::loss::Action;
use longshore_model::plan::{ColumnPlan, LossForecast, TablePlan};

use super::Forecast;
use crate::transform::{Losses, OnFail, Transform};

const BATCH_BYTES: usize = 4 << 20;

/// Reads the columns that have guards of interest and counts what their guards would catch.
pub(crate) async fn forecast(
    snapshot: &dyn Snapshot,
    tables: &[TablePlan],
    forecast: Forecast,
) -> Result<Vec<LossForecast>> {
    let mut forecasts = Vec::new();
    for table in tables {
        let wanted = |column: &&ColumnPlan| {
            let of_interest = |action| forecast == Forecast::Every || action != Action::Fail;
            column.guards.iter().any(|guard| of_interest(guard.action))
        };
        let guarded: Vec<ColumnPlan> = table.columns.iter().filter(wanted).cloned().collect();
        if guarded.is_empty() {
            continue;
        }
        let losses = count(snapshot, table, guarded.clone()).await?;
        for column in guarded {
            for guard in &column.guards {
                let count =
                    losses.counts.get(&column.source).and_then(|counts| counts.get(&guard.kind));
                if let Some(&count) = count {
                    forecasts.push(LossForecast {
                        table: table.source.clone(),
                        column: column.source.clone(),
                        kind: guard.kind,
                        action: guard.action,
                        count,
                    });
                }
            }
        }
    }
    Ok(forecasts)
}

/// Lets columns be NULL whose values a policy makes NULL, but for those of a primary key.
pub(crate) fn loosen(tables: &mut [TablePlan], losses: &[LossForecast]) -> Vec<NotMoved> {
    let mut not_moved = Vec::new();
    for loss in losses.iter().filter(|loss| loss.action == Action::Null && loss.count > 0) {
        let Some(table) = tables.iter_mut().find(|table| table.source == loss.table) else {
            continue;
        };
        let Some(planned) = table.columns.iter().find(|column| column.source == loss.column) else {
            continue;
        };
        let name = planned.target.clone();
        if table.structure.primary_key.contains(&name) {
            continue;
        }
        let column = table.structure.columns.iter_mut().find(|column| column.name == name);
        if let Some(column) = column.filter(|column| !column.nullable) {
            column.nullable = true;
            not_moved.push(NotMoved {
                kind: "NOT NULL".to_string(),
                name: format!("{}.{name}", table.target),
                reason: format!("the policy {} makes {} of its values NULL", loss.kind, loss.count),
            });
        }
    }
    not_moved
}

async fn count(
    snapshot: &dyn Snapshot,
    table: &TablePlan,
    columns: Vec<ColumnPlan>,
) -> Result<Losses> {
    let transform = Transform::of_columns(table, columns, OnFail::Count);
    let mut losses = Losses::default();
    for chunk in &table.chunks {
        let mut reader = snapshot
            .read(&ReadRequest {
                table: table.source.clone(),
                columns: transform.reads(),
                filter: table.filter.clone(),
                range: Some(chunk.range.clone()),
                wire: None,
                batch_bytes: BATCH_BYTES,
            })
            .await?;
        while let Some(batch) = reader.next().await? {
            transform.apply(batch, &mut losses)?;
        }
    }
    Ok(losses)
}
