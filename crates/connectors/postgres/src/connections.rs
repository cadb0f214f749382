//! Connections of a claimed target that serve one transaction after the other.

use std::sync::{Arc, Mutex, PoisonError};

use longshore_model::Result;
use tokio_postgres::{Client, SimpleQueryMessage};

use crate::address::Address;
use crate::failure::failure;
use crate::session::{begin_with, connect};

/// Connections to one database.
pub(crate) struct Connections {
    address: Address,
    /// Those whose transactions have ended.
    idle: Mutex<Vec<Client>>,
}

/// A connection on loan.
pub(crate) struct Loan {
    connections: Arc<Connections>,
    client: Client,
}

impl Connections {
    /// The connections of a database, with a first one.
    pub(crate) fn new(address: &Address, first: Client) -> Arc<Self> {
        Arc::new(Self { address: address.clone(), idle: Mutex::new(vec![first]) })
    }

    /// A connection with an open transaction.
    pub(crate) async fn lend(self: &Arc<Self>) -> Result<Loan> {
        self.lend_after("").await.map(|(loan, _)| loan)
    }

    /// A connection with an open transaction, after some SQL in it, with the answers to that. One way
    /// to the server and back.
    pub(crate) async fn lend_after(
        self: &Arc<Self>,
        sql: &str,
    ) -> Result<(Loan, Vec<SimpleQueryMessage>)> {
        let client = self.borrow().await?;
        let answers = begin_with(&client, sql).await?;
        Ok((Loan { connections: self.clone(), client }, answers))
    }

    /// A connection without a transaction.
    pub(crate) async fn borrow(&self) -> Result<Client> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match idle.filter(|client| !client.is_closed()) {
            Some(client) => Ok(client),
            None => connect(&self.address).await,
        }
    }

    /// Takes a connection back that has no transaction any more.
    pub(crate) fn put_back(&self, client: Client) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(client);
    }
}

impl Loan {
    /// The connection.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Gives the connection back, its transaction ended; one that is only dropped is closed.
    pub(crate) fn give_back(self) {
        self.connections.put_back(self.client);
    }
}

/// Ends a transaction so that its work stays.
pub(crate) async fn commit(client: &Client) -> Result<()> {
    client.batch_execute("COMMIT").await.map_err(|error| failure("commit", error))
}
