//! The start of a move: a new ledger, or the one that an interrupted run left.

mod kept;

use std::collections::{BTreeMap, BTreeSet};

use longshore_model::catalog::TableName;
use longshore_model::connector::{Preparation, ReadRequest, Repair, Target};
use longshore_model::ledger::{Entry, Header, Ledger, Stage};
use longshore_model::plan::{Plan, TablePlan};
use longshore_model::spec::Existing;
use longshore_model::{Code, Error, Fingerprint, Result};

use crate::connectors::Link;
use crate::copy::fingerprint_source;
use crate::event::Event;
use crate::job::Job;
use crate::plan::{drift, merge};

/// Makes the target ready and returns its ledger: the one of this plan when there is one, brought
/// to the state of the source that the job reads.
///
/// `is_over` says that all moves of the plan were done before: trees are merged anew then.
pub(crate) async fn prepare(
    job: &Job,
    plan: &Plan,
    index: usize,
    run: &str,
    is_over: bool,
) -> Result<Ledger> {
    let target = job.link.target.open_target(&job.link.to).await?;
    let digest = plan.digest()?;
    let merges = merge::merges(job.plan.existing, &job.link);
    let begins_anew = |header: &Header| is_over && merges && header.run != run;
    match target.ledger().await? {
        Some(ledger)
            if ledger.header.plan_digest == digest
                && ledger.has(Stage::Prepared)
                && !begins_anew(&ledger.header) =>
        {
            if !ledger.has(Stage::Copied) {
                check_source(job).await?;
            }
            resume(job, target.as_ref(), ledger).await
        }
        Some(ledger)
            if ledger.header.plan_digest != digest
                && ledger.has(Stage::Prepared)
                && !ledger.has(Stage::Finished)
                && !takes_over(job, plan, &ledger.header) =>
        {
            Err(Error::new(Code::OtherPlan, "the target holds an unfinished run of another plan")
                .with("target", job.plan.to.clone())
                .with("run", ledger.header.run))
        }
        _ => {
            check_source(job).await?;
            let header = Header {
                run: run.to_string(),
                spec_digest: plan.spec_digest.clone(),
                plan_digest: digest,
                plan: plan.to_json()?,
                move_index: index,
                position: job.snapshot.position().clone(),
                baselines: BTreeMap::new(),
                kept: BTreeMap::new(),
            };
            begin(job, target.as_ref(), header).await
        }
    }
}

/// Whether every move of a plan is done, where any of them merges trees.
pub(crate) async fn is_over(plan: &Plan, links: &[Link]) -> Result<bool> {
    let mut moves = plan.moves.iter().zip(links);
    if !moves.any(|(one, link)| merge::merges(one.existing, link)) {
        return Ok(false);
    }
    let digest = plan.digest()?;
    for link in links {
        let ledger = link.target.open_target(&link.to).await?.ledger().await?;
        let is_done =
            |ledger: &Ledger| ledger.header.plan_digest == digest && ledger.has(Stage::Finished);
        if !ledger.as_ref().is_some_and(is_done) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether what an unfinished run of another plan left is of no matter: it is removed, or all of it is
/// whole and of the same migration.
fn takes_over(job: &Job, plan: &Plan, header: &Header) -> bool {
    match job.plan.existing {
        Existing::Replace | Existing::Truncate | Existing::Mirror => true,
        Existing::Append => {
            merge::merges(Existing::Append, &job.link) && header.spec_digest == plan.spec_digest
        }
        Existing::Refuse => false,
    }
}

/// Refuses a plan that would leave out what is in the source now.
pub(crate) async fn check_source(job: &Job) -> Result<()> {
    if job.snapshot.position() == &job.plan.position {
        return Ok(());
    }
    if job.link.source.about().source.open_ended {
        let source = job.link.source.open_source(&job.link.from).await?;
        return drift::check(&job.plan, &source.catalog().await?);
    }
    let error =
        Error::new(Code::SourceChanged, "the source is no longer what the plan was made for")
            .with("source", job.plan.from.clone());
    Err(match merge::merges(job.plan.existing, &job.link) {
        true => error.hint("Make a new plan; what arrived already stays."),
        false => error.hint(
            "Make a new plan. If an interrupted run is in the target, start over with \
             --existing replace.",
        ),
    })
}

async fn begin(job: &Job, target: &dyn Target, mut header: Header) -> Result<Ledger> {
    let names: Vec<TableName> = job.plan.tables.iter().map(|table| table.target.clone()).collect();
    let existing = target.existing(&names).await?;
    let mut preparations = Vec::with_capacity(names.len());
    for (index, table) in job.plan.tables.iter().enumerate() {
        let Some(there) = existing.iter().find(|there| there.name == table.target) else {
            preparations.push(Preparation::Create);
            continue;
        };
        let preparation = match job.plan.existing {
            Existing::Replace => Preparation::Recreate,
            Existing::Truncate => Preparation::Empty,
            Existing::Append | Existing::Mirror => Preparation::Keep,
            Existing::Refuse if there.has_rows => {
                return Err(Error::new(Code::TargetNotEmpty, "the target already holds rows")
                    .with("target", job.plan.to.clone())
                    .with("table", table.target.to_string()));
            }
            Existing::Refuse => Preparation::Keep,
        };
        if preparation != Preparation::Recreate {
            check_columns(table, &there.columns)?;
        }
        if preparation == Preparation::Keep && there.has_rows {
            match (job.plan.existing, merge::merges(job.plan.existing, &job.link)) {
                (Existing::Append, true) => {
                    let kept = kept::fingerprint(job, table).await?;
                    let sum = kept.iter().fold(Fingerprint::default(), |sum, one| sum.plus(*one));
                    header.baselines.insert(index, sum);
                    header.kept.insert(index, kept);
                }
                (_, true) => {}
                (_, false) => {
                    header.baselines.insert(index, fingerprint_target(job, table).await?);
                }
            }
        }
        preparations.push(preparation);
    }
    job.load()?.begin(&header, &job.plan, &preparations).await?;
    longshore_model::failpoint::hit("prepare.done")?;
    Ok(Ledger { header, entries: Vec::new(), stages: vec![Stage::Prepared] })
}

/// Rows can be put into a table that is there only when it has just the planned columns.
fn check_columns(table: &TablePlan, there: &[String]) -> Result<()> {
    let planned: Vec<&String> = table.columns.iter().map(|column| &column.target).collect();
    let lacking = planned.iter().find(|column| !there.contains(column));
    match lacking {
        None => Ok(()),
        Some(column) => {
            Err(Error::new(Code::TargetNotEmpty, "the table that is there lacks a column")
                .with("table", table.target.to_string())
                .with("column", (*column).clone())
                .hint("Use `existing: replace` to make it anew, or drop the column from the move."))
        }
    }
}

/// Brings the ledger of an interrupted run to the state of the source that this run reads. Chunks
/// whose rows are provably the same in it stay. Others are copied again, with all of their table where
/// the target cannot replace a chunk.
async fn resume(job: &Job, target: &dyn Target, mut ledger: Ledger) -> Result<Ledger> {
    let position = job.snapshot.position();
    if ledger.header.position == *position {
        return Ok(ledger);
    }
    if ledger.has(Stage::Copied) {
        // Everything is in and consistent at the older position; nothing of the newer is mixed in.
        return Ok(ledger);
    }
    if !ledger.header.kept.is_empty() {
        return Err(Error::new(
            Code::SourceChanged,
            "the source changed while objects were added to what the target holds",
        )
        .with("source", job.plan.from.clone())
        .hint("Make a new plan; what arrived already stays."));
    }
    match job.link.target.about().target.repair {
        Repair::Rows => reset_tables(job, &ledger).await?,
        Repair::Chunks => reset_chunks(job, &ledger).await?,
    }
    job.load()?.set_position(position).await?;
    ledger = target.ledger().await?.ok_or_else(|| {
        Error::new(Code::LedgerMissing, "the ledger vanished while it was in use")
            .with("target", job.plan.to.clone())
    })?;
    Ok(ledger)
}

/// Empties the tables of which the source has changed since they were begun.
async fn reset_tables(job: &Job, ledger: &Ledger) -> Result<()> {
    let mut changed = BTreeSet::new();
    for entry in &ledger.entries {
        if !changed.contains(&entry.table) && !is_same(job, entry).await? {
            changed.insert(entry.table);
        }
    }
    for index in changed {
        let table = &job.plan.tables[index];
        if ledger.header.baselines.contains_key(&index) {
            return Err(Error::new(
                Code::SourceChanged,
                "the source changed while the run was interrupted, and the target's table held \
                 other rows before, so what was copied cannot be taken back",
            )
            .with("table", table.target.to_string())
            .hint("Restore the target's table and start again with a new plan."));
        }
        job.load()?.reset_table(index, table).await?;
        job.events.emit(Event::TableReset { table: table.target.to_string() });
    }
    Ok(())
}

/// Forgets the chunks of which the source has changed since they were copied.
async fn reset_chunks(job: &Job, ledger: &Ledger) -> Result<()> {
    for entry in &ledger.entries {
        let Entry { table: index, chunk, .. } = *entry;
        if !is_same(job, entry).await? {
            let table = &job.plan.tables[index];
            job.load()?.reset_chunk(index, table, chunk).await?;
            job.events.emit(Event::ChunkReset { table: table.target.to_string(), chunk });
        }
    }
    Ok(())
}

/// Whether the source still holds what was copied of a chunk.
async fn is_same(job: &Job, entry: &Entry) -> Result<bool> {
    job.cancel.check()?;
    let table = &job.plan.tables[entry.table];
    let same = fingerprint_source(job, table, Some(entry.chunk)).await? == entry.of_source();
    if same {
        let table = table.target.to_string();
        job.events.emit(Event::ChunkConfirmed { table, chunk: entry.chunk });
    }
    Ok(same)
}

/// What a table of the target holds now.
async fn fingerprint_target(job: &Job, table: &TablePlan) -> Result<Fingerprint> {
    let source = job.link.target.open_source(&job.link.to).await?;
    let snapshot = source.snapshot(1).await?;
    let mut reader = snapshot
        .read(&ReadRequest {
            table: table.target.clone(),
            columns: table.columns.iter().map(|c| (c.target.clone(), c.to.clone())).collect(),
            filter: None,
            range: None,
            wire: table.wire.clone(),
            batch_bytes: job.pace.batch_bytes,
        })
        .await?;
    let mut fingerprint = Fingerprint::default();
    while let Some(batch) = job.cancel.guard(reader.next()).await? {
        fingerprint.add_batch(&batch)?;
    }
    Ok(fingerprint)
}
