//! The ledger in a target folder: `.longshore/ledger.json` holds the header and the stages,
//! `.longshore/entries-N/` one small file for each chunk that is in.
//!
//! In a store, `.longshore/uploads-N/` tells what is there of large objects that are not whole. N is new
//! for every load that begins, so that replacing `ledger.json` is the one moment at which
//! an older ledger ends.

use longshore_model::catalog::Table;
use longshore_model::ledger::{Entry, Header, Ledger, Stage};
use longshore_model::spec::Existing;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::record::give_up_recorded;
use crate::tree::{Tree, join};

/// The folder of longshore's own files.
pub(crate) const FOLDER: &str = ".longshore";

const FILE: &str = ".longshore/ledger.json";
const FORMAT: &str = "longshore-ledger/v1";

/// What `ledger.json` holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Journal {
    format: String,
    generation: u64,
    pub(crate) header: Header,
    pub(crate) stages: Vec<Stage>,
    /// The tables of the plan.
    pub(crate) places: Vec<Place>,
    /// What is done with objects that a tree held before.
    #[serde(default)]
    pub(crate) existing: Existing,
}

/// Where a table of the plan is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) structure: Table,
    pub(crate) folder: String,
    /// What the names of this load's files begin with.
    pub(crate) prefix: String,
}

impl Journal {
    /// The journal of a load that begins, not written yet.
    pub(crate) fn begin(tree: &Tree, header: &Header, places: Vec<Place>) -> Result<Self> {
        let last = tree
            .list(FOLDER)?
            .unwrap_or_default()
            .iter()
            .filter_map(|item| generation_of(&item.name))
            .chain(Self::read(tree)?.map(|journal| journal.generation))
            .max();
        Ok(Self {
            format: FORMAT.to_string(),
            generation: last.map_or(0, |last| last + 1),
            header: header.clone(),
            stages: Vec::new(),
            places,
            existing: Existing::default(),
        })
    }

    pub(crate) fn read(tree: &Tree) -> Result<Option<Self>> {
        let journal: Option<Self> = tree.read_json(FILE)?;
        match journal {
            Some(journal) if journal.format != FORMAT => Err(Error::new(
                Code::SourceUnreadable,
                "the target's ledger is of an unknown version",
            )
            .with("path", tree.shown(FILE))
            .with("format", journal.format)
            .hint(format!("This build reads {FORMAT}."))),
            journal => Ok(journal),
        }
    }

    /// Writes it; from here on it is the ledger.
    pub(crate) fn write(&self, tree: &Tree) -> Result<()> {
        tree.create_folder(&self.entries_folder())?;
        tree.write_json(FILE, self)
    }

    /// Removes the entries of older loads, and gives up what they began to upload.
    pub(crate) fn remove_older(&self, tree: &Tree) -> Result<()> {
        if let Some(store) = tree.store() {
            for record in self.older_uploads(tree)? {
                store.handle().block_on(give_up_recorded(store, &record))?;
            }
        }
        for item in tree.list(FOLDER)?.unwrap_or_default() {
            if generation_of(&item.name).is_some_and(|number| number != self.generation) {
                tree.remove_folder(&join(FOLDER, &item.name))?;
            }
        }
        Ok(())
    }

    pub(crate) fn entries(&self, tree: &Tree) -> Result<Vec<Entry>> {
        let folder = self.entries_folder();
        let mut entries = Vec::new();
        for item in tree.list(&folder)?.unwrap_or_default() {
            if item.name.ends_with(".json") && !item.name.starts_with('.') {
                entries.extend(tree.read_json::<Entry>(&join(&folder, &item.name))?);
            }
        }
        entries.sort_by_key(|entry| (entry.table, entry.chunk));
        Ok(entries)
    }

    pub(crate) fn put(&self, tree: &Tree, entry: &Entry) -> Result<()> {
        tree.write_json(&self.entry_name(entry.table, entry.chunk), entry)
    }

    /// Removes an entry; whether it was there.
    pub(crate) fn remove(&self, tree: &Tree, table: usize, chunk: usize) -> Result<bool> {
        tree.remove_file(&self.entry_name(table, chunk))
    }

    pub(crate) fn entries_folder(&self) -> String {
        format!("{FOLDER}/entries-{}", self.generation)
    }

    /// The records of uploads that older loads began.
    fn older_uploads(&self, tree: &Tree) -> Result<Vec<String>> {
        let mut records = Vec::new();
        for item in tree.list(FOLDER)?.unwrap_or_default() {
            let folder = join(FOLDER, &item.name);
            if item.name.starts_with("uploads-") && folder != self.uploads_folder() {
                let items = tree.list(&folder)?.unwrap_or_default();
                records.extend(items.iter().map(|item| join(&folder, &item.name)));
            }
        }
        Ok(records)
    }

    /// Where the uploads of a chunk are written down as long as they are under way.
    pub(crate) fn upload_record(&self, table: usize, chunk: usize) -> String {
        format!("{}/{table}-{chunk}.json", self.uploads_folder())
    }

    fn uploads_folder(&self) -> String {
        format!("{FOLDER}/uploads-{}", self.generation)
    }

    /// Where a table of the plan is.
    pub(crate) fn place(&self, index: usize) -> Result<&Place> {
        self.places
            .get(index)
            .ok_or_else(|| Error::new(Code::Internal, "a table is not one of the load's"))
    }

    pub(crate) fn prepared(&self) -> bool {
        self.stages.contains(&Stage::Prepared)
    }

    pub(crate) fn finished(&self) -> bool {
        self.stages.contains(&Stage::Finished)
    }

    pub(crate) fn into_ledger(self, tree: &Tree) -> Result<Ledger> {
        let entries = self.entries(tree)?;
        Ok(Ledger { header: self.header, entries, stages: self.stages })
    }

    fn entry_name(&self, table: usize, chunk: usize) -> String {
        format!("{}/{table}-{chunk}.json", self.entries_folder())
    }
}

fn generation_of(name: &str) -> Option<u64> {
    name.strip_prefix("entries-")?.parse().ok()
}
