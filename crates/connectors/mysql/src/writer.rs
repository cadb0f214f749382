//! One chunk, written by statements of many rows in one transaction with its entry of the ledger.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::Writer;
use longshore_model::ledger::Entry;
use longshore_model::plan::TablePlan;
use longshore_model::{Batch, Code, ColumnView, Error, LogicalType, Result, failpoint};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::columns::NativeColumn;
use crate::connections::Loan;
use crate::encode::{Column, Form};
use crate::failure::refusal;
use crate::ledger;
use crate::sql::quote;

/// The size of a statement, about.
const STATEMENT_BYTES: usize = 1 << 20;

/// The columns of a table, as rows are written to them.
pub(crate) struct Layout {
    table: String,
    columns: Vec<(String, LogicalType, Form)>,
}

impl Layout {
    /// The planned columns of a table that is there.
    pub(crate) fn of(table: &TablePlan, there: &[NativeColumn]) -> Result<Self> {
        let columns = table
            .columns
            .iter()
            .map(|column| {
                let found = there.iter().find(|one| one.name.eq_ignore_ascii_case(&column.target));
                let found = found.ok_or_else(|| {
                    Error::new(Code::TargetNotEmpty, "the table that is there lacks a column")
                        .with("table", table.target.to_string())
                        .with("column", column.target.clone())
                })?;
                let form = Form::of(&column.to, &found.declared);
                Ok((column.target.clone(), column.to.clone(), form))
            })
            .collect::<Result<_>>()?;
        Ok(Self { table: table.target.name.clone(), columns })
    }

    /// A batch's columns.
    pub(crate) fn columns<'a>(&'a self, batch: &'a RecordBatch) -> Result<Vec<Column<'a>>> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::new(Code::Internal, "a batch has other columns than its table"));
        }
        self.columns
            .iter()
            .zip(batch.columns())
            .map(|((name, logical, form), array)| {
                // Rows that are taken out may come as another type than they went in.
                let view = ColumnView::new(logical, array)?;
                Ok(Column { name, form: *form, view })
            })
            .collect()
    }

    /// Writes a batch's rows, in statements of a bounded size.
    pub(crate) async fn insert(
        &self,
        conn: &mut Conn,
        batch: &RecordBatch,
        pending: &mut Pending,
    ) -> Result<()> {
        let told = |error: Error| error.with("table", self.table.clone());
        let columns = self.columns(batch).map_err(told)?;
        let mut scratch = String::new();
        for row in 0..batch.num_rows() {
            self.open_row(pending);
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    pending.sql.push(',');
                }
                column.write(row, &mut pending.sql, &mut scratch).map_err(told)?;
            }
            pending.sql.push(')');
            pending.rows += 1;
            if pending.sql.len() >= STATEMENT_BYTES {
                self.send(conn, pending).await?;
            }
        }
        Ok(())
    }

    fn open_row(&self, pending: &mut Pending) {
        if !pending.sql.is_empty() {
            pending.sql.push_str(",(");
            return;
        }
        let names: Vec<String> = self.columns.iter().map(|(name, ..)| quote(name)).collect();
        pending.sql.reserve(STATEMENT_BYTES);
        pending.sql +=
            &format!("INSERT INTO {} ({}) VALUES (", quote(&self.table), names.join(", "));
    }

    /// Sends what is pending.
    pub(crate) async fn send(&self, conn: &mut Conn, pending: &mut Pending) -> Result<()> {
        if pending.rows == 0 {
            return Ok(());
        }
        let sql = std::mem::take(&mut pending.sql);
        let sent = std::mem::take(&mut pending.rows);
        let told = |error| refusal("write a chunk", error).with("table", self.table.clone());
        conn.query_drop(sql).await.map_err(told)?;
        let stored = conn.affected_rows();
        if stored == sent {
            return Ok(());
        }
        Err(Error::new(Code::RowRefused, "the server did not store every row of a chunk")
            .with("table", self.table.clone())
            .with("sent", sent.to_string())
            .with("stored", stored.to_string()))
    }
}

/// A statement that is put together.
#[derive(Default)]
pub(crate) struct Pending {
    sql: String,
    rows: u64,
}

/// Writes one chunk. When it is dropped, its connection closes and the server takes all back.
pub(crate) struct MysqlWriter {
    loan: Loan,
    token: u64,
    layout: Arc<Layout>,
    pending: Pending,
}

impl MysqlWriter {
    /// A writer on a connection whose transaction has begun.
    pub(crate) fn new(loan: Loan, token: u64, layout: Layout) -> Self {
        Self { loan, token, layout: Arc::new(layout), pending: Pending::default() }
    }
}

#[async_trait]
impl Writer for MysqlWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(batch) = batch else {
            return Err(Error::new(Code::Internal, "wire bytes came for a table without wire"));
        };
        let layout = self.layout.clone();
        layout.insert(&mut self.loan.conn, &batch, &mut self.pending).await
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        let layout = self.layout.clone();
        layout.send(&mut self.loan.conn, &mut self.pending).await?;
        ledger::add(&mut self.loan.conn, &entry).await?;
        ledger::hold(&mut self.loan.conn, self.token).await?;
        failpoint::hit("mysql.before-commit")?;
        self.loan.commit().await?;
        failpoint::hit("mysql.after-commit")
    }
}
