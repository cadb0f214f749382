//! Leases of chunks: rows of the ledger that tell which process is at which chunk.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use longshore_model::connector::{Leases, Place, Standing, Term};
use longshore_model::ledger::{Entry, Lease, Session, Stage, decode, encode};
use longshore_model::{Code, Error, Result};
use mysql_async::Conn;

use crate::claim::Claim;
use crate::ledger::{self, LOCK_NAME, PREFIX, key};
use crate::load::MysqlLoad;
use crate::session::{cell, number, rows, run};
use crate::sql::literal;

/// Its table, which is made when several processes write.
pub(crate) const TABLE: (&str, &str) = (
    "leases",
    "table_index BIGINT NOT NULL, chunk_index BIGINT NOT NULL, token VARCHAR(64) NOT NULL, \
     holder VARCHAR(255) NOT NULL, expires DATETIME(6) NOT NULL, tries BIGINT NOT NULL, \
     connection BIGINT, PRIMARY KEY (table_index, chunk_index)",
);

/// How often a chunk is looked for while others take those that were found.
const ATTEMPTS: u32 = 8;

const DOING: &str = "take a chunk";

/// A lease that somebody has.
struct Held {
    token: String,
    lives: bool,
    connection: Option<u64>,
}

#[async_trait]
impl Leases for MysqlLoad {
    async fn open(&self, session: &Session) -> Result<()> {
        let claim = self.claimed();
        let text = encode(&Session { claim: claim.number, ..session.clone() })?;
        let mut loan = self.connections().lend().await?;
        run(&mut loan.conn, "make the ledger", &ledger::make_table(TABLE)).await?;
        loan.give_back();
        self.transaction(async |conn| {
            run(conn, DOING, "DELETE FROM _longshore_leases").await?;
            ledger::put(conn, key::SESSION, &text).await
        })
        .await
    }

    async fn take(&self, chunks: &[Place], term: &Term) -> Result<Option<Lease>> {
        if chunks.is_empty() {
            return Ok(None);
        }
        let mut loan = self.connections().lend().await?;
        let mut taken = None;
        for _ in 0..ATTEMPTS {
            let Some(found) = find(&mut loan.conn, self.claimed(), chunks).await? else { break };
            taken = take(&mut loan.conn, found, term).await?;
            if taken.is_some() {
                break;
            }
        }
        loan.give_back();
        Ok(taken)
    }

    async fn renew(&self, lease: &Lease, length: Duration) -> Result<()> {
        let sql = format!(
            "UPDATE _longshore_leases SET tries = tries + 1, expires = {} WHERE {}",
            in_future(length),
            live(lease)
        );
        match self.change(&sql).await? {
            0 => Err(lost(lease)),
            _ => Ok(()),
        }
    }

    async fn give_back(&self, lease: &Lease) -> Result<()> {
        self.change(&format!("DELETE FROM _longshore_leases WHERE {}", its(lease))).await.map(drop)
    }

    async fn arrived(&self, chunks: &[Place]) -> Result<Vec<Entry>> {
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!("SELECT entry FROM _longshore_entries WHERE {}", one_of(chunks));
        let mut loan = self.connections().lend().await?;
        let found = rows(&mut loan.conn, "read the ledger", &query).await?;
        loan.give_back();
        found.iter().filter_map(|row| cell(row, 0)).map(|text| decode(&text)).collect()
    }
}

impl MysqlLoad {
    /// Runs one statement outside of any transaction; the rows that it changed.
    async fn change(&self, sql: &str) -> Result<u64> {
        let mut loan = self.connections().lend().await?;
        run(&mut loan.conn, "change a lease", sql).await?;
        let changed = loan.conn.affected_rows();
        loan.give_back();
        Ok(changed)
    }
}

/// A chunk that is free, with a token for it.
struct Found {
    place: Place,
    token: String,
    /// The lease that has expired.
    old: Option<Held>,
}

/// The first of some chunks that is free.
async fn find(conn: &mut Conn, claim: Claim, chunks: &[Place]) -> Result<Option<Found>> {
    let current = "SELECT token, UUID() FROM _longshore_claim WHERE id = 1";
    let current = rows(conn, DOING, current).await?;
    let current = current.first().filter(|row| number(row, 0) == claim.number);
    let token = current.and_then(|row| cell(row, 1)).ok_or_else(|| claim.lost())?;
    let mut held = held(conn).await?;
    let query =
        format!("SELECT table_index, chunk_index FROM _longshore_entries WHERE {}", one_of(chunks));
    let found = rows(conn, DOING, &query).await?;
    let arrived: HashSet<Place> = found.iter().filter_map(place).collect();
    let free =
        |place: &&Place| !arrived.contains(*place) && held.get(*place).is_none_or(|one| !one.lives);
    let Some(place) = chunks.iter().find(free).copied() else { return Ok(None) };
    Ok(Some(Found { place, token, old: held.remove(&place) }))
}

/// Takes a chunk; `None` when somebody else has taken it meanwhile.
async fn take(conn: &mut Conn, found: Found, term: &Term) -> Result<Option<Lease>> {
    let Found { place: (table, chunk), token, old } = found;
    let (holder, expires) = (literal(&term.holder), in_future(term.length));
    let sql = match &old {
        None => format!(
            "INSERT IGNORE INTO _longshore_leases VALUES \
             ({table}, {chunk}, {}, LEFT({holder}, 255), {expires}, 0, NULL)",
            literal(&token)
        ),
        Some(old) => {
            // It may have the very row locked.
            end_writer(conn, old).await?;
            format!(
                "UPDATE _longshore_leases SET token = {}, holder = LEFT({holder}, 255), \
                 expires = {expires}, tries = 0, connection = NULL \
                 WHERE table_index = {table} AND chunk_index = {chunk} AND token = {} \
                 AND expires <= UTC_TIMESTAMP(6)",
                literal(&token),
                literal(&old.token)
            )
        }
    };
    run(conn, DOING, &sql).await?;
    Ok((conn.affected_rows() == 1).then_some(Lease { table, chunk, token }))
}

async fn held(conn: &mut Conn) -> Result<HashMap<Place, Held>> {
    let query = "SELECT table_index, chunk_index, token, expires > UTC_TIMESTAMP(6), connection \
                 FROM _longshore_leases";
    let found = rows(conn, DOING, query).await?;
    let one = |row: &mysql_async::Row| {
        let connection = cell(row, 4).and_then(|text| text.parse().ok());
        Some((place(row)?, Held { token: cell(row, 2)?, lives: number(row, 3) == 1, connection }))
    };
    Ok(found.iter().filter_map(one).collect())
}

/// Ends the connection that wrote under a lease. Numbers of connections come again after the server was
/// restarted: only one of the same user in the same database is ended, which can only be one that
/// writes for some process.
async fn end_writer(conn: &mut Conn, held: &Held) -> Result<()> {
    let Some(connection) = held.connection else { return Ok(()) };
    let query = format!(
        "SELECT 1 FROM information_schema.PROCESSLIST WHERE ID = {connection} \
         AND ID <> CONNECTION_ID() AND DB = DATABASE() \
         AND USER = SUBSTRING_INDEX(USER(), '@', 1)"
    );
    if !rows(conn, "end a writer", &query).await?.is_empty() {
        // One that ends by itself meanwhile is an error that says so.
        let _gone_already = run(conn, "end a writer", &format!("KILL {connection}")).await;
    }
    Ok(())
}

/// Ends the writers of all leases.
pub(crate) async fn end_writers(conn: &mut Conn) -> Result<()> {
    if !ledger::exists(conn, TABLE.0).await? {
        return Ok(());
    }
    for held in held(conn).await?.values() {
        end_writer(conn, held).await?;
    }
    Ok(())
}

/// Ends all leases.
pub(crate) async fn clear(conn: &mut Conn) -> Result<()> {
    match ledger::exists(conn, TABLE.0).await? {
        true => run(conn, DOING, "DELETE FROM _longshore_leases").await,
        false => Ok(()),
    }
}

/// Notes which connection writes under a lease, before its transaction begins.
pub(crate) async fn note_writer(conn: &mut Conn, lease: &Lease) -> Result<()> {
    let sql = format!(
        "UPDATE _longshore_leases SET tries = tries + 1, connection = CONNECTION_ID() WHERE {}",
        live(lease)
    );
    run(conn, DOING, &sql).await?;
    if conn.affected_rows() == 1 { Ok(()) } else { Err(lost(lease)) }
}

/// Ends a lease inside the transaction of its chunk.
pub(crate) async fn end(conn: &mut Conn, lease: &Lease) -> Result<()> {
    run(conn, DOING, &format!("DELETE FROM _longshore_leases WHERE {}", live(lease))).await?;
    if conn.affected_rows() == 1 { Ok(()) } else { Err(lost(lease)) }
}

/// How the database stands between the processes of a run.
pub(crate) async fn standing(conn: &mut Conn) -> Result<Standing> {
    const READ: &str = "read the ledger";
    if !ledger::exists(conn, "claim").await? {
        return Ok(Standing::default());
    }
    let query = format!("SELECT token, IS_USED_LOCK({LOCK_NAME}) IS NOT NULL FROM {PREFIX}claim");
    let found = rows(conn, READ, &query).await?;
    let Some(row) = found.first() else { return Ok(Standing::default()) };
    let (claim, held) = (number(row, 0), number(row, 1) == 1);
    let session = ledger::get(conn, key::SESSION).await?;
    let session = session.map(|text| decode::<Session>(&text)).transpose()?;
    let query =
        format!("SELECT 1 FROM {PREFIX}stages WHERE stage = {}", literal(&encode(&Stage::Copied)?));
    let copied =
        ledger::exists(conn, "stages").await? && !rows(conn, READ, &query).await?.is_empty();
    let session = session.filter(|session| session.claim == claim);
    Ok(Standing { claim, held, copied, session })
}

/// What is said of a lease that is not there any more.
pub(crate) fn lost(lease: &Lease) -> Error {
    Error::new(
        Code::LeaseLost,
        "the lease of a chunk has expired, or another process has the chunk",
    )
    .with("table", lease.table.to_string())
    .with("chunk", lease.chunk.to_string())
}

fn place(row: &mysql_async::Row) -> Option<Place> {
    Some((cell(row, 0)?.parse().ok()?, cell(row, 1)?.parse().ok()?))
}

/// The condition for some chunks.
fn one_of(chunks: &[Place]) -> String {
    let list: Vec<_> = chunks.iter().map(|(table, chunk)| format!("({table}, {chunk})")).collect();
    format!("(table_index, chunk_index) IN ({})", list.join(", "))
}

/// The condition for the row of a lease.
fn its(lease: &Lease) -> String {
    format!(
        "table_index = {} AND chunk_index = {} AND token = {}",
        lease.table,
        lease.chunk,
        literal(&lease.token)
    )
}

/// The condition for the row of a lease that lives.
fn live(lease: &Lease) -> String {
    format!("{} AND expires > UTC_TIMESTAMP(6)", its(lease))
}

/// When a lease that is taken now ends.
fn in_future(length: Duration) -> String {
    format!("UTC_TIMESTAMP(6) + INTERVAL {} MICROSECOND", length.as_micros())
}
