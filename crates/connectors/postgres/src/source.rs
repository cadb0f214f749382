//! PostgreSQL as a source.

use async_trait::async_trait;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{Snapshot, Source, Study, StudyRequest};
use longshore_model::{LogicalType, Result};
use tokio::sync::Mutex;
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::failure;
use crate::session::{begin, connect, connect_two, version};
use crate::snapshot::PostgresSnapshot;
use crate::{catalog, study};

/// A database that data leaves.
pub(crate) struct PostgresSource {
    address: Address,
    /// Connections of studies that have ended.
    idle: Mutex<Vec<Client>>,
}

impl PostgresSource {
    /// Connects, so that a wrong address is known at once.
    pub(crate) async fn open(address: Address) -> Result<Self> {
        let (client, other) = connect_two(&address).await?;
        version(&client).await?;
        Ok(Self { address, idle: Mutex::new(vec![client, other]) })
    }

    /// Does something in a transaction of its own.
    async fn ask<T>(&self, work: impl AsyncFnOnce(&Client) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().await.pop().filter(|client| !client.is_closed());
        let client = match idle {
            Some(client) => client,
            None => connect(&self.address).await?,
        };
        begin(&client, "ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let done = work(&client).await?;
        client.batch_execute("COMMIT").await.map_err(|e| failure("end a transaction", e))?;
        self.idle.lock().await.push(client);
        Ok(done)
    }
}

#[async_trait]
impl Source for PostgresSource {
    async fn catalog(&self) -> Result<Catalog> {
        self.ask(async |client| catalog::read(client).await).await
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        self.ask(async |client| study::study(client, &self.address, request).await).await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(PostgresSnapshot::take(&self.address, readers).await?))
    }
}

/// Whether a type has values in PostgreSQL that it has nowhere else.
pub(crate) fn has_infinity(logical: &LogicalType) -> bool {
    matches!(
        logical,
        LogicalType::Date
            | LogicalType::Timestamp { .. }
            | LogicalType::Interval
            | LogicalType::Decimal { .. }
    )
}
