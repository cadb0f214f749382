//! A folder as a target.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_model::catalog::{Catalog, Column, NotMoved, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Load, Mapping, Part, SharedTarget, Target,
};
use longshore_model::ledger::{Holder, Ledger};
use longshore_model::plan::{Statement, TablePlan};
use longshore_model::{Code, Error, LogicalType, Result};

use crate::folders::assign;
use crate::journal::Journal;
use crate::listing::{DataFile, table_files};
use crate::load::{FileLoad, known_folders};
use crate::lock::Lock;
use crate::manifest::{Manifest, Programs};
use crate::options::{CsvStyle, Format, WriteOptions};
use crate::range::FileRange;
use crate::store::Store;
use crate::tree::Tree;
use crate::typed::TypedFile;
use crate::{blocking, csv, jsonl};

/// The purpose of the statement that carries views and triggers to [`Load::finish`].
pub(crate) const MANIFEST: &str = "manifest";

/// A folder as a target.
#[derive(Debug, Clone)]
pub(crate) struct FileTarget {
    tree: Tree,
    options: WriteOptions,
}

impl FileTarget {
    pub(crate) fn open(root: PathBuf, options: WriteOptions) -> Result<Self> {
        if root.exists() && !root.is_dir() {
            return Err(Error::new(Code::UrlInvalid, "the target is a file, not a folder")
                .with("path", root.display().to_string()));
        }
        Ok(Self { tree: Tree::new(root), options })
    }

    pub(crate) fn in_store(store: Store, options: WriteOptions) -> Self {
        Self { tree: Tree::in_store(Arc::new(store)), options }
    }

    fn existing_table(
        &self,
        manifest: Option<&Manifest>,
        journal: Option<&Journal>,
        name: &TableName,
        folder: &str,
    ) -> Result<Option<ExistingTable>> {
        let files = table_files(&self.tree, folder)?;
        let described = manifest.and_then(|manifest| manifest.table(name)).map(|t| &t.structure);
        let prepared = journal.filter(|journal| journal.prepared());
        let prepared = prepared.into_iter().flat_map(|journal| &journal.places);
        let structure =
            described.or_else(|| prepared.map(|p| &p.structure).find(|table| table.name == *name));
        if files.is_empty() && structure.is_none() {
            return Ok(None);
        }
        let columns = match (structure, files.first()) {
            (Some(structure), _) => {
                structure.columns.iter().map(|column| column.name.clone()).collect()
            }
            (None, Some(file)) => {
                unless_damaged(self.column_names(file, &files))?.unwrap_or_default()
            }
            (None, None) => Vec::new(),
        };
        let mut has_rows = false;
        for file in &files {
            // What cannot be read is not nothing: it must not be written over unasked.
            has_rows = has_rows || unless_damaged(self.has_rows(file))?.unwrap_or(true);
        }
        Ok(Some(ExistingTable { name: name.clone(), columns, has_rows }))
    }

    fn column_names(&self, file: &DataFile, files: &[DataFile]) -> Result<Vec<String>> {
        match file.format {
            Format::Parquet | Format::Arrow => {
                let open = TypedFile::open(&self.tree, &file.path, file.format)?;
                Ok(open.columns().iter().map(|(name, _)| name.to_string()).collect())
            }
            Format::Csv => csv::names(&self.tree, &file.path, &CsvStyle::default()),
            Format::Jsonl => {
                let found = jsonl::infer(&self.tree, files)?;
                Ok(found.columns.into_iter().map(|(name, _)| name).collect())
            }
        }
    }

    fn has_rows(&self, file: &DataFile) -> Result<bool> {
        match file.format {
            Format::Parquet | Format::Arrow => {
                Ok(TypedFile::open(&self.tree, &file.path, file.format)?.rows()? > 0)
            }
            Format::Csv => csv::has_rows(&self.tree, &file.path, &CsvStyle::default()),
            Format::Jsonl => jsonl::has_rows(&self.tree, &file.path),
        }
    }
}

/// The files of a table, with the chunk that each holds.
fn table_parts(tree: &Tree, folder: &str, chunks: &BTreeMap<String, usize>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for file in table_files(tree, folder)? {
        let chunk = chunks.get(&file.path).copied();
        // No row of it can be read: all count as missing, and a repair writes it anew.
        let lost = chunk.is_some()
            && !file.format.is_text()
            && unless_damaged(TypedFile::open(tree, &file.path, file.format))?.is_none();
        if !lost {
            parts.push(Part { range: Some(FileRange::whole(file.path).to_json()), chunk });
        }
    }
    Ok(parts)
}

#[async_trait]
impl Target for FileTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        let native = match self.options.format {
            Format::Parquet | Format::Arrow => column.logical.arrow().to_string(),
            Format::Csv => "text".to_string(),
            Format::Jsonl => match &column.logical {
                LogicalType::Boolean => "boolean".to_string(),
                LogicalType::Int { .. } | LogicalType::Float { .. } => "number".to_string(),
                _ => "string".to_string(),
            },
        };
        Ok(Mapping { native, logical: column.logical.clone(), guards: Vec::new() })
    }

    fn computes(&self, _: &TablePlan, _: &str) -> std::result::Result<(), String> {
        Err("a file computes nothing".to_string())
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        if let Some(table) = tables.iter().find(|table| table.columns.is_empty()) {
            return Err(Error::new(Code::Unsupported, "a table without columns has no file form")
                .with("table", table.source.to_string()));
        }
        let (items, not_moved) = programs(tables, catalog);
        let programs = Programs { dialect: catalog.dialect.clone(), items };
        let sql = serde_json::to_string(&programs)
            .map_err(|e| Error::new(Code::Internal, "programs cannot be written").because(e))?;
        let finish = vec![Statement { table: None, step: 0, purpose: MANIFEST.to_string(), sql }];
        Ok(Design { finish, not_moved, ..Design::default() })
    }

    async fn missing_rights(&self, _: &[TablePlan], _: &Catalog) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let (target, tables) = (self.clone(), tables.to_vec());
        blocking(move || {
            let manifest = Manifest::read(&target.tree)?;
            let journal = Journal::read(&target.tree)?;
            let known = known_folders(manifest.as_ref(), journal.as_ref());
            let folders = assign(&tables, &known);
            let mut found = Vec::new();
            for (name, folder) in tables.iter().zip(&folders) {
                found.extend(target.existing_table(
                    manifest.as_ref(),
                    journal.as_ref(),
                    name,
                    folder,
                )?);
            }
            Ok(found)
        })
        .await
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        let tree = self.tree.clone();
        blocking(move || {
            Journal::read(&tree)?.map(|journal| journal.into_ledger(&tree)).transpose()
        })
        .await
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>> {
        let mut chunks: BTreeMap<usize, BTreeMap<String, usize>> = BTreeMap::new();
        for entry in &ledger.entries {
            if let Some(Ok(range)) = entry.range.as_ref().map(FileRange::parse) {
                chunks.entry(entry.table).or_default().insert(range.file, entry.chunk);
            }
        }
        let asked: Vec<(TableName, BTreeMap<String, usize>)> = tables
            .iter()
            .map(|(index, table)| (table.target.clone(), chunks.remove(index).unwrap_or_default()))
            .collect();
        let tree = self.tree.clone();
        blocking(move || {
            let manifest = Manifest::read(&tree)?;
            let journal = Journal::read(&tree)?;
            let known = known_folders(manifest.as_ref(), journal.as_ref());
            let names: Vec<TableName> = asked.iter().map(|(name, _)| name.clone()).collect();
            let folders = assign(&names, &known);
            asked
                .iter()
                .zip(folders)
                .map(|((_, chunks), folder)| table_parts(&tree, &folder, chunks))
                .collect()
        })
        .await
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        let (target, holder) = (self.clone(), holder.clone());
        let load = blocking(move || {
            let lock = Lock::take(&target.tree, &holder)?;
            FileLoad::open(target.tree, target.options, lock)
        })
        .await?;
        Ok(Box::new(load))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        None
    }
}

/// `None` for what is found in a damaged file.
fn unless_damaged<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Err(error) if error.code() == Code::SourceUnreadable => Ok(None),
        found => found.map(Some),
    }
}

/// The views and triggers that still mean the same in the target, and those that do not because
/// they name something that stays behind.
fn programs(
    tables: &[TablePlan],
    catalog: &Catalog,
) -> (Vec<longshore_model::catalog::Program>, Vec<NotMoved>) {
    let moved: BTreeSet<&TableName> =
        tables.iter().filter(|table| table.source == table.target).map(|t| &t.source).collect();
    let mut absent: BTreeSet<String> = catalog
        .tables
        .iter()
        .filter(|table| !moved.contains(&table.name))
        .map(|table| table.name.name.to_lowercase())
        .collect();
    let (mut kept, mut left) = (Vec::new(), Vec::new());
    for program in &catalog.programs {
        let text = program.native.to_lowercase();
        let names_absent = absent.iter().find(|name| text.contains(name.as_str()));
        match names_absent {
            None => kept.push(program.clone()),
            Some(name) => {
                left.push(NotMoved {
                    kind: program.kind.clone(),
                    name: program.name.clone(),
                    reason: format!("it names {name}, which is not moved under that name"),
                });
                absent.insert(program.name.to_lowercase());
            }
        }
    }
    (kept, left)
}
