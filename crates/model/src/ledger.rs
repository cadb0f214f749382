//! The ledger: the record, in the target, of which chunks are in.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fingerprint::Fingerprint;
use crate::loss::{LossCounts, LossKeys};
use crate::plan::{Position, Range};
use crate::spec::is_default;
use crate::{Code, Error, Result};

/// What the ledger of a target holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What is being loaded.
    pub header: Header,
    /// One entry for each chunk that is in.
    pub entries: Vec<Entry>,
    /// The stages that are done.
    pub stages: Vec<Stage>,
}

/// What a target is being loaded with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The run that wrote it first.
    pub run: String,
    /// The digest of the migration.
    pub spec_digest: String,
    /// The digest of the plan.
    pub plan_digest: String,
    /// The plan's JSON, so that a run can go on from nothing but the target and the migration.
    pub plan: String,
    /// Which move of the plan.
    pub move_index: usize,
    /// The state of the source that every entry is true for.
    pub position: Position,
    /// What the tables held before, by their index in the plan; only when rows are appended.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<usize, Fingerprint>,
    /// The same by chunks, where objects are added to a tree: of those in a chunk's part of it whose
    /// names the source lacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<usize, Vec<Fingerprint>>,
}

/// One chunk that is in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The table's index in the plan.
    pub table: usize,
    /// The chunk's index in the table.
    pub chunk: usize,
    /// The fingerprint of the rows as they were written, taken from the bytes that were read.
    pub fingerprint: Fingerprint,
    /// Bytes read.
    pub bytes: u64,
    /// Values that were not kept exactly, by the source's column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub losses: BTreeMap<String, LossCounts>,
    /// Keys of the first rows with such values, by the source's column.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub samples: BTreeMap<String, LossKeys>,
    /// Rows that went to a reject file.
    #[serde(default, skip_serializing_if = "is_default")]
    pub rejected: u64,
    /// The fingerprint of those among them that the target refused, as they would have been written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub refused: Fingerprint,
    /// Where the rows are in the target, in the words of the target's connector; set by the writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// A stage that a run passes once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The tables are there.
    Prepared,
    /// Every chunk is in.
    Copied,
    /// Indexes, views and the manifest are there.
    Finished,
}

impl Entry {
    /// The fingerprint of what the source gave, after the planned conversion: of the rows that are in
    /// and of those that the target refused.
    pub fn of_source(&self) -> Fingerprint {
        self.fingerprint.plus(self.refused)
    }
}

impl Ledger {
    /// The entry of a chunk.
    pub fn entry(&self, table: usize, chunk: usize) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.table == table && entry.chunk == chunk)
    }

    /// Whether a stage is done.
    pub fn has(&self, stage: Stage) -> bool {
        self.stages.contains(&stage)
    }

    /// What a table of the target must hold: what it held before and every chunk that is in.
    pub fn expected(&self, table: usize) -> Fingerprint {
        let baseline = self.header.baselines.get(&table).copied().unwrap_or_default();
        self.entries
            .iter()
            .filter(|entry| entry.table == table)
            .fold(baseline, |sum, entry| sum.plus(entry.fingerprint))
    }
}

/// Who holds a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: String,
    /// The host.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// When it began, RFC 3339.
    pub since: String,
}

/// What the process that holds a target tells the other processes of its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The number of the claim under which all of them write.
    pub claim: u64,
    /// The digest of the migration.
    pub spec_digest: String,
    /// The digest of the plan.
    pub plan_digest: String,
    /// Which move of the plan.
    pub move_index: usize,
    /// The state of the source that all of them read.
    pub position: Position,
    /// What its view of the source is joined by, where the source has such a thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<String>,
}

/// A chunk that is one process's for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The table's index in the plan.
    pub table: usize,
    /// The chunk's index in the table.
    pub chunk: usize,
    /// What tells it from every other lease, also of the same chunk.
    pub token: String,
}

/// A part of the ledger as its targets store it.
pub fn encode(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|error| Error::new(Code::Internal, "the ledger cannot be written").because(error))
}

/// A part of the ledger from what a target has stored.
pub fn decode<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| {
        Error::new(Code::LedgerMissing, "the ledger is damaged")
            .hint("Start over with --existing replace.")
            .because(error)
    })
}
