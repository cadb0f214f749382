//! One chunk, written by one COPY in one transaction with its entry of the ledger.

use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::SinkExt;
use longshore_model::connector::Writer;
use longshore_model::ledger::{Entry, Lease};
use longshore_model::{Batch, Code, Error, Kind, Result, failpoint};
use tokio_postgres::CopyInSink;

use crate::binary::Encoder;
use crate::claim::Claim;
use crate::connections::Loan;
use crate::failure::refusal;
use crate::wire::{self, Wire};
use crate::{leases, ledger};

/// Bytes that go to the server in one message.
const MESSAGE_BYTES: usize = 256 << 10;

/// The size of the largest message: what the connection buffers at a time.
const LARGEST_MESSAGE: usize = 1 << 20;

/// Writes one chunk. When it is dropped, its connection closes and the server takes all back.
pub(crate) struct PostgresWriter {
    loan: Loan,
    claim: Claim,
    /// The lease of the chunk, where several processes write.
    lease: Option<Lease>,
    /// The table in SQL.
    table: String,
    /// Its columns in SQL, in the order of batches.
    columns: String,
    encoder: Arc<Encoder>,
    wire: Option<Wire>,
    copy: Option<Pin<Box<CopyInSink<Bytes>>>>,
    rows: u64,
}

impl PostgresWriter {
    /// A writer on a connection whose transaction has begun.
    pub(crate) fn new(
        loan: Loan,
        (claim, lease): (Claim, Option<Lease>),
        (table, columns): (String, String),
        encoder: Encoder,
        wire: Option<Wire>,
    ) -> Self {
        let encoder = Arc::new(encoder);
        Self { loan, claim, lease, table, columns, encoder, wire, copy: None, rows: 0 }
    }

    /// The form in which rows are sent.
    fn form(&self) -> Wire {
        self.wire.unwrap_or_else(|| self.encoder.wire())
    }

    /// Sends rows in messages of a bounded size; where they end does not matter to COPY.
    async fn send(&mut self, mut bytes: Bytes) -> Result<()> {
        while bytes.len() > LARGEST_MESSAGE {
            let part = bytes.split_to(LARGEST_MESSAGE);
            self.send_message(part).await?;
        }
        self.send_message(bytes).await
    }

    async fn send_message(&mut self, bytes: Bytes) -> Result<()> {
        if self.copy.is_none() {
            let format = self.form().format();
            let columns = &self.columns;
            let sql = format!("COPY {} {columns} FROM STDIN (FORMAT {format})", self.table);
            let copy = self.loan.client().copy_in(sql.as_str()).await;
            let mut copy = Box::pin(copy.map_err(|error| self.told(error))?);
            if self.form() == Wire::Binary {
                let header = Bytes::from_static(wire::HEADER);
                copy.send(header).await.map_err(|error| self.told(error))?;
            }
            self.copy = Some(copy);
        }
        let Some(copy) = &mut self.copy else { return Ok(()) };
        match copy.send(bytes).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.told(error)),
        }
    }

    async fn end_copy(&mut self) -> Result<()> {
        let form = self.form();
        let Some(mut copy) = self.copy.take() else { return Ok(()) };
        if form == Wire::Binary {
            let trailer = Bytes::from_static(&wire::TRAILER);
            copy.send(trailer).await.map_err(|error| self.told(error))?;
        }
        let stored = copy.as_mut().finish().await.map_err(|error| self.told(error))?;
        if stored == self.rows {
            return Ok(());
        }
        Err(Error::new(Code::RowRefused, "the server did not store every row of a chunk")
            .with("table", self.table.clone())
            .with("sent", self.rows.to_string())
            .with("stored", stored.to_string())
            .hint("A trigger or a rule of the target's table may be in the way."))
    }

    async fn savepoint(&self, sql: &str) -> Result<()> {
        self.loan.client().batch_execute(sql).await.map_err(|error| self.told(error))
    }

    fn told(&self, error: tokio_postgres::Error) -> Error {
        refusal("write a chunk", error).with("table", self.table.clone())
    }
}

#[async_trait]
impl Writer for PostgresWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        let rows = batch.rows() as u64;
        match batch {
            Batch::Wire(batch) if self.wire.is_some() => self.send(batch.bytes).await?,
            Batch::Wire(_) | Batch::Objects(_) => {
                return Err(Error::new(Code::Internal, "wire bytes came for a table without wire"));
            }
            Batch::Rows(_) if self.wire.is_some() => {
                return Err(Error::new(
                    Code::Internal,
                    "rows came for a table that passes as wire",
                ));
            }
            Batch::Rows(batch) => {
                let encoder = self.encoder.clone();
                let mut left = encoder.rows(&batch)?;
                while let Some(message) = left
                    .message(MESSAGE_BYTES)
                    .map_err(|error| error.with("table", self.table.clone()))?
                {
                    self.send(message).await?;
                }
            }
        }
        self.rows += rows;
        Ok(())
    }

    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        self.savepoint("SAVEPOINT offered").await?;
        self.rows = 0;
        let stored = match self.write(Batch::Rows(batch)).await {
            Ok(()) => self.end_copy().await,
            Err(error) => Err(error),
        };
        let refused = match stored {
            Ok(()) => return self.savepoint("RELEASE SAVEPOINT offered").await,
            Err(error) if error.kind() == Kind::Data => error,
            Err(error) => return Err(error),
        };
        // A COPY that is dropped before its end fails.
        self.copy = None;
        self.savepoint("ROLLBACK TO SAVEPOINT offered").await?;
        Err(refused)
    }

    async fn commit(mut self: Box<Self>, entry: Entry) -> Result<()> {
        self.end_copy().await?;
        let client = self.loan.client();
        if let Some(lease) = &self.lease {
            failpoint::hit("postgres.before-commit")?;
            leases::commit(client, self.claim, lease, &entry)
                .await
                .map_err(|error| error.with("table", self.table.clone()))?;
        } else {
            ledger::add(client, self.claim, &entry).await?;
            failpoint::hit("postgres.before-commit")?;
            client.batch_execute("COMMIT").await.map_err(|error| self.told(error))?;
        }
        failpoint::hit("postgres.after-commit")?;
        self.loan.give_back();
        Ok(())
    }
}
