//! The manifest: what a folder of tables holds. Version `longshore-files/v1`, a promise: old
//! manifests must still be read.

use std::collections::BTreeMap;

use longshore_model::catalog::{Program, Table, TableName};
use longshore_model::{Code, Error, Fingerprint, Result};
use serde::{Deserialize, Serialize};

use crate::tree::Tree;

/// Its file, in the root.
pub(crate) const NAME: &str = "longshore.json";

/// The version that this build writes.
const FORMAT: &str = "longshore-files/v1";

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) format: String,
    /// The tables, by name.
    pub(crate) tables: Vec<Described>,
    /// Views and triggers, with the dialect that they are written in.
    #[serde(default, skip_serializing_if = "Programs::is_empty")]
    pub(crate) programs: Programs,
}

/// Views and triggers of one dialect.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Programs {
    pub(crate) dialect: String,
    pub(crate) items: Vec<Program>,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) folder: String,
    /// The dialect of native texts in the structure; empty when there are none.
    pub(crate) dialect: String,
    pub(crate) structure: Table,
    pub(crate) files: Vec<DescribedFile>,
}

/// One data file of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DescribedFile {
    pub(crate) name: String,
    pub(crate) bytes: u64,
    /// Rows and their proof; absent for files that longshore did not write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fingerprint: Option<Fingerprint>,
}

impl Programs {
    fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl Manifest {
    pub(crate) fn new(mut tables: Vec<Described>, programs: Programs) -> Self {
        tables.sort_by(|a, b| a.structure.name.cmp(&b.structure.name));
        Self { format: FORMAT.to_string(), tables, programs }
    }

    /// Reads the manifest of a folder; `None` when it has none.
    pub(crate) fn read(tree: &Tree) -> Result<Option<Self>> {
        let manifest: Option<Self> = tree.read_json(NAME)?;
        match manifest {
            Some(manifest) if manifest.format != FORMAT => Err(Error::new(
                Code::SourceUnreadable,
                "the folder's manifest is of an unknown version",
            )
            .with("path", tree.shown(NAME))
            .with("format", manifest.format)
            .hint(format!("This build reads {FORMAT}."))),
            manifest => Ok(manifest),
        }
    }

    pub(crate) fn write(&self, tree: &Tree) -> Result<()> {
        tree.write_json(NAME, self)
    }

    pub(crate) fn table(&self, name: &TableName) -> Option<&Described> {
        self.tables.iter().find(|table| table.structure.name == *name)
    }

    /// The folder of each table.
    pub(crate) fn folders(&self) -> BTreeMap<TableName, String> {
        self.tables.iter().map(|t| (t.structure.name.clone(), t.folder.clone())).collect()
    }
}
