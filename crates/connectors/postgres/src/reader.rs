//! Rows of a snapshot, as a COPY sends them: passed on untouched, or decoded.

use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
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
use crate::tap::Batches;
use crate::types::{self, NativeType};
use crate::wire::Wire;
use crate::{rights, sql};

/// What is decoded at a time; batches of Arrow are put together from it.
const DECODED: usize = 256 << 10;

/// A stream of batches from one COPY.
pub(crate) struct PostgresReader {
    /// Given back when the stream has ended; a reader that is dropped before closes it.
    loan: Option<Loan>,
    rows: Batches,
    /// How the COPY ends.
    copy: Pin<Box<CopyOutStream>>,
    form: Form,
    table: String,
}

/// What becomes of rows.
enum Form {
    /// They pass untouched.
    Wire,
    Rows(Box<Decoding>),
}

/// Rows on their way into batches.
struct Decoding {
    decoder: Decoder,
    bound: usize,
    /// Rows of which the first so many are decoded.
    taken: WireBatch,
    used: usize,
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
        let bound = request.batch_bytes;
        let (form, wire, select) = match &request.wire {
            Some(name) => {
                let select = chosen.iter().map(|(name, ..)| sql::quote(name)).collect();
                (Form::Wire, Wire::of(name)?, select)
            }
            None => {
                let select: Vec<String> = chosen
                    .iter()
                    .map(|(name, native, logical)| {
                        types::read_expression(&sql::quote(name), native, logical)
                    })
                    .collect();
                let decoder = Decoder::new(&chosen)?;
                let taken = WireBatch { bytes: Bytes::new(), ends: Vec::new() };
                let decoding = Decoding { decoder, bound, taken, used: 0 };
                (Form::Rows(Box::new(decoding)), Wire::Binary, select)
            }
        };
        let bytes = if matches!(form, Form::Wire) { bound } else { bound.min(DECODED) };
        let query = query(request, address, &select)?;
        let copy = format!("COPY ({query}) TO STDOUT (FORMAT {})", wire.format());
        let rows = loan.tap().open(wire, bytes);
        let copy = loan.client().copy_out(copy.as_str()).await.map_err(|error| {
            loan.tap().close();
            let error = selection("read a table", error, request.filter.as_deref())
                .with("table", table.clone());
            rights::reading(error, &qualified(&request.table, address), address)
        })?;
        Ok(Self { loan: Some(loan), rows, copy: Box::pin(copy), form, table })
    }

    /// The next rows, as the server sent them.
    async fn taken(&mut self) -> Result<Option<WireBatch>> {
        if self.loan.is_none() {
            return Ok(None);
        }
        if let Some(rows) = self.rows.next().await {
            return rows.map(Some).map_err(|error| error.with("table", self.table.clone()));
        }
        match self.copy.next().await {
            None => {
                if let Some(loan) = self.loan.take() {
                    loan.give_back();
                }
                Ok(None)
            }
            Some(Err(error)) => {
                Err(failure("read a table", error).with("table", self.table.clone()))
            }
            Some(Ok(_)) => Err(Error::new(Code::Internal, "a row of a COPY went past its tap")
                .with("table", self.table.clone())),
        }
    }

    async fn row_batch(&mut self) -> Result<Option<Batch>> {
        loop {
            let Form::Rows(decoding) = &mut self.form else { return Ok(None) };
            let full = decoding.advance();
            if full.map_err(|error| error.with("table", self.table.clone()))? {
                break;
            }
            match self.taken().await? {
                Some(rows) => {
                    let Form::Rows(decoding) = &mut self.form else { return Ok(None) };
                    (decoding.taken, decoding.used) = (rows, 0);
                }
                None => break,
            }
        }
        let Form::Rows(decoding) = &mut self.form else { return Ok(None) };
        decoding.finish()
    }
}

impl Decoding {
    /// Decodes rows until a batch is full, which is true, or no more are there.
    fn advance(&mut self) -> Result<bool> {
        let WireBatch { bytes, ends } = &self.taken;
        let mut start = self.used.checked_sub(1).map_or(0, |last| ends[last]);
        for end in &ends[self.used..] {
            let row = &bytes[start..*end];
            let large = self.decoder.bytes() + row.len() > 2 * self.bound;
            if self.decoder.bytes() >= self.bound || self.decoder.rows() > 0 && large {
                return Ok(true);
            }
            self.decoder.row(row)?;
            self.used += 1;
            start = *end;
        }
        // A large row is not held twice any longer than it must be.
        self.taken = WireBatch { bytes: Bytes::new(), ends: Vec::new() };
        self.used = 0;
        Ok(self.decoder.bytes() >= self.bound)
    }

    fn finish(&mut self) -> Result<Option<Batch>> {
        match self.decoder.rows() {
            0 => Ok(None),
            _ => self.decoder.finish().map(|batch| Some(Batch::Rows(batch))),
        }
    }
}

#[async_trait]
impl Reader for PostgresReader {
    async fn next(&mut self) -> Result<Option<Batch>> {
        match self.form {
            Form::Wire => Ok(self.taken().await?.map(Batch::Wire)),
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
