//! A difference, traced to its rows without holding a table in memory.
//!
//! Both sides are read twice. The first pass sums rows into buckets by the hash of their key; the
//! second keeps the rows of those buckets that differ, a bounded number at a time.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;
use longshore_model::connector::{ReadRequest, Snapshot};
use longshore_model::plan::TablePlan;
use longshore_model::spec::Keys;
use longshore_model::{
    Batch, Cell, Code, ColumnView, Error, Fingerprint, LogicalType, Result, row_hashes,
};

use super::{Check, is_damage, loose, parts, target_request};
use crate::report::{Difference, DifferenceKind, TableVerification};
use crate::transform::{Losses, OnFail, Transform};
use crate::{copy, key};

const BUCKETS: usize = 1 << 16;
/// Rows kept at a time, of both sides together.
const KEPT_ROWS: u64 = 100_000;
/// Bytes kept at a time, about.
const KEPT_BYTES: u64 = 64 << 20;
/// Differences shown for a table; the counts are exact whatever their number.
const SHOWN: usize = 100;

/// Rows to mend: as the target has them, and as the source has them.
#[derive(Default)]
pub(crate) struct Traced {
    /// Groups of rows to take out and to put in.
    pub groups: Vec<(RecordBatch, RecordBatch)>,
    /// Whether every difference was traced.
    pub complete: bool,
}

/// The target, and how its rows are read.
pub(crate) struct Target {
    /// A view of it.
    pub view: Arc<dyn Snapshot>,
    /// Whether it holds values of other kinds than were planned: then both sides are compared as
    /// literals.
    pub loose: bool,
    /// The chunks that hold all that differs; empty where that is not known.
    pub chunks: Vec<usize>,
}

impl Target {
    fn reads(&self, chunk: usize) -> bool {
        self.chunks.is_empty() || self.chunks.contains(&chunk)
    }
}

/// Which side is read in a scan.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Source,
    Target,
}

/// Finds the rows that differ, counts them and shows the first of them. Keeps them for a repair
/// when one was asked for.
pub(crate) async fn trace(
    check: &Check,
    target: &Target,
    index: usize,
    table: &TablePlan,
    proof: &mut TableVerification,
) -> Result<Traced> {
    let reason = if check.ledger.header.baselines.contains_key(&index) && !keeps(check, index) {
        Some("the table held other rows before the run, so rows that differ cannot be told apart")
    } else if !source_is_same(check, index, table).await? {
        Some("the source is no longer what was copied, so rows that differ cannot be traced in it")
    } else {
        None
    };
    if let Some(reason) = reason {
        proof.note = Some(reason.to_string());
        return Ok(Traced::default());
    }
    let here = buckets(check, target, index, table, Side::Source).await?;
    let there = buckets(check, target, index, table, Side::Target).await?;
    let width = table.bytes / table.rows.max(1) + 1;
    let limit = (KEPT_BYTES / width).clamp(1, KEPT_ROWS);
    let mut traced = Traced { groups: Vec::new(), complete: true };
    let mut group = vec![false; BUCKETS];
    let (mut rows, mut used) = (0, false);
    for bucket in 0..BUCKETS {
        if here[bucket] != there[bucket] {
            group[bucket] = true;
            used = true;
            rows += here[bucket].0 + there[bucket].0;
        }
        if used && (rows >= limit || bucket + 1 == BUCKETS) {
            let pair = compare_group(check, target, index, table, &group, proof).await?;
            if check.mode.repair {
                traced.groups.push(pair);
            }
            group.fill(false);
            (rows, used) = (0, false);
        }
    }
    if keeps(check, index) && proof.missing + proof.different == 0 {
        let note = "objects that the target held before the run are not what they were, or others \
                    were added; what the source has is there";
        proof.note = Some(note.to_string());
    }
    Ok(traced)
}

/// Whether objects were added to a tree that held others.
fn keeps(check: &Check, index: usize) -> bool {
    check.ledger.header.kept.contains_key(&index)
}

/// Whether the source holds for a table what was copied: it does at the same position, and at
/// another where it reads the same.
async fn source_is_same(check: &Check, index: usize, table: &TablePlan) -> Result<bool> {
    if check.source_is_same {
        return Ok(true);
    }
    let entries = check.ledger.entries.iter().filter(|entry| entry.table == index);
    let copied = entries.fold(Fingerprint::default(), |sum, entry| sum.plus(entry.of_source()));
    Ok(copy::fingerprint_source(&check.job, table, None).await? == copied)
}

/// Rows and sum of hashes, for each bucket.
async fn buckets(
    check: &Check,
    target: &Target,
    index: usize,
    table: &TablePlan,
    side: Side,
) -> Result<Vec<(u64, u128)>> {
    let key = key_columns(table);
    let mut buckets = vec![(0, 0u128); BUCKETS];
    scan(check, target, index, table, side, &mut |batch, _| {
        let keys = row_hashes(batch, key.as_deref())?;
        for (key, row) in keys.iter().zip(row_hashes(batch, None)?) {
            let bucket = &mut buckets[bucket_of(*key)];
            *bucket = (bucket.0 + 1, bucket.1.wrapping_add(row));
        }
        Ok(())
    })
    .await?;
    Ok(buckets)
}

/// The rows of one side that are in some buckets.
struct Kept {
    batches: Vec<RecordBatch>,
    /// The same rows as they were read; these are mended.
    originals: Vec<RecordBatch>,
    /// For each key, the rows: hash, batch, row.
    by_key: HashMap<u128, Vec<(u128, usize, usize)>>,
}

async fn keep(
    check: &Check,
    target: &Target,
    index: usize,
    table: &TablePlan,
    side: Side,
    group: &[bool],
) -> Result<Kept> {
    let key = key_columns(table);
    let mut kept = Kept { batches: Vec::new(), originals: Vec::new(), by_key: HashMap::new() };
    scan(check, target, index, table, side, &mut |batch, original| {
        let keys = row_hashes(batch, key.as_deref())?;
        let chosen: Vec<u64> = (0u64..)
            .zip(&keys)
            .filter(|(_, key)| group[bucket_of(**key)])
            .map(|(row, _)| row)
            .collect();
        if chosen.is_empty() {
            return Ok(());
        }
        let chosen = UInt64Array::from(chosen);
        let part = take_record_batch(batch, &chosen).map_err(internal)?;
        let rows = row_hashes(&part, None)?;
        for (row, (key, hash)) in
            row_hashes(&part, key.as_deref())?.into_iter().zip(rows).enumerate()
        {
            kept.by_key.entry(key).or_default().push((hash, kept.batches.len(), row));
        }
        kept.batches.push(part);
        if check.mode.repair {
            kept.originals.push(take_record_batch(original, &chosen).map_err(internal)?);
        }
        Ok(())
    })
    .await?;
    Ok(kept)
}

async fn compare_group(
    check: &Check,
    target: &Target,
    index: usize,
    table: &TablePlan,
    group: &[bool],
    proof: &mut TableVerification,
) -> Result<(RecordBatch, RecordBatch)> {
    let mut source = keep(check, target, index, table, Side::Source, group).await?;
    let shown = (target.loose, check.job.plan.keys);
    let mut target = keep(check, target, index, table, Side::Target, group).await?;
    let mut keys: Vec<u128> = source.by_key.keys().chain(target.by_key.keys()).copied().collect();
    keys.sort_unstable();
    keys.dedup();
    let (mut remove, mut add) = (Vec::new(), Vec::new());
    for key in keys {
        let mut here = source.by_key.remove(&key).unwrap_or_default();
        let mut there = target.by_key.remove(&key).unwrap_or_default();
        cancel_equal(&mut here, &mut there);
        let pairs = if table.key.is_empty() { 0 } else { here.len().min(there.len()) };
        for pair in 0..pairs {
            proof.different += 1;
            let (s, t) = (here[pair], there[pair]);
            show(proof, || {
                let columns =
                    differing(table, &source.batches[s.1], s.2, &target.batches[t.1], t.2)?;
                let made =
                    difference(table, DifferenceKind::Different, &source.batches[s.1], s, shown)?;
                Ok(Difference { columns, ..made })
            })?;
        }
        for row in &here[pairs..] {
            proof.missing += 1;
            show(proof, || {
                difference(table, DifferenceKind::Missing, &source.batches[row.1], *row, shown)
            })?;
        }
        // Those that the tree held before are not told from others.
        let extra = if keeps(check, index) { &[] } else { &there[pairs..] };
        for row in extra {
            proof.extra += 1;
            show(proof, || {
                difference(table, DifferenceKind::Extra, &target.batches[row.1], *row, shown)
            })?;
        }
        remove.extend(there.iter().map(|row| (row.1, row.2)));
        add.extend(here.iter().map(|row| (row.1, row.2)));
    }
    if !check.mode.repair {
        return Ok((empty(table), empty(table)));
    }
    Ok((gather(table, &target.originals, &remove)?, gather(table, &source.originals, &add)?))
}

/// Removes from both lists what is in both, as often as it is in both.
fn cancel_equal(here: &mut Vec<(u128, usize, usize)>, there: &mut Vec<(u128, usize, usize)>) {
    here.sort_unstable();
    there.sort_unstable();
    let (mut left_here, mut left_there) = (Vec::new(), Vec::new());
    let (mut h, mut t) = (0, 0);
    while h < here.len() && t < there.len() {
        match here[h].0.cmp(&there[t].0) {
            std::cmp::Ordering::Equal => (h, t) = (h + 1, t + 1),
            std::cmp::Ordering::Less => {
                left_here.push(here[h]);
                h += 1;
            }
            std::cmp::Ordering::Greater => {
                left_there.push(there[t]);
                t += 1;
            }
        }
    }
    left_here.extend(&here[h..]);
    left_there.extend(&there[t..]);
    *here = left_here;
    *there = left_there;
}

/// Shows a difference, unless enough are shown; equal ones of rows without key are counted.
fn show(proof: &mut TableVerification, make: impl FnOnce() -> Result<Difference>) -> Result<()> {
    if proof.differences.len() >= SHOWN {
        return Ok(());
    }
    let made = make()?;
    let same = proof.differences.iter_mut().find(|d| d.kind == made.kind && d.key == made.key);
    match same {
        Some(same) => same.count += 1,
        None => proof.differences.push(made),
    }
    Ok(())
}

fn difference(
    table: &TablePlan,
    kind: DifferenceKind,
    batch: &RecordBatch,
    row: (u128, usize, usize),
    (loose, keys): (bool, Keys),
) -> Result<Difference> {
    let key = match key_columns(table) {
        None => format!("row {:032x}", row.0),
        Some(indexes) => {
            let mut parts = Vec::with_capacity(indexes.len());
            for index in indexes {
                let column = &table.columns[index];
                let logical = if loose { &LogicalType::Text } else { &column.to };
                let value = ColumnView::new(logical, batch.column(index))?.cell(row.2);
                parts.push(match (value, loose) {
                    (Cell::Text(literal), true) => {
                        key::part_of_literal(&column.target, literal, keys)
                    }
                    (value, _) => key::part(&column.target, value, keys),
                });
            }
            parts.join(", ")
        }
    };
    Ok(Difference { kind, key, columns: Vec::new(), count: 1 })
}

fn differing(
    table: &TablePlan,
    source: &RecordBatch,
    source_row: usize,
    target: &RecordBatch,
    target_row: usize,
) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (index, column) in table.columns.iter().enumerate() {
        let one = source.project(&[index]).map_err(internal)?.slice(source_row, 1);
        let other = target.project(&[index]).map_err(internal)?.slice(target_row, 1);
        if row_hashes(&one, None)? != row_hashes(&other, None)? {
            names.push(column.target.clone());
        }
    }
    Ok(names)
}

/// Reads one side of a table: the rows in the form in which both sides are compared, and as they
/// were read. What cannot be read of the target counts as missing.
async fn scan(
    check: &Check,
    target: &Target,
    index: usize,
    table: &TablePlan,
    side: Side,
    visit: &mut (dyn FnMut(&RecordBatch, &RecordBatch) -> Result<()> + Send),
) -> Result<()> {
    if side == Side::Source {
        let transform = Transform::new(table, OnFail::Stop);
        let mut losses = Losses::default();
        let chunks = table.chunks.iter().enumerate().filter(|(chunk, _)| target.reads(*chunk));
        for (_, chunk) in chunks {
            let range = Some(chunk.range.clone());
            let mut request = check.job.source_request(table, &transform, range);
            request.wire = None;
            read(check, check.job.snapshot.as_ref(), &request, &mut |batch| {
                let batch = transform.apply(batch, &mut losses)?;
                let rows = rows(&batch)?;
                match target.loose {
                    true => visit(&loose::of_planned(table, rows)?, rows),
                    false => visit(rows, rows),
                }
            })
            .await?;
        }
        return Ok(());
    }
    for part in parts(check, index, table).await? {
        if part.chunk.is_some_and(|chunk| !target.reads(chunk)) {
            continue;
        }
        let request = match target.loose {
            true => loose::request(check, table, &part),
            false => ReadRequest { wire: None, ..target_request(check, table, &part) },
        };
        let mut compare = |batch: Batch| {
            let rows = rows(&batch)?;
            match target.loose {
                true => visit(&loose::of_variants(table, rows)?, rows),
                false => visit(rows, rows),
            }
        };
        match read(check, target.view.as_ref(), &request, &mut compare).await {
            Err(error) if is_damage(&error) => {}
            result => result?,
        }
    }
    Ok(())
}

async fn read(
    check: &Check,
    snapshot: &dyn Snapshot,
    request: &ReadRequest,
    visit: &mut (dyn FnMut(Batch) -> Result<()> + Send),
) -> Result<()> {
    let mut reader = snapshot.read(request).await?;
    while let Some(batch) = check.job.cancel.guard(reader.next()).await? {
        visit(batch)?;
    }
    Ok(())
}

fn rows(batch: &Batch) -> Result<&RecordBatch> {
    match batch {
        Batch::Rows(rows) => Ok(rows),
        Batch::Wire(_) | Batch::Objects(_) => {
            Err(Error::new(Code::Internal, "rows were asked for and wire bytes came"))
        }
    }
}

/// The indexes of the key's columns; `None` when there is no key, and the whole row is the key.
fn key_columns(table: &TablePlan) -> Option<Vec<usize>> {
    if table.key.is_empty() {
        return None;
    }
    table.key.iter().map(|key| table.columns.iter().position(|c| c.target == *key)).collect()
}

fn bucket_of(hash: u128) -> usize {
    hash as usize % BUCKETS
}

fn empty(table: &TablePlan) -> RecordBatch {
    let fields: Vec<_> = table.columns.iter().map(|c| c.to.field(&c.target, true)).collect();
    RecordBatch::new_empty(std::sync::Arc::new(arrow_schema::Schema::new(fields)))
}

fn gather(
    table: &TablePlan,
    batches: &[RecordBatch],
    rows: &[(usize, usize)],
) -> Result<RecordBatch> {
    let Some(first) = batches.first() else { return Ok(empty(table)) };
    let parts: Vec<&RecordBatch> = batches.iter().collect();
    arrow_select::interleave::interleave_record_batch(&parts, rows)
        .or_else(|error| {
            if rows.is_empty() { Ok(RecordBatch::new_empty(first.schema())) } else { Err(error) }
        })
        .map_err(internal)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::Internal, "rows could not be picked from a batch").because(error)
}
