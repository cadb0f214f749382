//! A folder or a file as a source.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use longshore_model::catalog::{Catalog, TableName};
use longshore_model::connector::{
    ReadRequest, Reader, SharedSource, Snapshot, Source, Study, StudyRequest,
};
use longshore_model::plan::Position;
use longshore_model::{Code, Error, Result};
use tokio::sync::Semaphore;

use crate::filter::Filter;
use crate::infer::Inferred;
use crate::listing::{DataFile, Listed, Listing};
use crate::options::{Format, ReadOptions};
use crate::range::FileRange;
use crate::read::{Job, Stream, TextRules};
use crate::store::Store;
use crate::tree::Tree;
use crate::{blocking, describe, study};

/// A folder or a file as a source.
#[derive(Debug, Clone)]
pub(crate) struct FileSource {
    shared: Arc<Shared>,
}

/// What the source's parts have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) tree: Tree,
    pub(crate) options: ReadOptions,
    /// The one file that is meant, when it is not the whole folder.
    only: Option<String>,
    listing: OnceLock<Listing>,
    /// The columns of text tables without manifest, which only a scan finds.
    pub(crate) inferred: Mutex<BTreeMap<TableName, Arc<Inferred>>>,
}

impl FileSource {
    pub(crate) fn open(path: PathBuf, options: ReadOptions) -> Result<Self> {
        let (tree, only) = Tree::at(path)?;
        Ok(Self::of(tree, only, options))
    }

    /// What is in a store, or the one object that is at its path.
    pub(crate) async fn in_store(store: Store, options: ReadOptions) -> Result<Self> {
        if let Some((parent, name)) = store.parent()
            && parent.has_file(&name).await?
        {
            return Ok(Self::of(Tree::in_store(Arc::new(parent)), Some(name), options));
        }
        store.must_be_there().await?;
        Ok(Self::of(Tree::in_store(Arc::new(store)), None, options))
    }

    fn of(tree: Tree, only: Option<String>, options: ReadOptions) -> Self {
        let shared =
            Shared { tree, options, only, listing: OnceLock::new(), inferred: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }
}

impl Shared {
    /// The folder as it was when the catalog was read.
    pub(crate) fn listing(&self) -> Result<&Listing> {
        match self.listing.get() {
            Some(listing) => Ok(listing),
            None => {
                let listing = self.list()?;
                Ok(self.listing.get_or_init(|| listing))
            }
        }
    }

    /// The folder as it is now.
    fn list(&self) -> Result<Listing> {
        Listing::take(&self.tree, &self.options, self.only.as_deref())
    }

    /// How the text files of a table are understood. The first time for a JSON Lines table without
    /// manifest this reads the table: nothing else tells its columns.
    pub(crate) fn text_rules(
        &self,
        listing: &Listing,
        table: Option<&Listed>,
    ) -> Result<TextRules> {
        let is_jsonl = |table: &&Listed| table.files.iter().any(|f| f.format == Format::Jsonl);
        let known = match table.map(|table| (table, &table.described)) {
            Some((_, Some(described))) => {
                let columns = &described.structure.columns;
                Some(columns.iter().map(|column| column.name.clone()).collect())
            }
            Some((table, None)) if !listing.own && is_jsonl(&table) => {
                let inferred = describe::inferred(self, table)?;
                Some(inferred.columns.iter().map(|(name, _)| name.clone()).collect())
            }
            _ => None,
        };
        Ok(TextRules { csv: self.options.csv.clone(), own: listing.own, known })
    }
}

#[async_trait]
impl Source for FileSource {
    async fn catalog(&self) -> Result<Catalog> {
        let shared = self.shared.clone();
        blocking(move || describe::catalog(&shared)).await
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        let shared = self.shared.clone();
        let table = request.table.clone();
        let columns = request.columns.to_vec();
        let filter = request.filter.map(str::to_string);
        let (chunk_bytes, decoded) = (request.chunk_bytes, request.decoded);
        blocking(move || {
            let request = StudyRequest {
                table: &table,
                columns: &columns,
                filter: filter.as_deref(),
                chunk_bytes,
                decoded,
            };
            study::study(&shared, &request)
        })
        .await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        let shared = self.shared.clone();
        let listing = blocking(move || shared.list()).await?;
        Ok(Box::new(FileSnapshot {
            shared: self.shared.clone(),
            position: listing.position(),
            listing: Arc::new(listing),
            readers: Arc::new(Semaphore::new(readers.max(1))),
        }))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        None
    }
}

/// The files as they were listed.
struct FileSnapshot {
    shared: Arc<Shared>,
    listing: Arc<Listing>,
    position: Position,
    readers: Arc<Semaphore>,
}

impl FileSnapshot {
    fn job(shared: &Shared, listing: &Listing, request: &ReadRequest) -> Result<Job> {
        let table = listing.tables.iter().find(|table| table.name == request.table);
        let parts = match &request.range {
            None => {
                let table = listing.table(&request.table)?;
                study::check_complete(table)?;
                let whole = |file: &DataFile| (FileRange::whole(file.path.clone()), file.clone());
                table.files.iter().map(whole).collect()
            }
            Some(range) => {
                let range = FileRange::parse(range)?;
                match range.file.as_str() {
                    "" => Vec::new(),
                    _ => vec![Self::part(shared, table, range)?],
                }
            }
        };
        let mut job = Job {
            tree: shared.tree.clone(),
            parts,
            columns: request.columns.clone(),
            batch_bytes: request.batch_bytes.max(1),
            text: shared.text_rules(listing, table)?,
            filter: None,
        };
        if let Some(condition) = &request.filter {
            let columns = describe::column_types(shared, listing.table(&request.table)?)?;
            job.select(Filter::parse(condition, &columns)?);
        }
        Ok(job)
    }

    /// A part of a file that was there when the snapshot was taken. While a target is being filled
    /// its tables are not listed yet; the file itself is enough then.
    fn part(
        shared: &Shared,
        table: Option<&Listed>,
        range: FileRange,
    ) -> Result<(FileRange, DataFile)> {
        let listed = table.and_then(|t| t.files.iter().find(|file| file.path == range.file));
        if let Some(file) = listed {
            return Ok((range, file.clone()));
        }
        let gone = || {
            Error::new(Code::SourceChanged, "a file is not there any more")
                .with("file", range.file.clone())
        };
        if table.is_some() {
            return Err(gone());
        }
        let format = shared.options.format.or_else(|| Format::of_name(&range.file));
        let format = format.ok_or_else(gone)?;
        let stamp = shared.tree.stamp(&range.file)?.ok_or_else(gone)?;
        let path = range.file.clone();
        Ok((range, DataFile { path, format, stamp, keys: Vec::new() }))
    }
}

#[async_trait]
impl Snapshot for FileSnapshot {
    fn position(&self) -> &Position {
        &self.position
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        let (shared, listing, request) =
            (self.shared.clone(), self.listing.clone(), request.clone());
        let job = blocking(move || Self::job(&shared, &listing, &request)).await?;
        let permit = self.readers.clone().acquire_owned().await.map_err(|error| {
            Error::new(Code::Internal, "the snapshot's readers are closed").because(error)
        })?;
        Ok(Box::new(Stream::start(job, permit)))
    }

    async fn current_position(&self) -> Result<Position> {
        let shared = self.shared.clone();
        Ok(blocking(move || shared.list()).await?.position())
    }

    fn invitation(&self) -> Option<String> {
        None
    }
}
