//! Leases of chunks: rows of the ledger that tell which process is at which chunk.

use std::time::Duration;

use async_trait::async_trait;
use longshore_model::connector::{Leases, Place, Standing, Term};
use longshore_model::ledger::{Entry, Lease, Session, Stage, decode, encode};
use longshore_model::{Code, Error, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage, SimpleQueryRow};

use crate::claim::Claim;
use crate::failure::refusal;
use crate::ledger::{self, LOCK, number, told, with_transaction};
use crate::load::PostgresLoad;
use crate::sql::literal;

/// The key of the header under which the session stands.
const SESSION: &str = "session";

/// What the name of a session of the server that writes under a lease begins with.
const WRITER: &str = "longshore ";

/// How often a chunk is looked for while others take those that were found.
const ATTEMPTS: u32 = 8;

const MAKE: &str = "
    CREATE TABLE IF NOT EXISTS _longshore.leases (
        table_index pg_catalog.int8 NOT NULL, chunk_index pg_catalog.int8 NOT NULL,
        token pg_catalog.text NOT NULL, holder pg_catalog.text NOT NULL,
        expires pg_catalog.timestamptz NOT NULL, PRIMARY KEY (table_index, chunk_index))";

/// Ends the server's sessions that write under some tokens, which `gone` names.
const END_WRITERS: &str = "
    SELECT pg_catalog.pg_terminate_backend(a.pid) FROM gone
    JOIN pg_catalog.pg_stat_activity a
        ON a.application_name = 'longshore ' OPERATOR(pg_catalog.||) gone.token
    WHERE a.datname = pg_catalog.current_database() AND a.usename = current_user";

#[async_trait]
impl Leases for PostgresLoad {
    async fn open(&self, session: &Session) -> Result<()> {
        let claim = u64::try_from(self.claimed().number).unwrap_or_default();
        let text = encode(&Session { claim, ..session.clone() })?;
        self.transaction(async |client| {
            client.batch_execute(MAKE).await.map_err(told("make the ledger"))?;
            clear(client).await?;
            ledger::put(client, SESSION, &text).await
        })
        .await
    }

    async fn take(&self, chunks: &[Place], term: &Term) -> Result<Option<Lease>> {
        if chunks.is_empty() {
            return Ok(None);
        }
        let client = self.connections().borrow().await?;
        let mut taken = Taken::Raced;
        for _ in 0..ATTEMPTS {
            taken = take(&client, self.claimed(), chunks, term).await?;
            if !matches!(taken, Taken::Raced) {
                break;
            }
        }
        self.connections().put_back(client);
        match taken {
            Taken::Lease(lease) => Ok(Some(lease)),
            Taken::Nothing | Taken::Raced => Ok(None),
        }
    }

    async fn renew(&self, lease: &Lease, length: Duration) -> Result<()> {
        let sql = format!(
            "UPDATE _longshore.leases SET expires = {} WHERE {}",
            in_future(length),
            live(lease)?
        );
        match self.run(&sql).await? {
            0 => Err(lost(lease)),
            _ => Ok(()),
        }
    }

    async fn give_back(&self, lease: &Lease) -> Result<()> {
        let sql = format!("DELETE FROM _longshore.leases WHERE {}", its(lease)?);
        self.run(&sql).await.map(drop)
    }

    async fn arrived(&self, chunks: &[Place]) -> Result<Vec<Entry>> {
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT e.entry FROM (VALUES {}) AS w (n, t, c)
             JOIN _longshore.entries e ON e.table_index = w.t AND e.chunk_index = w.c",
            places(chunks)?
        );
        let client = self.connections().borrow().await?;
        let answers = client.simple_query(&sql).await.map_err(told("read the ledger"))?;
        self.connections().put_back(client);
        rows(&answers).filter_map(|row| row.get(0)).map(decode).collect()
    }
}

impl PostgresLoad {
    /// Runs one statement outside of any transaction; the rows that it changed.
    async fn run(&self, sql: &str) -> Result<u64> {
        let client = self.connections().borrow().await?;
        let answers = client.simple_query(sql).await.map_err(told("change a lease"))?;
        self.connections().put_back(client);
        Ok(match answers.last() {
            Some(SimpleQueryMessage::CommandComplete(rows)) => *rows,
            _ => 0,
        })
    }
}

enum Taken {
    Lease(Lease),
    Nothing,
    /// One was free, and somebody else took it.
    Raced,
}

/// Takes the first chunk that is free. One way to the server and back.
async fn take(client: &Client, claim: Claim, chunks: &[Place], term: &Term) -> Result<Taken> {
    let sql = format!(
        "WITH held AS (SELECT token FROM _longshore.claim),
         free AS (
             SELECT w.t, w.c, l.token FROM held, (VALUES {places}) AS w (n, t, c)
             LEFT JOIN _longshore.leases l ON l.table_index = w.t AND l.chunk_index = w.c
             WHERE held.token = {claim}
                 AND (l.token IS NULL OR l.expires <= pg_catalog.clock_timestamp())
                 AND NOT EXISTS (SELECT FROM _longshore.entries e
                                 WHERE e.table_index = w.t AND e.chunk_index = w.c)
             ORDER BY w.n LIMIT 1),
         taken AS (
             INSERT INTO _longshore.leases AS l
             SELECT t, c, pg_catalog.gen_random_uuid()::pg_catalog.text, {holder}, {expires}
             FROM free
             ON CONFLICT (table_index, chunk_index) DO UPDATE
                 SET token = EXCLUDED.token, holder = EXCLUDED.holder, expires = EXCLUDED.expires
                 WHERE l.expires <= pg_catalog.clock_timestamp()
             RETURNING l.table_index, l.chunk_index, l.token)
         SELECT held.token = {claim} AS current, free.t IS NOT NULL AS found, free.token AS old,
             taken.table_index, taken.chunk_index, taken.token
         FROM held LEFT JOIN free ON true LEFT JOIN taken ON true",
        claim = claim.number,
        places = places(chunks)?,
        holder = literal(&term.holder),
        expires = in_future(term.length),
    );
    let answers = client.simple_query(&sql).await.map_err(told("take a chunk"))?;
    let row = rows(&answers).next().filter(|row| row.get("current") == Some("t"));
    let row = row.ok_or_else(|| claim.lost())?;
    let index = |column| row.get(column).and_then(|text| text.parse().ok());
    let (Some(table), Some(chunk), Some(token)) =
        (index("table_index"), index("chunk_index"), row.get("token"))
    else {
        return Ok(if row.get("found") == Some("t") { Taken::Raced } else { Taken::Nothing });
    };
    if let Some(old) = row.get("old") {
        let sql = format!("WITH gone (token) AS (VALUES ({})) {END_WRITERS}", literal(old));
        client.simple_query(&sql).await.map_err(told("end a writer"))?;
    }
    Ok(Taken::Lease(Lease { table, chunk, token: token.to_string() }))
}

/// Ends all leases, and the writers that they were taken for.
pub(crate) async fn clear(client: &Client) -> Result<()> {
    if !ledger::exists(client, "leases").await? {
        return Ok(());
    }
    let sql = format!("WITH gone AS (DELETE FROM _longshore.leases RETURNING token) {END_WRITERS}");
    client.simple_query(&sql).await.map(drop).map_err(told("end the leases"))
}

/// What the transaction of a writer begins with: its name, by which it is found when its lease is
/// another's, and the entry of the chunk, which [`ledger::taken`] reads.
pub(crate) fn look(lease: &Lease) -> Result<String> {
    Ok(format!(
        "SET LOCAL application_name = {}; SELECT entry FROM _longshore.entries WHERE {}",
        literal(&format!("{WRITER}{}", lease.token)),
        place(lease)?
    ))
}

/// Writes an entry and commits, while claim and lease are still these ones. All of it is one message, so
/// that no process that sleeps leaves the row of the claim locked.
pub(crate) async fn commit(
    client: &Client,
    claim: Claim,
    lease: &Lease,
    entry: &Entry,
) -> Result<()> {
    // Without the lease the index is NULL, which the ledger refuses.
    let sql = format!(
        "WITH held AS (SELECT FROM _longshore.claim WHERE token = {} FOR SHARE),
         leased AS (DELETE FROM _longshore.leases USING held WHERE {} RETURNING 1)
         INSERT INTO _longshore.entries
         SELECT CASE WHEN EXISTS (SELECT FROM leased) THEN {} END, {}, {};
         COMMIT",
        claim.number,
        live(lease)?,
        number(entry.table)?,
        number(entry.chunk)?,
        with_transaction(entry)?,
    );
    let Err(error) = client.batch_execute(&sql).await else { return Ok(()) };
    let is_fence = error.as_db_error().is_some_and(|database| {
        *database.code() == SqlState::NOT_NULL_VIOLATION
            && database.schema() == Some("_longshore")
            && database.table() == Some("entries")
    });
    if !is_fence {
        return Err(refusal("write a chunk", error));
    }
    client.batch_execute("ROLLBACK").await.map_err(told("take a chunk back"))?;
    let sql = "SELECT EXISTS (SELECT FROM _longshore.claim WHERE token = $1)";
    let row = client.query_one(sql, &[&claim.number]).await.map_err(told("check the claim"))?;
    match row.try_get(0).map_err(told("check the claim"))? {
        true => Err(lost(lease)),
        false => Err(claim.lost()),
    }
}

/// How the database stands between the processes of a run.
pub(crate) async fn standing(client: &Client) -> Result<Standing> {
    if !ledger::exists(client, "claim").await? {
        return Ok(Standing::default());
    }
    let told = told("read the ledger");
    // An advisory lock of 64 bits is two of 32 there.
    let sql = format!(
        "SELECT token, EXISTS (SELECT FROM pg_catalog.pg_locks
             WHERE locktype = 'advisory' AND objsubid = 1 AND granted
                 AND classid = {} AND objid = {}
                 AND database = (SELECT oid FROM pg_catalog.pg_database
                                 WHERE datname = pg_catalog.current_database()))
         FROM _longshore.claim",
        LOCK >> 32,
        LOCK & 0xffff_ffff,
    );
    let Some(row) = client.query_opt(&sql, &[]).await.map_err(&told)? else {
        return Ok(Standing::default());
    };
    let claim: i64 = row.try_get(0).map_err(&told)?;
    let held = row.try_get(1).map_err(&told)?;
    let claim = u64::try_from(claim).unwrap_or_default();
    let made = Standing { claim, held, copied: false, session: None };
    if !ledger::exists(client, "header").await? {
        return Ok(made);
    }
    let session = ledger::get(client, SESSION).await?;
    let session = session.map(|text| decode::<Session>(&text)).transpose()?;
    let sql = "SELECT EXISTS (SELECT FROM _longshore.stages WHERE stage = $1)";
    let copied = client.query_one(sql, &[&encode(&Stage::Copied)?]).await.map_err(&told)?;
    Ok(Standing {
        copied: copied.try_get(0).map_err(&told)?,
        session: session.filter(|session| session.claim == claim),
        ..made
    })
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

/// The condition for the chunk of a lease.
fn place(lease: &Lease) -> Result<String> {
    let (table, chunk) = (number(lease.table)?, number(lease.chunk)?);
    Ok(format!("table_index = {table} AND chunk_index = {chunk}"))
}

/// The condition for the row of a lease.
fn its(lease: &Lease) -> Result<String> {
    Ok(format!("{} AND leases.token = {}", place(lease)?, literal(&lease.token)))
}

/// The condition for the row of a lease that lives.
fn live(lease: &Lease) -> Result<String> {
    Ok(format!("{} AND leases.expires > pg_catalog.clock_timestamp()", its(lease)?))
}

/// When a lease that is taken now ends.
fn in_future(length: Duration) -> String {
    let micros = length.as_micros();
    format!("pg_catalog.clock_timestamp() + '{micros} microseconds'::pg_catalog.interval")
}

/// Chunks as rows: number in the list, table, chunk.
fn places(chunks: &[Place]) -> Result<String> {
    let row = |(at, (table, chunk)): (usize, &Place)| {
        let (at, table, chunk) = (number(at)?, number(*table)?, number(*chunk)?);
        Ok(format!("({at}::pg_catalog.int8, {table}::pg_catalog.int8, {chunk}::pg_catalog.int8)"))
    };
    let rows: Vec<String> = chunks.iter().enumerate().map(row).collect::<Result<_>>()?;
    Ok(rows.join(", "))
}

fn rows(answers: &[SimpleQueryMessage]) -> impl Iterator<Item = &SimpleQueryRow> {
    answers.iter().filter_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}
