//! Runs.

use longshore_engine::report::Outcome;
use longshore_model::Result;
use longshore_model::spec::{Spec, VerifyLevel};
use rusqlite::{Connection, OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::people::{self, AuditEntry};
use super::{Book, from_json, json_of};
use crate::RunFolder;
use crate::control::order::Where;

/// A run: asked for, at work or over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The id; later runs have greater ones.
    pub id: String,
    /// The migration.
    pub migration: String,
    /// Its version.
    pub version: String,
    /// The image that runs, when one does.
    pub image: Option<String>,
    /// Where it runs.
    pub on: Where,
    /// What is done.
    pub task: Task,
    /// How much is verified; nothing when it is missing.
    pub verify: Option<VerifyLevel>,
    /// Where it stands.
    pub state: RunState,
    /// How it ended.
    pub outcome: Option<Ending>,
    /// When it was asked for, RFC 3339.
    pub queued: String,
    /// When its first attempt began.
    pub started: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// How often it was begun: more than once where the server was interrupted.
    pub attempts: u32,
    /// Rows that are in.
    pub rows: u64,
    /// Rows that the plan counted.
    pub rows_expected: u64,
    /// Bytes that are in.
    pub bytes: u64,
    /// Bytes that the plan counted, about.
    pub bytes_expected: u64,
    /// Seconds of the last attempt.
    pub seconds: f64,
    /// Why it did not end well, with every cause.
    pub error: Vec<String>,
    /// The folder of its last attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Copies, and verifies.
    #[default]
    Run,
    /// Reads the target back, and compares.
    Verify,
    /// Says what a run would do.
    Plan,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// It waits for others, or for the server to take it up again.
    Queued,
    /// It is at work.
    Running,
    /// It was asked to stop, and does at the next safe point.
    Stopping,
    /// It is over.
    Ended,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The plan is made.
    Planned,
    /// Everything is in and the target was read back and is equal.
    Verified,
    /// Everything is in; nobody has read it back.
    Copied,
    /// Rows are in reject files instead of the target; everything else is in.
    Rejected,
    /// Source and target differ.
    Different,
    /// It ended with an error; asked for again it goes on from there.
    Failed,
    /// It was stopped on request.
    Cancelled,
}

/// Which runs are listed.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RunFilter {
    /// Only those of a migration.
    pub migration: Option<String>,
    /// Only those in a state, or that ended in a way.
    pub state: Option<String>,
    /// Only those before this one.
    pub before: Option<String>,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What is needed to begin a run again.
#[derive(Debug, Clone)]
pub(in crate::control) struct Kept {
    /// The migration.
    pub(in crate::control) spec: String,
    /// Whether nothing had to be left out of it.
    pub(in crate::control) is_whole: bool,
    pub(in crate::control) migration: String,
    pub(in crate::control) version: String,
    pub(in crate::control) image: Option<String>,
    pub(in crate::control) on: Where,
    pub(in crate::control) task: Task,
    pub(in crate::control) verify: Option<VerifyLevel>,
    /// The deployment that runs it, where one does.
    pub(in crate::control) deployment: Option<String>,
}

impl Task {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Verify => "verify",
            Self::Plan => "plan",
        }
    }
}

impl RunState {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Ended => "ended",
        }
    }
}

impl Ending {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Verified => "verified",
            Self::Copied => "copied",
            Self::Rejected => "rejected",
            Self::Different => "different",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl From<Outcome> for Ending {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::Verified,
            Outcome::Copied => Self::Copied,
            Outcome::Rejected => Self::Rejected,
            Outcome::Different => Self::Different,
            Outcome::Failed => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
        }
    }
}

impl Run {
    /// Ends it.
    pub(in crate::control) fn end(&mut self, ending: Ending, now: String, error: &[String]) {
        self.state = RunState::Ended;
        self.outcome = Some(ending);
        self.ended = Some(now);
        self.error = error.to_vec();
    }
}

impl Kept {
    /// A migration that runs in this process.
    pub(in crate::control) fn of(spec: &Spec, task: Task) -> Result<Self> {
        Ok(Self {
            spec: spec.to_yaml()?,
            is_whole: true,
            migration: spec.name.clone(),
            version: spec.version.clone(),
            image: None,
            on: Where::Here,
            task,
            verify: Some(spec.verify),
            deployment: None,
        })
    }

    /// The run, as it stands when it is asked for.
    pub(in crate::control) fn run(&self, folder: &RunFolder, now: &str, by: &str) -> Run {
        Run {
            id: folder.id.clone(),
            migration: self.migration.clone(),
            version: self.version.clone(),
            image: self.image.clone(),
            on: self.on,
            task: self.task,
            verify: self.verify,
            state: RunState::Queued,
            outcome: None,
            queued: now.to_string(),
            started: None,
            ended: None,
            by: by.to_string(),
            attempts: 0,
            rows: 0,
            rows_expected: 0,
            bytes: 0,
            bytes_expected: 0,
            seconds: 0.0,
            error: Vec::new(),
            folder: Some(folder.id.clone()),
        }
    }
}

impl Book {
    /// Keeps a run that was asked for, and who did: both, or neither.
    pub(in crate::control) fn enter(
        &self,
        run: &Run,
        kept: &Kept,
        asked: &AuditEntry,
    ) -> Result<()> {
        self.with("keep the run", |book| {
            let transaction = book.transaction()?;
            transaction
                .prepare_cached(
                    "INSERT INTO runs (id, migration, state, outcome, run, spec, whole, deployment)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    run.id,
                    run.migration,
                    run.state.as_str(),
                    run.outcome.map(Ending::as_str),
                    json_of(run)?,
                    kept.spec,
                    kept.is_whole,
                    kept.deployment
                ])?;
            people::write(&transaction, asked)?;
            transaction.commit()
        })
    }

    /// A run.
    pub(in crate::control) fn run(&self, id: &str) -> Result<Option<Run>> {
        self.with("read the run", |book| find(book, id))
    }

    /// Changes a run, and returns it as it is then.
    pub(in crate::control) fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut Run),
    ) -> Result<Option<Run>> {
        self.with("keep the run", |book| {
            let transaction = book.transaction()?;
            let Some(mut run) = find(&transaction, id)? else { return Ok(None) };
            change(&mut run);
            transaction
                .prepare_cached("UPDATE runs SET state = ?2, outcome = ?3, run = ?4 WHERE id = ?1")?
                .execute(params![
                    id,
                    run.state.as_str(),
                    run.outcome.map(Ending::as_str),
                    json_of(&run)?
                ])?;
            transaction.commit()?;
            Ok(Some(run))
        })
    }

    /// What is needed to begin a run again.
    pub(in crate::control) fn kept(&self, id: &str) -> Result<Option<Kept>> {
        self.with("read the run", |book| {
            let Some(run) = find(book, id)? else { return Ok(None) };
            let kept = book
                .prepare_cached("SELECT spec, whole, deployment FROM runs WHERE id = ?1")?
                .query_row([id], |row| {
                    Ok(Kept {
                        spec: row.get(0)?,
                        is_whole: row.get(1)?,
                        deployment: row.get(2)?,
                        migration: run.migration,
                        version: run.version,
                        image: run.image,
                        on: run.on,
                        task: run.task,
                        verify: run.verify,
                    })
                })?;
            Ok(Some(kept))
        })
    }

    /// Notes which deployment runs it.
    pub(in crate::control) fn deployed(&self, id: &str, deployment: &str) -> Result<()> {
        self.with("keep the run", |book| {
            book.execute("UPDATE runs SET deployment = ?2 WHERE id = ?1", [id, deployment])
                .map(drop)
        })
    }

    /// Runs that have not ended, the oldest first.
    pub(in crate::control) fn unended(&self) -> Result<Vec<Run>> {
        self.with("list the runs", |book| {
            let mut rows =
                book.prepare("SELECT run FROM runs WHERE state <> 'ended' ORDER BY id")?;
            let runs = rows.query_map([], read)?;
            runs.collect()
        })
    }

    /// Runs, the newest first.
    pub(in crate::control) fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        let limit = filter.limit.unwrap_or(50).clamp(1, 1000);
        let before = filter.before.as_deref().unwrap_or("~");
        self.with("list the runs", |book| {
            // One statement for each form, so that each goes along its index.
            let by_migration = filter.migration.as_deref();
            let by_state = filter.state.as_deref();
            let condition = match (by_migration, by_state) {
                (None, None) => "?1 IS ?1 AND ?2 IS ?2",
                (Some(_), None) => "migration = ?1 AND ?2 IS ?2",
                (None, Some(_)) => "?1 IS ?1 AND (state = ?2 OR outcome = ?2)",
                (Some(_), Some(_)) => "migration = ?1 AND (state = ?2 OR outcome = ?2)",
            };
            let sql = format!(
                "SELECT run FROM runs WHERE {condition} AND id < ?3 ORDER BY id DESC LIMIT ?4"
            );
            let mut rows = book.prepare_cached(&sql)?;
            let runs = rows.query_map(params![by_migration, by_state, before, limit], read)?;
            runs.collect()
        })
    }

    /// How many runs are in which state; those that ended, by how.
    pub(in crate::control) fn counts(&self) -> Result<Vec<(String, u64)>> {
        self.with("count the runs", |book| {
            let mut rows = book.prepare_cached(
                "SELECT coalesce(outcome, state), count(*) FROM runs GROUP BY state, outcome",
            )?;
            let counts = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            counts.collect()
        })
    }
}

fn find(book: &Connection, id: &str) -> rusqlite::Result<Option<Run>> {
    book.prepare_cached("SELECT run FROM runs WHERE id = ?1")?.query_row([id], read).optional()
}

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Run> {
    from_json(&row.get::<_, String>(0)?)
}
