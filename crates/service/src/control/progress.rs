//! What a run has reached, as it is told: the shape of it in the API.

use longshore_engine::TableTally;
use longshore_engine::report::{Performance, Sample, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::book::Route;

/// What a run has reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Progress {
    /// The stage: `study`, `prepare`, `copy`, `finish`, `verify` or `references`.
    pub stage: Option<String>,
    /// How long each stage took, in order.
    pub steps: Vec<StepTime>,
    /// Seconds since the attempt began.
    pub elapsed: f64,
    /// Rows that are in, of all moves.
    pub rows: u64,
    /// Rows that the plan counted.
    pub rows_expected: u64,
    /// Bytes that are in.
    pub bytes: u64,
    /// Bytes that the plan counted, about.
    pub bytes_expected: u64,
    /// Rows that were read back from the target.
    pub checked: u64,
    /// Rows in a second, over the stage.
    pub rows_per_second: f64,
    /// Bytes in a second, over the stage.
    pub bytes_per_second: f64,
    /// Seconds that are left of the stage, about.
    pub seconds_left: Option<f64>,
    /// From where to where.
    pub moves: Vec<Route>,
    /// The tables; in a stream, those that changed.
    pub tables: Vec<TableProgress>,
    /// What each worker does.
    pub workers: Vec<Lane>,
    /// How busy the workers were, and what they waited for.
    pub performance: Busyness,
    /// What had arrived over time; in a stream, what is new of it.
    pub samples: Vec<Point>,
    /// What there is to say; in a stream, what is new of it.
    pub messages: Vec<Message>,
}

/// How long a stage took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepTime {
    /// The stage.
    pub name: String,
    /// Seconds.
    pub seconds: f64,
}

/// How busy the workers were: `ratio` is P, all time by the time in which a worker had a batch in hand.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Busyness {
    /// Seconds of the copy.
    pub total: f64,
    /// Seconds of it in which no worker had a batch in hand.
    pub idle: f64,
    /// P.
    pub ratio: f64,
    /// Seconds of workers, by what they waited for.
    pub waits: WaitTimes,
}

/// Seconds of workers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaitTimes {
    /// For the source.
    pub source: f64,
    /// For the target.
    pub target: f64,
    /// For conversion and fingerprints.
    pub own: f64,
    /// For the limits: memory and rate.
    pub limits: f64,
}

/// What had arrived by a moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Point {
    /// Seconds since the attempt began.
    pub at: f64,
    /// Rows so far.
    pub rows: u64,
    /// Bytes so far.
    pub bytes: u64,
}

/// What a table has reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TableProgress {
    /// The move, by its place.
    #[serde(rename = "move")]
    pub move_index: usize,
    /// The name in the target.
    pub name: String,
    /// Rows that are in.
    pub rows: u64,
    /// Rows that the plan counted.
    pub rows_expected: u64,
    /// Bytes that are in.
    pub bytes: u64,
    /// Bytes that the plan counted, about.
    pub bytes_expected: u64,
    /// Chunks that are in.
    pub chunks: usize,
    /// Chunks of the plan.
    pub chunks_expected: usize,
    /// Rows that were read back.
    pub checked: u64,
    /// Whether the target's rows are the source's; missing before that is known.
    pub verified: Option<bool>,
}

/// What a worker does.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Lane {
    /// The worker.
    pub worker: usize,
    /// The table that it works on; none while it waits for work.
    pub table: Option<String>,
    /// The chunk of it.
    pub chunk: Option<usize>,
    /// Rows of the chunk so far.
    pub rows: u64,
    /// Since when, in seconds since the attempt began.
    pub since: f64,
}

/// Something that there is to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// When, in seconds since the attempt began.
    pub at: f64,
    /// `info`, `warning` or `error`.
    pub level: String,
    /// What.
    pub text: String,
}

impl TableProgress {
    pub(super) fn of(move_index: usize, name: &str, table: &TableTally) -> Self {
        Self {
            move_index,
            name: name.to_string(),
            rows: table.rows_in,
            rows_expected: table.rows.max(table.rows_in),
            bytes: table.bytes_in,
            bytes_expected: table.bytes.max(table.bytes_in),
            chunks: table.chunks_in,
            chunks_expected: table.chunks,
            checked: table.checked,
            verified: table.matches,
        }
    }
}

impl From<&Step> for StepTime {
    fn from(step: &Step) -> Self {
        Self { name: step.name.clone(), seconds: step.seconds }
    }
}

impl From<&Sample> for Point {
    fn from(sample: &Sample) -> Self {
        Self { at: sample.at, rows: sample.rows, bytes: sample.bytes }
    }
}

impl From<Performance> for Busyness {
    fn from(performance: Performance) -> Self {
        let waits = performance.waits;
        Self {
            total: performance.total,
            idle: performance.idle,
            ratio: performance.ratio,
            waits: WaitTimes {
                source: waits.source,
                target: waits.target,
                own: waits.own,
                limits: waits.limits,
            },
        }
    }
}
