//! The ledger's tables in the target database, in a schema of their own.

use std::time::{Duration, Instant};

use longshore_model::ledger::{Entry, Header, Holder, Ledger, Stage, decode, encode};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::claim::Claim;
use crate::failure::failure;
use crate::session;
use crate::sql::literal;

/// The layout that this build writes.
const LAYOUT: &str = "1";

/// The advisory lock that the claim of a database holds: "longshor" in ASCII.
pub(crate) const LOCK: i64 = 0x6c6f_6e67_7368_6f72;

/// How long a claim waits for the end of an earlier connection of the same process.
const PATIENCE: Duration = Duration::from_secs(120);

const MAKE: &str = "
    CREATE TABLE _longshore.header (key pg_catalog.text PRIMARY KEY, value pg_catalog.text NOT NULL);
    CREATE TABLE _longshore.entries (
        table_index pg_catalog.int8 NOT NULL, chunk_index pg_catalog.int8 NOT NULL,
        entry pg_catalog.text NOT NULL, PRIMARY KEY (table_index, chunk_index));
    CREATE TABLE _longshore.stages (stage pg_catalog.text PRIMARY KEY);
    CREATE TABLE _longshore.statements (
        phase pg_catalog.text NOT NULL, number pg_catalog.int8 NOT NULL,
        PRIMARY KEY (phase, number));";

/// Which of the plan's statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before the copy.
    Prepare,
    /// After it.
    Finish,
}

impl Phase {
    fn name(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Finish => "finish",
        }
    }
}

/// Takes the lock of the database for the transaction that is open; false when another has it.
async fn lock(client: &Client) -> Result<bool> {
    // In the simple protocol: the extended one keeps the statement's snapshot as long as the
    // transaction lasts, and with it every row that others delete meanwhile.
    let sql = format!("SELECT pg_catalog.pg_try_advisory_xact_lock({LOCK})");
    let answers = client.simple_query(&sql).await.map_err(told("claim the target"))?;
    Ok(answers
        .iter()
        .any(|answer| matches!(answer, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
}

/// Takes the lock for the transaction that is open. One that an earlier connection of this very
/// process has is free as soon as the server notices that the connection ended.
pub(crate) async fn take_lock(keeper: &Client, own: &Holder) -> Result<()> {
    let start = Instant::now();
    while !lock(keeper).await? {
        let holder = self::holder(keeper).await?;
        let ours = holder
            .as_ref()
            .is_some_and(|one| one.host == own.host && one.pid == own.pid && one.run == own.run);
        if !ours || start.elapsed() > PATIENCE {
            return Err(busy(holder));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// Writes down who holds the database; the number tells this claim from all others.
pub(crate) async fn claim(client: &Client, holder: &Holder) -> Result<i64> {
    let schema = match session::has_schema(client, "_longshore").await? {
        true => "",
        false => "CREATE SCHEMA IF NOT EXISTS _longshore;",
    };
    let made = client
        .batch_execute(&format!(
            "{schema}
             CREATE TABLE IF NOT EXISTS _longshore.claim (
                 one pg_catalog.bool PRIMARY KEY CHECK (one), token pg_catalog.int8 NOT NULL,
                 holder pg_catalog.text NOT NULL)",
        ))
        .await;
    made.map_err(|error| {
        let made = failure("make the ledger", error);
        match made.code() {
            Code::PermissionDenied => made.hint(
                "The ledger is a schema of the target database: \
                 GRANT CREATE ON DATABASE … TO the user of the address.",
            ),
            _ => made,
        }
    })?;
    let sql = "INSERT INTO _longshore.claim VALUES (true, 1, $1) ON CONFLICT (one)
               DO UPDATE SET token = claim.token + 1, holder = EXCLUDED.holder RETURNING token";
    let row = client.query_one(sql, &[&encode(holder)?]).await.map_err(told("claim the target"))?;
    row.try_get(0).map_err(told("claim the target"))
}

/// Who holds the database, as far as it is written down.
pub(crate) async fn holder(client: &Client) -> Result<Option<Holder>> {
    if !exists(client, "claim").await? {
        return Ok(None);
    }
    let row = client
        .query_opt("SELECT holder FROM _longshore.claim", &[])
        .await
        .map_err(told("read the holder"))?;
    row.map(|row| decode(row.try_get(0).map_err(told("read the holder"))?)).transpose()
}

/// Makes sure, until the open transaction ends, that the claim is still this one: whoever claims
/// the database afterwards waits for the end, and a worker that slept through a new claim writes
/// nothing.
pub(crate) async fn hold(client: &Client, claim: Claim) -> Result<()> {
    let sql = "SELECT FROM _longshore.claim WHERE token = $1 FOR SHARE";
    let row = client.query_opt(sql, &[&claim.number]).await.map_err(told("check the claim"))?;
    row.map(drop).ok_or_else(|| claim.lost())
}

/// Removes an older ledger and makes an empty one.
pub(crate) async fn make(client: &Client, header: &Header) -> Result<()> {
    let drop = "DROP TABLE IF EXISTS _longshore.header, _longshore.entries, _longshore.stages,
                _longshore.statements;";
    client.batch_execute(&format!("{drop}{MAKE}")).await.map_err(told("make the ledger"))?;
    put(client, "layout", LAYOUT).await?;
    put(client, "header", &encode(header)?).await?;
    put(client, "position", &header.position.0).await
}

/// Sets a value of the header.
pub(crate) async fn put(client: &Client, key: &str, value: &str) -> Result<()> {
    let sql = "INSERT INTO _longshore.header VALUES ($1, $2)
               ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value";
    write(client, sql, &[&key, &value]).await
}

/// A value of the header.
pub(crate) async fn get(client: &Client, key: &str) -> Result<Option<String>> {
    let row = client
        .query_opt("SELECT value FROM _longshore.header WHERE key = $1", &[&key])
        .await
        .map_err(told("read the ledger"))?;
    row.map(|row| row.try_get(0).map_err(told("read the ledger"))).transpose()
}

/// Writes an entry, with the range that is the number of the open transaction, while the claim is
/// still this one ([`hold`]); an entry that is there already is an error. One way to the server and
/// back.
pub(crate) async fn add(client: &Client, claim: Claim, entry: &Entry) -> Result<()> {
    let sql = format!(
        "WITH held AS (SELECT FROM _longshore.claim WHERE token = {} FOR SHARE)
         INSERT INTO _longshore.entries SELECT {}, {}, {} FROM held",
        claim.number,
        number(entry.table)?,
        number(entry.chunk)?,
        with_transaction(entry)?,
    );
    let told = told("write the ledger");
    let messages = client.simple_query(&sql).await.map_err(told)?;
    match messages.last() {
        Some(SimpleQueryMessage::CommandComplete(1)) => Ok(()),
        _ => Err(claim.lost()),
    }
}

/// An entry in SQL, with the range that is the number of the open transaction.
pub(crate) fn with_transaction(entry: &Entry) -> Result<String> {
    Ok(format!(
        "pg_catalog.jsonb_set({}, '{{range}}', pg_catalog.jsonb_build_object('transaction',
             pg_catalog.pg_current_xact_id()::pg_catalog.text))::pg_catalog.text",
        literal(&encode(entry)?)
    ))
}

/// What takes a chunk's entry out; [`taken`] reads it.
pub(crate) fn take(table: usize, chunk: usize) -> Result<String> {
    Ok(format!(
        "DELETE FROM _longshore.entries WHERE table_index = {} AND chunk_index = {} RETURNING entry",
        number(table)?,
        number(chunk)?
    ))
}

/// The entry among the answers to [`take`].
pub(crate) fn taken(answers: &[SimpleQueryMessage]) -> Result<Option<Entry>> {
    let row = answers.iter().rev().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) if row.columns().iter().any(|c| c.name() == "entry") => {
            row.get("entry")
        }
        _ => None,
    });
    row.map(decode).transpose()
}

/// Removes the entries of a table.
pub(crate) async fn forget(client: &Client, table: usize) -> Result<()> {
    let sql = "DELETE FROM _longshore.entries WHERE table_index = $1";
    write(client, sql, &[&number(table)?]).await
}

/// Marks a stage.
pub(crate) async fn mark(client: &Client, stage: Stage) -> Result<()> {
    let sql = "INSERT INTO _longshore.stages VALUES ($1) ON CONFLICT DO NOTHING";
    write(client, sql, &[&encode(&stage)?]).await
}

/// The SQL that notes that a statement of the plan was run.
pub(crate) fn note(phase: Phase, statement: usize) -> String {
    format!("INSERT INTO _longshore.statements VALUES ('{}', {statement})", phase.name())
}

/// The statements that were run.
pub(crate) async fn noted(client: &Client, phase: Phase) -> Result<Vec<usize>> {
    let sql = "SELECT number FROM _longshore.statements WHERE phase = $1";
    let rows = client.query(sql, &[&phase.name()]).await.map_err(told("read the ledger"))?;
    rows.iter().map(|row| row.try_get(0).map_err(told("read the ledger")).and_then(index)).collect()
}

/// Reads the ledger; `None` when there is none.
pub(crate) async fn read(client: &Client) -> Result<Option<Ledger>> {
    if !exists(client, "header").await? {
        return Ok(None);
    }
    match get(client, "layout").await? {
        Some(layout) if layout == LAYOUT => {}
        None => return Ok(None),
        Some(layout) => {
            return Err(Error::new(Code::LedgerMissing, "the ledger is of another version")
                .with("layout", layout)
                .hint("Use the build of longshore that began the migration."));
        }
    }
    let Some(header) = get(client, "header").await? else { return Ok(None) };
    let mut header: Header = decode(&header)?;
    if let Some(position) = get(client, "position").await? {
        header.position = Position(position);
    }
    let entries =
        texts(client, "SELECT entry FROM _longshore.entries ORDER BY table_index, chunk_index")
            .await?;
    let stages = texts(client, "SELECT stage FROM _longshore.stages").await?;
    let mut stages = stages.iter().map(|text| decode(text)).collect::<Result<Vec<Stage>>>()?;
    stages.sort_unstable();
    Ok(Some(Ledger {
        header,
        entries: entries.iter().map(|text| decode(text)).collect::<Result<_>>()?,
        stages,
    }))
}

pub(crate) async fn exists(client: &Client, table: &str) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = '_longshore' AND c.relname = $1)";
    let row = client.query_one(sql, &[&table]).await.map_err(told("look for the ledger"))?;
    row.try_get(0).map_err(told("look for the ledger"))
}

async fn texts(client: &Client, sql: &str) -> Result<Vec<String>> {
    let rows = client.query(sql, &[]).await.map_err(told("read the ledger"))?;
    rows.iter().map(|row| row.try_get(0).map_err(told("read the ledger"))).collect()
}

async fn write(client: &Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<()> {
    client.execute(sql, values).await.map(drop).map_err(told("write the ledger"))
}

fn busy(holder: Option<Holder>) -> Error {
    let made = Error::new(Code::TargetBusy, "another run holds the target");
    match holder {
        None => made,
        Some(holder) => made
            .with("run", holder.run)
            .with("host", holder.host)
            .with("pid", holder.pid.to_string())
            .with("since", holder.since),
    }
}

pub(crate) fn told(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> Error {
    move |error| failure(doing, error)
}

pub(crate) fn number(index: usize) -> Result<i64> {
    i64::try_from(index)
        .map_err(|error| Error::new(Code::Internal, "an index is too large").because(error))
}

fn index(number: i64) -> Result<usize> {
    usize::try_from(number)
        .map_err(|error| Error::new(Code::LedgerMissing, "the ledger is damaged").because(error))
}
