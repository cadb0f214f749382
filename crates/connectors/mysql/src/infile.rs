//! Rows as the lines of a file that the server asks for: it parses no statement of them.
//!
//! `LOAD DATA LOCAL` turns errors into warnings and goes on. Here any warning ends the chunk.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use longshore_model::{Code, Error, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Row, ServerError};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::connections::Loan;
use crate::failure::refusal;
use crate::session::{cell, number, rows};

/// The size of a piece, about.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces that wait for the server.
const WAITING: usize = 2;

const DOING: &str = "write a chunk";

/// A statement that takes lines while it runs.
pub(crate) struct Infile {
    pieces: mpsc::Sender<Bytes>,
    running: JoinHandle<Result<Loan>>,
    lines: String,
    sent: u64,
}

impl Infile {
    /// Starts a `LOAD DATA LOCAL` statement on a connection whose transaction has begun.
    pub(crate) fn start(mut loan: Loan, statement: String) -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Bytes>(WAITING);
        loan.conn.set_infile_handler(async move {
            let next = stream::poll_fn(move |context| waiting.poll_recv(context));
            Ok(next.map(Ok).boxed())
        });
        let running = tokio::spawn(async move {
            let told = |error| refusal(DOING, error);
            loan.conn.query_drop(statement).await.map_err(told)?;
            Ok(loan)
        });
        Self { pieces, running, lines: String::with_capacity(PIECE_BYTES * 2), sent: 0 }
    }

    /// Where the next line is written.
    pub(crate) fn lines(&mut self) -> &mut String {
        &mut self.lines
    }

    /// Notes that a line is whole; passes on what has gathered.
    pub(crate) async fn end_line(&mut self) -> Result<()> {
        self.lines.push('\n');
        self.sent += 1;
        if self.lines.len() < PIECE_BYTES {
            return Ok(());
        }
        self.pass_on().await
    }

    async fn pass_on(&mut self) -> Result<()> {
        let next = String::with_capacity(PIECE_BYTES * 2);
        let piece = Bytes::from(std::mem::replace(&mut self.lines, next));
        if self.pieces.send(piece).await.is_ok() {
            return Ok(());
        }
        // The statement has ended already, and says why.
        match (&mut self.running).await {
            Ok(Err(error)) => Err(error),
            _ => Err(Error::new(Code::Internal, "a statement ended before its lines did")),
        }
    }

    /// Ends the lines; the connection comes back when every one of them was stored as it was.
    pub(crate) async fn finish(mut self) -> Result<Loan> {
        if !self.lines.is_empty() {
            self.pass_on().await?;
        }
        drop(self.pieces);
        let ended = self.running.await;
        let mut loan =
            ended.map_err(|_| Error::new(Code::Internal, "a writer ended without a word"))??;
        let (stored, warnings) = (loan.conn.affected_rows(), loan.conn.get_warnings());
        if warnings > 0 {
            let found = rows(&mut loan.conn, DOING, "SHOW WARNINGS LIMIT 1").await?;
            return Err(found.first().map_or_else(|| unlike(self.sent, stored), warned));
        }
        if stored == self.sent { Ok(loan) } else { Err(unlike(self.sent, stored)) }
    }
}

/// A warning as the error that it would be without `LOCAL`.
fn warned(row: &Row) -> Error {
    let code = u16::try_from(number(row, 1)).unwrap_or_default();
    let message = cell(row, 2).unwrap_or_default();
    let known = refusal(
        DOING,
        mysql_async::Error::Server(ServerError { code, message, state: "01000".to_string() }),
    );
    match known.code() {
        Code::RowRefused | Code::ValueRefused => known,
        // Its words may quote the row.
        _ => Error::new(Code::ValueRefused, format!("could not {DOING}: the server warns"))
            .with("warning", code.to_string()),
    }
}

fn unlike(sent: u64, stored: u64) -> Error {
    Error::new(Code::RowRefused, "the server did not store every row of a chunk")
        .with("sent", sent.to_string())
        .with("stored", stored.to_string())
}
