//! The proof: the target is read back and compared with the fingerprints that the run took from
//! the very bytes it copied; a difference is traced to its rows.

mod loose;
mod narrow;
mod repair;
mod request;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use longshore_model::connector::{Part, ReadRequest, Snapshot};
use longshore_model::ledger::Ledger;
use longshore_model::object::{LISTING, WIRE};
use longshore_model::plan::{TablePlan, digest};
use longshore_model::spec::VerifyLevel;
use longshore_model::{Code, Error, Fingerprint, Result};
use tokio::task::JoinSet;

use crate::copy::{COPIES_OF_A_ROW, fingerprint_source};
use crate::event::Event;
use crate::job::Job;
use crate::report::{TableVerification, Verification};
pub(crate) use request::blank_ledger;
pub use request::{VerifyMode, VerifyRequest, verify};

/// One part of a chunk in this many is read in full when a sample is asked for.
const SAMPLE: u8 = 10;

/// A move being verified.
#[derive(Clone)]
pub(crate) struct Check {
    pub job: Job,
    pub ledger: Arc<Ledger>,
    pub mode: VerifyMode,
    /// Whether the source still is what was copied, so that differences can be traced in it.
    pub source_is_same: bool,
}

/// A part of a table of the target, and how much of it is read.
#[derive(Clone)]
struct Item {
    table: usize,
    part: Part,
    count_only: bool,
}

/// What was found in a part.
struct Found {
    item: Item,
    fingerprint: Fingerprint,
    /// Why it could not be read to its end.
    damage: Option<Error>,
}

/// Whether an error says that what the target holds cannot be what was written: that is a finding
/// of the verification, and not a failure to verify.
pub(crate) fn is_damage(error: &Error) -> bool {
    matches!(error.code(), Code::SourceUnreadable | Code::ValueUnplanned | Code::ValueInvalid)
}

/// Verifies one move. `run` seeds the choice of a sample.
pub(crate) async fn verify_move(
    job: &Job,
    ledger: &Ledger,
    mode: VerifyMode,
    run: &str,
) -> Result<Verification> {
    if mode.independent {
        crate::prepare::check_source(job).await?;
    }
    let check = Check {
        job: job.clone(),
        ledger: Arc::new(ledger.clone()),
        mode,
        source_is_same: mode.independent || job.snapshot.position() == &ledger.header.position,
    };
    let items = items(&check, run).await?;
    let found = read_all(&check, view(job).await?, items).await?;
    let mut tables = Vec::with_capacity(job.plan.tables.len());
    let mut repaired = 0;
    for (index, table) in job.plan.tables.iter().enumerate() {
        let found: Vec<&Found> = found.iter().filter(|f| f.item.table == index).collect();
        let mut proof = compare(&check, index, table, &found).await?;
        if !proof.matches && mode.level == VerifyLevel::Full {
            // The view lives no longer than the tracing: some systems let nobody commit under one.
            let target = narrow::Target {
                view: view(job).await?,
                loose: holds_other_kinds(&found),
                chunks: proof.chunks.clone(),
            };
            let traced = narrow::trace(&check, &target, index, table, &mut proof).await?;
            drop(target);
            if mode.repair {
                repaired += repair::repair(&check, index, table, traced, &mut proof).await?;
            }
        }
        job.events.emit(Event::TableVerified {
            table: table.target.to_string(),
            rows: proof.found_rows,
            matches: proof.matches,
        });
        tables.push(proof);
    }
    Ok(Verification {
        level: mode.level,
        independent: mode.independent,
        matches: tables.iter().all(|table| table.matches),
        repaired,
        tables,
    })
}

/// Whether values of other kinds than were planned were found.
fn holds_other_kinds(found: &[&Found]) -> bool {
    found.iter().filter_map(|f| f.damage.as_ref()).any(|e| e.code() == Code::ValueUnplanned)
}

/// A view of the target as it is now.
async fn view(job: &Job) -> Result<Arc<dyn Snapshot>> {
    let source = job.link.target.open_source(&job.link.to).await?;
    Ok(Arc::from(source.snapshot(job.pace.workers).await?))
}

/// The fingerprint of a table of the target, as it is now, or of some chunks of it; `None` when a
/// part of it cannot be read.
pub(crate) async fn fingerprint_target(
    check: &Check,
    index: usize,
    chunks: &[usize],
) -> Result<Option<Fingerprint>> {
    let table = &check.job.plan.tables[index];
    let wanted =
        |part: &Part| chunks.is_empty() || part.chunk.is_none_or(|chunk| chunks.contains(&chunk));
    let items = parts(check, index, table)
        .await?
        .into_iter()
        .filter(wanted)
        .map(|part| Item { table: index, part, count_only: false })
        .collect();
    let found = read_all(check, view(&check.job).await?, items).await?;
    let readable = found.iter().all(|f| f.damage.is_none());
    let sum = found.iter().fold(Fingerprint::default(), |sum, f| sum.plus(f.fingerprint));
    Ok(readable.then_some(sum))
}

/// The parts of a table as the target has them now.
pub(crate) async fn parts(check: &Check, index: usize, table: &TablePlan) -> Result<Vec<Part>> {
    let target = check.job.link.target.open_target(&check.job.link.to).await?;
    let ledger = target.ledger().await?;
    let lists = target.parts(&[(index, table)], ledger.as_ref().unwrap_or(&check.ledger)).await?;
    Ok(lists.into_iter().flatten().collect())
}

/// The request for a part of a table of the target.
pub(crate) fn target_request(check: &Check, table: &TablePlan, part: &Part) -> ReadRequest {
    ReadRequest {
        table: table.target.clone(),
        columns: table.columns.iter().map(|c| (c.target.clone(), c.to.clone())).collect(),
        filter: None,
        range: part.range.clone(),
        wire: table.wire.clone(),
        batch_bytes: check.job.pace.batch_bytes,
    }
}

async fn items(check: &Check, run: &str) -> Result<Vec<Item>> {
    let target = check.job.link.target.open_target(&check.job.link.to).await?;
    let tables: Vec<_> = check.job.plan.tables.iter().enumerate().collect();
    let lists = target.parts(&tables, &check.ledger).await?;
    let mut items = Vec::new();
    for (index, parts) in lists.into_iter().enumerate() {
        let sampled = |number: usize, part: &Part| {
            part.chunk.is_none()
                || number == 0
                || digest(format!("{run}/{index}/{number}").as_bytes())
                    .bytes()
                    .last()
                    .is_some_and(|byte| byte % SAMPLE == 0)
        };
        for (number, part) in parts.into_iter().enumerate() {
            let count_only = match check.mode.level {
                VerifyLevel::Full => false,
                VerifyLevel::Sample => !sampled(number, &part),
                VerifyLevel::Count => true,
            };
            items.push(Item { table: index, part, count_only });
        }
    }
    Ok(items)
}

/// Reads parts with all workers.
async fn read_all(
    check: &Check,
    target: Arc<dyn Snapshot>,
    items: Vec<Item>,
) -> Result<Vec<Found>> {
    let workers = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(check.job.pace.workers.max(1))
        .min(items.len());
    let queue = Arc::new(Mutex::new(VecDeque::from(items)));
    let mut running = JoinSet::new();
    for _ in 0..workers {
        let (check, target, queue) = (check.clone(), target.clone(), queue.clone());
        running.spawn(async move {
            let take = || queue.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).pop_front();
            let mut found = Vec::new();
            while let Some(item) = take() {
                let table = &check.job.plan.tables[item.table];
                let chunks = 0..table.chunks.len();
                let row = chunks.map(|chunk| table.row_bytes(chunk)).max().unwrap_or(0);
                let _room = check.job.pace.room.take(row * COPIES_OF_A_ROW).await;
                let mut fingerprint = Fingerprint::default();
                let damage = match read_part(&check, &target, &item, &mut fingerprint).await {
                    Err(error) if is_damage(&error) => Some(error),
                    result => result.map(|()| None)?,
                };
                found.push(Found { item, fingerprint, damage });
            }
            Ok::<_, Error>(found)
        });
    }
    let mut all = Vec::new();
    while let Some(ended) = running.join_next().await {
        all.extend(ended.unwrap_or_else(|panic| {
            Err(Error::new(Code::Internal, "a reader ended without a result").because(panic))
        })?);
    }
    Ok(all)
}

async fn read_part(
    check: &Check,
    target: &Arc<dyn Snapshot>,
    item: &Item,
    fingerprint: &mut Fingerprint,
) -> Result<()> {
    let table = &check.job.plan.tables[item.table];
    let name = table.target.to_string();
    let mut request = target_request(check, table, &item.part);
    if item.count_only {
        request.columns.truncate(1);
        let objects = request.wire.take_if(|wire| wire == WIRE);
        request.wire = objects.map(|_| LISTING.to_string());
    }
    let mut reader = target.read(&request).await?;
    while let Some(batch) = check.job.cancel.guard(reader.next()).await? {
        check.job.events.emit(Event::Checked { table: name.clone(), rows: batch.rows() as u64 });
        if item.count_only {
            fingerprint.rows += batch.rows() as u64;
        } else {
            fingerprint.add_batch(&batch)?;
        }
    }
    Ok(())
}

/// Compares what a table holds with what it must hold.
async fn compare(
    check: &Check,
    index: usize,
    table: &TablePlan,
    found: &[&Found],
) -> Result<TableVerification> {
    let by_chunk = expected_chunks(check, index, table).await?;
    let header = &check.ledger.header;
    let baseline = match header.kept.contains_key(&index) {
        true => Fingerprint::default(),
        false => header.baselines.get(&index).copied().unwrap_or_default(),
    };
    let expected = by_chunk.values().fold(baseline, |sum, chunk| sum.plus(*chunk));
    let total = found.iter().fold(Fingerprint::default(), |sum, f| sum.plus(f.fingerprint));
    let attributed = found.iter().all(|f| f.item.part.chunk.is_some());

    let wrong: Vec<usize> = if attributed { wrong_chunks(&by_chunk, found) } else { Vec::new() };
    let damage = found.iter().find_map(|f| f.damage.as_ref());
    let matches = match check.mode.level {
        _ if damage.is_some() => false,
        VerifyLevel::Full => total == expected,
        VerifyLevel::Count => total.rows == expected.rows,
        VerifyLevel::Sample if attributed => wrong.is_empty() && total.rows == expected.rows,
        VerifyLevel::Sample => total == expected,
    };
    Ok(TableVerification {
        table: table.target.to_string(),
        matches,
        expected_rows: expected.rows,
        found_rows: total.rows,
        expected: expected.to_string(),
        found: total.to_string(),
        missing: 0,
        extra: 0,
        different: 0,
        chunks: if matches { Vec::new() } else { wrong },
        differences: Vec::new(),
        note: damage.map(|error| format!("a part cannot be read: {error}")),
    })
}

/// What each chunk must be: as the ledger says, or as the source is now; with what its part of a tree
/// held before and keeps.
async fn expected_chunks(
    check: &Check,
    index: usize,
    table: &TablePlan,
) -> Result<BTreeMap<usize, Fingerprint>> {
    let mut expected = BTreeMap::new();
    if check.mode.independent {
        for chunk in 0..table.chunks.len() {
            let source = fingerprint_source(&check.job, table, Some(chunk)).await?;
            let refused = check.ledger.entry(index, chunk).map(|entry| entry.refused);
            expected.insert(chunk, source.minus(refused.unwrap_or_default()));
        }
    } else {
        let entries = check.ledger.entries.iter().filter(|entry| entry.table == index);
        expected.extend(entries.map(|entry| (entry.chunk, entry.fingerprint)));
    }
    for (chunk, kept) in check.ledger.header.kept.get(&index).into_iter().flatten().enumerate() {
        let sum = expected.entry(chunk).or_default();
        *sum = sum.plus(*kept);
    }
    Ok(expected)
}

fn wrong_chunks(expected: &BTreeMap<usize, Fingerprint>, found: &[&Found]) -> Vec<usize> {
    let mut sums: BTreeMap<usize, (Fingerprint, bool)> = BTreeMap::new();
    let mut damaged = Vec::new();
    for one in found {
        let chunk = one.item.part.chunk.expect("only asked when every part has a chunk");
        let sum = sums.entry(chunk).or_default();
        sum.0 = sum.0.plus(one.fingerprint);
        sum.1 |= one.item.count_only;
        if one.damage.is_some() {
            damaged.push(chunk);
        }
    }
    let chunks =
        expected.keys().chain(sums.keys()).copied().collect::<std::collections::BTreeSet<_>>();
    chunks
        .into_iter()
        .filter(|chunk| {
            let expected = expected.get(chunk).copied().unwrap_or_default();
            match sums.get(chunk) {
                _ if damaged.contains(chunk) => true,
                Some((found, true)) => found.rows != expected.rows,
                Some((found, false)) => *found != expected,
                None => expected.rows != 0,
            }
        })
        .collect()
}
