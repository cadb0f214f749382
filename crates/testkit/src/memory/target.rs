//! Writing into a store, and into nothing.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Leases, Load, Mapping, Part, Preparation, SharedTarget, Target,
    WriteRequest, Writer,
};
use longshore_model::ledger::{Entry, Header, Holder, Ledger, Stage};
use longshore_model::plan::{MovePlan, Position, Statement, TablePlan};
use longshore_model::{Batch, Code, Error, Result, failpoint, row_hashes};
use serde_json::json;

use super::wire;
use super::{Counts, Segment, State, Store, Stored, defect, missing};

/// A target that keeps its rows, or counts and forgets them.
pub(crate) struct MemoryTarget {
    name: String,
    keep: bool,
}

struct MemoryLoad {
    store: Store,
    keep: bool,
}

struct MemoryWriter {
    store: Store,
    table: TableName,
    plan: TablePlan,
    chunk: usize,
    keep: bool,
    batches: Vec<RecordBatch>,
    counts: Counts,
}

impl MemoryTarget {
    pub(crate) fn new(name: String, keep: bool) -> Self {
        Self { name, keep }
    }
}

impl MemoryTarget {
    fn parts_of(&self, index: usize, table: &TablePlan, ledger: &Ledger) -> Result<Vec<Part>> {
        if !self.keep {
            return Ok(Vec::new());
        }
        let store = Store::find(&self.name).ok_or_else(|| missing(&table.target))?;
        if !store.lock().tables.contains_key(&table.target) {
            return Err(missing(&table.target));
        }
        let entries = ledger.entries.iter().filter(|entry| entry.table == index);
        let chunks = entries.map(|entry| Some(entry.chunk));
        Ok(chunks
            .chain([None])
            .map(|chunk| Part { range: Some(json!({"chunk": chunk})), chunk })
            .collect())
    }
}

#[async_trait]
impl Target for MemoryTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        let logical = column.logical.clone();
        Ok(Mapping { native: logical.to_string(), logical, guards: Vec::new() })
    }

    fn computes(&self, _: &TablePlan, _: &str) -> std::result::Result<(), String> {
        Err("a store in memory computes nothing".to_string())
    }

    fn design(&self, tables: &[TablePlan], _catalog: &Catalog) -> Result<Design> {
        let statement = |index, purpose: String| Statement {
            table: Some(index),
            step: 0,
            sql: format!("make {purpose}"),
            purpose,
        };
        let mut design = Design::default();
        for (index, table) in tables.iter().enumerate() {
            design.prepare.push(statement(index, format!("table {}", table.target)));
            for part in &table.structure.indexes {
                design.finish.push(statement(index, format!("index {}", part.name)));
            }
        }
        Ok(design)
    }

    async fn missing_rights(&self, _: &[TablePlan], _: &Catalog) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let Some(store) = Store::find(&self.name) else { return Ok(Vec::new()) };
        let state = store.lock();
        let found = tables.iter().filter_map(|name| state.tables.get(name));
        Ok(found
            .map(|stored| ExistingTable {
                name: stored.table.name.clone(),
                columns: stored.table.columns.iter().map(|column| column.name.clone()).collect(),
                has_rows: batches(stored).any(|batch| batch.num_rows() > 0),
            })
            .collect())
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        Ok(Store::find(&self.name).and_then(|store| store.ledger()))
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>> {
        tables.iter().map(|(index, table)| self.parts_of(*index, table, ledger)).collect()
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        let store = Store::named(&self.name);
        let mut state = store.lock();
        if let Some(other) = &state.holder {
            return Err(Error::new(Code::TargetBusy, "another run holds the target")
                .with("run", other.run.clone())
                .with("host", other.host.clone())
                .with("pid", other.pid.to_string())
                .with("since", other.since.clone()));
        }
        state.holder = Some(holder.clone());
        drop(state);
        Ok(Box::new(MemoryLoad { store, keep: self.keep }))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        None
    }
}

#[async_trait]
impl Load for MemoryLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        let mut state = self.store.lock();
        for (table, preparation) in plan.tables.iter().zip(preparations) {
            prepare(&mut state.tables, table, *preparation)?;
        }
        state.statements = plan.prepare.iter().map(|statement| statement.sql.clone()).collect();
        state.counts = Counts::default();
        state.version += 1;
        state.ledger = Some(Ledger {
            header: header.clone(),
            entries: Vec::new(),
            stages: vec![Stage::Prepared],
        });
        Ok(())
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        Ok(Box::new(MemoryWriter {
            store: self.store.clone(),
            table: request.table.target.clone(),
            plan: request.table.clone(),
            chunk: request.chunk_index,
            keep: self.keep,
            batches: Vec::new(),
            counts: Counts { chunks: 1, ..Counts::default() },
        }))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let mut state = self.store.lock();
        let stored = state.tables.get_mut(&table.target);
        let stored = stored.ok_or_else(|| missing(&table.target))?;
        stored.segments.retain(|segment| segment.chunk.is_none());
        ledger(&mut state)?.entries.retain(|entry| entry.table != index);
        state.version += 1;
        Ok(())
    }

    async fn reset_chunk(&self, _: usize, table: &TablePlan, _: usize) -> Result<()> {
        Err(Error::new(Code::Unsupported, "tables are copied again as a whole, not by chunks")
            .with("table", table.target.to_string()))
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        ledger(&mut self.store.lock())?.header.position = position.clone();
        Ok(())
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let already = self.store.lock().statements.len().saturating_sub(plan.prepare.len());
        for statement in plan.finish.iter().skip(already) {
            failpoint::hit("memory.before-statement")?;
            self.store.lock().statements.push(statement.sql.clone());
            done(&statement.purpose);
        }
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        let mut state = self.store.lock();
        let ledger = ledger(&mut state)?;
        if !ledger.has(stage) {
            ledger.stages.push(stage);
        }
        Ok(())
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()> {
        let mut state = self.store.lock();
        let stored = state.tables.get_mut(&table.target);
        let stored = stored.ok_or_else(|| missing(&table.target))?;
        let mut changed = stored.clone();
        for hash in row_hashes(remove, None)? {
            remove_row(&mut changed, hash)?;
        }
        changed.segments.push(Segment { chunk: None, batches: vec![add.clone()] });
        *stored = changed;
        state.version += 1;
        Ok(())
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
}

impl Drop for MemoryLoad {
    fn drop(&mut self) {
        self.store.lock().holder = None;
    }
}

#[async_trait]
impl Writer for MemoryWriter {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        self.counts.batches += 1;
        self.counts.rows += batch.rows() as u64;
        self.counts.bytes += batch.bytes() as u64;
        match batch {
            Batch::Rows(rows) if self.keep => self.batches.push(rows),
            Batch::Rows(_) => {}
            Batch::Objects(objects) => self.batches.push(objects.rows),
            Batch::Wire(wire) => self.batches.push(wire::decode(&wire, &self.plan)?),
        }
        Ok(())
    }

    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        for (planned, array) in self.plan.columns.iter().zip(batch.columns()) {
            let column = self.plan.structure.column(&planned.target);
            if array.null_count() > 0 && column.is_some_and(|column| !column.nullable) {
                return Err(Error::new(Code::RowRefused, "a column must not be NULL"));
            }
        }
        self.write(Batch::Rows(batch)).await
    }

    async fn commit(mut self: Box<Self>, mut entry: Entry) -> Result<()> {
        failpoint::hit("memory.before-commit")?;
        let mut state = self.store.lock();
        let stored = state.tables.get_mut(&self.table).ok_or_else(|| missing(&self.table))?;
        let chunk = Some(self.chunk);
        stored.segments.retain(|segment| segment.chunk != chunk);
        if self.keep {
            let batches = std::mem::take(&mut self.batches);
            stored.segments.push(Segment { chunk, batches });
        }
        entry.range = Some(json!({"chunk": self.chunk}));
        let ledger = ledger(&mut state)?;
        ledger.entries.retain(|old| (old.table, old.chunk) != (entry.table, entry.chunk));
        ledger.entries.push(entry);
        state.version += 1;
        state.counts.batches += self.counts.batches;
        state.counts.rows += self.counts.rows;
        state.counts.bytes += self.counts.bytes;
        state.counts.chunks += self.counts.chunks;
        drop(state);
        failpoint::hit("memory.after-commit")
    }
}

fn prepare(
    tables: &mut BTreeMap<TableName, Stored>,
    plan: &TablePlan,
    preparation: Preparation,
) -> Result<()> {
    let name = &plan.target;
    match (preparation, tables.get_mut(name)) {
        (Preparation::Create, None) | (Preparation::Recreate, _) => {
            let table = plan.structure.clone();
            tables.insert(name.clone(), Stored { table, segments: Vec::new() });
        }
        (Preparation::Create, Some(_)) => {
            return Err(Error::new(Code::TargetNotEmpty, "the table is there already")
                .with("table", name.to_string()));
        }
        (Preparation::Keep, Some(stored)) => {
            stored.segments.iter_mut().for_each(|segment| segment.chunk = None);
        }
        (Preparation::Empty, Some(stored)) => stored.segments.clear(),
        (Preparation::Keep | Preparation::Empty, None) => return Err(missing(name)),
    }
    Ok(())
}

fn ledger(state: &mut State) -> Result<&mut Ledger> {
    state.ledger.as_mut().ok_or_else(|| defect("the load has not begun"))
}

fn batches(stored: &Stored) -> impl Iterator<Item = &RecordBatch> {
    stored.segments.iter().flat_map(|segment| &segment.batches)
}

/// Takes out one row with this hash.
fn remove_row(stored: &mut Stored, hash: u128) -> Result<()> {
    for batch in stored.segments.iter_mut().flat_map(|segment| &mut segment.batches) {
        if let Some(row) = row_hashes(batch, None)?.iter().position(|&other| other == hash) {
            let rest = batch.slice(row + 1, batch.num_rows() - row - 1);
            let schema = batch.schema();
            *batch = arrow_select::concat::concat_batches(&schema, [&batch.slice(0, row), &rest])
                .map_err(|error| defect("a batch cannot be put together").because(error))?;
            return Ok(());
        }
    }
    Err(Error::new(Code::RowsUnattributed, "a row to remove is not in the table")
        .with("table", stored.table.name.to_string()))
}
