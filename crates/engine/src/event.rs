//! The one stream of progress: the engine emits, and bars, logs, reports and metrics listen.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::report::{Outcome, Waits};

/// Something that happened. Row counts and bytes are what was added since the last event of the
/// same kind for the same table, so that consumers only add.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The study of a table began.
    StudyStarted { table: String },
    /// The study of a table ended.
    StudyDone { table: String, rows: u64, bytes: u64, seconds: f64 },
    /// A run began, or went on after an interruption.
    RunStarted { run: String, name: String, version: String, plan: String, resumed: bool },
    /// A move began. `tables` holds what the plan expects and what earlier attempts have brought in.
    MoveStarted { index: usize, from: String, to: String, tables: Vec<TableTotals> },
    /// A stage began.
    StageStarted { stage: Stage },
    /// A stage ended.
    StageDone { stage: Stage, seconds: f64 },
    /// A worker took a chunk.
    ChunkStarted { table: String, chunk: usize, worker: usize },
    /// A batch was accepted by the target. `held` is the time in seconds, up to now, for which the
    /// worker had it in hand: from when the source gave it until the target took it.
    Copied { table: String, worker: usize, rows: u64, bytes: u64, held: f64 },
    /// A chunk failed and is tried again: what `Copied` counted for it is taken back.
    ChunkRetry {
        table: String,
        chunk: usize,
        attempt: u32,
        error: String,
        pause_seconds: f64,
        rows: u64,
        bytes: u64,
    },
    /// A move failed and goes on with both ends opened anew; chunks that are not in are taken back.
    MoveRetry { index: usize, attempt: u32, error: String, pause_seconds: f64 },
    /// A process with an index above 0 waits until the one with 0 has made the target ready.
    SessionAwaited { process: u32, count: u32 },
    /// A process has joined the session of a move.
    SessionJoined { index: usize },
    /// A chunk was another process's before it could be committed: what `Copied` counted for it is taken
    /// back, and it is another's or comes again.
    ChunkDropped { table: String, chunk: usize, error: String, rows: u64, bytes: u64 },
    /// The process with index 0 has seen that a chunk is in that another process copied.
    ChunkElsewhere { table: String, chunk: usize, rows: u64, rejected: u64, bytes: u64 },
    /// A chunk and its ledger entry are in.
    ChunkDone {
        table: String,
        chunk: usize,
        worker: usize,
        rows: u64,
        /// Rows that went to a reject file instead.
        rejected: u64,
        bytes: u64,
        seconds: f64,
        waits: Waits,
    },
    /// The source has changed since the interruption; this chunk is still the same in it.
    ChunkConfirmed { table: String, chunk: usize },
    /// The source has changed since the interruption, in this table: it is copied again.
    TableReset { table: String },
    /// The source has changed since the interruption, in this chunk: it is copied again.
    ChunkReset { table: String, chunk: usize },
    /// A statement of the finish was run.
    StatementDone { purpose: String },
    /// Rows were read back from the target.
    Checked { table: String, rows: u64 },
    /// A table was verified.
    TableVerified { table: String, rows: u64, matches: bool },
    /// The run ended.
    RunDone { outcome: Outcome, seconds: f64 },
}

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// The target is claimed, and made ready.
    Prepare,
    /// The chunks are copied.
    Copy,
    /// What comes after the load is made.
    Finish,
    /// The target is read back.
    Verify,
    /// Names in rows are compared with objects.
    References,
}

impl Stage {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Copy => "copy",
            Self::Finish => "finish",
            Self::Verify => "verify",
            Self::References => "references",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A table's totals at the start of a move.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TableTotals {
    /// The name in the target.
    pub table: String,
    /// Rows that the plan counted.
    pub rows: u64,
    /// Bytes, about.
    pub bytes: u64,
    /// Chunks.
    pub chunks: usize,
    /// Rows that are in already.
    pub rows_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Chunks that are in already.
    pub chunks_in: usize,
}

/// Where events go.
#[derive(Clone)]
pub struct Events {
    start: Instant,
    listener: Arc<Listener>,
}

type Listener = dyn Fn(f64, &Event) + Send + Sync;

impl Events {
    /// Events go to `listener` with the seconds since now. It is called from any thread and must
    /// not block.
    pub fn new(listener: impl Fn(f64, &Event) + Send + Sync + 'static) -> Self {
        Self { start: Instant::now(), listener: Arc::new(listener) }
    }

    /// Events go nowhere.
    pub fn ignored() -> Self {
        Self::new(|_, _| {})
    }

    /// Events go to `listener` too.
    pub fn also(&self, listener: impl Fn(f64, &Event) + Send + Sync + 'static) -> Self {
        let first = self.listener.clone();
        Self {
            start: self.start,
            listener: Arc::new(move |at, event| {
                first(at, event);
                listener(at, event);
            }),
        }
    }

    /// Tells the listener.
    pub fn emit(&self, event: Event) {
        (self.listener)(self.start.elapsed().as_secs_f64(), &event);
    }
}
