//! A consistent view: read transactions on one state of the file, and the words for that state.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use longshore_model::connector::{ReadRequest, Reader, Snapshot};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::held;
use crate::open::{self, beside, failure};
use crate::reader::SqliteReader;

/// How long a common state is looked for while others write.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long one transaction waits for a lock before all of them are begun anew: a writer that waits
/// for the first to end lets no second begin.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);

/// One consistent view of a database.
pub(crate) struct SqliteSnapshot {
    path: PathBuf,
    position: Position,
    pool: Arc<Pool>,
}

/// Connections with a read transaction each, all on the same state.
pub(crate) struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

/// A connection on loan from the pool.
pub(crate) struct Loan {
    pool: Arc<Pool>,
    connection: Option<Connection>,
    _permit: OwnedSemaphorePermit,
}

impl SqliteSnapshot {
    /// Takes a view for that many readers.
    pub(crate) async fn take(path: PathBuf, readers: usize) -> Result<Self> {
        let from = path.clone();
        let (connections, position) =
            open::blocking(move || acquire(&from, readers.max(1))).await?;
        let permits = Arc::new(Semaphore::new(connections.len()));
        Ok(Self { path, position, pool: Arc::new(Pool { idle: Mutex::new(connections), permits }) })
    }
}

#[async_trait]
impl Snapshot for SqliteSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let loan = self.pool.borrow().await?;
        Ok(Box::new(SqliteReader::start(loan, request.clone())?))
    }

    async fn current_position(&self) -> Result<Position> {
        let path = self.path.clone();
        open::blocking(move || acquire(&path, 1).map(|(_, position)| position)).await
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}

impl Pool {
    async fn borrow(self: &Arc<Self>) -> Result<Loan> {
        let closed = || Error::new(Code::Internal, "a snapshot has no connection to lend");
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let connection = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = Some(connection.ok_or_else(closed)?);
        Ok(Loan { pool: self.clone(), connection, _permit: permit })
    }
}

impl Loan {
    /// The connection.
    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("a loan has its connection until it is dropped")
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}

/// Begins read transactions that see one state, and names the state. While somebody commits so fast
/// that no common state is found, one transaction has to do for all readers.
fn acquire(path: &Path, readers: usize) -> Result<(Vec<Connection>, Position)> {
    let monitor = open::reading(path)?;
    let connections = (0..readers)
        .map(|_| {
            let connection = open::reading(path)?;
            connection
                .busy_timeout(LOCK_PATIENCE)
                .map_err(|error| failure("open the database", error))?;
            Ok(connection)
        })
        .collect::<Result<Vec<_>>>()?;
    let start = Instant::now();
    let mut count = readers;
    loop {
        match try_acquire(path, &monitor, &connections[..count])? {
            Ok(position) => {
                return Ok((connections.into_iter().take(count).collect(), position));
            }
            Err(_) if start.elapsed() > PATIENCE / 2 && count > 1 => count = 1,
            Err(error) if start.elapsed() > PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(Duration::from_millis(3)),
        }
        for connection in &connections {
            if !connection.is_autocommit() {
                connection
                    .execute_batch("ROLLBACK")
                    .map_err(|error| failure("end a transaction", error))?;
            }
        }
    }
}

/// One attempt; the inner error is one after which another can be made.
fn try_acquire(
    path: &Path,
    monitor: &Connection,
    connections: &[Connection],
) -> Result<Result<Position>> {
    let attempt = || -> rusqlite::Result<Option<String>> {
        let before = data_version(monitor)?;
        for connection in connections {
            connection.execute_batch("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1")?;
        }
        let state = describe(path, &connections[0])?;
        let after = data_version(monitor)?;
        Ok(state.filter(|_| before == after))
    };
    match attempt() {
        Ok(Some(state)) => Ok(Ok(Position(state))),
        Ok(None) => Ok(Err(Error::new(
            Code::DatabaseBusy,
            "the source is written to so fast that no state of it can be held",
        )
        .temporary())),
        Err(error) => {
            let error = failure("begin a snapshot", error);
            if error.code() == Code::DatabaseBusy { Ok(Err(error)) } else { Err(error) }
        }
    }
}

/// A number that changes with every commit of another connection.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Names the state that the connection's transaction sees; `None` when it changes right now.
///
/// In the rollback modes the file change counter moves with every commit. In WAL mode it does not:
/// there the log's salts, length and checksum name the state, and when the log is empty the time of
/// the last change of the file. Everywhere the time guards against another file of the same count.
fn describe(path: &Path, connection: &Connection) -> rusqlite::Result<Option<String>> {
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let Ok(header) = held::start(path, 100) else { return Ok(None) };
    let Ok(data) = std::fs::metadata(path) else { return Ok(None) };
    let number = |at: usize| {
        header.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_be_bytes(*b))
    };
    let time = data
        .modified()
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    if mode == "wal" {
        let Some(log) = log_state(path) else { return Ok(None) };
        if let Some(log) = log {
            return Ok(Some(format!("wal:{log}")));
        }
    }
    Ok(Some(format!(
        "file:{mode}:change {}:pages {}:schema {}:size {}:time {time}",
        number(24),
        number(28),
        number(40),
        data.len()
    )))
}

/// The state of the write-ahead log from the index beside it
/// (<https://sqlite.org/walformat.html#the_wal_index_header>); the inner `None` says that the log
/// is empty, the outer that the index is being written.
fn log_state(path: &Path) -> Option<Option<String>> {
    let Ok(index) = held::start(&beside(path, "-shm"), 96) else { return Some(None) };
    if index.len() < 96 {
        return Some(None);
    }
    let (one, two) = index.split_at(48);
    if one != two {
        return None;
    }
    let word = |at: usize| {
        one.get(at..at + 4).and_then(|b| b.first_chunk()).map_or(0, |b| u32::from_ne_bytes(*b))
    };
    let frames = word(16);
    if frames == 0 {
        return Some(None);
    }
    let salts = format!("{:08x}{:08x}", word(32), word(36));
    let checksum = format!("{:08x}{:08x}", word(24), word(28));
    Some(Some(format!("salts {salts}:frames {frames}:pages {}:checksum {checksum}", word(20))))
}
