//! MySQL and MariaDB as a source.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use longshore_model::Result;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{SharedSource, Snapshot, Source, Study, StudyRequest};
use mysql_async::Conn;

use crate::address::Address;
use crate::session::connect;
use crate::snapshot::MysqlSnapshot;
use crate::{catalog, study};

/// A database that data leaves.
pub(crate) struct MysqlSource {
    address: Address,
    /// Sessions that serve one study after the other.
    idle: Mutex<Vec<Conn>>,
}

impl MysqlSource {
    /// Connects, so that a wrong address is known at once.
    pub(crate) async fn open(address: Address) -> Result<Self> {
        let conn = connect(&address).await?;
        Ok(Self { address, idle: Mutex::new(vec![conn]) })
    }

    async fn ask<T>(&self, work: impl AsyncFnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut conn = match idle {
            Some(conn) => conn,
            None => connect(&self.address).await?,
        };
        let done = work(&mut conn).await?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
        Ok(done)
    }
}

#[async_trait]
impl Source for MysqlSource {
    async fn catalog(&self) -> Result<Catalog> {
        self.ask(async |conn| catalog::read(conn, &self.address).await).await
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        self.ask(async |conn| study::study(conn, request).await).await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(MysqlSnapshot::take(&self.address, readers).await?))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}
