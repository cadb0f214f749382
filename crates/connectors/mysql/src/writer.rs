//! One chunk, written in one transaction with its entry of the ledger: by lines where the server takes
//! them, else by statements of many rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::Writer;
use longshore_model::ledger::{Entry, Lease};
use longshore_model::plan::TablePlan;
use longshore_model::{Batch, Code, ColumnView, Error, Kind, LogicalType, Result, failpoint};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::claim::Claim;
use crate::columns::NativeColumn;
use crate::connections::Loan;
use crate::encode::{Column, Form};
use crate::failure::refusal;
use crate::infile::Infile;
use crate::session::run;
use crate::sql::quote;
use crate::{leases, ledger};

/// The size of a statement, about.
const STATEMENT_BYTES: usize = 1 << 20;

/// The columns of a table, as rows are written to them.
pub(crate) struct Layout {
    table: String,
    columns: Vec<(String, LogicalType, Form)>,
    /// The column that the server numbers.
    increments: Option<String>,
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
        let increments = there.iter().find(|one| one.increments).map(|one| one.name.clone());
        Ok(Self { table: table.target.name.clone(), columns, increments })
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
        let told = |error| self.told(error);
        let columns = self.columns(batch).map_err(told)?;
        let mut scratch = String::new();
        for row in 0..batch.num_rows() {
            self.open_row(pending);
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    pending.sql.push(',');
                }
                column.literal(row, &mut pending.sql, &mut scratch).map_err(told)?;
            }
            pending.sql.push(')');
            pending.rows += 1;
            if pending.sql.len() >= STATEMENT_BYTES {
                self.send(conn, pending).await?;
            }
        }
        Ok(())
    }

    /// Writes a batch's rows as lines.
    async fn lines(&self, infile: &mut Infile, batch: &RecordBatch) -> Result<()> {
        let told = |error| self.told(error);
        let columns = self.columns(batch).map_err(told)?;
        for row in 0..batch.num_rows() {
            let lines = infile.lines();
            for (at, column) in columns.iter().enumerate() {
                if at > 0 {
                    lines.push('\t');
                }
                column.field(row, lines).map_err(told)?;
            }
            infile.end_line().await.map_err(told)?;
        }
        Ok(())
    }

    /// The statement that takes rows as lines.
    fn load_statement(&self) -> String {
        let expression = |number: usize, logical: &LogicalType, form: Form| match (form, logical) {
            (Form::Bits, _) => Some(format!("CAST(CONV(@v{number}, 2, 10) AS UNSIGNED)")),
            (_, LogicalType::Bytes) => Some(format!("UNHEX(@v{number})")),
            _ => None,
        };
        let numbered = || self.columns.iter().enumerate();
        let sets =
            numbered().any(|(at, (_, logical, form))| expression(at, logical, *form).is_some());
        let (mut fields, mut set) = (Vec::new(), Vec::new());
        for (number, (name, logical, form)) in numbered() {
            // With SET, the server forgets that a line has a number, and takes 0 for none.
            let is_number = sets && self.increments.as_ref() == Some(name);
            let plain = is_number.then(|| format!("@v{number}"));
            match expression(number, logical, *form).or(plain) {
                Some(value) => {
                    fields.push(format!("@v{number}"));
                    set.push(format!("{} = {value}", quote(name)));
                }
                None => fields.push(quote(name)),
            }
        }
        let set = if set.is_empty() { String::new() } else { format!(" SET {}", set.join(", ")) };
        format!(
            "LOAD DATA LOCAL INFILE 'chunk' INTO TABLE {} CHARACTER SET utf8mb4 \
             FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' ({}){set}",
            quote(&self.table),
            fields.join(", ")
        )
    }

    fn told(&self, error: Error) -> Error {
        error.with("table", self.table.clone())
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

/// How rows reach the server.
enum Way {
    /// By statements of many rows.
    Statements(Loan, Pending),
    /// As the lines of a file that the server asks for.
    Lines(Infile),
}

/// Writes one chunk. When it is dropped, its connection closes and the server takes all back.
pub(crate) struct MysqlWriter {
    way: Way,
    claim: Claim,
    /// The lease of the chunk, where several processes write.
    lease: Option<Lease>,
    layout: Arc<Layout>,
}

impl MysqlWriter {
    /// A writer on a connection whose transaction has begun; `lines` says whether the server takes
    /// rows as lines.
    pub(crate) fn new(
        loan: Loan,
        (claim, lease): (Claim, Option<Lease>),
        layout: Layout,
        lines: bool,
    ) -> Self {
        let way = match lines {
            true => Way::Lines(Infile::start(loan, layout.load_statement())),
            false => Way::Statements(loan, Pending::default()),
        };
        Self { way, claim, lease, layout: Arc::new(layout) }
    }
}

#[async_trait]
impl Writer for MysqlWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let Batch::Rows(batch) = batch else {
            return Err(Error::new(Code::Internal, "wire bytes came for a table without wire"));
        };
        let layout = self.layout.clone();
        match &mut self.way {
            Way::Statements(loan, pending) => layout.insert(&mut loan.conn, &batch, pending).await,
            Way::Lines(infile) => layout.lines(infile, &batch).await,
        }
    }

    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        const DOING: &str = "offer rows";
        let Way::Statements(loan, pending) = &mut self.way else {
            return Err(Error::new(Code::Internal, "rows are offered to a writer of lines"));
        };
        run(&mut loan.conn, DOING, "SAVEPOINT offered").await?;
        let inserted = self.layout.insert(&mut loan.conn, &batch, pending).await;
        let stored = match inserted {
            Ok(()) => self.layout.send(&mut loan.conn, pending).await,
            Err(error) => Err(error),
        };
        let Err(error) = stored else {
            return run(&mut loan.conn, DOING, "RELEASE SAVEPOINT offered").await;
        };
        if error.kind() == Kind::Data {
            *pending = Pending::default();
            run(&mut loan.conn, DOING, "ROLLBACK TO SAVEPOINT offered").await?;
        }
        Err(error)
    }

    async fn commit(self: Box<Self>, entry: Entry) -> Result<()> {
        let layout = self.layout.clone();
        let mut loan = match self.way {
            Way::Statements(mut loan, mut pending) => {
                layout.send(&mut loan.conn, &mut pending).await?;
                loan
            }
            Way::Lines(infile) => infile.finish().await.map_err(|error| layout.told(error))?,
        };
        if let Some(lease) = &self.lease {
            leases::end(&mut loan.conn, lease).await?;
        }
        ledger::add(&mut loan.conn, &entry).await?;
        ledger::hold(&mut loan.conn, self.claim).await?;
        failpoint::hit("mysql.before-commit")?;
        loan.commit().await?;
        failpoint::hit("mysql.after-commit")
    }
}
