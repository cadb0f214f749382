//! Connections of a claimed target that serve one transaction after the other.

use std::sync::{Arc, Mutex, PoisonError};

use longshore_model::Result;
use mysql_async::Conn;

use crate::address::Address;
use crate::session::{connect, run};

/// Rows of a load may refer to rows that come later; foreign keys are checked when they are made.
const LOADING: &str = "SET SESSION foreign_key_checks = 0";

/// Connections to one database.
pub(crate) struct Connections {
    address: Address,
    /// Those whose transactions have ended.
    idle: Mutex<Vec<Conn>>,
}

/// A connection on loan. One that is only dropped is closed, and its transaction taken back.
pub(crate) struct Loan {
    connections: Arc<Connections>,
    /// The connection.
    pub(crate) conn: Conn,
}

impl Connections {
    /// The connections of a database.
    pub(crate) fn new(address: &Address) -> Arc<Self> {
        Arc::new(Self { address: address.clone(), idle: Mutex::default() })
    }

    /// A connection without a transaction.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Loan> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle.filter(|conn| !conn.is_disconnected()) {
            Some(conn) => conn,
            None => {
                let mut conn = connect(&self.address).await?;
                run(&mut conn, "set a session up", LOADING).await?;
                conn
            }
        };
        Ok(Loan { connections: self.clone(), conn })
    }

    /// A connection with an open transaction.
    pub(crate) async fn begin(self: &Arc<Self>) -> Result<Loan> {
        let mut loan = self.lend().await?;
        run(&mut loan.conn, "begin a transaction", "START TRANSACTION").await?;
        Ok(loan)
    }
}

impl Loan {
    /// Ends the transaction so that its work stays, and gives the connection back.
    pub(crate) async fn commit(mut self) -> Result<()> {
        run(&mut self.conn, "commit", "COMMIT").await?;
        self.give_back();
        Ok(())
    }

    /// Gives the connection back, its transaction ended.
    pub(crate) fn give_back(self) {
        let Self { connections, conn } = self;
        connections.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }
}
