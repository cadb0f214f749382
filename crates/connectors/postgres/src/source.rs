//! PostgreSQL as a source.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{SharedSource, Snapshot, Source, Study, StudyRequest};
use longshore_model::{Code, Error, LogicalType, Result};
use tokio::sync::Mutex;
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::failure;
use crate::session::{begin, connect, connect_two, version};
use crate::snapshot::PostgresSnapshot;
use crate::study::{self, Seen};
use crate::survey::{self, Facts};
use crate::{catalog, reader, rights};

/// A database that data leaves.
pub(crate) struct PostgresSource {
    address: Address,
    /// Connections of studies that have ended.
    idle: Mutex<Vec<Client>>,
    /// What is known of the tables of the catalog that was read last.
    known: Mutex<Known>,
}

/// The tables of a catalog, by their names in SQL.
enum Known {
    Nothing,
    Names(Vec<String>),
    Facts(HashMap<String, Arc<Facts>>),
}

impl PostgresSource {
    /// Connects, so that a wrong address is known at once.
    pub(crate) async fn open(address: Address) -> Result<Self> {
        let (client, other) = connect_two(&address).await?;
        version(&client).await?;
        Ok(Self {
            address,
            idle: Mutex::new(vec![client, other]),
            known: Mutex::new(Known::Nothing),
        })
    }

    /// What is known of a table. The tables of a catalog are surveyed together, when the first of
    /// them is studied.
    async fn facts(&self, name: &str) -> Result<Arc<Facts>> {
        let mut known = self.known.lock().await;
        if let Known::Names(names) = &*known {
            *known = match self.survey(names).await {
                Ok(all) => Known::Facts(all),
                // One of them may not be read; tables on their own tell which.
                Err(error) if error.code() == Code::PermissionDenied => Known::Nothing,
                Err(error) => return Err(error),
            };
        }
        if let Known::Facts(facts) = &*known
            && let Some(found) = facts.get(name)
        {
            return Ok(found.clone());
        }
        drop(known);
        let name = name.to_string();
        let one = self.ask(async |client| {
            let one = std::slice::from_ref(&name);
            survey::survey(client, one)
                .await
                .map_err(|error| rights::reading(error.with("table", &name), &name, &self.address))
        });
        let one = one.await?;
        one.into_values().next().ok_or_else(|| {
            Error::new(Code::Internal, "the server does not speak of a table that was asked for")
        })
    }

    /// Surveys tables, each part of them in a transaction of its own: a table that was counted is
    /// locked until its transaction ends, and a server has a bounded number of locks.
    async fn survey(&self, names: &[String]) -> Result<HashMap<String, Arc<Facts>>> {
        let mut facts = HashMap::with_capacity(names.len());
        for some in names.chunks(survey::TABLES) {
            facts.extend(self.ask(async |client| survey::survey(client, some).await).await?);
        }
        Ok(facts)
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
        let catalog = self.ask(async |client| catalog::read(client).await).await?;
        let names = catalog.tables.iter().filter(|table| !table.rows_elsewhere);
        let names = names.map(|table| reader::qualified(&table.name, &self.address)).collect();
        *self.known.lock().await = Known::Names(names);
        Ok(catalog)
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let facts = self.facts(&reader::qualified(&request.table.name, &self.address)).await?;
        let seen = match study::needs_a_look(&facts, request) {
            true => {
                self.ask(async |client| study::look(client, &self.address, &facts, request).await)
                    .await?
            }
            false => Seen::default(),
        };
        study::study(&self.address, &facts, request, &seen)
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(PostgresSnapshot::take(&self.address, readers).await?))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        Some(self)
    }
}

#[async_trait]
impl SharedSource for PostgresSource {
    async fn join(&self, invitation: &str, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(PostgresSnapshot::join(&self.address, invitation, readers).await?))
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
