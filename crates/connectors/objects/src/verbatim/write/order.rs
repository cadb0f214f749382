//! What a writer of a tree or of a store is told: where to write, and what to do with what is there.

use std::collections::HashSet;
use std::sync::Arc;

use longshore_model::spec::Existing;
use longshore_model::{Code, Error, Result};

use crate::verbatim::load::{Claim, merges};
use crate::verbatim::source::Span;

/// What is written where.
pub(in crate::verbatim) struct Order {
    pub(in crate::verbatim) claim: Arc<Claim>,
    pub(in crate::verbatim) chunk: usize,
    pub(in crate::verbatim) table: usize,
    pub(in crate::verbatim) span: Span,
    /// The objects that the plan found in it.
    pub(in crate::verbatim) planned: u64,
    /// What is done with what the tree held before.
    pub(in crate::verbatim) existing: Existing,
    /// The columns that are kept.
    pub(in crate::verbatim) columns: HashSet<String>,
    /// Whether the chunk was in already: what it does not write any more is removed.
    pub(in crate::verbatim) replaces: bool,
    /// The object of a store that tells what was uploaded of large objects of the chunk.
    pub(in crate::verbatim) record: String,
}

impl Order {
    /// Whether what the tree holds already is compared with what comes.
    pub(in crate::verbatim) fn merges(&self) -> bool {
        merges(self.existing)
    }

    /// Whether what the chunk's part of the tree holds beside what comes is removed.
    pub(in crate::verbatim) fn removes(&self) -> bool {
        match self.existing {
            Existing::Mirror => true,
            Existing::Append => false,
            Existing::Refuse | Existing::Truncate | Existing::Replace => self.replaces,
        }
    }

    pub(in crate::verbatim) fn wants(&self, column: &str) -> bool {
        self.columns.contains(column)
    }

    /// Refuses to remove anything when the source gave less than was planned: what it no longer shows,
    /// such as a disk that is not mounted any more, need not be gone.
    pub(in crate::verbatim) fn must_be_all(&self, objects: u64) -> Result<()> {
        if self.existing != Existing::Mirror || objects >= self.planned {
            return Ok(());
        }
        Err(Error::new(Code::SourceChanged, "the source has fewer objects than the plan found")
            .with("planned", self.planned.to_string())
            .with("found", objects.to_string())
            .hint("Nothing was removed for it. Look whether the source is whole, and start again."))
    }
}
