//! Rows and objects as one unit: every object that rows name is there, and what no row names is
//! counted.

mod names;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use longshore_model::connector::{ReadRequest, Snapshot};
use longshore_model::object::{LISTING, WIRE};
use longshore_model::plan::{Plan, Range, ReferenceForecast, ReferencePlan, TablePlan};
use longshore_model::spec::Limits;
use longshore_model::{Batch, Code, Error, LogicalType, Result};

use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::{Events, Stage};
use crate::report::ReferenceReport;
use crate::run::stage;
use crate::verify::blank_ledger;
use names::{Names, Tally};

/// The size of a batch of names.
const BATCH_BYTES: usize = 1 << 20;
/// What a name takes in memory, about.
const NAME_BYTES: u64 = 192;

/// What the references of a plan are checked with.
pub(crate) struct Unit<'a> {
    pub plan: &'a Plan,
    pub links: &'a [Link],
    pub limits: &'a Limits,
    pub cancel: &'a Cancel,
}

/// Looks at what the rows of the sources name, and keeps it in the plan.
pub(crate) async fn forecast(plan: &mut Plan, links: &[Link], cancel: &Cancel) -> Result<()> {
    let mut forecasts = BTreeMap::new();
    let unit = Unit { plan, links, limits: &plan.limits, cancel };
    for (objects, references) in groups(plan) {
        if references.iter().all(|one| unit.column(one).is_untouched_text()) {
            let found = unit.tally(objects, &references, Side::Source).await?;
            let (names, missing, unnamed) = (found.names, found.missing, found.unnamed);
            forecasts.insert(objects, ReferenceForecast { names, missing, unnamed });
        }
    }
    for reference in &mut plan.references {
        reference.forecast = forecasts.get(&reference.objects).copied();
    }
    Ok(())
}

/// Checks the references as a stage, where there are any.
pub(crate) async fn check_stage(unit: &Unit<'_>, events: &Events) -> Result<Vec<ReferenceReport>> {
    if unit.plan.references.is_empty() {
        return Ok(Vec::new());
    }
    stage(events, Stage::References, check(unit)).await
}

/// Compares what the rows of the targets name with the objects there.
async fn check(unit: &Unit<'_>) -> Result<Vec<ReferenceReport>> {
    let mut reports = Vec::new();
    for (objects, references) in groups(unit.plan) {
        let found = unit.tally(objects, &references, Side::Target).await?;
        let column = |one: &&ReferencePlan| unit.column(one).title.clone();
        let keys = unit.plan.moves[objects].keys;
        reports.push(ReferenceReport {
            columns: references.iter().map(column).collect(),
            objects: unit.plan.moves[objects].to.clone(),
            matches: found.refused == 0,
            rows: found.rows,
            elsewhere: found.elsewhere,
            names: found.names,
            missing: found.missing,
            in_source: found.in_source,
            unnamed: found.unnamed,
            missing_names: found.missing_names.shown(keys),
            unnamed_names: found.unnamed_names.shown(keys),
        });
    }
    Ok(reports)
}

/// References by the move of the objects that they name.
fn groups(plan: &Plan) -> BTreeMap<usize, Vec<&ReferencePlan>> {
    let mut groups = BTreeMap::<usize, Vec<_>>::new();
    for reference in &plan.references {
        groups.entry(reference.objects).or_default().push(reference);
    }
    groups
}

/// Which ends of the moves are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// The column of a reference.
struct Column {
    /// `table.column`, as the target has them.
    title: String,
    source: (String, LogicalType),
    target: (String, LogicalType),
}

impl Column {
    /// Whether values arrive as they leave.
    fn is_untouched_text(&self) -> bool {
        self.source.1 == LogicalType::Text && self.target.1 == LogicalType::Text
    }
}

impl Unit<'_> {
    fn table(&self, reference: &ReferencePlan) -> &TablePlan {
        &self.plan.moves[reference.rows].tables[reference.table]
    }

    fn column(&self, reference: &ReferencePlan) -> Column {
        let table = self.table(reference);
        let column = &table.columns[reference.column];
        Column {
            title: format!("{}.{}", table.target, column.target),
            source: (column.source.clone(), column.from.clone()),
            target: (column.target.clone(), column.to.clone()),
        }
    }

    /// Compares names in rows with objects. The names are taken in as many passes as the memory
    /// asks for.
    async fn tally(
        &self,
        objects: usize,
        references: &[&ReferencePlan],
        side: Side,
    ) -> Result<Tally> {
        let mut rows = Vec::with_capacity(references.len());
        for reference in references {
            let column = self.column(reference);
            let column = if side == Side::Source { column.source } else { column.target };
            rows.push((
                *reference,
                self.scan(side, reference.rows, reference.table, vec![column]).await?,
            ));
        }
        let entries = self.objects(side, objects).await?;
        let mut origin = None;
        let mut tally = Tally::default();
        let planned: u64 = references.iter().map(|one| self.table(one).rows).sum();
        let passes = planned * NAME_BYTES / (self.limits.memory.0 / 4).max(1) + 1;
        for pass in 0..passes {
            let mut names = Names::of_pass(pass, passes);
            for (reference, scan) in &rows {
                scan.read(self.cancel, |batch| names.take_rows(batch, reference, &mut tally))
                    .await?;
            }
            entries.read(self.cancel, |batch| names.take_objects(batch, &mut tally)).await?;
            if names.lacks_some() && side == Side::Target {
                let origin = match &mut origin {
                    Some(origin) => origin,
                    none => none.insert(self.objects(Side::Source, objects).await?),
                };
                origin.read(self.cancel, |batch| names.take_origin(batch)).await?;
            }
            names.sum_up(&mut tally);
        }
        Ok(tally)
    }

    async fn objects(&self, side: Side, objects: usize) -> Result<Scan> {
        let columns = ["name", "kind"].map(|name| (name.to_string(), LogicalType::Text));
        self.scan(side, objects, 0, columns.to_vec()).await
    }

    /// Some columns of a table of one end of a move.
    async fn scan(
        &self,
        side: Side,
        index: usize,
        table: usize,
        columns: Vec<(String, LogicalType)>,
    ) -> Result<Scan> {
        let (link, plan) = (&self.links[index], &self.plan.moves[index].tables[table]);
        let (source, name, ranges) = match side {
            Side::Source => {
                let source = link.source.open_source(&link.from).await?;
                let ranges = plan.chunks.iter().map(|chunk| Some(chunk.range.clone())).collect();
                (source, &plan.source, ranges)
            }
            Side::Target => {
                let source = link.target.open_source(&link.to).await?;
                (source, &plan.target, self.parts(index, table).await?)
            }
        };
        let filter = plan.filter.clone().filter(|_| side == Side::Source);
        let request = |range: Option<Range>| ReadRequest {
            table: name.clone(),
            columns: columns.clone(),
            filter: filter.clone(),
            range,
            // What objects are, a listing tells.
            wire: plan.wire.as_ref().filter(|wire| *wire == WIRE).map(|_| LISTING.to_string()),
            batch_bytes: BATCH_BYTES,
        };
        let snapshot = Arc::from(source.snapshot(1).await?);
        Ok(Scan { snapshot, requests: ranges.into_iter().map(request).collect() })
    }

    /// The parts of a table of the target.
    async fn parts(&self, index: usize, table: usize) -> Result<Vec<Option<Range>>> {
        let link = &self.links[index];
        let target = link.target.open_target(&link.to).await?;
        let ledger = match target.ledger().await? {
            Some(ledger) => ledger,
            None => blank_ledger(self.plan, index)?,
        };
        let tables = [(table, &self.plan.moves[index].tables[table])];
        let parts = target.parts(&tables, &ledger).await?;
        Ok(parts.into_iter().flatten().map(|part| part.range).collect())
    }
}

/// Some columns of a table, as often as they are wanted.
struct Scan {
    snapshot: Arc<dyn Snapshot>,
    requests: Vec<ReadRequest>,
}

impl Scan {
    async fn read(
        &self,
        cancel: &Cancel,
        mut visit: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        for request in &self.requests {
            let mut reader = self.snapshot.read(request).await?;
            while let Some(batch) = cancel.guard(reader.next()).await? {
                let Batch::Rows(rows) = batch else {
                    return Err(Error::new(Code::Internal, "names were asked for and bytes came"));
                };
                visit(&rows)?;
            }
        }
        Ok(())
    }
}
