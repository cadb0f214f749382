//! SQLite as a source.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longshore_model::Result;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{SharedSource, Snapshot, Source, Study, StudyRequest};

use rusqlite::Connection;

use crate::shape::Listed;
use crate::snapshot::SqliteSnapshot;
use crate::{catalog, open, study};

/// A database file that data leaves.
#[derive(Debug)]
pub(crate) struct SqliteSource {
    path: PathBuf,
    /// Connections of studies that have ended: each reads the definitions of all tables once.
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl SqliteSource {
    /// Opens a database that is there.
    pub(crate) async fn open(path: PathBuf) -> Result<Self> {
        let checked = path.clone();
        open::blocking(move || open::reading(&checked).map(drop)).await?;
        Ok(Self { path, idle: Arc::default() })
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn catalog(&self) -> Result<Catalog> {
        let path = self.path.clone();
        open::blocking(move || {
            let connection = open::reading(&path)?;
            let doing = |error| open::failure("read the catalog", error);
            connection.execute_batch("BEGIN").map_err(doing)?;
            catalog::read(&connection)
        })
        .await
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let (path, idle) = (self.path.clone(), self.idle.clone());
        let has = |attribute| request.table.attributes.contains_key(attribute);
        let table = Listed {
            name: request.table.name.name.clone(),
            without_rowid: has("without-rowid"),
            strict: has("strict"),
        };
        let columns = request.columns.to_vec();
        let filter = request.filter.map(str::to_string);
        let chunk_bytes = request.chunk_bytes;
        open::blocking(move || {
            let rest = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = rest.map_or_else(|| open::reading(&path), Ok)?;
            let study = study::run(&connection, &table, &columns, filter.as_deref(), chunk_bytes)?;
            if connection.execute_batch("ROLLBACK").is_ok() {
                idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            }
            Ok(study)
        })
        .await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(SqliteSnapshot::take(self.path.clone(), readers).await?))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}
