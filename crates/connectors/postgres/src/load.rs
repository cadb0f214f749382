//! A claimed target: preparing, finishing, and everything that is not the writing of a chunk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::{Leases, Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Header, Holder, Session, Stage};
use longshore_model::plan::{MovePlan, Position, Range, TablePlan};
use longshore_model::{Code, Error, Result, failpoint};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::address::Address;
use crate::binary::Encoder;
use crate::claim::Claim;
use crate::connections::{Connections, Loan, commit};
use crate::failure::failure;
use crate::finishing::Finishing;
use crate::ledger;
use crate::preparing::Preparing;
use crate::session::{self, begin};
use crate::snapshot::Columns;
use crate::wire::Wire;
use crate::writer::PostgresWriter;
use crate::{catalog, leases, repair, sql};

/// A database that one run writes.
pub(crate) struct PostgresLoad {
    address: Address,
    /// Holds the lock: it is free again when this transaction ends, however it ends. Who joins the
    /// claim of another process has none.
    _keeper: Option<Client>,
    claim: Claim,
    /// Whether triggers and foreign keys can be kept from firing.
    replica: bool,
    connections: Arc<Connections>,
    columns: Mutex<HashMap<usize, Columns>>,
}

impl PostgresLoad {
    /// Claims the database.
    pub(crate) async fn claim(address: &Address, holder: &Holder) -> Result<Self> {
        let (keeper, client) = session::connect_two(address).await?;
        session::version(&keeper).await?;
        begin(&keeper, "").await?;
        ledger::take_lock(&keeper, holder).await?;
        begin(&client, "").await?;
        let number = ledger::claim(&client, holder).await?;
        leases::clear(&client).await?;
        let replica = can_silence_triggers(&client).await?;
        commit(&client).await?;
        let connections = Connections::new(address, client);
        Ok(Self {
            address: address.clone(),
            _keeper: Some(keeper),
            claim: Claim { number, joined: false },
            replica,
            connections,
            columns: Mutex::default(),
        })
    }

    /// Joins the claim of another process.
    pub(crate) async fn join(address: &Address, session: &Session) -> Result<Self> {
        let claim = Claim::joined(session)?;
        let client = session::connect(address).await?;
        begin(&client, "").await?;
        ledger::hold(&client, claim).await?;
        let replica = can_silence_triggers(&client).await?;
        commit(&client).await?;
        Ok(Self {
            address: address.clone(),
            _keeper: None,
            claim,
            replica,
            connections: Connections::new(address, client),
            columns: Mutex::default(),
        })
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
    pub(crate) async fn transaction<T>(
        &self,
        work: impl AsyncFnOnce(&Client) -> Result<T>,
    ) -> Result<T> {
        let loan = self.connections.lend().await?;
        let done = work(loan.client()).await?;
        ledger::hold(loan.client(), self.claim).await?;
        commit(loan.client()).await?;
        loan.give_back();
        Ok(done)
    }

    /// A connection with an open transaction in which triggers and foreign keys are silent, where
    /// that is allowed, and the answers to some more SQL.
    async fn silent_loan(
        &self,
        table: &TablePlan,
        more: &str,
    ) -> Result<(Loan, Vec<SimpleQueryMessage>)> {
        let told = |error| failure("keep triggers from firing", error);
        if self.replica {
            let sql = format!("SET LOCAL session_replication_role = replica; {more}");
            return self.connections.lend_after(&sql).await;
        }
        let (loan, answers) = self.connections.lend_after(more).await?;
        let name = self.table(table);
        let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger
                   WHERE tgrelid = $1::pg_catalog.text::pg_catalog.regclass
                     AND NOT tgisinternal AND tgenabled IN ('O', 'A'))";
        let row = loan.client().query_one(sql, &[&name]).await.map_err(told)?;
        if row.try_get(0).map_err(told)? {
            return Err(Error::new(
                Code::PermissionDenied,
                "the target's table has triggers that loading would set off",
            )
            .with("table", table.target.to_string())
            .hint(
                "GRANT SET ON PARAMETER session_replication_role TO the user of the address, or \
                 disable the triggers for the time of the migration.",
            ));
        }
        Ok((loan, answers))
    }

    fn table(&self, table: &TablePlan) -> String {
        sql::table(&table.target, &self.address.schema)
    }

    async fn columns(&self, client: &Client, index: usize, table: &TablePlan) -> Result<Columns> {
        let known =
            self.columns.lock().unwrap_or_else(PoisonError::into_inner).get(&index).cloned();
        if let Some(columns) = known {
            return Ok(columns);
        }
        let columns = Arc::new(catalog::columns_of(client, &self.table(table)).await?);
        let mut known = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(index, columns.clone());
        Ok(columns)
    }
}

#[async_trait]
impl Load for PostgresLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        let loan = self.connections.lend().await?;
        let client = loan.client();
        Preparing { client, address: &self.address, claim: self.claim, plan }
            .run(header, preparations)
            .await?;
        ledger::mark(client, Stage::Prepared).await?;
        ledger::hold(client, self.claim).await?;
        failpoint::hit("postgres.before-begin")?;
        commit(client).await?;
        loan.give_back();
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).clear();
        failpoint::hit("postgres.after-begin")
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        let table = request.table;
        let take = match request.lease {
            None => ledger::take(request.table_index, request.chunk_index)?,
            Some(lease) => leases::look(lease)?,
        };
        let (loan, answers) = self.silent_loan(table, &take).await?;
        let client = loan.client();
        let name = self.table(table);
        match (ledger::taken(&answers)?, request.lease) {
            (None, _) => {}
            (Some(_), Some(lease)) => return Err(leases::lost(lease)),
            (Some(older), None) => {
                if let Some(range) = &older.range {
                    remove_transaction(client, &name, range).await?;
                }
            }
        }
        let columns = self.columns(client, request.table_index, table).await?;
        let mut chosen = Vec::with_capacity(table.columns.len());
        let wire = table.wire.as_deref().map(Wire::of).transpose()?;
        for column in &table.columns {
            let found = columns.iter().find(|(name, _)| *name == column.target);
            let (_, native) = found.ok_or_else(|| lacking(table, &column.target))?;
            if wire.is_some() && native.name != column.native {
                return Err(Error::new(
                    Code::TargetNotEmpty,
                    "a column that is there has another type",
                )
                .with("table", table.target.to_string())
                .with("column", column.target.clone())
                .with("planned", column.native.clone())
                .with("found", native.name.clone())
                .hint("Use `existing: replace` to make the table anew."));
            }
            chosen.push((column.target.clone(), native.clone(), column.to.clone()));
        }
        let list = match chosen.is_empty() {
            true => String::new(),
            false => {
                let names: Vec<_> = chosen.iter().map(|(name, ..)| sql::quote(name)).collect();
                format!("({})", names.join(", "))
            }
        };
        let encoder = Encoder::new(&chosen)?;
        Ok(Box::new(PostgresWriter::new(
            loan,
            (self.claim, request.lease.cloned()),
            (name, list),
            encoder,
            wire,
        )))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let name = self.table(table);
        self.transaction(async |client| {
            let sql = format!("DELETE FROM ONLY {name}");
            client.batch_execute(&sql).await.map_err(|error| failure("empty a table", error))?;
            ledger::forget(client, index).await
        })
        .await
    }

    async fn reset_chunk(&self, _: usize, table: &TablePlan, _: usize) -> Result<()> {
        Err(Error::new(Code::Unsupported, "tables are copied again as a whole, not by chunks")
            .with("table", table.target.to_string()))
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        self.transaction(async |client| ledger::put(client, "position", &position.0).await).await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let Self { connections, claim, address, .. } = self;
        Finishing { connections, claim: *claim, schema: &address.schema, plan, done }.run().await?;
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        self.transaction(async |client| ledger::mark(client, stage).await).await
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
        let (loan, _) = self.silent_loan(table, "").await?;
        let columns = catalog::columns_of(loan.client(), &self.table(table)).await?;
        repair::replace_rows(loan.client(), &self.table(table), table, &columns, remove, add)
            .await?;
        ledger::hold(loan.client(), self.claim).await?;
        commit(loan.client()).await?;
        loan.give_back();
        Ok(())
    }
}

/// Takes the rows of an earlier try of a chunk out: they carry its transaction's number.
async fn remove_transaction(client: &Client, table: &str, range: &Range) -> Result<()> {
    let number = range.get("transaction").and_then(|number| number.as_str());
    let number = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let number = number.ok_or_else(|| Error::new(Code::LedgerMissing, "the ledger is damaged"))?;
    let sql = format!(
        "DELETE FROM ONLY {table} WHERE xmin = '{number}'::pg_catalog.xid8::pg_catalog.xid"
    );
    client.batch_execute(&sql).await.map_err(|error| failure("remove a chunk", error))
}

async fn can_silence_triggers(client: &Client) -> Result<bool> {
    let told = |error| failure("look for privileges", error);
    client.batch_execute("SAVEPOINT silence").await.map_err(told)?;
    match client.batch_execute("SET LOCAL session_replication_role = replica").await {
        Ok(()) => {}
        Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => {
            client.batch_execute("ROLLBACK TO silence").await.map_err(told)?;
            return Ok(false);
        }
        Err(error) => return Err(told(error)),
    }
    client.batch_execute("ROLLBACK TO silence").await.map_err(told)?;
    Ok(true)
}

fn lacking(table: &TablePlan, column: &str) -> Error {
    Error::new(Code::TargetNotEmpty, "the table that is there lacks a column")
        .with("table", table.target.to_string())
        .with("column", column)
}
