//! SQLite as a source.

use std::path::PathBuf;

use async_trait::async_trait;
use longshore_model::Result;
use longshore_model::catalog::Catalog;
use longshore_model::connector::{Snapshot, Source, Study, StudyRequest};

use crate::snapshot::SqliteSnapshot;
use crate::{catalog, open, study};

/// A database file that data leaves.
#[derive(Debug)]
pub(crate) struct SqliteSource {
    path: PathBuf,
}

impl SqliteSource {
    /// Opens a database that is there.
    pub(crate) async fn open(path: PathBuf) -> Result<Self> {
        let checked = path.clone();
        open::blocking(move || open::reading(&checked).map(drop)).await?;
        Ok(Self { path })
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
        let path = self.path.clone();
        let table = request.table.name.name.clone();
        let columns = request.columns.to_vec();
        let filter = request.filter.map(str::to_string);
        let chunk_bytes = request.chunk_bytes;
        open::blocking(move || {
            let connection = open::reading(&path)?;
            study::run(&connection, &table, &columns, filter.as_deref(), chunk_bytes)
        })
        .await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        Ok(Box::new(SqliteSnapshot::take(self.path.clone(), readers).await?))
    }
}
