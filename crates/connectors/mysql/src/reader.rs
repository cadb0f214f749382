//! Rows of a snapshot, as the server streams them.

use async_trait::async_trait;
use longshore_model::connector::{ReadRequest, Reader};
use longshore_model::{Batch, Code, Error, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{BinaryProtocol, Conn, QueryResult};
use tokio::sync::mpsc;

use crate::address::Address;
use crate::decode::Decoder;
use crate::failure::{failure, selection};
use crate::range::Part;
use crate::session::{self, cell, connect};
use crate::snapshot::Loan;
use crate::sql::{literal, quote};

/// Batches that are ready while another is taken.
const READY: usize = 1;

/// A stream of batches from one query, which runs in a task of its own.
pub(crate) struct MysqlReader {
    /// Batches, then `None` or an error: a task that dies says neither.
    batches: mpsc::Receiver<Result<Option<Batch>>>,
    table: String,
    ended: bool,
}

impl MysqlReader {
    /// Starts the query of a request.
    pub(crate) async fn start(mut loan: Loan, request: &ReadRequest) -> Result<Self> {
        let table = request.table.name.clone();
        let query = match query(&mut loan, request).await {
            Ok(query) => query,
            Err(error) => {
                loan.give_back();
                return Err(error.with("table", table));
            }
        };
        let (sender, batches) = mpsc::channel(READY);
        let streaming = Streaming {
            query,
            filter: request.filter.clone(),
            table: table.clone(),
            decoder: Decoder::new(&request.columns),
            bound: request.batch_bytes,
            sender,
        };
        tokio::spawn(streaming.run(loan));
        Ok(Self { batches, table, ended: false })
    }
}

#[async_trait]
impl Reader for MysqlReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.ended {
            return Ok(None);
        }
        match self.batches.recv().await {
            Some(Ok(None)) => {
                self.ended = true;
                Ok(None)
            }
            Some(next) => next,
            None => Err(Error::new(Code::Internal, "a reader ended without a word")
                .with("table", self.table.clone())),
        }
    }
}

/// A query on its way.
struct Streaming {
    query: String,
    filter: Option<String>,
    table: String,
    decoder: Decoder,
    bound: usize,
    sender: mpsc::Sender<Result<Option<Batch>>>,
}

/// How a stream ended.
enum End {
    /// With its last row.
    Whole,
    /// Nobody listens any more, and rows are on the way.
    Dropped,
}

impl Streaming {
    async fn run(mut self, mut loan: Loan) {
        let (id, address) = (loan.conn().id(), loan.address().clone());
        let told =
            |error: mysql_async::Error| selection("read a table", error, self.filter.as_deref());
        let mut result = match loan.conn().exec_iter(self.query.as_str(), ()).await {
            Ok(result) => result,
            Err(error) => {
                let whole = !error.is_fatal();
                let error = told(error).with("table", self.table.clone());
                if whole {
                    loan.give_back();
                }
                let _nobody_listens = self.sender.send(Err(error)).await;
                return;
            }
        };
        let ended = self.stream(&mut result).await;
        let usable = match ended {
            Ok(End::Whole) => true,
            Ok(End::Dropped) | Err(_) => stop(result, id, &address).await,
        };
        if usable {
            loan.give_back();
        } else {
            drop(loan);
        }
        let last = match ended {
            Ok(_) => Ok(None),
            Err(error) => Err(error.with("table", self.table.clone())),
        };
        let _nobody_listens = self.sender.send(last).await;
    }

    async fn stream(
        &mut self,
        result: &mut QueryResult<'_, 'static, BinaryProtocol>,
    ) -> Result<End> {
        loop {
            let row = tokio::select! {
                biased;
                row = result.next() => row.map_err(|error| failure("read a table", error))?,
                () = self.sender.closed() => return Ok(End::Dropped),
            };
            let Some(row) = row else { break };
            let size = Decoder::size(&row);
            let full = self.decoder.bytes() + size > 2 * self.bound;
            if self.decoder.rows() > 0 && full && !self.pass_on().await? {
                return Ok(End::Dropped);
            }
            self.decoder.row(&row, size)?;
            if self.decoder.bytes() >= self.bound && !self.pass_on().await? {
                return Ok(End::Dropped);
            }
        }
        self.pass_on().await?;
        Ok(End::Whole)
    }

    /// Passes on what was gathered; false when nobody takes it.
    async fn pass_on(&mut self) -> Result<bool> {
        if self.decoder.rows() == 0 {
            return Ok(true);
        }
        let batch = Batch::Rows(self.decoder.finish()?);
        Ok(self.sender.send(Ok(Some(batch))).await.is_ok())
    }
}

/// Makes the server stop sending, and takes what is on the way. Whether the session can be used
/// again: its transaction, and the view of the state, outlive the query.
async fn stop(
    result: QueryResult<'_, 'static, BinaryProtocol>,
    id: u32,
    address: &Address,
) -> bool {
    if let Ok(mut other) = connect(address).await {
        let kill = format!("KILL QUERY {id}");
        let _ended_by_itself = session::run(&mut other, "end a query", &kill).await;
        session::close(other).await;
    }
    match result.drop_result().await {
        Ok(()) => true,
        Err(error) => !error.is_fatal(),
    }
}

/// The query of a request.
async fn query(loan: &mut Loan, request: &ReadRequest) -> Result<String> {
    let table = request.table.name.as_str();
    let columns = loan.columns(table).await?;
    let mut select = Vec::with_capacity(request.columns.len());
    for (name, _) in &request.columns {
        if !columns.iter().any(|column| column.name == *name) {
            return Err(Error::new(Code::SourceChanged, "a column is no longer there")
                .with("column", name.clone()));
        }
        select.push(quote(name));
    }
    if select.is_empty() {
        select.push("1".to_string());
    }
    let part = request.range.as_ref().map(Part::of).transpose()?.flatten();
    let access = match &part {
        Some(Part::Key { index, .. }) => format!(" FORCE INDEX ({})", quote(index)),
        Some(Part::Rows { .. }) => whole_scan(loan.conn(), table).await?,
        None => String::new(),
    };
    let conditions: Vec<String> = part
        .as_ref()
        .and_then(Part::condition)
        .into_iter()
        .chain(request.filter.as_ref().map(|filter| format!("({filter})")))
        .collect();
    let mut query = format!("SELECT {} FROM {}{access}", select.join(", "), quote(table));
    if !conditions.is_empty() {
        query += &format!(" WHERE {}", conditions.join(" AND "));
    }
    if let Some(Part::Rows { offset, limit }) = part {
        query += &format!(" LIMIT {} OFFSET {offset}", limit.unwrap_or(u64::MAX));
    }
    Ok(query)
}

/// What makes the server read a table in its own order: an index that holds all columns would have
/// another.
pub(crate) async fn whole_scan(conn: &mut Conn, table: &str) -> Result<String> {
    let query = format!(
        "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE \
         TABLE_SCHEMA = DATABASE() AND BINARY TABLE_NAME = {} AND INDEX_NAME <> 'PRIMARY' AND \
         INDEX_TYPE = 'BTREE' ORDER BY INDEX_NAME",
        literal(table)
    );
    let found = session::rows(conn, "read a table's indexes", &query).await?;
    let names: Vec<String> = found.iter().filter_map(|row| cell(row, 0)).collect();
    Ok(match names.is_empty() {
        true => String::new(),
        false => format!(" IGNORE INDEX ({})", crate::sql::list(&names)),
    })
}
