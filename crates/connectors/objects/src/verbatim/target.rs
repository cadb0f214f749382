//! A tree as a target.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Load, Mapping, Part, SharedTarget, Target,
};
use longshore_model::ledger::{Holder, Ledger};
use longshore_model::object::DIALECT;
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, Result};

use super::load::TreeLoad;
use super::source::Span;
use super::xattr;
use crate::blocking;
use crate::journal::Journal;
use crate::lock::Lock;
use crate::store::Store;
use crate::tree::Tree;

/// All that may be known of an object.
const COLUMNS: [&str; 9] =
    ["name", "kind", "size", "hash", "link", "mode", "modified", "owner", "attributes"];

/// A tree as a target.
#[derive(Clone)]
pub(super) struct TreeTarget {
    tree: Tree,
    keeps_attributes: bool,
}

impl TreeTarget {
    pub(super) fn in_folder(root: PathBuf) -> Result<Self> {
        if root.exists() && !root.is_dir() {
            return Err(Error::new(Code::UrlInvalid, "the target is a file, not a folder")
                .with("path", root.display().to_string()));
        }
        Ok(Self { keeps_attributes: xattr::are_kept_in(&root), tree: Tree::new(root) })
    }

    pub(super) fn in_store(store: Store) -> Self {
        Self { keeps_attributes: true, tree: Tree::in_store(Arc::new(store)) }
    }
}

impl TreeTarget {
    /// Refuses what was asked of the source and this target cannot do.
    fn must_suit(&self, tables: &[TablePlan]) -> Result<()> {
        let store = self.tree.store();
        for chunk in tables.iter().filter_map(|table| table.chunks.first()) {
            let span = Span::of(Some(&chunk.range))?;
            if span.copies.is_some() && span.copies != store.and_then(|store| store.copies()) {
                return Err(Error::new(
                    Code::Unsupported,
                    "copy=server needs a source and a target that one server has",
                )
                .with("target", self.tree.shown(""))
                .hint("Leave copy=server out of the address of the source."));
            }
            if span.tags && !store.is_some_and(|store| store.keeps_tags()) {
                return Err(Error::new(Code::Unsupported, "the target keeps no tags of objects")
                    .with("target", self.tree.shown(""))
                    .hint("Leave tags=true out of the address of the source: tags stay behind."));
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Target for TreeTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        let logical = column.logical.clone();
        Ok(Mapping { native: column.native.clone(), logical, guards: Vec::new() })
    }

    fn keeps(&self, column: &Column) -> std::result::Result<(), String> {
        match self.keeps_attributes || column.name != "attributes" {
            true => Ok(()),
            false => Err("the target's file system keeps no extended attributes".to_string()),
        }
    }

    fn computes(&self, _: &TablePlan, _: &str) -> std::result::Result<(), String> {
        Err("a file computes nothing".to_string())
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        if catalog.dialect == DIALECT {
            return self.must_suit(tables).map(|()| Design::default());
        }
        Err(Error::new(Code::Unsupported, "a tree of files takes objects, and the source has rows")
            .with("target", self.tree.shown(""))
            .hint("Ask for rows in files with ?format=parquet, csv or jsonl."))
    }

    async fn missing_rights(&self, _: &[TablePlan], _: &Catalog) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let tree = self.tree.clone();
        let has_rows = blocking(move || tree.holds_something()).await?;
        let there = |name: &TableName| ExistingTable {
            name: name.clone(),
            columns: COLUMNS.map(str::to_string).to_vec(),
            has_rows,
        };
        Ok(if has_rows { tables.iter().map(there).collect() } else { Vec::new() })
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        let tree = self.tree.clone();
        blocking(move || {
            Journal::read(&tree)?.map(|journal| journal.into_ledger(&tree)).transpose()
        })
        .await
    }

    async fn parts(&self, tables: &[(usize, &TablePlan)], _: &Ledger) -> Result<Vec<Vec<Part>>> {
        // The same names as the chunks of the source, and between them they leave out none.
        let parts = |(_, table): &(usize, &TablePlan)| {
            let part = |(chunk, one): (usize, &longshore_model::plan::Chunk)| Part {
                range: Some(one.range.clone()),
                chunk: Some(chunk),
            };
            table.chunks.iter().enumerate().map(part).collect()
        };
        Ok(tables.iter().map(parts).collect())
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        let (tree, holder) = (self.tree.clone(), holder.clone());
        let load = blocking(move || {
            let lock = Lock::take(&tree, &holder)?;
            TreeLoad::open(tree, lock)
        })
        .await?;
        Ok(Box::new(load))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        None
    }
}
