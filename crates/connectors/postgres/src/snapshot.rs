//! A consistent view: one transaction exports its snapshot, and every reader's transaction takes it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore_model::catalog::TableName;
use longshore_model::connector::{ReadRequest, Reader, Snapshot};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result, Retry};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::failure;
use crate::reader::PostgresReader;
use crate::session::{self, begin, connect, connect_tapped};
use crate::sql::literal;
use crate::tap::Tap;
use crate::types::NativeType;
use crate::{catalog, reader, rights};

const READ_ONLY: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// The columns of a table with their types, in their order.
pub(crate) type Columns = Arc<Vec<(String, NativeType)>>;

/// One consistent view of a database.
pub(crate) struct PostgresSnapshot {
    address: Address,
    position: Position,
    pool: Arc<Pool>,
    columns: Mutex<HashMap<TableName, Columns>>,
}

/// Connections whose transactions all show one snapshot.
pub(crate) struct Pool {
    address: Address,
    /// Holds the snapshot: it lives as long as this transaction.
    keeper: Client,
    name: String,
    idle: Mutex<Vec<Member>>,
    permits: Arc<Semaphore>,
}

/// A connection of the pool, and how often its transaction was lent.
struct Member {
    client: Client,
    tap: Tap,
    loans: u32,
}

/// Loans of one transaction. A table that was read is locked until the transaction ends, and a server
/// has a bounded number of locks.
const LOANS: u32 = 200;

/// A connection on loan from the pool.
pub(crate) struct Loan {
    pool: Arc<Pool>,
    member: Member,
    _permit: OwnedSemaphorePermit,
}

impl PostgresSnapshot {
    /// Takes a view for that many readers.
    pub(crate) async fn take(address: &Address, readers: usize) -> Result<Self> {
        let keeper = connect(address).await?;
        session::version(&keeper).await?;
        begin(&keeper, READ_ONLY).await?;
        Self::kept(address, keeper, readers).await
    }

    /// Joins a view that another process exported. It is exported anew, so that it lives as long as this
    /// process wants it.
    pub(crate) async fn join(address: &Address, name: &str, readers: usize) -> Result<Self> {
        let keeper = connect(address).await?;
        let taken = take_snapshot(&keeper, name).await;
        taken.map_err(|error| match error.retry() {
            Retry::Later => error,
            _ => lost(address, Some(error)),
        })?;
        let set = keeper.batch_execute(session::SETTINGS).await;
        set.map_err(|error| failure("set up a reader", error))?;
        Self::kept(address, keeper, readers).await
    }

    async fn kept(address: &Address, keeper: Client, readers: usize) -> Result<Self> {
        let name = session::text(&keeper, "SELECT pg_catalog.pg_export_snapshot()").await?;
        let position = position(&keeper).await?;
        let pool = Pool {
            address: address.clone(),
            keeper,
            name,
            idle: Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(readers.max(1))),
        };
        Ok(Self {
            address: address.clone(),
            position,
            pool: Arc::new(pool),
            columns: Mutex::new(HashMap::new()),
        })
    }

    async fn columns(&self, client: &Client, table: &TableName) -> Result<Columns> {
        let known = |columns: &Mutex<HashMap<_, Columns>>| {
            columns.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
        };
        if let Some(columns) = known(&self.columns) {
            return Ok(columns);
        }
        let name = reader::qualified(table, &self.address);
        let columns = catalog::columns_of(client, &name)
            .await
            .map_err(|error| rights::reading(error, &name, &self.address))?;
        let columns = Arc::new(columns);
        self.columns
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(table.clone(), columns.clone());
        Ok(columns)
    }
}

#[async_trait]
impl Snapshot for PostgresSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    fn invitation(&self) -> Option<String> {
        Some(self.pool.name.clone())
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let loan = self.pool.borrow().await?;
        let columns = self.columns(loan.client(), &request.table).await?;
        Ok(Box::new(PostgresReader::start(loan, &self.address, request, &columns).await?))
    }

    async fn current_position(&self) -> Result<Position> {
        let client = connect(&self.address).await?;
        begin(&client, READ_ONLY).await?;
        position(&client).await
    }
}

impl Pool {
    async fn borrow(self: &Arc<Self>) -> Result<Loan> {
        let closed = || Error::new(Code::Internal, "a snapshot has no connection to lend");
        let permit = self.permits.clone().acquire_owned().await.map_err(|_| closed())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let member = match idle.filter(|member| !member.client.is_closed()) {
            Some(member) if member.loans < LOANS => member,
            Some(Member { client, tap, .. }) => {
                let ended = client.batch_execute("COMMIT").await;
                ended.map_err(|error| failure("end a transaction", error))?;
                self.join(client, tap).await?
            }
            None => {
                let (client, tap) = connect_tapped(&self.address).await?;
                self.join(client, tap).await?
            }
        };
        Ok(Loan { pool: self.clone(), member, _permit: permit })
    }

    /// Begins a transaction that shows the snapshot.
    async fn join(&self, client: Client, tap: Tap) -> Result<Member> {
        if self.keeper.is_closed() {
            return Err(lost(&self.address, None));
        }
        take_snapshot(&client, &self.name).await.map_err(|error| match error.retry() {
            Retry::Later => error,
            _ => lost(&self.address, Some(error)),
        })?;
        client
            .batch_execute(session::SETTINGS)
            .await
            .map_err(|error| failure("set up a reader", error))?;
        Ok(Member { client, tap, loans: 0 })
    }
}

/// Begins a transaction that shows an exported snapshot.
async fn take_snapshot(client: &Client, name: &str) -> Result<()> {
    let sql = format!("BEGIN {READ_ONLY}; SET TRANSACTION SNAPSHOT {};", literal(name));
    client.batch_execute(&sql).await.map_err(|error| failure("take the snapshot", error))
}

fn lost(address: &Address, cause: Option<Error>) -> Error {
    let made =
        Error::new(Code::SnapshotLost, "the transaction that held the source's snapshot has ended")
            .with("source", address.shown.clone())
            .reopened();
    match cause {
        Some(cause) => made.because(cause.to_string()),
        None => made,
    }
}

impl Loan {
    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.member.client
    }

    /// Where its rows can be taken.
    pub(crate) fn tap(&self) -> &Tap {
        &self.member.tap
    }

    /// Gives the connection back to the pool; one that is only dropped is closed.
    pub(crate) fn give_back(mut self) {
        self.member.loans += 1;
        self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.member);
    }

    /// Where the connection leads.
    pub(crate) fn address(&self) -> &Address {
        &self.pool.address
    }
}

/// The state that a transaction shows: which transactions it sees, of which database of which
/// cluster. Equal words mean that nothing was committed in between.
async fn position(client: &Client) -> Result<Position> {
    let sql = "SELECT pg_catalog.format('system=%s timeline=%s database=%s snapshot=%s',
            (SELECT system_identifier FROM pg_catalog.pg_control_system()),
            (SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
            (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()),
            pg_catalog.pg_current_snapshot())";
    session::text(client, sql).await.map(Position)
}
