//! A tree as a target, claimed by one run.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::{Leases, Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Entry, Header, Stage};
use longshore_model::object::unescape;
use longshore_model::plan::{MovePlan, Position, TablePlan};
use longshore_model::spec::Existing;
use longshore_model::{Code, Error, Result, failpoint};
use serde::Deserialize;

use super::source::Span;
use super::upload::StoreWriter;
use super::walk::{EntryKind, Forest};
use super::write::{Order, TreeWriter, is_partial};
use crate::blocking;
use crate::journal::{FOLDER, Journal, Place};
use crate::lock::Lock;
use crate::tree::Tree;

/// A tree as a target, claimed by one run.
pub(super) struct TreeLoad(Arc<Claim>);

/// The claim itself; writers keep it alive.
pub(super) struct Claim {
    tree: Tree,
    journal: Mutex<Option<Journal>>,
    lock: Lock,
    /// The chunks of which something may be there; `None` for all.
    begun: Mutex<Option<HashSet<(usize, usize)>>>,
}

impl TreeLoad {
    /// Takes over a locked tree: what unfinished writers left is removed.
    pub(super) fn open(tree: Tree, lock: Lock) -> Result<Self> {
        let journal = Journal::read(&tree)?;
        tree.remove_temporaries(FOLDER)?;
        if let Some(journal) = &journal {
            tree.remove_temporaries(&journal.entries_folder())?;
            if tree.store().is_none() {
                remove_temporaries(&Forest::new(tree.root().to_path_buf()))?;
            }
        }
        Ok(Self(Arc::new(Claim {
            tree,
            journal: Mutex::new(journal),
            lock,
            begun: Mutex::new(None),
        })))
    }
}

/// Removes the files that never became whole.
fn remove_temporaries(forest: &Forest) -> Result<()> {
    let mut walk = forest.walk(None, None)?;
    while let Some(found) = walk.next()? {
        let name = found.path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        if found.kind == EntryKind::File && is_partial(name) {
            let path = forest.path(&found.path);
            fs::remove_file(&path)
                .map_err(|error| Error::io("remove a file", path.display(), error))?;
        }
    }
    Ok(())
}

impl Claim {
    fn lock_journal(&self) -> MutexGuard<'_, Option<Journal>> {
        // A journal is replaced as a whole, so that one left by a panic is still whole.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn journal(&self) -> Result<Journal> {
        let journal = self.lock_journal().clone();
        journal.ok_or_else(|| Error::new(Code::Internal, "the load has not begun"))
    }

    /// Takes note that a chunk is written; whether something of it may be there already.
    fn begins(&self, table: usize, chunk: usize) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.as_mut().is_none_or(|begun| !begun.insert((table, chunk)))
    }

    /// Whether the modes of folders are set already: no finish follows.
    pub(super) fn is_finished(&self) -> Result<bool> {
        Ok(self.journal()?.finished())
    }

    /// Changes the journal, in the file first.
    fn change(&self, change: impl FnOnce(&mut Journal)) -> Result<()> {
        let mut changed = self.journal()?;
        change(&mut changed);
        self.lock.check()?;
        changed.write(&self.tree)?;
        *self.lock_journal() = Some(changed);
        Ok(())
    }

    pub(super) fn root(&self) -> &Path {
        self.tree.root()
    }

    pub(super) fn forest(&self) -> Forest {
        Forest::new(self.tree.root().to_path_buf())
    }

    /// Where an object is. A name that leads out of the tree is refused.
    pub(super) fn path(&self, name: &str) -> Result<PathBuf> {
        let bytes = unescape(name).filter(|path| {
            path.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
        });
        let bytes = bytes.ok_or_else(|| {
            Error::new(Code::SourceUnreadable, "a name leads out of its tree").with("name", name)
        })?;
        Ok(self.root().join(OsString::from_vec(bytes)))
    }

    /// Waits until everything that was written to the file system is on its disk.
    pub(super) fn sync(&self) -> Result<()> {
        if self.tree.store().is_some() {
            return Ok(());
        }
        let failed = |error| Error::io("sync the target", self.root().display(), error);
        let root = File::open(self.root()).map_err(failed)?;
        rustix::fs::syncfs(&root).map_err(|error| failed(error.into()))
    }

    /// Fails when the claim may be somebody else's by now.
    pub(super) fn check(&self) -> Result<()> {
        self.lock.check()
    }

    pub(super) fn put_entry(&self, entry: &Entry) -> Result<()> {
        self.lock.check()?;
        self.journal()?.put(&self.tree, entry)
    }

    /// Sets the modes of folders that did not allow to fill them, the deepest first. What a later
    /// entry says of a folder that is named twice holds.
    pub(super) fn set_modes(&self, modes: Vec<(String, u32)>) -> Result<()> {
        let modes: BTreeMap<String, u32> = modes.into_iter().collect();
        for (name, mode) in modes.into_iter().rev() {
            let path = self.path(&name)?;
            fs::set_permissions(&path, Permissions::from_mode(mode))
                .map_err(|error| Error::io("set the mode of a folder", path.display(), error))?;
        }
        Ok(())
    }

    pub(super) fn remove_entry(&self, table: usize, chunk: usize) -> Result<()> {
        self.journal()?.remove(&self.tree, table, chunk).map(drop)
    }
}

#[async_trait]
impl Load for TreeLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        let (claim, header) = (self.0.clone(), header.clone());
        let (plan, preparations) = (plan.clone(), preparations.to_vec());
        blocking(move || begin(&claim, &header, &plan, &preparations)).await
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        let (table, chunk) = (request.table_index, request.chunk_index);
        let planned = request.table.chunks.get(chunk);
        let journal = self.0.journal()?;
        let order = Order {
            claim: self.0.clone(),
            chunk,
            table,
            span: Span::of(planned.map(|chunk| &chunk.range))?,
            planned: planned.map_or(0, |chunk| chunk.rows),
            existing: journal.existing,
            columns: request.table.columns.iter().map(|column| column.source.clone()).collect(),
            replaces: self.0.begins(table, chunk),
            record: journal.upload_record(table, chunk),
        };
        Ok(match self.0.tree.store() {
            Some(store) => {
                Box::new(StoreWriter::start(store.clone(), order, request.memory).await?)
            }
            None => Box::new(TreeWriter::start(order)),
        })
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let (claim, chunks) = (self.0.clone(), table.chunks.len());
        blocking(move || {
            for chunk in 0..chunks {
                claim.remove_entry(index, chunk)?;
            }
            claim.sync()?;
            match merges(claim.journal()?.existing) {
                true => Ok(()),
                false => claim.tree.empty(),
            }
        })
        .await
    }

    async fn reset_chunk(&self, index: usize, _: &TablePlan, chunk: usize) -> Result<()> {
        let claim = self.0.clone();
        blocking(move || {
            claim.remove_entry(index, chunk)?;
            claim.sync()
        })
        .await
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        let (claim, position) = (self.0.clone(), position.clone());
        blocking(move || claim.change(|journal| journal.header.position = position)).await
    }

    async fn finish(
        &self,
        _: &MovePlan,
        _: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let claim = self.0.clone();
        blocking(move || set_modes(&claim)).await?;
        failpoint::hit("trees.modes-set")?;
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        let claim = self.0.clone();
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
        _: &RecordBatch,
        _: &RecordBatch,
    ) -> Result<()> {
        Err(Error::new(Code::Unsupported, "files are mended by whole chunks, not by rows")
            .with("table", table.target.to_string()))
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
}

fn begin(
    claim: &Claim,
    header: &Header,
    plan: &MovePlan,
    preparations: &[Preparation],
) -> Result<()> {
    let tree = &claim.tree;
    let merges = merges(plan.existing);
    let keeps = !merges && preparations.contains(&Preparation::Keep);
    if keeps && tree.holds_something()? {
        return Err(Error::new(Code::TargetNotEmpty, "the tree holds objects already")
            .with("target", tree.shown("")));
    }
    let place = |table: &TablePlan| Place {
        structure: table.structure.clone(),
        folder: String::new(),
        prefix: String::new(),
    };
    let places = plan.tables.iter().map(place).collect();
    let mut journal = Journal::begin(tree, header, places)?;
    journal.existing = plan.existing;
    journal.write(tree)?;
    *claim.lock_journal() = Some(journal.clone());
    journal.remove_older(tree)?;
    match plan.existing {
        Existing::Mirror if tree.store().is_none() => remove_temporaries(&claim.forest())?,
        _ if keeps || merges => {}
        _ => tree.empty()?,
    }
    *claim.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashSet::new());
    claim.change(|journal| journal.stages.push(Stage::Prepared))
}

/// Whether what a tree holds already is gone through by name.
pub(super) fn merges(existing: Existing) -> bool {
    matches!(existing, Existing::Mirror | Existing::Append)
}

#[derive(Deserialize)]
struct Modes {
    modes: Vec<(String, u32)>,
}

/// Sets the modes of folders that are filled now.
fn set_modes(claim: &Claim) -> Result<()> {
    let entries = claim.journal()?.entries(&claim.tree)?;
    let told = entries.into_iter().filter_map(|entry| entry.range);
    let modes = told.filter_map(|range| serde_json::from_value::<Modes>(range).ok());
    claim.set_modes(modes.flat_map(|one| one.modes).collect())?;
    claim.sync()
}
