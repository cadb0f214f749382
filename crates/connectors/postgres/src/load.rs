//! A claimed target: preparing, finishing, and everything that is not the writing of a chunk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::available_parallelism;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use longshore_model::connector::{Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Header, Holder, Stage};
use longshore_model::plan::{MovePlan, Position, Range, Statement, TablePlan};
use longshore_model::{Code, Error, Result, failpoint};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::address::Address;
use crate::binary::Encoder;
use crate::connections::{Connections, Loan, commit};
use crate::failure::failure;
use crate::ledger::{self, Phase};
use crate::preparing::Preparing;
use crate::session::{self, begin};
use crate::snapshot::Columns;
use crate::statements::{Refused, run_once};
use crate::wire::Wire;
use crate::writer::PostgresWriter;
use crate::{catalog, repair, sql};

/// A database that one run writes.
pub(crate) struct PostgresLoad {
    address: Address,
    /// Holds the lock: it is free again when this transaction ends, however it ends.
    _keeper: Client,
    token: i64,
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
        let token = ledger::claim(&client, holder).await?;
        let replica = can_silence_triggers(&client).await?;
        commit(&client).await?;
        let connections = Connections::new(address, client);
        Ok(Self {
            address: address.clone(),
            _keeper: keeper,
            token,
            replica,
            connections,
            columns: Mutex::default(),
        })
    }

    /// Does something in a transaction that is committed only while the claim holds.
    async fn transaction<T>(&self, work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
        let loan = self.connections.lend().await?;
        let done = work(loan.client()).await?;
        ledger::hold(loan.client(), self.token).await?;
        commit(loan.client()).await?;
        loan.give_back();
        Ok(done)
    }

    /// Like [`Self::transaction`], with triggers and foreign keys silent where that is allowed.
    async fn silent_loan(&self, table: &TablePlan) -> Result<Loan> {
        let loan = self.connections.lend().await?;
        let told = |error| failure("keep triggers from firing", error);
        if self.replica {
            let sql = "SET LOCAL session_replication_role = replica";
            loan.client().batch_execute(sql).await.map_err(told)?;
            return Ok(loan);
        }
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
        Ok(loan)
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

    /// Runs a statement of the plan, and returns its purpose.
    async fn finish_one(&self, number: usize, statement: &Statement) -> Result<(), Refused> {
        let loan = self.connections.lend().await?;
        run_once(loan.client(), statement).await?;
        ledger::note(loan.client(), Phase::Finish, number).await?;
        ledger::hold(loan.client(), self.token).await?;
        commit(loan.client()).await?;
        loan.give_back();
        failpoint::hit("postgres.statement")?;
        Ok(())
    }

    /// Runs statements of one step side by side. Returns those that came too early, and why the
    /// last of them did.
    async fn finish_some<'a>(
        &self,
        statements: Vec<(usize, &'a Statement)>,
        done: &(dyn for<'b> Fn(&'b str) + Send + Sync),
    ) -> Result<(Vec<(usize, &'a Statement)>, Option<Error>)> {
        let at_once = available_parallelism().map_or(1, usize::from).max(2);
        let mut running = FuturesUnordered::new();
        let mut waiting = statements.into_iter();
        let (mut early, mut reason) = (Vec::new(), None);
        loop {
            while running.len() < at_once
                && let Some((number, statement)) = waiting.next()
            {
                running.push(async move {
                    (number, statement, self.finish_one(number, statement).await)
                });
            }
            match running.next().await {
                Some((_, statement, Ok(()))) => done(&statement.purpose),
                Some((number, statement, Err(Refused::Early(error)))) => {
                    early.push((number, statement));
                    reason = Some(error);
                }
                Some((_, _, Err(Refused::Never(error)))) => return Err(error),
                None => break,
            }
        }
        early.sort_by_key(|(number, _)| *number);
        Ok((early, reason))
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
        Preparing { client, address: &self.address, token: self.token, plan }
            .run(header, preparations)
            .await?;
        ledger::mark(client, Stage::Prepared).await?;
        ledger::hold(client, self.token).await?;
        failpoint::hit("postgres.before-begin")?;
        commit(client).await?;
        loan.give_back();
        self.columns.lock().unwrap_or_else(PoisonError::into_inner).clear();
        failpoint::hit("postgres.after-begin")
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        let table = request.table;
        let loan = self.silent_loan(table).await?;
        let client = loan.client();
        let name = self.table(table);
        if let Some(older) = ledger::take(client, request.table_index, request.chunk_index).await?
            && let Some(range) = &older.range
        {
            remove_transaction(client, &name, range).await?;
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
        Ok(Box::new(PostgresWriter::new(loan, self.token, name, list, encoder, wire)))
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

    async fn set_position(&self, position: &Position) -> Result<()> {
        self.transaction(async |client| ledger::put(client, "position", &position.0).await).await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let ready =
            self.transaction(async |client| ledger::noted(client, Phase::Finish).await).await?;
        let mut steps: BTreeMap<u32, Vec<(usize, &Statement)>> = BTreeMap::new();
        for (number, statement) in plan.finish.iter().enumerate() {
            if !ready.contains(&number) {
                steps.entry(statement.step).or_default().push((number, statement));
            }
        }
        for mut statements in steps.into_values() {
            loop {
                let all = statements.len();
                let (early, error) = self.finish_some(statements, done).await?;
                match error {
                    Some(error) if early.len() == all => return Err(error),
                    None => break,
                    Some(_) => statements = early,
                }
            }
        }
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        self.transaction(async |client| ledger::mark(client, stage).await).await
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()> {
        let loan = self.silent_loan(table).await?;
        let columns = catalog::columns_of(loan.client(), &self.table(table)).await?;
        repair::replace_rows(loan.client(), &self.table(table), table, &columns, remove, add)
            .await?;
        ledger::hold(loan.client(), self.token).await?;
        commit(loan.client()).await?;
        loan.give_back();
        Ok(())
    }
}

/// The range of the rows that the open transaction writes: they carry its number.
pub(crate) async fn transaction_range(client: &Client) -> Result<Range> {
    let number =
        session::text(client, "SELECT pg_catalog.pg_current_xact_id()::pg_catalog.text").await?;
    Ok(serde_json::json!({ "transaction": number }))
}

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
