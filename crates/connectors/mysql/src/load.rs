//! A claimed target: everything that is not the writing of a chunk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::{Leases, Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Header, Holder, Session, Stage};
use longshore_model::plan::{MovePlan, Position, TablePlan};
use longshore_model::{Code, Error, Result, failpoint};
use mysql_async::Conn;

use crate::address::Address;
use crate::claim::Claim;
use crate::columns::{self, NativeColumn};
use crate::connections::{Connections, Loan};
use crate::finishing::Finishing;
use crate::leases;
use crate::ledger::{self, key};
use crate::preparing::{Preparing, kept};
use crate::repair;
use crate::session::{connect, rows, run, text};
use crate::sql::{literal, quote};
use crate::writer::{Layout, MysqlWriter};

type Columns = Arc<Vec<NativeColumn>>;

/// Whether rows may come as lines. Where the binary log keeps statements, lines are none that it could
/// keep, and each use of them gives a warning.
const LINES: &str =
    "SELECT @@local_infile AND NOT (@@log_bin AND @@SESSION.binlog_format = 'STATEMENT')";

/// A database that one run writes.
pub(crate) struct MysqlLoad {
    /// Holds the lock for as long as it lives. Who joins the claim of another process has none.
    _keeper: Option<Conn>,
    claim: Claim,
    /// Whether the server takes rows as lines of a file.
    lines: bool,
    connections: Arc<Connections>,
    columns: Mutex<HashMap<usize, Columns>>,
}

impl MysqlLoad {
    /// Claims the database.
    pub(crate) async fn claim(address: &Address, holder: &Holder) -> Result<Self> {
        let mut keeper = connect(address).await?;
        ledger::lock(&mut keeper).await?;
        let number = ledger::claim(&mut keeper, holder).await?;
        let asked = text(&mut keeper, "ask what the server allows", LINES).await?;
        let connections = Connections::new(address);
        let (lines, columns) = (asked == "1", Mutex::default());
        let claim = Claim { number, joined: false };
        Ok(Self { _keeper: Some(keeper), claim, lines, connections, columns })
    }

    /// Joins the claim of another process.
    pub(crate) async fn join(address: &Address, session: &Session) -> Result<Self> {
        let claim = Claim::joined(session);
        let connections = Connections::new(address);
        let mut loan = connections.begin().await?;
        ledger::hold(&mut loan.conn, claim).await?;
        let asked = text(&mut loan.conn, "ask what the server allows", LINES).await?;
        loan.commit().await?;
        let (lines, columns) = (asked == "1", Mutex::default());
        Ok(Self { _keeper: None, claim, lines, connections, columns })
    }

    /// The claim under which this writes.
    pub(crate) fn claimed(&self) -> Claim {
        self.claim
    }

    /// The connections.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// Does something in a transaction that is committed only while the claim holds.
    pub(crate) async fn transaction(
        &self,
        work: impl AsyncFnOnce(&mut Conn) -> Result<()>,
    ) -> Result<()> {
        let mut loan = self.connections.begin().await?;
        work(&mut loan.conn).await?;
        ledger::hold(&mut loan.conn, self.claim).await?;
        loan.commit().await
    }

    /// The columns of a table, which is fit to be written.
    async fn columns(&self, loan: &mut Loan, index: usize, table: &TablePlan) -> Result<Columns> {
        let known =
            self.columns.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned();
        if let Some(columns) = known {
            return Ok(columns);
        }
        if kept(&mut loan.conn).await?.get(index) == Some(&true) {
            refuse_triggers(&mut loan.conn, &table.target.name).await?;
        }
        let found = columns::of_table(&mut loan.conn, &table.target.name).await?;
        let columns = Arc::new(found);
        let mut known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(index, columns.clone());
        Ok(columns)
    }
}

/// Triggers cannot be kept from firing here.
async fn refuse_triggers(conn: &mut Conn, table: &str) -> Result<()> {
    let query = format!(
        "SELECT 1 FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() AND \
         BINARY EVENT_OBJECT_TABLE = {} AND EVENT_MANIPULATION = 'INSERT'",
        literal(table)
    );
    if rows(conn, "look for triggers", &query).await?.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        Code::TargetNotEmpty,
        "the target's table has triggers that loading would set off",
    )
    .with("table", table)
    .hint("Drop the triggers for the time of the migration, or use `existing: replace`."))
}

#[async_trait]
impl Load for MysqlLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        failpoint::hit("mysql.before-begin")?;
        let mut loan = self.connections.lend().await?;
        let preparing = Preparing { claim: self.claim, plan, preparations };
        preparing.run(&mut loan.conn, header).await?;
        loan.give_back();
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).clear();
        failpoint::hit("mysql.after-begin")
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        let mut loan = self.connections.lend().await?;
        let columns = self.columns(&mut loan, request.table_index, request.table).await?;
        if let Some(lease) = request.lease {
            leases::note_writer(&mut loan.conn, lease).await?;
        }
        run(&mut loan.conn, "begin a transaction", "START TRANSACTION").await?;
        let (table, chunk) = (request.table_index, request.chunk_index);
        if ledger::has_entry(&mut loan.conn, table, chunk).await? {
            if let Some(lease) = request.lease {
                return Err(leases::lost(lease));
            }
            // Nothing tells its rows from those of other chunks.
            return Err(Error::new(Code::RowsUnattributed, "a chunk is in already")
                .with("table", request.table.target.to_string())
                .with("chunk", chunk.to_string()));
        }
        let layout = Layout::of(request.table, &columns)?;
        // A line of no fields is none.
        let lines = self.lines && !request.offers && !request.table.columns.is_empty();
        Ok(Box::new(MysqlWriter::new(loan, (self.claim, request.lease.cloned()), layout, lines)))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let sql = format!("DELETE FROM {}", quote(&table.target.name));
        self.transaction(async |conn| {
            run(conn, "empty a table", &sql).await?;
            ledger::forget(conn, index).await
        })
        .await
    }

    async fn reset_chunk(&self, _: usize, table: &TablePlan, _: usize) -> Result<()> {
        Err(Error::new(Code::Unsupported, "tables are copied again as a whole, not by chunks")
            .with("table", table.target.to_string()))
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        self.transaction(async |conn| ledger::put(conn, key::POSITION, &position.0).await).await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        Finishing { connections: &self.connections, claim: self.claim, plan, done }.run().await?;
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        self.transaction(async |conn| ledger::mark(conn, stage).await).await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        Some(self)
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()> {
        let mut loan = self.connections.begin().await?;
        repair::replace_rows(&mut loan.conn, table, remove, add).await?;
        ledger::hold(&mut loan.conn, self.claim).await?;
        loan.commit().await
    }
}
