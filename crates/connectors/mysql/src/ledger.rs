//! The ledger's tables in the target database, and the claim.

use longshore_model::ledger::{Entry, Header, Holder, Ledger, Stage, decode, encode};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::claim::Claim;
use crate::failure::failure;
use crate::leases;
use crate::session::{cell, rows, run};
use crate::sql::literal;

/// What the names of these tables begin with; they are no data of a source.
pub(crate) const PREFIX: &str = "_longshore_";

/// The layout that this build writes.
const LAYOUT: &str = "1";

/// Seconds for which a claim waits for one that is just ending.
const PATIENCE: u32 = 2;

/// The keys of the header.
pub(crate) mod key {
    pub(super) const LAYOUT: &str = "layout";
    pub(super) const HEADER: &str = "header";
    pub(crate) const POSITION: &str = "position";
    /// The tables that a begin is making, until it has ended.
    pub(crate) const MAKING: &str = "making";
    /// The session that other processes join.
    pub(crate) const SESSION: &str = "session";
    /// Which tables were there before.
    pub(crate) const PREPARATIONS: &str = "preparations";
}

const TABLES: &[(&str, &str)] = &[
    ("claim", "id TINYINT PRIMARY KEY, token BIGINT NOT NULL, holder LONGTEXT NOT NULL"),
    ("header", "name VARCHAR(64) PRIMARY KEY, value LONGTEXT NOT NULL"),
    (
        "entries",
        "table_index BIGINT NOT NULL, chunk_index BIGINT NOT NULL, entry LONGTEXT NOT NULL, \
         PRIMARY KEY (table_index, chunk_index)",
    ),
    ("stages", "stage VARCHAR(64) PRIMARY KEY"),
    ("statements", "number BIGINT PRIMARY KEY"),
];

/// Whether a table is one of these.
pub(crate) fn is_its_own(table: &str) -> bool {
    let mut known = TABLES.iter().chain([&leases::TABLE]);
    table.strip_prefix(PREFIX).is_some_and(|name| known.any(|(known, _)| *known == name))
}

/// The name of the lock of a database.
pub(crate) const LOCK_NAME: &str = "CONCAT('longshore ', LEFT(SHA2(DATABASE(), 256), 40))";

/// Takes the lock that one run holds on a database, for as long as the connection lives.
pub(crate) async fn lock(conn: &mut Conn) -> Result<()> {
    let query = format!("SELECT GET_LOCK({LOCK_NAME}, {PATIENCE})");
    let found = rows(conn, "claim the target", &query).await?;
    if found.first().and_then(|row| cell(row, 0)).as_deref() == Some("1") {
        return Ok(());
    }
    let made = Error::new(Code::TargetBusy, "another run holds the target");
    Err(match holder(conn).await? {
        None => made,
        Some(holder) => made
            .with("run", holder.run)
            .with("host", holder.host)
            .with("pid", holder.pid.to_string())
            .with("since", holder.since),
    })
}

async fn holder(conn: &mut Conn) -> Result<Option<Holder>> {
    if !exists(conn, "claim").await? {
        return Ok(None);
    }
    let found = rows(conn, READ, "SELECT holder FROM _longshore_claim").await?;
    found.first().and_then(|row| cell(row, 0)).map(|text| decode(&text)).transpose()
}

/// Makes the tables that are missing, and writes who holds the target; the token that is returned
/// is good until somebody else claims it.
pub(crate) async fn claim(conn: &mut Conn, holder: &Holder) -> Result<u64> {
    leases::end_writers(conn).await?;
    for table in TABLES {
        run(conn, "make the ledger", &make_table(*table)).await?;
    }
    let holder = literal(&encode(holder)?);
    let sql = format!(
        "INSERT INTO _longshore_claim VALUES (1, 1, {holder}) \
         ON DUPLICATE KEY UPDATE token = token + 1, holder = {holder}"
    );
    run(conn, WRITE, &sql).await?;
    leases::clear(conn).await?;
    let found = rows(conn, READ, "SELECT token FROM _longshore_claim").await?;
    Ok(found.first().map_or(0, |row| crate::session::number(row, 0)))
}

/// The statement that makes a table of the ledger.
pub(crate) fn make_table((name, columns): (&str, &str)) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {PREFIX}{name} ({columns}) \
         ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    )
}

/// Makes sure, inside a transaction, that the claim is still this one, and stays so until it ends.
pub(crate) async fn hold(conn: &mut Conn, claim: Claim) -> Result<()> {
    let query = format!(
        "SELECT 1 FROM _longshore_claim WHERE id = 1 AND token = {} LOCK IN SHARE MODE",
        claim.number
    );
    match rows(conn, "make sure of the claim", &query).await?.is_empty() {
        false => Ok(()),
        true => Err(claim.lost()),
    }
}

/// Forgets an older load, inside a transaction.
pub(crate) async fn clear(conn: &mut Conn) -> Result<()> {
    for table in ["header", "entries", "stages", "statements"] {
        run(conn, WRITE, &format!("DELETE FROM {PREFIX}{table}")).await?;
    }
    Ok(())
}

/// Writes the header.
pub(crate) async fn begin(conn: &mut Conn, header: &Header) -> Result<()> {
    put(conn, key::LAYOUT, LAYOUT).await?;
    put(conn, key::HEADER, &encode(header)?).await?;
    put(conn, key::POSITION, &header.position.0).await
}

/// Sets a value of the header.
pub(crate) async fn put(conn: &mut Conn, key: &str, value: &str) -> Result<()> {
    let sql =
        format!("REPLACE INTO _longshore_header VALUES ({}, {})", literal(key), literal(value));
    run(conn, WRITE, &sql).await
}

/// A value of the header.
pub(crate) async fn get(conn: &mut Conn, key: &str) -> Result<Option<String>> {
    if !exists(conn, "header").await? {
        return Ok(None);
    }
    let query = format!("SELECT value FROM _longshore_header WHERE name = {}", literal(key));
    Ok(rows(conn, READ, &query).await?.first().and_then(|row| cell(row, 0)))
}

/// Removes a value of the header.
pub(crate) async fn remove(conn: &mut Conn, key: &str) -> Result<()> {
    run(conn, WRITE, &format!("DELETE FROM _longshore_header WHERE name = {}", literal(key))).await
}

/// Writes an entry; one that is there already is an error.
pub(crate) async fn add(conn: &mut Conn, entry: &Entry) -> Result<()> {
    let sql = format!(
        "INSERT INTO _longshore_entries VALUES ({}, {}, {})",
        entry.table,
        entry.chunk,
        literal(&encode(entry)?)
    );
    run(conn, WRITE, &sql).await
}

/// Whether a chunk has an entry.
pub(crate) async fn has_entry(conn: &mut Conn, table: usize, chunk: usize) -> Result<bool> {
    let query = format!(
        "SELECT 1 FROM _longshore_entries WHERE table_index = {table} AND chunk_index = {chunk}"
    );
    Ok(!rows(conn, READ, &query).await?.is_empty())
}

/// Removes the entries of a table.
pub(crate) async fn forget(conn: &mut Conn, table: usize) -> Result<()> {
    run(conn, WRITE, &format!("DELETE FROM _longshore_entries WHERE table_index = {table}")).await
}

/// Marks a stage.
pub(crate) async fn mark(conn: &mut Conn, stage: Stage) -> Result<()> {
    let stage = literal(&encode(&stage)?);
    run(conn, WRITE, &format!("INSERT IGNORE INTO _longshore_stages VALUES ({stage})")).await
}

/// Notes that a statement of the finish was run.
pub(crate) async fn note(conn: &mut Conn, statement: usize) -> Result<()> {
    run(conn, WRITE, &format!("INSERT IGNORE INTO _longshore_statements VALUES ({statement})"))
        .await
}

/// The statements of the finish that were run.
pub(crate) async fn noted(conn: &mut Conn) -> Result<Vec<usize>> {
    let found = rows(conn, READ, "SELECT number FROM _longshore_statements").await?;
    Ok(found.iter().filter_map(|row| cell(row, 0)?.parse().ok()).collect())
}

/// Reads the ledger; `None` when there is none.
pub(crate) async fn read(conn: &mut Conn) -> Result<Option<Ledger>> {
    match get(conn, key::LAYOUT).await? {
        Some(layout) if layout == LAYOUT => {}
        None => return Ok(None),
        Some(layout) => {
            return Err(Error::new(Code::LedgerMissing, "the ledger is of another version")
                .with("layout", layout)
                .hint("Use the build of longshore that began the migration."));
        }
    }
    let Some(header) = get(conn, key::HEADER).await? else { return Ok(None) };
    let mut header: Header = decode(&header)?;
    if let Some(position) = get(conn, key::POSITION).await? {
        header.position = Position(position);
    }
    let entries = "SELECT entry FROM _longshore_entries ORDER BY table_index, chunk_index";
    let entries = texts(conn, entries).await?;
    let stages = texts(conn, "SELECT stage FROM _longshore_stages").await?;
    let mut stages = stages.iter().map(|text| decode(text)).collect::<Result<Vec<Stage>>>()?;
    stages.sort_unstable();
    Ok(Some(Ledger {
        header,
        entries: entries.iter().map(|text| decode(text)).collect::<Result<_>>()?,
        stages,
    }))
}

pub(crate) async fn exists(conn: &mut Conn, table: &str) -> Result<bool> {
    let query = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND \
         TABLE_NAME = '{PREFIX}{table}'"
    );
    Ok(!rows(conn, "look for the ledger", &query).await?.is_empty())
}

async fn texts(conn: &mut Conn, query: &str) -> Result<Vec<String>> {
    conn.query(query).await.map_err(|error| failure(READ, error))
}

const READ: &str = "read the ledger";
const WRITE: &str = "write the ledger";
