//! Names in rows against names of objects.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow_array::RecordBatch;
use longshore_model::object::{ObjectKind, escape};
use longshore_model::plan::ReferencePlan;
use longshore_model::spec::{Keys, Missing};
use longshore_model::{Cell, ColumnView, LogicalType, Result};

use crate::key;

/// Names that are shown; the counts are exact whatever their number.
const SHOWN: usize = 100;

/// What was found.
#[derive(Default)]
pub(super) struct Tally {
    /// Rows that name an object.
    pub rows: u64,
    /// Rows whose value does not begin as names do.
    pub elsewhere: u64,
    /// Different names in rows.
    pub names: u64,
    /// Those of them that no object has.
    pub missing: u64,
    /// Those of these that an object of the source has.
    pub in_source: u64,
    /// Those of the missing that no reference allows.
    pub refused: u64,
    /// Objects that no row names.
    pub unnamed: u64,
    pub missing_names: Sample,
    pub unnamed_names: Sample,
}

/// The first names in their order.
#[derive(Default)]
pub(super) struct Sample(BTreeSet<String>);

impl Sample {
    fn add(&mut self, name: &str) {
        if self.0.len() < SHOWN || self.0.last().is_some_and(|last| name < last.as_str()) {
            self.0.insert(name.to_string());
        }
        if self.0.len() > SHOWN {
            self.0.pop_last();
        }
    }

    /// The names, as a report may show them.
    pub(super) fn shown(self, keys: Keys) -> Vec<String> {
        let shown = |name: String| match keys {
            Keys::Plain => name,
            Keys::Sha256 => key::hashed(Cell::Text(&name)),
        };
        self.0.into_iter().map(shown).collect()
    }
}

/// What is known of a name that stands in rows.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    there: bool,
    in_source: bool,
    /// Whether a reference that allows nothing to be missing has it.
    needed: bool,
}

/// The names of one pass.
pub(super) struct Names {
    seen: HashMap<Box<str>, Seen>,
    pass: u64,
    passes: u64,
}

impl Names {
    pub(super) fn of_pass(pass: u64, passes: u64) -> Self {
        Self { seen: HashMap::new(), pass, passes }
    }

    /// Whether a name is one of this pass.
    fn takes(&self, name: &str) -> bool {
        if self.passes == 1 {
            return true;
        }
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        hasher.finish() % self.passes == self.pass
    }

    pub(super) fn take_rows(
        &mut self,
        batch: &RecordBatch,
        reference: &ReferencePlan,
        tally: &mut Tally,
    ) -> Result<()> {
        let values = ColumnView::new(&LogicalType::Text, batch.column(0))?;
        let prefix = reference.prefix.as_deref().unwrap_or_default();
        for row in 0..batch.num_rows() {
            let Cell::Text(value) = values.cell(row) else { continue };
            let name = value.strip_prefix(prefix).filter(|name| !name.is_empty());
            let Some(name) = name else {
                tally.elsewhere += u64::from(self.pass == 0);
                continue;
            };
            tally.rows += u64::from(self.pass == 0);
            let name = escape(name.as_bytes());
            if self.takes(&name) {
                let seen = self.seen.entry(name.into_boxed_str()).or_default();
                seen.needed |= reference.missing == Missing::Fail;
            }
        }
        Ok(())
    }

    pub(super) fn take_objects(&mut self, batch: &RecordBatch, tally: &mut Tally) -> Result<()> {
        for_each_object(batch, |name| {
            if let Some(seen) = self.seen.get_mut(name) {
                seen.there = true;
            } else if self.takes(name) {
                tally.unnamed += 1;
                tally.unnamed_names.add(name);
            }
        })
    }

    /// Whether there is a name that no object has.
    pub(super) fn lacks_some(&self) -> bool {
        self.seen.values().any(|seen| !seen.there)
    }

    pub(super) fn take_origin(&mut self, batch: &RecordBatch) -> Result<()> {
        for_each_object(batch, |name| {
            if let Some(seen) = self.seen.get_mut(name) {
                seen.in_source = true;
            }
        })
    }

    pub(super) fn sum_up(self, tally: &mut Tally) {
        for (name, seen) in self.seen {
            tally.names += 1;
            if !seen.there {
                tally.missing += 1;
                tally.in_source += u64::from(seen.in_source);
                tally.refused += u64::from(seen.in_source || seen.needed);
                tally.missing_names.add(&name);
            }
        }
    }
}

/// Calls with the name of every object but folders.
fn for_each_object(batch: &RecordBatch, mut visit: impl FnMut(&str)) -> Result<()> {
    let names = ColumnView::new(&LogicalType::Text, batch.column(0))?;
    let kinds = ColumnView::new(&LogicalType::Text, batch.column(1))?;
    for row in 0..batch.num_rows() {
        if let (Cell::Text(name), Cell::Text(kind)) = (names.cell(row), kinds.cell(row))
            && kind != ObjectKind::Folder.word()
        {
            visit(name);
        }
    }
    Ok(())
}
