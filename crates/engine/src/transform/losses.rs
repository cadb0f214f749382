//! What a transform loses: counts, keys of the first rows, and the rows that are diverted.

use std::collections::BTreeMap;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use longshore_model::loss::{LossCounts, LossKeys, LossKind};
use longshore_model::plan::ColumnPlan;
use longshore_model::spec::Keys;
use longshore_model::{Code, ColumnView, Error, Result};

use crate::key;

/// Keys that are kept for each column and kind.
const SAMPLES: usize = 3;

/// What was lost since it was made, and what the last batch had.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    /// How many values, by the source's column.
    pub counts: BTreeMap<String, LossCounts>,
    /// Keys of the first rows with such values, by the source's column.
    pub samples: BTreeMap<String, LossKeys>,
    /// Rows of the last batch that do not go on, in their order.
    pub diverted: Vec<Diverted>,
    /// Rows of the batches before the last.
    pub before: u64,
    /// Rows of the last batch.
    rows: u64,
    /// Lost values of the last batch whose keys are wanted.
    marks: Vec<Diverted>,
}

/// A row that does not go on, and the first reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diverted {
    /// The row's place in its batch.
    pub row: usize,
    /// The source's column.
    pub column: String,
    /// What its value is lost as.
    pub kind: LossKind,
}

impl Losses {
    /// Begins a batch.
    pub(super) fn begin(&mut self, rows: usize) {
        self.before += self.rows;
        self.rows = rows as u64;
        self.diverted.clear();
        self.marks.clear();
    }

    /// Counts a value.
    pub(super) fn count(&mut self, lost: Diverted) {
        let counts = self.counts.entry(lost.column.clone()).or_default();
        *counts.entry(lost.kind).or_default() += 1;
        let known = self.samples.get(&lost.column).and_then(|kinds| kinds.get(&lost.kind));
        let same = |mark: &&Diverted| (&mark.column, mark.kind) == (&lost.column, lost.kind);
        let waiting = self.marks.iter().filter(same).count();
        if known.map_or(0, Vec::len) + waiting < SAMPLES {
            self.marks.push(lost);
        }
    }

    /// Keeps the keys of marked rows. `key` is the places of the key's columns.
    pub(super) fn sample(
        &mut self,
        columns: &[ColumnPlan],
        key: Option<&[usize]>,
        keys: Keys,
        rows: &RecordBatch,
    ) -> Result<()> {
        for mark in std::mem::take(&mut self.marks) {
            let text = match key {
                None => format!("row {}", self.before + mark.row as u64 + 1),
                Some(key) => {
                    let part = |&at: &usize| {
                        let view = ColumnView::new(&columns[at].to, rows.column(at))?;
                        Ok(key::part(&columns[at].target, view.cell(mark.row), keys))
                    };
                    key.iter().map(part).collect::<Result<Vec<_>>>()?.join(", ")
                }
            };
            let kinds = self.samples.entry(mark.column).or_default();
            kinds.entry(mark.kind).or_default().push(text);
        }
        Ok(())
    }

    /// Takes the diverted rows out of a batch.
    pub(super) fn divert(&mut self, rows: RecordBatch) -> Result<RecordBatch> {
        if self.diverted.is_empty() {
            return Ok(rows);
        }
        self.diverted.sort_by_key(|one| one.row);
        self.diverted.dedup_by_key(|one| one.row);
        let mut stays = vec![true; rows.num_rows()];
        for one in &self.diverted {
            stays[one.row] = false;
        }
        filter_record_batch(&rows, &BooleanArray::from(stays)).map_err(|error| {
            Error::new(Code::Internal, "rows could not be taken out of a batch").because(error)
        })
    }
}
