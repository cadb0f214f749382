//! What a tree holds before objects are added to it, apart from what the source will write over.

use std::collections::HashSet;

use arrow_array::{RecordBatch, UInt64Array};
use arrow_select::take::take_record_batch;
use longshore_model::connector::{ReadRequest, Snapshot};
use longshore_model::plan::{Chunk, TablePlan};
use longshore_model::{
    Batch, Cell, Code, ColumnView, Error, Fingerprint, LogicalType, Result, object,
};

use crate::job::Job;
use crate::plan::merge::Listing;

/// The fingerprints of what each chunk's part of the target holds and keeps.
pub(super) async fn fingerprint(job: &Job, table: &TablePlan) -> Result<Vec<Fingerprint>> {
    let target = job.link.target.open_source(&job.link.to).await?;
    let target = target.snapshot(1).await?;
    let mut kept = Vec::with_capacity(table.chunks.len());
    for chunk in &table.chunks {
        let brought = brought(job, table, chunk).await?;
        kept.push(of_chunk(job, table, chunk, target.as_ref(), &brought).await?);
    }
    Ok(kept)
}

/// The keys of the objects that the source has in a chunk.
async fn brought(job: &Job, table: &TablePlan, chunk: &Chunk) -> Result<HashSet<Vec<u8>>> {
    let range = Some(chunk.range.clone());
    let mut listing = Listing::read(job.snapshot.as_ref(), table, range).await?;
    let mut keys = HashSet::new();
    while job.cancel.guard(listing.peek()).await?.is_some() {
        keys.extend(listing.pop().map(|listed| listed.key));
    }
    Ok(keys)
}

async fn of_chunk(
    job: &Job,
    table: &TablePlan,
    chunk: &Chunk,
    target: &dyn Snapshot,
    brought: &HashSet<Vec<u8>>,
) -> Result<Fingerprint> {
    let request = ReadRequest {
        table: table.target.clone(),
        columns: table.columns.iter().map(|c| (c.target.clone(), c.to.clone())).collect(),
        filter: None,
        range: Some(chunk.range.clone()),
        wire: None,
        batch_bytes: job.pace.batch_bytes,
    };
    let places = [place(table, "name")?, place(table, "kind")?];
    let mut reader = target.read(&request).await?;
    let mut fingerprint = Fingerprint::default();
    while let Some(batch) = job.cancel.guard(reader.next()).await? {
        let Batch::Rows(rows) = batch else {
            return Err(Error::new(Code::Internal, "rows were asked for and others came"));
        };
        fingerprint.add_batch(&Batch::Rows(others(&rows, places, brought)?))?;
    }
    Ok(fingerprint)
}

/// The place of a column of objects, without which what is kept cannot be told.
fn place(table: &TablePlan, column: &str) -> Result<usize> {
    let place = table.columns.iter().position(|one| one.source == column);
    place.ok_or_else(|| {
        Error::new(
            Code::Unsupported,
            "objects are added to a tree by name and kind, which must move",
        )
        .with("column", column)
    })
}

/// The rows of objects that the source does not bring.
fn others(
    rows: &RecordBatch,
    [name, kind]: [usize; 2],
    brought: &HashSet<Vec<u8>>,
) -> Result<RecordBatch> {
    let names = ColumnView::new(&LogicalType::Text, rows.column(name))?;
    let kinds = ColumnView::new(&LogicalType::Text, rows.column(kind))?;
    let is_other = |row: &usize| match (names.cell(*row), kinds.cell(*row)) {
        (Cell::Text(name), Cell::Text(kind)) => {
            object::key(name, kind).is_none_or(|key| !brought.contains(&key))
        }
        _ => true,
    };
    let chosen = (0..rows.num_rows()).filter(is_other).map(|row| row as u64);
    take_record_batch(rows, &UInt64Array::from_iter_values(chosen)).map_err(|error| {
        Error::new(Code::Internal, "rows could not be picked from a batch").because(error)
    })
}
