//! Rows of a snapshot, as a COPY sends them: passed on untouched, or decoded.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use longshore_model::catalog::TableName;
use longshore_model::connector::{ReadRequest, Reader};
use longshore_model::{Batch, Code, Error, LogicalType, Result, WireBatch};
use tokio_postgres::{Client, CopyOutStream};

use crate::address::Address;
use crate::binary::Decoder;
use crate::failure::{failure, selection};
use crate::range::Blocks;
use crate::snapshot::Loan;
use crate::types::{self, NativeType};
use crate::wire::{self, Wire};
use crate::{rights, sql};

/// A stream of batches from one COPY.
pub(crate) struct PostgresReader {
    /// Given back when the stream has ended; a reader that is dropped before closes it.
    loan: Option<Loan>,
    stream: Pin<Box<CopyOutStream>>,
    form: Form,
    batch_bytes: usize,
    table: String,
    started: bool,
    /// A row that was too large for the batch before it.
    held: Option<Bytes>,
}

/// What becomes of a row.
enum Form {
    Wire(Wire),
    Rows(Box<Decoder>),
}

impl PostgresReader {
    /// Starts the COPY of a request. `columns` are those of the table.
    pub(crate) async fn start(
        loan: Loan,
        address: &Address,
        request: &ReadRequest,
        columns: &[(String, NativeType)],
    ) -> Result<Self> {
        let table = request.table.to_string();
        let chosen =
            choose(request, columns).map_err(|error| error.with("table", table.clone()))?;
        let (form, select) = match &request.wire {
            Some(name) => {
                let wire = Wire::of(name)?;
                (Form::Wire(wire), chosen.iter().map(|(name, ..)| sql::quote(name)).collect())
            }
            None => {
                let select: Vec<String> = chosen
                    .iter()
                    .map(|(name, native, logical)| {
                        types::read_expression(&sql::quote(name), native, logical)
                    })
                    .collect();
                (Form::Rows(Box::new(Decoder::new(&chosen)?)), select)
            }
        };
        let format = match &form {
            Form::Wire(wire) => wire.format(),
            Form::Rows(_) => Wire::Binary.format(),
        };
        let query = query(request, address, &select)?;
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT {format})");
        let stream = loan.client().copy_out(copy.as_str()).await.map_err(|error| {
            let error = selection("read a table", error, request.filter.as_deref())
                .with("table", table.clone());
            rights::reading(error, &qualified(&request.table, address), address)
        })?;
        Ok(Self {
            loan: Some(loan),
            stream: Box::pin(stream),
            form,
            batch_bytes: request.batch_bytes,
            table,
            started: false,
            held: None,
        })
    }

    /// The next row, without what frames the stream. The server sends a message for each row.
    async fn row(&mut self) -> Result<Option<Bytes>> {
        if let Some(row) = self.held.take() {
            return Ok(Some(row));
        }
        loop {
            let Some(message) = self.stream.next().await else {
                if let Some(loan) = self.loan.take() {
                    loan.give_back();
                }
                return Ok(None);
            };
            let mut message = message.map_err(|error| {
                failure("read a table", error).with("table", self.table.clone())
            })?;
            if !matches!(self.form, Form::Wire(Wire::Text)) {
                if !self.started {
                    message = wire::after_header(message).ok_or_else(|| self.garbled())?;
                    self.started = true;
                }
                if message.is_empty() || message[..] == wire::TRAILER {
                    continue;
                }
            }
            return Ok(Some(message));
        }
    }

    fn garbled(&self) -> Error {
        Error::new(Code::SourceUnreadable, "the server's COPY stream is not understood")
            .with("table", self.table.clone())
    }

    async fn wire_batch(&mut self) -> Result<Option<Batch>> {
        let mut bytes = BytesMut::with_capacity(self.batch_bytes + self.batch_bytes / 8);
        let mut ends = Vec::new();
        while bytes.len() < self.batch_bytes {
            let Some(row) = self.row().await? else { break };
            if row.len() >= self.batch_bytes {
                // A row that fills a batch is one, without a copy.
                if ends.is_empty() {
                    let ends = vec![row.len()];
                    return Ok(Some(Batch::Wire(WireBatch { bytes: row, ends })));
                }
                self.held = Some(row);
                break;
            }
            bytes.extend_from_slice(&row);
            ends.push(bytes.len());
        }
        let batch = WireBatch { bytes: bytes.freeze(), ends };
        Ok((!batch.ends.is_empty()).then_some(Batch::Wire(batch)))
    }

    async fn row_batch(&mut self) -> Result<Option<Batch>> {
        let mut rows = 0usize;
        loop {
            let row = self.row().await?;
            let bound = self.batch_bytes;
            let Form::Rows(decoder) = &mut self.form else { return Err(self.garbled()) };
            match row {
                Some(row) if rows > 0 && decoder.bytes() + row.len() > 2 * bound => {
                    self.held = Some(row);
                }
                Some(row) => {
                    let table = &self.table;
                    decoder.row(&row).map_err(|error| error.with("table", table.clone()))?;
                    rows += 1;
                    if decoder.bytes() < bound {
                        continue;
                    }
                }
                None if rows == 0 => return Ok(None),
                None => {}
            }
            return decoder.finish().map(|batch| Some(Batch::Rows(batch)));
        }
    }
}

#[async_trait]
impl Reader for PostgresReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        if self.loan.is_none() && self.held.is_none() {
            return Ok(None);
        }
        match self.form {
            Form::Wire(_) => self.wire_batch().await,
            Form::Rows(_) => self.row_batch().await,
        }
    }
}

impl Drop for PostgresReader {
    /// Tells the server to stop sending; the connection then closes.
    fn drop(&mut self) {
        let Some(loan) = self.loan.take() else { return };
        cancel(loan.client(), loan.address());
    }
}

fn cancel(client: &Client, address: &Address) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let (token, address) = (client.cancel_token(), address.clone());
    // A request that does not arrive leaves a server process that ends when it sees the closed
    // connection.
    runtime.spawn(async move { crate::session::cancel(&token, &address).await });
}

type Chosen = Vec<(String, NativeType, LogicalType)>;

/// The columns of a request with their types.
fn choose(request: &ReadRequest, columns: &[(String, NativeType)]) -> Result<Chosen> {
    request
        .columns
        .iter()
        .map(|(name, logical)| {
            let found = columns.iter().find(|(column, _)| column == name);
            let (_, native) = found.ok_or_else(|| {
                Error::new(Code::SourceChanged, "a column is no longer there")
                    .with("column", name.clone())
            })?;
            Ok((name.clone(), native.clone(), logical.clone()))
        })
        .collect()
}

fn query(request: &ReadRequest, address: &Address, select: &[String]) -> Result<String> {
    let blocks = request.range.as_ref().map_or(Ok(Blocks::ALL), Blocks::of)?;
    let mut conditions = vec![blocks.condition()];
    conditions.extend(request.filter.as_ref().map(|filter| format!("({filter})")));
    conditions.retain(|condition| !condition.is_empty());
    let mut query =
        format!("SELECT {} FROM ONLY {}", select.join(", "), qualified(&request.table, address));
    if !conditions.is_empty() {
        query += &format!(" WHERE {}", conditions.join(" AND "));
    }
    Ok(query)
}

/// A table's name in SQL.
pub(crate) fn qualified(table: &TableName, address: &Address) -> String {
    sql::table(table, &address.schema)
}
