//! What the control plane keeps: one SQLite database in the state folder, which survives the end of its process at
//! any moment.

mod migrations;
mod people;
mod runs;
mod schedules;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use longshore_model::{Code, Error, Result};
use rusqlite::Connection;

pub use migrations::{Migration, MigrationVersion, Route};
pub use people::{AuditEntry, Token};
pub(super) use runs::Kept;
pub use runs::{Ending, Run, RunFilter, RunState, Task};
pub use schedules::{NewSchedule, Schedule};

/// The database's name in the state folder.
pub(super) const FILE: &str = "control.db";
/// The version of the tables.
const VERSION: i64 = 1;

const TABLES: &str = "
CREATE TABLE migrations (
    name TEXT NOT NULL, version TEXT NOT NULL, digest TEXT NOT NULL, spec TEXT NOT NULL,
    routes TEXT NOT NULL, added TEXT NOT NULL, \"by\" TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;
CREATE TABLE runs (
    id TEXT PRIMARY KEY, migration TEXT NOT NULL, state TEXT NOT NULL, outcome TEXT,
    run TEXT NOT NULL, spec TEXT NOT NULL, whole INTEGER NOT NULL, deployment TEXT
) STRICT;
CREATE INDEX runs_by_migration ON runs (migration, id);
CREATE INDEX runs_by_state ON runs (state, outcome, id);
CREATE TABLE tokens (
    name TEXT PRIMARY KEY, role TEXT NOT NULL, hash BLOB NOT NULL UNIQUE, made TEXT NOT NULL,
    \"by\" TEXT NOT NULL, used TEXT
) STRICT;
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL, action TEXT NOT NULL,
    subject TEXT NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE TABLE schedules (
    id INTEGER PRIMARY KEY AUTOINCREMENT, migration TEXT NOT NULL, version TEXT, at TEXT, cron TEXT,
    next TEXT, \"by\" TEXT NOT NULL, last_run TEXT
) STRICT;
";

/// The database. Every method is short; none is called while another holds it in the same thread.
pub(super) struct Book(Mutex<Connection>);

impl Book {
    /// Opens it, and makes it where it is not there yet.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |error| {
            failed("open the control plane's database", error)
                .with("path", path.display().to_string())
        };
        private(path)?;
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(failed)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
            .map_err(failed)?;
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(failed)?;
        match version {
            0 => {
                let transaction = connection.transaction().map_err(failed)?;
                transaction.execute_batch(TABLES).map_err(failed)?;
                transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
                transaction.commit().map_err(failed)?;
            }
            VERSION => {}
            newer => {
                return Err(Error::new(
                    Code::Unsupported,
                    "a newer longshore has written the control plane's database",
                )
                .with("path", path.display().to_string())
                .with("version", newer.to_string())
                .hint("Use that longshore, or another folder with --state DIR."));
            }
        }
        Ok(Self(Mutex::new(connection)))
    }

    /// Does something with the database.
    fn with<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| failed(doing, error))
    }
}

/// Makes the file of the database where there is none, for this user alone: it holds hashes of tokens.
fn private(path: &Path) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    file.map(drop)
        .map_err(|error| Error::io("make the control plane's database", path.display(), error))
}

fn failed(doing: &str, error: rusqlite::Error) -> Error {
    let code = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => Code::StorageFull,
        Some(rusqlite::ErrorCode::DatabaseBusy) => Code::DatabaseBusy,
        _ => Code::Io,
    };
    Error::new(code, format!("cannot {doing}")).because(error)
}

/// A value that a column holds as JSON.
fn json_of<T: serde::Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error.into())
    })
}
