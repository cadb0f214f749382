//! A target folder, claimed by one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::{Table, TableName};
use longshore_model::connector::{Leases, Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Entry, Header, Stage};
use longshore_model::plan::{Chunk, MovePlan, Position, TablePlan, digest};
use longshore_model::{Code, Error, LogicalType, Result};

use crate::blocking;
use crate::finish::describe_load;
use crate::folders::assign;
use crate::journal::{FOLDER, Journal, Place};
use crate::listing::table_files;
use crate::lock::Lock;
use crate::manifest::{Described, Manifest};
use crate::options::WriteOptions;
use crate::target::MANIFEST;
use crate::tree::{Tree, join};
use crate::typed::TypedFile;
use crate::write::{ChunkWriter, Destination};

/// A target folder, claimed by one run.
pub(crate) struct FileLoad {
    claim: Arc<Claim>,
    options: WriteOptions,
}

/// The claim itself; writers keep it alive.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) tree: Tree,
    /// Shared as it is: a copy for every chunk would cost the square of the number of tables.
    journal: Mutex<Option<Arc<Journal>>>,
    lock: Lock,
}

impl FileLoad {
    /// Takes over a locked folder: what unfinished writers left is removed.
    pub(crate) fn open(tree: Tree, options: WriteOptions, lock: Lock) -> Result<Self> {
        let journal = Journal::read(&tree)?;
        tree.remove_temporaries("")?;
        tree.remove_temporaries(FOLDER)?;
        if let Some(journal) = &journal {
            tree.remove_temporaries(&journal.entries_folder())?;
            for place in &journal.places {
                tree.remove_temporaries(&place.folder)?;
            }
        }
        let claim = Claim { tree, journal: Mutex::new(journal.map(Arc::new)), lock };
        Ok(Self { claim: Arc::new(claim), options })
    }
}

impl Claim {
    fn lock_journal(&self) -> MutexGuard<'_, Option<Arc<Journal>>> {
        // A journal is replaced as a whole, so that one left by a panic is still whole.
        self.journal.lock().unwrap_or_else(|poison| poison.into_inner())
    }

    pub(crate) fn journal(&self) -> Result<Arc<Journal>> {
        self.lock_journal().clone().ok_or_else(not_begun)
    }

    /// Changes the journal, in the file first.
    fn change(&self, change: impl FnOnce(&mut Journal)) -> Result<()> {
        let mut guard = self.lock_journal();
        let mut changed = guard.as_deref().cloned().ok_or_else(not_begun)?;
        change(&mut changed);
        self.lock.check()?;
        changed.write(&self.tree)?;
        *guard = Some(Arc::new(changed));
        Ok(())
    }

    pub(crate) fn put_entry(&self, entry: &Entry) -> Result<()> {
        self.lock.check()?;
        self.journal()?.put(&self.tree, entry)
    }

    /// Takes the entry of a chunk out, durably: before its file is replaced, so that an entry never
    /// stands for rows that it was not made from.
    pub(crate) fn remove_entry(&self, entry: &Entry) -> Result<()> {
        let journal = self.journal()?;
        if journal.remove(&self.tree, entry.table, entry.chunk)? {
            self.tree.sync_folder(&journal.entries_folder())?;
        }
        Ok(())
    }
}

#[async_trait]
impl Load for FileLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        let claim = self.claim.clone();
        let (header, plan, preparations) = (header.clone(), plan.clone(), preparations.to_vec());
        blocking(move || begin(&claim, &header, &plan.tables, &preparations)).await
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        let path = self.file(request.table_index, request.chunk_index)?;
        let destination = Destination {
            claim: self.claim.clone(),
            path,
            columns: columns(request.table),
            structure: structure(request.table),
            options: self.options,
            memory: request.memory,
            row_bytes: request.table.chunks.get(request.chunk_index).map_or(0, Chunk::row_bytes),
            record: self.claim.journal()?.upload_record(request.table_index, request.chunk_index),
            keep_empty: request.chunk_index == 0,
        };
        Ok(Box::new(blocking(move || ChunkWriter::start(destination)).await?))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let claim = self.claim.clone();
        let chunks = table.chunks.len();
        blocking(move || {
            let journal = claim.journal()?;
            let Place { folder, prefix, .. } = journal.place(index)?;
            // Entries first: an entry without its file would be a chunk that is in and is not.
            for entry in journal.entries(&claim.tree)? {
                if entry.table == index {
                    journal.remove(&claim.tree, index, entry.chunk)?;
                }
            }
            for chunk in 0..chunks {
                journal.remove(&claim.tree, index, chunk)?;
            }
            claim.tree.sync_folder(&journal.entries_folder())?;
            for file in table_files(&claim.tree, folder)? {
                let name = file.path.rsplit('/').next().unwrap_or_default();
                if name.starts_with(prefix.as_str()) {
                    claim.tree.remove_file(&file.path)?;
                }
            }
            claim.tree.sync_folder(folder)
        })
        .await
    }

    async fn reset_chunk(&self, index: usize, _: &TablePlan, chunk: usize) -> Result<()> {
        let claim = self.claim.clone();
        let file = self.file(index, chunk)?;
        blocking(move || {
            let journal = claim.journal()?;
            // The entry first, for the same reason.
            journal.remove(&claim.tree, index, chunk)?;
            claim.tree.sync_folder(&journal.entries_folder())?;
            claim.tree.remove_file(&file).map(drop)
        })
        .await
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        let (claim, position) = (self.claim.clone(), position.clone());
        blocking(move || claim.change(|journal| journal.header.position = position)).await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let (claim, plan) = (self.claim.clone(), plan.clone());
        blocking(move || describe_load(&claim, &plan)).await?;
        done(MANIFEST);
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        let claim = self.claim.clone();
        blocking(move || {
            claim.change(|journal| {
                if !journal.stages.contains(&stage) {
                    journal.stages.push(stage);
                }
            })
        })
        .await
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        _remove: &RecordBatch,
        _add: &RecordBatch,
    ) -> Result<()> {
        Err(Error::new(Code::Unsupported, "files are mended by whole chunks, not by rows")
            .with("table", table.target.to_string()))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
}

impl FileLoad {
    /// The file of a chunk: the same for the same chunk, whoever writes it.
    fn file(&self, table: usize, chunk: usize) -> Result<String> {
        let journal = self.claim.journal()?;
        let Place { folder, prefix, .. } = journal.place(table)?;
        let extension = self.options.extension();
        Ok(join(folder, &format!("{prefix}{chunk:05}.{extension}")))
    }
}

/// Prepares the tables. The ledger's file comes first: from then on nothing is left of an older
/// load, and a crash later is mended by beginning again.
fn begin(
    claim: &Claim,
    header: &Header,
    tables: &[TablePlan],
    preparations: &[Preparation],
) -> Result<()> {
    let tree = &claim.tree;
    let manifest = Manifest::read(tree)?;
    let names: Vec<TableName> = tables.iter().map(|table| table.target.clone()).collect();
    let folders =
        assign(&names, &known_folders(manifest.as_ref(), claim.lock_journal().as_deref()));
    let mut places = Vec::with_capacity(tables.len());
    for ((plan, preparation), folder) in tables.iter().zip(preparations).zip(folders) {
        let filled = !table_files(tree, &folder)?.is_empty();
        let described = manifest.as_ref().and_then(|manifest| manifest.table(&plan.target));
        match preparation {
            Preparation::Create if filled || described.is_some() => {
                return Err(Error::new(Code::TargetNotEmpty, "the target has this table already")
                    .with("table", plan.target.to_string()));
            }
            Preparation::Keep => check_same_columns(tree, described, plan, &folder)?,
            _ => {}
        }
        let appends = filled && *preparation == Preparation::Keep;
        let prefix = if appends { run_prefix(&header.run) } else { "part-".to_string() };
        places.push(Place { structure: structure(plan), folder, prefix });
    }
    let journal = Journal::begin(tree, header, places)?;
    journal.write(tree)?;
    let journal = Arc::new(journal);
    *claim.lock_journal() = Some(journal.clone());
    journal.remove_older(tree)?;
    if let Some(manifest) = manifest {
        forget_tables(tree, manifest, tables, preparations)?;
    }
    for (Place { folder, .. }, preparation) in journal.places.iter().zip(preparations) {
        if *preparation != Preparation::Keep {
            for file in table_files(tree, folder)? {
                tree.remove_file(&file.path)?;
            }
        }
        tree.create_folder(folder)?;
        tree.remove_temporaries(folder)?;
        tree.sync_folder(folder)?;
    }
    claim.change(|journal| journal.stages.push(Stage::Prepared))
}

/// Takes out of the manifest what is about to be removed, so that it never names files that are
/// gone on purpose.
fn forget_tables(
    tree: &Tree,
    mut manifest: Manifest,
    tables: &[TablePlan],
    preparations: &[Preparation],
) -> Result<()> {
    let gone: BTreeSet<&TableName> = tables
        .iter()
        .zip(preparations)
        .filter(|(_, preparation)| **preparation != Preparation::Keep)
        .map(|(table, _)| &table.target)
        .collect();
    let before = manifest.tables.len();
    manifest.tables.retain(|table| !gone.contains(&table.structure.name));
    if manifest.tables.len() == before {
        return Ok(());
    }
    if manifest.tables.is_empty() {
        tree.remove_file(crate::manifest::NAME)?;
        return tree.sync_folder("");
    }
    manifest.write(tree)
}

/// Rows are only added to a table of the same columns and types.
fn check_same_columns(
    tree: &Tree,
    described: Option<&Described>,
    table: &TablePlan,
    folder: &str,
) -> Result<()> {
    let wanted: BTreeMap<String, LogicalType> = columns(table).into_iter().collect();
    let known: Option<BTreeMap<String, LogicalType>> = match described {
        Some(described) => Some(
            described
                .structure
                .columns
                .iter()
                .map(|c| (c.name.clone(), c.logical.clone()))
                .collect(),
        ),
        None => match table_files(tree, folder)?.iter().find(|f| !f.format.is_text()) {
            Some(file) => Some(
                TypedFile::open(tree, &file.path, file.format)?
                    .columns()
                    .iter()
                    .map(|(name, logical)| (name.to_string(), logical.clone()))
                    .collect(),
            ),
            None => None,
        },
    };
    if known.is_none_or(|known| known == wanted) {
        return Ok(());
    }
    Err(Error::new(Code::Unsupported, "the table is there with other columns or types")
        .with("table", table.target.to_string())
        .hint("Choose `existing: replace`, or give the table another name."))
}

/// Folders that tables have already: by the manifest, and by a load that has not ended.
pub(crate) fn known_folders(
    manifest: Option<&Manifest>,
    journal: Option<&Journal>,
) -> BTreeMap<TableName, String> {
    let mut known = manifest.map(Manifest::folders).unwrap_or_default();
    for place in journal.into_iter().flat_map(|journal| &journal.places) {
        known.entry(place.structure.name.clone()).or_insert_with(|| place.folder.clone());
    }
    known
}

/// Names of files that are added to older ones begin with their run.
fn run_prefix(run: &str) -> String {
    let hash = digest(run.as_bytes());
    let hex = hash.rsplit(':').next().and_then(|hex| hex.get(..8)).unwrap_or_default();
    format!("part-{hex}-")
}

fn columns(table: &TablePlan) -> Vec<(String, LogicalType)> {
    table.columns.iter().map(|column| (column.target.clone(), column.to.clone())).collect()
}

/// The structure with the names and types that are written.
pub(crate) fn structure(table: &TablePlan) -> Table {
    let mut structure = table.structure.clone();
    structure.name = table.target.clone();
    for column in &mut structure.columns {
        if let Some(planned) = table.columns.iter().find(|planned| planned.target == column.name) {
            column.logical = planned.to.clone();
        }
    }
    structure
}

fn not_begun() -> Error {
    Error::new(Code::Internal, "the target was not prepared")
}
