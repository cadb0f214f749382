//! The plan: a migration worked out against real systems. Version `longshore-plan/v1`, a promise:
//! old plans must still load. It is deterministic and holds no secret and no value of a row.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::catalog::{NotMoved, Table, TableName};
use crate::logical::LogicalType;
use crate::loss::{Action, LossKind, OnReject};
use crate::object;
use crate::spec::{Existing, Keys, Limits, Mask, Missing, VerifyLevel, is_default};
use crate::{Code, Error, Result};

/// The version that this build writes.
pub const FORMAT: &str = "longshore-plan/v1";

/// A migration worked out against real systems.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Always [`FORMAT`].
    pub format: String,
    /// The migration's name.
    pub name: String,
    /// The migration's version.
    pub version: String,
    /// The digest of the migration that it was made from.
    pub spec_digest: String,
    /// The bounds of the run.
    pub limits: Limits,
    /// How much is verified.
    pub verify: VerifyLevel,
    /// What moves, in order.
    pub moves: Vec<MovePlan>,
    /// Columns whose values name objects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferencePlan>,
}

/// A column whose values name objects, worked out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferencePlan {
    /// The move of the rows, by its index.
    pub rows: usize,
    /// The table, by its index in the plan of that move.
    pub table: usize,
    /// The column, by its index in the plan of the table.
    pub column: usize,
    /// The move of the objects, by its index: a later one, so that objects are listed after rows
    /// were read.
    pub objects: usize,
    /// What values have before the name of the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What happens to names of objects that the source lacks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missing: Missing,
    /// What the source held when it was looked at; `None` when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<ReferenceForecast>,
}

/// What names of objects there were in a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceForecast {
    /// Different names in the rows.
    pub names: u64,
    /// Those of them that no object has.
    pub missing: u64,
    /// Objects that no row of any reference to them names.
    pub unnamed: u64,
}

/// One move, worked out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MovePlan {
    /// The source's address without secrets.
    pub from: String,
    /// The target's address without secrets.
    pub to: String,
    /// What happens to data that the target holds already.
    pub existing: Existing,
    /// What happens to rows that cannot be written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_reject: OnReject,
    /// How the keys of rows are shown in reports.
    #[serde(default, skip_serializing_if = "is_default")]
    pub keys: Keys,
    /// The state of the source that was studied.
    pub position: Position,
    /// The patterns that select tables of the source; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selects: Vec<String>,
    /// The tables, the largest first.
    pub tables: Vec<TablePlan>,
    /// What runs in the target before the copy.
    pub prepare: Vec<Statement>,
    /// What runs in the target after the copy: indexes, views, triggers.
    pub finish: Vec<Statement>,
    /// Values that will not be kept exactly.
    pub losses: Vec<LossForecast>,
    /// What stays behind.
    pub not_moved: Vec<NotMoved>,
    /// What becomes of the objects that a tree holds already; `None` where objects are not merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeForecast>,
    /// What may go wrong, for people.
    pub risks: Vec<String>,
    /// What happens when a run is killed and the source has changed on return.
    pub restart: String,
}

/// One table's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TablePlan {
    /// Its name in the source.
    pub source: TableName,
    /// Its name in the target.
    pub target: TableName,
    /// The columns that move, in the target's order.
    pub columns: Vec<ColumnPlan>,
    /// The condition that rows must meet, in the source's SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// The table as the source described it, a line for each column and one for the key: a source
    /// that describes it in other words is not the one that the plan was made for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub described: Vec<String>,
    /// The wire format in which rows pass untouched; `None` when they pass as Arrow batches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wire: Option<String>,
    /// Rows that meet it, counted by the study.
    pub rows: u64,
    /// Their size, about.
    pub bytes: u64,
    /// The target's columns that identify a row; empty when nothing does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// The table as the target will describe it: names and types of the target, structure of the
    /// source as far as the rules leave it.
    pub structure: Table,
    /// The units of work, in the source's order. They cover the whole table, whatever is added.
    pub chunks: Vec<Chunk>,
}

/// One column's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnPlan {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// The type that is read.
    pub from: LogicalType,
    /// The type that is written and read back.
    pub to: LogicalType,
    /// The type as the target declares it.
    pub native: String,
    /// The type as the source declares it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub declared: String,
    /// How values are masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// What is checked on every value, and what happens to values that fail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// Whether the target computes the value itself: it is read and proved, and not written.
    #[serde(default, skip_serializing_if = "is_default")]
    pub computed: bool,
}

/// A check on every value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// What is looked for.
    pub kind: LossKind,
    /// What happens to it.
    pub action: Action,
}

/// A prediction of lost values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossForecast {
    /// The source's table.
    pub table: TableName,
    /// The source's column.
    pub column: String,
    /// The kind.
    pub kind: LossKind,
    /// What the policy does.
    pub action: Action,
    /// How many values; exact, because the column was scanned.
    pub count: u64,
}

/// What becomes of the objects of both sides, as their listings tell. The run decides by bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergeForecast {
    /// Those that look the same at both sides; each stays as it is if its bytes are the same.
    pub same: Extent,
    /// Those that both sides have and that differ; they are written over.
    pub differing: Extent,
    /// Those that only the source has.
    pub added: Extent,
    /// Those that only the target has: a mirror removes them, otherwise they are kept.
    pub others: Extent,
    /// The names of the first of these.
    pub first_others: Vec<String>,
}

/// A number of objects and their size.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// How many there are.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The unit of work, of restart and of proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Which part of the table, in words that only the source's connector understands.
    pub range: Range,
    /// Rows, counted by the study, or as many as the source expects where it cannot count cheaply.
    pub rows: u64,
    /// Bytes, about.
    pub bytes: u64,
}

impl TablePlan {
    /// Bytes of a row that are in memory at a time, on average. Objects flow in pieces.
    pub fn row_bytes(&self, chunk: usize) -> u64 {
        match self.wire.as_deref() {
            Some(object::WIRE) => 0,
            _ => self.chunks.get(chunk).map_or(0, Chunk::row_bytes),
        }
    }

    /// The table with the columns that are written only.
    pub fn written(&self) -> Self {
        let mut table = self.clone();
        table.columns.retain(|column| !column.computed);
        table
    }
}

impl ColumnPlan {
    /// Whether values arrive as they leave: no conversion, no mask.
    pub fn is_untouched(&self) -> bool {
        self.from == self.to && self.mask.is_none() && self.native == self.declared
    }
}

impl Chunk {
    /// Bytes of a row, on average.
    pub fn row_bytes(&self) -> u64 {
        self.bytes / self.rows.max(1)
    }
}

/// A part of a table, in the words of one connector.
pub type Range = serde_json::Value;

/// A statement for the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// The target's table that it is for, by its index in the plan; `None` when it is for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<usize>,
    /// Its step: statements of one step may run at the same time, steps follow each other.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub step: u32,
    /// What it is for, such as `index orders_by_date`.
    pub purpose: String,
    /// The statement.
    pub sql: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(step: &u32) -> bool {
    *step == 0
}

/// One consistent state of a system, as its connector writes it. Equal positions prove an unchanged
/// system; unequal ones prove nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub String);

impl Plan {
    /// The plan as JSON, the same bytes for the same plan.
    pub fn to_json(&self) -> Result<String> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::new(Code::Internal, "the plan cannot be written").because(e))?;
        text.push('\n');
        Ok(text)
    }

    /// Reads a plan.
    pub fn from_json(text: &str) -> Result<Self> {
        let plan: Plan = serde_json::from_str(text).map_err(|error| {
            Error::new(Code::SpecInvalid, "the plan is not valid")
                .hint("Make a new one with longshore plan.")
                .because(error)
        })?;
        if plan.format != FORMAT {
            return Err(Error::new(Code::SpecInvalid, "the plan is of an unknown version")
                .with("format", plan.format)
                .hint(format!("This build reads {FORMAT}.")));
        }
        Ok(plan)
    }

    /// The plan's digest, `sha256:…` over its JSON.
    pub fn digest(&self) -> Result<String> {
        Ok(digest(self.to_json()?.as_bytes()))
    }
}

impl MovePlan {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Bytes of all tables, about.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.bytes).sum()
    }

    /// Chunks of all tables.
    pub fn chunks(&self) -> usize {
        self.tables.iter().map(|table| table.chunks.len()).sum()
    }
}

/// `sha256:…` of some bytes.
pub fn digest(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
