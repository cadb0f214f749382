//! Opening database files, and the errors of SQLite in the project's words.

use std::path::{Path, PathBuf};
use std::time::Duration;

use longshore_model::{Code, Endpoint, Error, Result};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::held;

/// How long a statement waits for a lock of another process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The path of an address. SQLite gives special meanings to some relative names, such as `:memory:`
/// and `file:…`; they are ordinary file names here.
pub(crate) fn path(endpoint: &Endpoint) -> Result<PathBuf> {
    endpoint.allow_options(&[])?;
    let path = PathBuf::from(endpoint.path()?);
    Ok(if path.is_absolute() { path } else { Path::new(".").join(path) })
}

/// Opens a database for reading. Neither the file nor its write-ahead log is changed by it.
pub(crate) fn reading(path: &Path) -> Result<Connection> {
    require_file(path)?;
    let opened = open_reading(path, OpenFlags::empty(), &path.to_string_lossy());
    match opened {
        Err(error)
            if matches!(error.code(), Code::NotFound | Code::PermissionDenied)
                && is_at_rest(path) =>
        {
            // A database in WAL mode needs files beside it; where none can be made and none is
            // there, nobody writes to it either.
            open_reading(path, OpenFlags::SQLITE_OPEN_URI, &immutable_uri(path))
        }
        other => other,
    }
}

fn open_reading(path: &Path, flags: OpenFlags, name: &str) -> Result<Connection> {
    let doing = |error| failure("open the database", error).with("path", shown(path));
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags).map_err(doing)?;
    connection.busy_timeout(PATIENCE).map_err(doing)?;
    for (setting, value) in [
        (DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        // Otherwise a quoted name that does not exist is a text.
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    ] {
        connection.set_db_config(setting, value).map_err(doing)?;
    }
    connection.execute_batch("PRAGMA query_only = ON").map_err(doing)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(doing)?;
    Ok(connection)
}

/// Opens a database for writing and makes it when it is missing. It keeps its journal mode, and
/// neither its triggers nor its foreign keys act on what is written.
pub(crate) fn writing(path: &Path) -> Result<Connection> {
    let doing = |error| target_failure("open the database", error).with("path", shown(path));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(doing)?;
    connection.busy_timeout(PATIENCE).map_err(doing)?;
    connection.execute_batch("PRAGMA foreign_keys = OFF").map_err(doing)?;
    // What the target's triggers do happened in the source already.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).map_err(doing)?;
    Ok(connection)
}

/// Lets SQLite take back what a commit left that was cut short: only a connection that may write
/// can. Nothing happens while somebody writes, whose journal that is. When it cannot be done, the
/// next reader says so.
pub(crate) fn recover(path: &Path) {
    let left = std::fs::metadata(beside(path, "-journal")).is_ok_and(|data| data.len() > 0);
    if left && let Ok(connection) = writing(path) {
        let _ = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()));
    }
}

/// An error of SQLite; `doing` completes "could not …". It names no value: of the two parts of an
/// error that may hold one, statements are left out, and messages name tables and columns only.
pub(crate) fn failure(doing: &str, error: rusqlite::Error) -> Error {
    let code = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Code::SourceUnreadable,
        Some(ErrorCode::CannotOpen) => Code::NotFound,
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => Code::PermissionDenied,
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Code::DatabaseBusy,
        Some(ErrorCode::DiskFull) => Code::StorageFull,
        Some(ErrorCode::SystemIoFailure) => Code::Io,
        Some(ErrorCode::ConstraintViolation) => Code::RowRefused,
        _ => Code::Database,
    };
    let made = Error::new(code, format!("could not {doing}")).because(message(&error));
    let made = if needs_recovery(&error) {
        made.hint(
            "It was left by a crash. Open it once with its own application, or with sqlite3, \
                   so that SQLite can recover it.",
        )
    } else if error.sqlite_error_code() == Some(ErrorCode::OutOfMemory) {
        made.hint("Give it more memory (deployed: --memory SIZE), or fewer --workers.")
    } else {
        made
    };
    if code == Code::DatabaseBusy { made.temporary() } else { made }
}

/// Whether a database must be recovered by somebody who may write before it can be read.
fn needs_recovery(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(failure, _) = error else { return false };
    matches!(
        failure.extended_code,
        rusqlite::ffi::SQLITE_READONLY_ROLLBACK | rusqlite::ffi::SQLITE_READONLY_RECOVERY
    )
}

/// An error of SQLite on a database that is written.
pub(crate) fn target_failure(doing: &str, error: rusqlite::Error) -> Error {
    let damaged = matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
    );
    if damaged {
        return Error::new(Code::Database, format!("could not {doing}")).because(message(&error));
    }
    failure(doing, error)
}

/// SQLite's own message, without the statement.
pub(crate) fn message(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        rusqlite::Error::SqliteFailure(error, None) => error.to_string(),
        _ => "the database gave an answer of an unexpected form".to_string(),
    }
}

/// A path for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}

/// Runs work that blocks on a thread of the runtime's pool for it.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "a thread of SQLite died").because(error))?
}

fn require_file(path: &Path) -> Result<()> {
    match held::file(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            Err(Error::new(Code::SourceUnreadable, "this is not a database file")
                .with("path", shown(path)))
        }
        Err(error) => Err(Error::io("open the database", shown(path), error)),
    }
}

/// The name of the file beside a database that ends in `suffix`.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn is_at_rest(path: &Path) -> bool {
    let has =
        |suffix: &str| std::fs::metadata(beside(path, suffix)).is_ok_and(|data| data.len() > 0);
    !["-wal", "-shm", "-journal"].into_iter().any(has)
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    uri
}
