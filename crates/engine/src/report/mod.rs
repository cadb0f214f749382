//! The report of a run: what moved, how long it took, what was lost, and the proof.
//!
//! Version `longshore-report/v1`. It holds names, counts, positions and keys, no other values.

mod fold;
mod html;
mod plot;
mod recorder;

use serde::{Deserialize, Serialize};

use longshore_model::catalog::NotMoved;
use longshore_model::loss::{Action, LossKind};
use longshore_model::spec::VerifyLevel;

pub(crate) use fold::{difference, rejection};
pub use html::render as render_html;
pub use recorder::Recorder;

/// The version that this build writes.
pub const FORMAT: &str = "longshore-report/v1";

/// What a run did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// The run.
    pub run: String,
    /// The migration's name.
    pub name: String,
    /// The migration's version.
    pub version: String,
    /// The digest of the plan.
    pub plan: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it did not end well, with every cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error: Vec<String>,
    /// When this attempt began, RFC 3339.
    pub started: String,
    /// How long this attempt took, in seconds.
    pub seconds: f64,
    /// Whether it went on after an interruption.
    pub resumed: bool,
    /// How long each step took, in order.
    pub steps: Vec<Step>,
    /// How busy the workers were.
    pub performance: Performance,
    /// What arrived over time.
    pub samples: Vec<Sample>,
    /// What moved.
    pub moves: Vec<MoveReport>,
    /// Whether the objects that rows name are there, when the targets were read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceReport>,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything is in and the target was read back and is equal.
    Verified,
    /// Everything is in; nobody has read it back.
    Copied,
    /// Rows are in reject files instead of the target; everything else is in.
    Rejected,
    /// Source and target differ.
    Different,
    /// It ended with an error; the same command goes on from there.
    Failed,
    /// It was stopped on request.
    Cancelled,
}

impl Outcome {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Copied => "copied",
            Self::Rejected => "rejected",
            Self::Different => "different",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was done, such as `copy`.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

/// How busy the workers were. `P = total / (total − idle)`, where idle is the time in which no
/// worker had a batch in hand: 1 is the best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Performance {
    /// Seconds of the copy.
    pub total: f64,
    /// Seconds of it in which no worker had a batch in hand.
    pub idle: f64,
    /// P.
    pub ratio: f64,
    /// Where the workers were, summed over all of them.
    pub waits: Waits,
}

/// Seconds of workers, by what they waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// For the source's next batch.
    pub source: f64,
    /// For the target to take one.
    pub target: f64,
    /// For our own conversion and fingerprints.
    pub own: f64,
    /// For the limits: memory and rate.
    pub limits: f64,
}

/// What had arrived by a moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Seconds since the run began.
    pub at: f64,
    /// Rows so far in this attempt.
    pub rows: u64,
    /// Bytes so far.
    pub bytes: u64,
}

/// What one move did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MoveReport {
    /// The source's address.
    pub from: String,
    /// The target's address.
    pub to: String,
    /// The state of the source that was copied.
    pub position: String,
    /// Whether the source was still in this state at the end.
    pub source_unchanged: bool,
    /// The tables, in the plan's order.
    pub tables: Vec<TableReport>,
    /// Losses: predicted, counted, verified.
    pub fidelity: Vec<Fidelity>,
    /// What stays behind.
    pub not_moved: Vec<NotMoved>,
    /// The folder with the reject files, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejects: Option<String>,
    /// The proof, when the target was read back.
    pub verification: Option<Verification>,
}

/// What happened to one table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableReport {
    /// Its name in the source.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// Rows that the plan counted.
    pub planned_rows: u64,
    /// Rows that are in.
    pub rows: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Chunks.
    pub chunks: usize,
    /// Seconds of workers in this attempt.
    pub seconds: f64,
    /// Rows that went to reject files.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rejected: u64,
}

/// One kind of loss in one column: the loop of prediction, count and proof.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fidelity {
    /// The source's table.
    pub table: String,
    /// The source's column.
    pub column: String,
    /// The kind.
    pub kind: LossKind,
    /// What the policy does.
    pub action: Action,
    /// Values that the plan predicted.
    pub predicted: u64,
    /// Values that the run counted.
    pub counted: u64,
    /// Whether the target, read back, holds the rows as they were after this conversion; `None`
    /// when it was not read.
    pub verified: Option<bool>,
    /// Keys of the first rows with such values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
}

/// Rows and the objects that they name, as the targets hold them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceReport {
    /// The columns with the names, as `table.column`.
    pub columns: Vec<String>,
    /// The address of the target of the objects.
    pub objects: String,
    /// Whether every object that rows name is there, but for those that may be missing.
    pub matches: bool,
    /// Rows that name an object.
    pub rows: u64,
    /// Rows with a value that does not begin as the names of these objects do.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub elsewhere: u64,
    /// Different names in the rows.
    pub names: u64,
    /// Those of them that no object has.
    pub missing: u64,
    /// Those of the missing ones that an object of the source has.
    pub in_source: u64,
    /// Objects that no row names.
    pub unnamed: u64,
    /// The first of the missing names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_names: Vec<String>,
    /// The first of the objects that no row names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unnamed_names: Vec<String>,
}

/// The proof of a move.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// How much was read back.
    pub level: VerifyLevel,
    /// Whether the source was read again, instead of the fingerprints of the run.
    pub independent: bool,
    /// Whether everything that was read is equal.
    pub matches: bool,
    /// Rows mended by a repair.
    pub repaired: u64,
    /// The tables, in the plan's order.
    pub tables: Vec<TableVerification>,
}

/// The proof of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableVerification {
    /// Its name in the target.
    pub table: String,
    /// Whether it is equal.
    pub matches: bool,
    /// Rows that it must hold.
    pub expected_rows: u64,
    /// Rows that were read, of the parts that were read.
    pub found_rows: u64,
    /// The fingerprint that was expected, as `rows:hash`.
    pub expected: String,
    /// The fingerprint that was found.
    pub found: String,
    /// Rows of the source that the target lacks.
    pub missing: u64,
    /// Rows of the target that the source lacks.
    pub extra: u64,
    /// Rows with the same key and other values.
    pub different: u64,
    /// Chunks that do not match, when the rows could not be traced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chunks: Vec<usize>,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// What could not be said, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// How.
    pub kind: DifferenceKind,
    /// The key, `column=value, …`; the row's hash where there is no key.
    pub key: String,
    /// The columns whose values differ, for rows that are on both sides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// How many equal rows.
    pub count: u64,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DifferenceKind {
    /// The source has it, the target lacks it.
    Missing,
    /// The target has it, the source lacks it.
    Extra,
    /// Both have the key, with other values.
    Different,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Waits {
    /// Adds another.
    pub fn add(&mut self, other: Waits) {
        self.source += other.source;
        self.target += other.target;
        self.own += other.own;
        self.limits += other.limits;
    }
}

#[cfg(test)]
mod tests;
