//! The ledger's tables in the target database.

use longshore_model::ledger::{Entry, Header, Ledger, Stage, decode, encode};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension, params};

use crate::open::target_failure;

/// What the names of these tables begin with; they are no data of a source.
pub(crate) const PREFIX: &str = "_longshore_";

/// The layout that this build writes.
const LAYOUT: &str = "1";

const MAKE: &str = "
    CREATE TABLE _longshore_header (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE _longshore_entries (
        table_index INTEGER NOT NULL, chunk_index INTEGER NOT NULL, entry TEXT NOT NULL,
        PRIMARY KEY (table_index, chunk_index)) WITHOUT ROWID;
    CREATE TABLE _longshore_stages (stage TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE _longshore_statements (number INTEGER PRIMARY KEY);";

/// Removes an older ledger and makes an empty one, inside the caller's transaction.
pub(crate) fn make(connection: &Connection, header: &Header) -> Result<()> {
    let database = |error| target_failure("make the ledger", error);
    for table in ["header", "entries", "stages", "statements"] {
        connection
            .execute_batch(&format!("DROP TABLE IF EXISTS {PREFIX}{table}"))
            .map_err(database)?;
    }
    connection.execute_batch(MAKE).map_err(database)?;
    put(connection, "layout", LAYOUT)?;
    put(connection, "header", &encode(header)?)?;
    put(connection, "position", &header.position.0)
}

/// Sets a value of the header.
pub(crate) fn put(connection: &Connection, key: &str, value: &str) -> Result<()> {
    connection
        .execute("INSERT OR REPLACE INTO _longshore_header VALUES (?1, ?2)", [key, value])
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}

/// A value of the header.
pub(crate) fn get(connection: &Connection, key: &str) -> Result<Option<String>> {
    connection
        .query_row("SELECT value FROM _longshore_header WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map_err(|error| target_failure("read the ledger", error))
}

/// Writes an entry; one that is there already is an error.
pub(crate) fn add(connection: &Connection, entry: &Entry) -> Result<()> {
    connection
        .execute(
            "INSERT INTO _longshore_entries VALUES (?1, ?2, ?3)",
            params![number(entry.table)?, number(entry.chunk)?, encode(entry)?],
        )
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}

/// Whether a chunk has an entry.
pub(crate) fn has_entry(connection: &Connection, table: usize, chunk: usize) -> Result<bool> {
    connection
        .query_row(
            "SELECT count(*) FROM _longshore_entries WHERE table_index = ?1 AND chunk_index = ?2",
            [number(table)?, number(chunk)?],
            |row| row.get::<_, i64>(0),
        )
        .map(|count| count > 0)
        .map_err(|error| target_failure("read the ledger", error))
}

/// Removes the entries of a table.
pub(crate) fn forget(connection: &Connection, table: usize) -> Result<()> {
    connection
        .execute("DELETE FROM _longshore_entries WHERE table_index = ?1", [number(table)?])
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}

/// Marks a stage.
pub(crate) fn mark(connection: &Connection, stage: Stage) -> Result<()> {
    connection
        .execute("INSERT OR IGNORE INTO _longshore_stages VALUES (?1)", [encode(&stage)?])
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}

/// Whether the statement of this number has run.
pub(crate) fn has_run(connection: &Connection, statement: usize) -> Result<bool> {
    connection
        .query_row(
            "SELECT count(*) FROM _longshore_statements WHERE number = ?1",
            [number(statement)?],
            |row| row.get::<_, i64>(0),
        )
        .map(|count| count > 0)
        .map_err(|error| target_failure("read the ledger", error))
}

/// Records that the statement of this number has run.
pub(crate) fn ran(connection: &Connection, statement: usize) -> Result<()> {
    connection
        .execute("INSERT INTO _longshore_statements VALUES (?1)", [number(statement)?])
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}

/// Reads the ledger; `None` when there is none.
pub(crate) fn read(connection: &Connection) -> Result<Option<Ledger>> {
    let database = |error| target_failure("read the ledger", error);
    let there: i64 = connection
        .query_row(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '_longshore_header'",
            [],
            |row| row.get(0),
        )
        .map_err(database)?;
    if there == 0 {
        return Ok(None);
    }
    let layout = get(connection, "layout")?;
    if layout.as_deref() != Some(LAYOUT) {
        return Err(Error::new(Code::Unsupported, "the ledger has a layout of another version")
            .with("layout", layout.unwrap_or_default())
            .hint("Use the version of longshore that wrote it."));
    }
    let missing = || Error::new(Code::Database, "the ledger is incomplete");
    let mut header: Header = decode(&get(connection, "header")?.ok_or_else(missing)?)?;
    header.position = Position(get(connection, "position")?.ok_or_else(missing)?);
    let texts = |sql: &str| -> Result<Vec<String>> {
        let mut statement = connection.prepare(sql).map_err(database)?;
        let rows = statement.query_map([], |row| row.get(0)).map_err(database)?;
        rows.collect::<rusqlite::Result<_>>().map_err(database)
    };
    let entries = texts("SELECT entry FROM _longshore_entries ORDER BY table_index, chunk_index")?;
    let mut stages: Vec<Stage> = texts("SELECT stage FROM _longshore_stages")?
        .iter()
        .map(|text| decode(text))
        .collect::<Result<_>>()?;
    stages.sort_unstable();
    let entries = entries.iter().map(|text| decode(text)).collect::<Result<_>>()?;
    Ok(Some(Ledger { header, entries, stages }))
}

fn number(index: usize) -> Result<i64> {
    i64::try_from(index).map_err(|_| Error::new(Code::Internal, "an index is too large"))
}

/// The key of the header that says that a table's rows are not all where the entries say.
pub(crate) fn scattered(table: &str) -> String {
    format!("scattered:{table}")
}

/// Removes a value of the header.
pub(crate) fn remove(connection: &Connection, key: &str) -> Result<()> {
    connection
        .execute("DELETE FROM _longshore_header WHERE key = ?1", [key])
        .map(drop)
        .map_err(|error| target_failure("write the ledger", error))
}
