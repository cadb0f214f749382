//! The plan: what will happen, worked out against the real systems, before anything does.

mod column;
mod computed;
pub(crate) mod drift;
mod losses;
pub(crate) mod merge;
mod names;
mod references;
mod rules;
mod text;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use longshore_model::catalog::{Catalog, NotMoved, Program, Table};
use longshore_model::connector::{Source, StudyRequest, Target};
use longshore_model::ledger::Stage;
use longshore_model::loss::{Action, OnReject};
use longshore_model::plan::{ColumnPlan, FORMAT, MovePlan, Plan, ReferencePlan, TablePlan, digest};
use longshore_model::spec::{Existing, Limits, Move, Spec};
use longshore_model::{Code, Error, Result, object};

use crate::cancel::Cancel;
use crate::connectors::Link;
use crate::event::{Event, Events};
use names::Naming;
use rules::{Draft, Ends};
pub use text::describe;

/// What the forecast of losses looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forecast {
    /// Every kind.
    Every,
    /// Those with which a run goes on. A value of another kind ends it anyway, and looking for it
    /// reads a large source once more.
    Tolerated,
}

/// Works a migration out. `links` has one item for each move of the migration. Nothing is changed
/// anywhere.
pub async fn make(
    spec: &Spec,
    links: &[Link],
    forecast: Forecast,
    events: &Events,
    cancel: &Cancel,
) -> Result<Plan> {
    let mut moves = Vec::with_capacity(links.len());
    let mut references = Vec::new();
    for (index, link) in links.iter().enumerate() {
        let (made, found) = cancel.guard(plan_move(index, spec, link, forecast, events)).await?;
        moves.push(made);
        references.extend(found);
    }
    references::check(spec, &moves, &references)?;
    let mut plan = Plan {
        format: FORMAT.to_string(),
        name: spec.name.clone(),
        version: spec.version.clone(),
        spec_digest: spec_digest(spec)?,
        limits: spec.limits.clone(),
        verify: spec.verify,
        moves,
        references,
    };
    if forecast == Forecast::Every {
        crate::references::forecast(&mut plan, links, cancel).await?;
    }
    Ok(plan)
}

/// The plan of a run of this same migration that a target's ledger holds, finished or not: a run
/// that is started again goes on with it. What was merged into trees is merged anew when all of it is
/// done, and when the source has changed: what arrived is the same and stays.
pub async fn in_target(spec: &Spec, links: &[Link]) -> Result<Option<Plan>> {
    let wanted = spec_digest(spec)?;
    let mut held: Option<Plan> = None;
    let mut finished = 0;
    let mut is_stale = false;
    for (index, link) in links.iter().enumerate() {
        let target = link.target.open_target(&link.to).await?;
        let ledger = target.ledger().await?;
        let Some(ledger) = ledger.filter(|ledger| ledger.header.spec_digest == wanted) else {
            continue;
        };
        finished += usize::from(ledger.has(Stage::Finished));
        let merges = spec.moves.get(index).is_some_and(|one| merge::merges(one.existing, link));
        if merges && !ledger.has(Stage::Copied) {
            let source = link.source.open_source(&link.from).await?;
            is_stale |= source.snapshot(1).await?.position() != &ledger.header.position;
        }
        if held.is_none() {
            held = Some(Plan::from_json(&ledger.header.plan)?);
        }
    }
    let merges = spec.moves.iter().zip(links).any(|(one, link)| merge::merges(one.existing, link));
    let is_over = finished == links.len();
    Ok(held.filter(|_| !(merges && (is_over || is_stale))))
}

/// The digest of what a migration does; bounds and the level of verification do not change it.
pub fn spec_digest(spec: &Spec) -> Result<String> {
    let mut spec = spec.clone();
    spec.limits = Limits { chunk: spec.limits.chunk, ..Limits::default() };
    spec.verify = Default::default();
    serde_json::to_vec(&spec)
        .map(|bytes| digest(&bytes))
        .map_err(|e| Error::new(Code::Internal, "the migration cannot be written").because(e))
}

/// The plan of one move, and which of its columns name objects.
async fn plan_move(
    index: usize,
    spec: &Spec,
    link: &Link,
    forecast: Forecast,
    events: &Events,
) -> Result<(MovePlan, Vec<ReferencePlan>)> {
    let one = &spec.moves[index];
    merge::check(one.existing, link)?;
    let source = link.source.open_source(&link.from).await?;
    let target = link.target.open_target(&link.to).await?;
    let snapshot = source.snapshot(1).await?;
    let catalog = source.catalog().await?;
    let to = link.target.about().target;
    let same_dialect = !catalog.dialect.is_empty() && catalog.dialect == to.dialect;
    let other_dialect = !to.dialect.is_empty() && !same_dialect;
    let ends = Ends { same_dialect, other_dialect, namespaces: to.namespaces };
    if catalog.dialect == object::DIALECT && !same_dialect {
        return Err(Error::new(
            Code::Unsupported,
            "the source has objects, and the target takes rows",
        )
        .with("source", link.from.to_string())
        .with("target", link.to.to_string())
        .hint("A tree of files takes them: file:FOLDER?format=objects."));
    }
    let naming = Naming::of(to.names, spec);
    let (mut drafts, renamed) = rules::apply(one, &catalog, ends, &naming)?;
    drafts.iter_mut().for_each(|draft| leave_unkept(draft, target.as_ref()));
    if !link.source.about().source.filter && drafts.iter().any(|draft| draft.filter.is_some()) {
        return Err(Error::new(Code::Unsupported, "the source cannot evaluate conditions")
            .with("source", link.from.to_string()));
    }
    // A row that is refused is looked at, and wire bytes cannot be.
    let wires = match spec.on_reject {
        OnReject::Fail if same_dialect => to.wires,
        _ => &[],
    };
    let studied = study_all(source.as_ref(), drafts, wires, spec.limits.chunk.0, events).await?;
    let mut not_moved = catalog.not_moved.clone();
    let mut risks = renamed;
    let mut tables = Vec::with_capacity(studied.len());
    for (draft, study) in studied {
        not_moved.extend(draft.not_moved.iter().cloned());
        risks.extend(study.notes.iter().map(|note| format!("{}: {note}", draft.table.name)));
        tables.push(table_plan(&draft, study, target.as_ref(), wires, spec)?);
    }
    tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.target.cmp(&b.target)));

    let losses = losses::forecast(snapshot.as_ref(), &tables, forecast).await?;
    not_moved.extend(losses::loosen(&mut tables, &losses));
    if other_dialect {
        not_moved.extend(computed::settle(&mut tables, target.as_ref(), one.existing));
    }
    let moving = moving(one, &catalog, &tables);
    let design = target.design(&tables, &moving)?;
    not_moved.extend(design.not_moved);
    risks.extend(design.risks);
    risks.extend(snapshot.notes());
    risks.extend(general_risks(&tables, &losses));
    risks.extend(target.missing_rights(&tables, &moving).await?);
    let full = full_tables(target.as_ref(), &tables).await?;
    let merge =
        merge::forecast(snapshot.as_ref(), link, &tables, one.existing, !full.is_empty()).await?;
    if merge.is_none() {
        risks.extend(target_risk(&full, one.existing));
    }
    let references = references::from_rows(spec, index, &catalog, &tables)?;
    let plan = MovePlan {
        from: link.from.to_string(),
        to: link.to.to_string(),
        existing: one.existing,
        on_reject: spec.on_reject,
        keys: spec.keys,
        position: snapshot.position().clone(),
        selects: one.tables.clone(),
        tables,
        prepare: design.prepare,
        finish: design.finish,
        losses,
        not_moved,
        merge,
        risks,
        restart: link.source.about().source.restart.to_string(),
    };
    Ok((plan, references))
}

/// Leaves out the columns that the target has no place for, and says so.
fn leave_unkept(draft: &mut Draft, target: &dyn Target) {
    for column in &draft.table.columns {
        let Some(at) = draft.columns.iter().position(|one| one.source == column.name) else {
            continue;
        };
        let Err(reason) = target.keeps(column) else { continue };
        let target_name = draft.columns.remove(at).target;
        draft.structure.columns.retain(|one| one.name != target_name);
        let name = format!("{}.{}", draft.table.name, column.name);
        draft.not_moved.push(left_out("column", name, reason));
    }
}

type Studied = (Draft, longshore_model::connector::Study);

/// Studies two tables at a time: a study is bound by one core.
async fn study_all(
    source: &dyn Source,
    drafts: Vec<Draft>,
    wires: &[&str],
    chunk_bytes: u64,
    events: &Events,
) -> Result<Vec<Studied>> {
    let queue = Arc::new(std::sync::Mutex::new(drafts.into_iter().enumerate()));
    let work = || async {
        let mut done = Vec::new();
        loop {
            let next = queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).next();
            let Some((index, draft)) = next else { return Ok::<_, Error>(done) };
            let study = study(source, &draft, wires, chunk_bytes, events).await?;
            done.push((index, draft, study));
        }
    };
    let (one, two) = tokio::try_join!(work(), work())?;
    let mut studied: Vec<_> = one.into_iter().chain(two).collect();
    studied.sort_by_key(|(index, ..)| *index);
    Ok(studied.into_iter().map(|(_, draft, study)| (draft, study)).collect())
}

async fn study(
    source: &dyn Source,
    draft: &Draft,
    wires: &[&str],
    chunk_bytes: u64,
    events: &Events,
) -> Result<longshore_model::connector::Study> {
    let table = draft.table.name.to_string();
    events.emit(Event::StudyStarted { table: table.clone() });
    let start = Instant::now();
    let columns: Vec<String> = draft.columns.iter().map(|column| column.source.clone()).collect();
    let study = source
        .study(&StudyRequest {
            table: &draft.table,
            columns: &columns,
            filter: draft.filter.as_deref(),
            chunk_bytes,
            decoded: draft.decodes(wires),
        })
        .await?;
    if study.types.len() != columns.len() || study.chunks.is_empty() {
        return Err(Error::new(Code::Internal, "a study is incomplete").with("table", table));
    }
    events.emit(Event::StudyDone {
        table,
        rows: study.chunks.iter().map(|chunk| chunk.rows).sum(),
        bytes: study.chunks.iter().map(|chunk| chunk.bytes).sum(),
        seconds: start.elapsed().as_secs_f64(),
    });
    Ok(study)
}

fn table_plan(
    draft: &Draft,
    study: longshore_model::connector::Study,
    target: &dyn Target,
    wires: &[&str],
    spec: &Spec,
) -> Result<TablePlan> {
    let mut structure = draft.structure.clone();
    let mut columns = Vec::with_capacity(draft.columns.len());
    let mut converted = false;
    for (column, from) in draft.columns.iter().zip(study.types) {
        let plan = column::column_plan(draft, column, from, target, spec)?;
        let slot =
            structure.columns.iter_mut().find(|c| c.name == column.target).ok_or_else(|| {
                Error::new(Code::Internal, "a planned column is not in its table")
                    .with("column", column.target.clone())
            })?;
        converted |= column.converts();
        slot.logical = plan.to.clone();
        if column.converts() {
            slot.native = String::new();
            slot.default = None;
            slot.values.clear();
        }
        columns.push(plan);
    }
    if converted {
        structure.native = None;
    }
    let wire = study.wires.into_iter().find(|wire| wires.contains(&wire.as_str()));
    let wire = wire.filter(|_| columns.iter().all(ColumnPlan::is_untouched));
    if wire.is_some() {
        // Values that the source's own system holds, the target's holds too.
        columns.iter_mut().for_each(|column| column.guards.clear());
    }
    let key: Vec<String> = structure.primary_key.clone();
    let chunks = study.chunks;
    Ok(TablePlan {
        source: draft.table.name.clone(),
        target: structure.name.clone(),
        columns,
        described: drift::describe(&draft.table),
        wire,
        filter: draft.filter.clone(),
        rows: chunks.iter().map(|chunk| chunk.rows).sum(),
        bytes: chunks.iter().map(|chunk| chunk.bytes).sum(),
        key: if key.iter().all(|name| draft.columns.iter().any(|c| c.target == *name)) {
            key
        } else {
            Vec::new()
        },
        structure,
        chunks,
    })
}

/// The part of a catalog that goes with the tables that move.
fn moving(one: &Move, catalog: &Catalog, tables: &[TablePlan]) -> Catalog {
    let planned: HashSet<_> = tables.iter().map(|plan| &plan.source).collect();
    let moves = |table: &&Table| match table.rows_elsewhere {
        true => rules::selects(one, catalog, table),
        false => planned.contains(&table.name),
    };
    let (moving, staying): (Vec<&Table>, Vec<&Table>) = catalog.tables.iter().partition(moves);
    let stays = |program: &&Program| {
        staying.iter().any(|table| catalog.called(&table.name).contains(&program.table))
    };
    Catalog {
        tables: moving.into_iter().cloned().collect(),
        programs: catalog.programs.iter().filter(|program| !stays(program)).cloned().collect(),
        ..catalog.clone()
    }
}

fn general_risks(
    tables: &[TablePlan],
    losses: &[longshore_model::plan::LossForecast],
) -> Vec<String> {
    let mut risks = Vec::new();
    for loss in losses.iter().filter(|loss| loss.action == Action::Fail) {
        risks.push(format!(
            "{}.{}: {} values are {}; the policy {} is to fail, so the run will",
            loss.table,
            loss.column,
            loss.count,
            loss.kind.describe(),
            loss.kind
        ));
    }
    let keyless: Vec<_> = tables
        .iter()
        .filter(|table| table.key.is_empty() && table.rows > 0)
        .map(|table| table.target.to_string())
        .collect();
    if !keyless.is_empty() {
        risks.push(format!(
            "without a primary key, differences can be shown by content only: {}",
            keyless.join(", ")
        ));
    }
    risks
}

/// The planned tables that hold rows in the target.
async fn full_tables(target: &dyn Target, tables: &[TablePlan]) -> Result<Vec<String>> {
    let names: Vec<_> = tables.iter().map(|table| table.target.clone()).collect();
    let there = target.existing(&names).await?;
    Ok(there.iter().filter(|table| table.has_rows).map(|table| table.name.to_string()).collect())
}

fn target_risk(full: &[String], existing: Existing) -> Option<String> {
    let what = match existing {
        Existing::Refuse => "the run will refuse to start",
        Existing::Append => "rows are added to them",
        Existing::Truncate => "their rows are deleted first",
        Existing::Replace => "they are dropped and made anew",
        Existing::Mirror => "what the source lacks is removed",
    };
    (!full.is_empty()).then(|| format!("the target holds rows in {}: {what}", full.join(", ")))
}

/// Whether a plan can run as it is without losing or refusing a value.
pub fn is_clean(plan: &Plan) -> bool {
    let dangles = |one: &ReferencePlan| one.forecast.is_some_and(|forecast| forecast.missing > 0);
    plan.moves.iter().all(|one| one.losses.is_empty() && one.not_moved.is_empty())
        && !plan.references.iter().any(dangles)
}

/// A thing of the source that stays behind by a rule of the migration.
fn left_out(kind: &str, name: String, reason: impl Into<String>) -> NotMoved {
    NotMoved { kind: kind.to_string(), name, reason: reason.into() }
}

/// Where a column's values are read and written, before they are studied.
#[derive(Debug, Clone)]
pub(crate) struct ColumnDraft {
    source: String,
    target: String,
    cast: Option<longshore_model::LogicalType>,
    mask: Option<longshore_model::spec::Mask>,
}

impl ColumnDraft {
    fn converts(&self) -> bool {
        self.cast.is_some() || self.mask.is_some()
    }
}
