//! A connector that keeps its tables in the memory of this process: the contract at its plainest,
//! for tests of the engine and for a check of the conformance suite itself.
//!
//! `memory:NAME` is a store of this process. It is never in the list of connectors of a build.

mod read;
mod target;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::{Table, TableName};
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::ledger::{Holder, Ledger};
use longshore_model::names::Names;
use longshore_model::{Code, Endpoint, Error, Result};

pub use wire::WIRE;

pub(crate) use read::MemorySource;
pub(crate) use target::MemoryTarget;

/// The connector for `memory:NAME`.
pub struct Memory;

/// The store of a name. Handles of the same name are the same store.
#[derive(Clone)]
pub struct Store {
    name: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    tables: BTreeMap<TableName, Stored>,
    ledger: Option<Ledger>,
    statements: Vec<String>,
    holder: Option<Holder>,
    version: u64,
    counts: Counts,
}

#[derive(Clone)]
struct Stored {
    table: Table,
    segments: Vec<Segment>,
}

/// Rows of one chunk, or rows that no run wrote.
#[derive(Clone)]
struct Segment {
    chunk: Option<usize>,
    batches: Vec<RecordBatch>,
}

/// What reached a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Batches accepted.
    pub batches: u64,
    /// Rows accepted.
    pub rows: u64,
    /// Bytes accepted, as [`longshore_model::Batch::bytes`] counts them.
    pub bytes: u64,
    /// Chunks committed.
    pub chunks: u64,
}

static STORES: Mutex<BTreeMap<String, Store>> = Mutex::new(BTreeMap::new());

static ABOUT: About = About {
    name: "memory",
    title: "Memory of this process",
    chosen_by: None,
    local: false,
    port: None,
    schemes: &["memory"],
    example: "memory:name",
    options: &[],
    variables: &[],
    source: SourceCapabilities {
        filter: true,
        open_ended: true,
        dialect: "memory",
        restart: "The store ends with the process.",
    },
    target: TargetCapabilities {
        writers: None,
        repair: Repair::Rows,
        dialect: "memory",
        wires: &[WIRE],
        namespaces: true,
        merges: false,
        shared: false,
        names: Names::EXACT,
    },
};

impl Store {
    /// The store of a name; made when it is not there.
    pub fn named(name: &str) -> Self {
        let mut stores = STORES.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Self { name: name.to_string(), state: Arc::default() };
        stores.entry(name.to_string()).or_insert_with(new).clone()
    }

    /// The store of a name, if it is there.
    pub fn find(name: &str) -> Option<Self> {
        STORES.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Its address under a scheme.
    pub fn address(&self, scheme: &str) -> String {
        format!("{scheme}:{}", self.name)
    }

    /// Puts a table in, in place of one of the same name.
    pub fn put(&self, table: Table, batches: Vec<RecordBatch>) {
        let mut state = self.lock();
        let segments = vec![Segment { chunk: None, batches }];
        state.tables.insert(table.name.clone(), Stored { table, segments });
        state.version += 1;
    }

    /// Adds rows that no run wrote. Whether the table was there.
    pub fn append(&self, name: &TableName, batch: RecordBatch) -> bool {
        let mut state = self.lock();
        state.version += 1;
        let Some(stored) = state.tables.get_mut(name) else { return false };
        stored.segments.push(Segment { chunk: None, batches: vec![batch] });
        true
    }

    /// The tables.
    pub fn tables(&self) -> Vec<Table> {
        self.lock().tables.values().map(|stored| stored.table.clone()).collect()
    }

    /// The rows of a table.
    pub fn rows(&self, name: &TableName) -> Vec<RecordBatch> {
        let state = self.lock();
        let segments = state.tables.get(name).map(|stored| stored.segments.as_slice());
        segments.unwrap_or_default().iter().flat_map(|s| s.batches.iter().cloned()).collect()
    }

    /// Moves the position on, as a write by somebody else would.
    pub fn touch(&self) {
        self.lock().version += 1;
    }

    /// What reached it as a target.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// The statements that ran in it, in order.
    pub fn statements(&self) -> Vec<String> {
        self.lock().statements.clone()
    }

    /// The ledger.
    pub fn ledger(&self) -> Option<Ledger> {
        self.lock().ledger.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Connector for Memory {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        endpoint.allow_options(&[])?;
        let name = endpoint.path()?;
        let store = Store::find(&name).ok_or_else(|| {
            Error::new(Code::NotFound, "there is no such store").with("name", name)
        })?;
        Ok(Box::new(MemorySource::new(store)))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        endpoint.allow_options(&[])?;
        Ok(Box::new(MemoryTarget::new(endpoint.path()?, true)))
    }
}

fn missing(name: &TableName) -> Error {
    Error::new(Code::NotFound, "there is no such table").with("table", name.to_string())
}

fn defect(what: &str) -> Error {
    Error::new(Code::Internal, what)
}
