//! A consistent view: every reader has a transaction of its own, and all of them show one state.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_model::connector::{ReadRequest, Reader, Snapshot};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::Address;
use crate::columns::NativeColumn;
use crate::failure::{failure, is_forbidden, number};
use crate::flavor::Flavor;
use crate::reader::MysqlReader;
use crate::rights;
use crate::session::{self, cell, connect, rows, run};

const BEGIN: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// Seconds for which the lock over all tables is waited for: others wait behind it meanwhile.
const LOCK_SECONDS: u32 = 10;

/// How often sessions are begun anew, where no lock is allowed, until all show one state.
const ATTEMPTS: u32 = 50;

/// What a commit may take from the moment its rows are seen until the position tells of it.
const SETTLING: Duration = Duration::from_millis(20);

/// The columns of a table.
pub(crate) type Columns = Arc<Vec<NativeColumn>>;

/// One consistent view of a database.
pub(crate) struct MysqlSnapshot {
    address: Address,
    position: Position,
    notes: Vec<String>,
    pool: Arc<Pool>,
}

/// Sessions whose transactions all show one state.
pub(crate) struct Pool {
    address: Address,
    idle: Mutex<Vec<Conn>>,
    permits: Arc<Semaphore>,
    columns: Mutex<HashMap<String, Columns>>,
}

/// A session on loan from the pool.
pub(crate) struct Loan {
    pool: Arc<Pool>,
    conn: Conn,
    _permit: OwnedSemaphorePermit,
}

impl MysqlSnapshot {
    /// Takes a view for that many readers.
    pub(crate) async fn take(address: &Address, readers: usize) -> Result<Self> {
        let mut conns = Vec::with_capacity(readers.max(1));
        for _ in 0..readers.max(1) {
            conns.push(connect(address).await?);
        }
        let position = match conns.as_mut_slice() {
            [one] => {
                // A state that is told before it is shown is never newer.
                let position = position(one, address).await?;
                run(one, "begin a transaction", BEGIN).await?;
                position
            }
            several => together(several, address).await?,
        };
        let mut notes = Vec::new();
        if let Some(one) = conns.first_mut()
            && rights::may_lock(one).await? == Some(false)
        {
            notes.push(format!(
                "the source's user may not lock its tables for a moment: while the source is \
                 written to, several readers may not find one state. GRANT RELOAD ON *.* TO {};",
                rights::user(one).await?
            ));
        }
        let pool = Pool {
            address: address.clone(),
            permits: Arc::new(Semaphore::new(conns.len())),
            idle: Mutex::new(conns),
            columns: Mutex::default(),
        };
        Ok(Self { address: address.clone(), position, notes, pool: Arc::new(pool) })
    }
}

#[async_trait]
impl Snapshot for MysqlSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let loan = self.pool.borrow().await?;
        Ok(Box::new(MysqlReader::start(loan, request).await?))
    }

    async fn current_position(&self) -> Result<Position> {
        let mut conn = connect(&self.address).await?;
        let position = position(&mut conn, &self.address).await?;
        session::close(conn).await;
        Ok(position)
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}

impl Pool {
    async fn borrow(self: &Arc<Self>) -> Result<Loan> {
        let closed = || Error::new(Code::Internal, "a snapshot has no session to lend");
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A session that was lost took its view of the state with it.
        let conn = idle.ok_or_else(|| {
            Error::new(Code::SourceChanged, "a session that held the source's snapshot has ended")
                .with("source", self.address.shown.clone())
                .reopened()
        })?;
        Ok(Loan { pool: self.clone(), conn, _permit: permit })
    }
}

impl Loan {
    /// The session.
    pub(crate) fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Where the session leads.
    pub(crate) fn address(&self) -> &Address {
        &self.pool.address
    }

    /// The columns of a table.
    pub(crate) async fn columns(&mut self, table: &str) -> Result<Columns> {
        let known =
            self.pool.columns.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned();
        if let Some(columns) = known {
            return Ok(columns);
        }
        let columns = Arc::new(crate::columns::of_table(&mut self.conn, table).await?);
        let mut known = self.pool.columns.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(table.to_string(), columns.clone());
        Ok(columns)
    }

    /// Gives the session back, its transaction still open; one that is only dropped is closed.
    pub(crate) fn give_back(self) {
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.conn);
    }
}

/// Begins all transactions at one state, and tells which.
async fn together(conns: &mut [Conn], address: &Address) -> Result<Position> {
    let mut keeper = connect(address).await?;
    let wait = format!("SET SESSION lock_wait_timeout = {LOCK_SECONDS}");
    run(&mut keeper, "set a session up", &wait).await?;
    let locked = keeper.query_drop("FLUSH TABLES WITH READ LOCK").await;
    let position = match locked {
        Ok(()) => {
            let begun = async {
                begin_all(conns).await?;
                position(&mut keeper, address).await
            };
            let begun = begun.await;
            run(&mut keeper, "unlock the tables", "UNLOCK TABLES").await?;
            begun?
        }
        // Not allowed, or somebody's statement takes too long to wait behind it.
        Err(error) if is_forbidden(&error) || number(&error) == Some(1205) => {
            unlocked(conns, &mut keeper, address).await?
        }
        Err(error) => return Err(failure("lock the tables for a moment", error)),
    };
    session::close(keeper).await;
    Ok(position)
}

/// Begins all transactions between two looks at the position that show the same.
async fn unlocked(conns: &mut [Conn], keeper: &mut Conn, address: &Address) -> Result<Position> {
    for _ in 0..ATTEMPTS {
        let before = position(keeper, address).await?;
        tokio::time::sleep(SETTLING).await;
        let settled = position(keeper, address).await? == before;
        begin_all(conns).await?;
        tokio::time::sleep(SETTLING).await;
        if settled && position(keeper, address).await? == before {
            return Ok(before);
        }
    }
    Err(Error::new(
        Code::Database,
        "the source is written all the time, and its tables may not be locked for a moment",
    )
    .with("source", address.shown.clone())
    .hint(
        "GRANT RELOAD ON *.* to the user of the address (the lock lasts some milliseconds), or \
         set limits: { workers: 1 }: one reader needs no lock.",
    ))
}

async fn begin_all(conns: &mut [Conn]) -> Result<()> {
    for conn in conns {
        run(conn, "begin a transaction", BEGIN).await?;
    }
    Ok(())
}

/// The state of the server: equal words mean that nothing was committed in between. Where nothing
/// tells, no two words are equal.
async fn position(conn: &mut Conn, address: &Address) -> Result<Position> {
    let told = match address.flavor {
        Flavor::MySql => mysql_position(conn).await?,
        Flavor::MariaDb => mariadb_position(conn).await?,
    };
    let told = match told {
        Some(told) => told,
        None => {
            let sql = "SELECT CONCAT('unknown ', UUID())";
            session::text(conn, "ask for a number that is unique", sql).await?
        }
    };
    Ok(Position(format!("{} database={}", told, address.database)))
}

const ASK: &str = "ask for the position in the binary log";

async fn mysql_position(conn: &mut Conn) -> Result<Option<String>> {
    let sql = "SELECT @@log_bin, @@gtid_mode, @@server_uuid, @@gtid_executed";
    let found = rows(conn, ASK, sql).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let text = |at| cell(row, at).unwrap_or_default();
    match (text(0).as_str(), text(1).as_str()) {
        ("1", "ON") => {
            Ok(Some(format!("server={} gtid={}", text(2), text(3).replace(['\n', ' '], ""))))
        }
        ("1", _) => binary_log(conn, &text(2)).await,
        _ => Ok(None),
    }
}

/// The place in the binary log, where the user may ask for it.
async fn binary_log(conn: &mut Conn, server: &str) -> Result<Option<String>> {
    let version = session::server(conn).await?.version;
    let sql = if version >= (8, 2, 0) { "SHOW BINARY LOG STATUS" } else { "SHOW MASTER STATUS" };
    let found: Vec<mysql_async::Row> = match conn.query(sql).await {
        Ok(found) => found,
        Err(error) if is_forbidden(&error) => return Ok(None),
        Err(error) => return Err(failure(ASK, error)),
    };
    Ok(found.first().map(|row| {
        let text = |at| cell(row, at).unwrap_or_default();
        format!("server={server} log={}:{}", text(0), text(1))
    }))
}

async fn mariadb_position(conn: &mut Conn) -> Result<Option<String>> {
    let sql = "SELECT @@log_bin, @@hostname, @@port, @@server_id, @@gtid_binlog_state";
    let found = rows(conn, ASK, sql).await?;
    let Some(row) = found.first() else { return Ok(None) };
    let text = |at| cell(row, at).unwrap_or_default();
    Ok((text(0) == "1")
        .then(|| format!("server={}:{}:{} gtid={}", text(1), text(2), text(3), text(4))))
}
