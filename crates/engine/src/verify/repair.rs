//! Differences, mended in the target from the source, and verified again.

use std::collections::VecDeque;

use longshore_model::connector::Repair;
use longshore_model::plan::TablePlan;
use longshore_model::{Fingerprint, Result, failpoint};

use super::narrow::Traced;
use super::{Check, fingerprint_target, parts};
use crate::copy::{copy_chunks, project, written_columns};
use crate::report::TableVerification;

/// Mends a table and reads it again. Returns the number of rows that were mended; what could not be
/// mended stays in the proof.
pub(crate) async fn repair(
    check: &Check,
    index: usize,
    table: &TablePlan,
    traced: Traced,
    proof: &mut TableVerification,
) -> Result<u64> {
    if !traced.complete {
        return Ok(0);
    }
    match check.job.link.target.about().target.repair {
        Repair::Rows => {
            let written = table.written();
            for (remove, add) in &traced.groups {
                if remove.num_rows() + add.num_rows() > 0 {
                    let load = check.job.load()?;
                    match written_columns(table) {
                        None => load.replace_rows(table, remove, add).await?,
                        // What the target computes follows from the rest of the row.
                        Some(columns) => {
                            let (remove, add) =
                                (project(remove, &columns)?, project(add, &columns)?);
                            load.replace_rows(&written, &remove, &add).await?;
                        }
                    }
                    failpoint::hit("repair.group")?;
                }
            }
        }
        Repair::Chunks => {
            let whole = || (0..table.chunks.len()).collect();
            let chunks: Vec<usize> =
                if proof.chunks.is_empty() { whole() } else { proof.chunks.clone() };
            let queue: VecDeque<_> = chunks.into_iter().map(|chunk| (index, chunk)).collect();
            copy_chunks(&check.job, queue, &check.ledger.header).await?;
        }
    }
    let mended = proof.missing + proof.extra + proof.different;
    // A row that is mended by its values may be one of another chunk.
    let chunks = match check.job.link.target.about().target.repair {
        Repair::Rows => &[][..],
        Repair::Chunks => &proof.chunks,
    };
    let found = fingerprint_target(check, index, chunks).await?;
    let expected = expected(check, index, table, chunks).await?;
    proof.matches = found == Some(expected);
    if proof.matches {
        proof.found = proof.expected.clone();
        proof.found_rows = proof.expected_rows;
        proof.chunks.clear();
        proof.note = Some("mended, and read back again".to_string());
        return Ok(mended);
    }
    let foreign = parts(check, index, table).await?.iter().any(|part| part.chunk.is_none());
    proof.note = Some(if foreign {
        "rows that no run of this migration wrote are still there; remove them by hand".to_string()
    } else {
        "the repair did not make the table equal".to_string()
    });
    Ok(0)
}

async fn expected(
    check: &Check,
    index: usize,
    table: &TablePlan,
    chunks: &[usize],
) -> Result<Fingerprint> {
    let all = super::expected_chunks(check, index, table).await?;
    let wanted = all.iter().filter(|(chunk, _)| chunks.is_empty() || chunks.contains(chunk));
    Ok(wanted.fold(Fingerprint::default(), |sum, (_, chunk)| sum.plus(*chunk)))
}
