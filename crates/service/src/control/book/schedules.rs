//! Runs that are asked for by the clock.

use longshore_model::Result;
use rusqlite::{OptionalExtension as _, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Book;

/// When a migration is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Schedule {
    /// Its number.
    pub id: i64,
    /// The migration.
    pub migration: String,
    /// The version; the last one, when none is named.
    pub version: Option<String>,
    /// Once, RFC 3339.
    pub at: Option<String>,
    /// Again and again: minute, hour, day of the month, month, day of the week, in UTC.
    pub cron: Option<String>,
    /// When it comes next; never, when it is missing.
    pub next: Option<String>,
    /// Who asked for it.
    pub by: String,
    /// The run that it asked for last.
    pub last_run: Option<String>,
}

/// A schedule that is asked for: `at` or `cron`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// The migration.
    pub migration: String,
    /// The version; the last one, when none is named.
    #[serde(default)]
    pub version: Option<String>,
    /// Once, RFC 3339.
    #[serde(default)]
    pub at: Option<String>,
    /// Again and again: minute, hour, day of the month, month, day of the week, in UTC.
    #[serde(default)]
    pub cron: Option<String>,
}

impl Book {
    pub(in crate::control) fn keep_schedule(
        &self,
        new: &NewSchedule,
        next: &str,
        by: &str,
    ) -> Result<i64> {
        self.with("keep the schedule", |book| {
            book.execute(
                "INSERT INTO schedules (migration, version, at, cron, next, \"by\")
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![new.migration, new.version, new.at, new.cron, next, by],
            )?;
            Ok(book.last_insert_rowid())
        })
    }

    pub(in crate::control) fn schedules(&self) -> Result<Vec<Schedule>> {
        self.with("list the schedules", |book| {
            let mut rows = book.prepare_cached(&format!("{SELECT} ORDER BY id"))?;
            rows.query_map([], read)?.collect()
        })
    }

    pub(in crate::control) fn schedule(&self, id: i64) -> Result<Option<Schedule>> {
        self.with("read the schedule", |book| {
            book.query_row(&format!("{SELECT} WHERE id = ?1"), [id], read).optional()
        })
    }

    /// Notes that a schedule came, and when it comes next.
    pub(in crate::control) fn came(
        &self,
        id: i64,
        next: Option<&str>,
        run: Option<&str>,
    ) -> Result<()> {
        self.with("keep the schedule", |book| {
            book.execute(
                "UPDATE schedules SET next = ?2, last_run = coalesce(?3, last_run) WHERE id = ?1",
                params![id, next, run],
            )
            .map(drop)
        })
    }

    pub(in crate::control) fn forget_schedule(&self, id: i64) -> Result<bool> {
        self.with("forget the schedule", |book| {
            book.execute("DELETE FROM schedules WHERE id = ?1", [id]).map(|gone| gone > 0)
        })
    }
}

const SELECT: &str =
    "SELECT id, migration, version, at, cron, next, \"by\", last_run FROM schedules";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Schedule> {
    Ok(Schedule {
        id: row.get(0)?,
        migration: row.get(1)?,
        version: row.get(2)?,
        at: row.get(3)?,
        cron: row.get(4)?,
        next: row.get(5)?,
        by: row.get(6)?,
        last_run: row.get(7)?,
    })
}
