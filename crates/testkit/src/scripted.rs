//! `scripted:NAME` is the store `memory:NAME`, read and written through a script that fails, waits
//! or interferes at the steps a test names: for retry, restart, cancelling and changed sources.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    About, Connector, Design, ExistingTable, Leases, Load, Mapping, Part, Preparation, ReadRequest,
    Reader, Repair, SharedSource, SharedTarget, Snapshot, Source, SourceCapabilities, Study,
    StudyRequest, Target, TargetCapabilities, WriteRequest, Writer,
};
use longshore_model::ledger::{Entry, Header, Holder, Ledger, Stage};
use longshore_model::names::Names;
use longshore_model::plan::{MovePlan, Position, TablePlan};
use longshore_model::{Batch, Code, Endpoint, Error, Result};

use crate::memory::{MemorySource, MemoryTarget, Store};

/// The connector for `scripted:NAME`.
pub struct Scripted;

/// A step at which a script can act. It acts before the step, but for those that say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The source's catalog is read.
    Catalog,
    /// A table is studied.
    Study,
    /// A snapshot is taken.
    Snapshot,
    /// A reader is opened.
    Read,
    /// A reader is asked for a batch.
    Next,
    /// The source's position is asked for again.
    CurrentPosition,
    /// The target is claimed.
    Claim,
    /// The tables are prepared.
    Begin,
    /// A writer is opened.
    Writer,
    /// A batch is written.
    Write,
    /// A chunk is committed: an error means that it is not in.
    Commit,
    /// A chunk was committed: an error means that it is in and the answer was lost.
    Committed,
    /// A table is emptied.
    ResetTable,
    /// The target is finished.
    Finish,
    /// The target was finished: an error means that the answer was lost.
    Done,
    /// Rows are replaced.
    ReplaceRows,
}

/// The script of one name. Handles of the same name are the same script; a new one does nothing.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    pauses: BTreeMap<Step, Duration>,
    failures: BTreeMap<Step, Failures>,
    hook: Option<Arc<Hook>>,
    passed: BTreeMap<Step, u64>,
}

struct Failures {
    /// How often the step succeeds first.
    after: u64,
    times: u64,
    error: fn() -> Error,
}

type Hook = dyn Fn(Step, u64) -> Result<()> + Send + Sync;

static SCRIPTS: Mutex<BTreeMap<String, Script>> = Mutex::new(BTreeMap::new());

static ABOUT: About = About {
    name: "scripted",
    title: "A store that fails as it is told",
    chosen_by: None,
    local: false,
    port: None,
    schemes: &["scripted"],
    example: "scripted:name",
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
        wires: &[crate::memory::WIRE],
        namespaces: true,
        merges: false,
        shared: false,
        names: Names::EXACT,
    },
};

impl Script {
    /// The script of a name.
    pub fn named(name: &str) -> Self {
        let mut scripts = SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner);
        scripts.entry(name.to_string()).or_default().clone()
    }

    /// The step fails the next `times` times, with an error that may pass.
    pub fn fail(&self, step: Step, times: u64) -> &Self {
        self.fail_after(step, 0, times)
    }

    /// The step succeeds `after` times, then fails `times` times with an error that may pass.
    pub fn fail_after(&self, step: Step, after: u64, times: u64) -> &Self {
        let error = || Error::new(Code::Io, "the script says so").temporary();
        self.edit(|state| state.failures.insert(step, Failures { after, times, error }));
        self
    }

    /// The step succeeds `after` times, then fails for good.
    pub fn break_after(&self, step: Step, after: u64) -> &Self {
        let error = || Error::new(Code::Io, "the script says so, for good");
        self.edit(|state| state.failures.insert(step, Failures { after, times: u64::MAX, error }));
        self
    }

    /// The step takes at least this long.
    pub fn slow(&self, step: Step, pause: Duration) -> &Self {
        self.edit(|state| state.pauses.insert(step, pause));
        self
    }

    /// Calls `hook` at every step, with how often the step was passed before: to write into the
    /// source, to move its position, to cancel.
    pub fn on(&self, hook: impl Fn(Step, u64) -> Result<()> + Send + Sync + 'static) -> &Self {
        self.edit(|state| state.hook = Some(Arc::new(hook)));
        self
    }

    /// How often a step was reached, failures included.
    pub fn reached(&self, step: Step) -> u64 {
        self.edit(|state| state.passed.get(&step).copied().unwrap_or(0))
    }

    /// Forgets every instruction.
    pub fn clear(&self) {
        self.edit(|state| *state = State::default());
    }

    async fn pass(&self, step: Step) -> Result<()> {
        let (pause, hook, count) = self.edit(|state| {
            let count = state.passed.entry(step).or_insert(0);
            *count += 1;
            (state.pauses.get(&step).copied(), state.hook.clone(), *count - 1)
        });
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        if let Some(hook) = hook {
            hook(step, count)?;
        }
        self.edit(|state| match state.failures.get_mut(&step) {
            Some(failures) if failures.after > 0 => {
                failures.after -= 1;
                Ok(())
            }
            Some(failures) if failures.times > 0 => {
                failures.times -= 1;
                Err((failures.error)().with("step", format!("{step:?}")))
            }
            _ => Ok(()),
        })
    }

    fn edit<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Something of the store, behind the script.
struct Behind<T: ?Sized> {
    script: Script,
    inner: Box<T>,
}

impl<T: ?Sized> Behind<T> {
    fn boxed(script: &Script, inner: Box<T>) -> Box<Self> {
        Box::new(Self { script: script.clone(), inner })
    }
}

#[async_trait]
impl Connector for Scripted {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        let name = endpoint.path()?;
        let store = Store::find(&name).ok_or_else(|| {
            Error::new(Code::NotFound, "there is no such store").with("name", name.clone())
        })?;
        let source: Box<dyn Source> = Box::new(MemorySource::new(store));
        Ok(Behind::boxed(&Script::named(&name), source))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        let name = endpoint.path()?;
        let script = Script::named(&name);
        let target: Box<dyn Target> = Box::new(MemoryTarget::new(name, true));
        Ok(Behind::boxed(&script, target))
    }
}

#[async_trait]
impl Source for Behind<dyn Source> {
    async fn catalog(&self) -> Result<Catalog> {
        self.script.pass(Step::Catalog).await?;
        self.inner.catalog().await
    }

    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study> {
        self.script.pass(Step::Study).await?;
        self.inner.study(request).await
    }

    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>> {
        self.script.pass(Step::Snapshot).await?;
        Ok(Behind::boxed(&self.script, self.inner.snapshot(readers).await?))
    }

    fn shared(&self) -> Option<&dyn SharedSource> {
        self.inner.shared()
    }
}

#[async_trait]
impl Snapshot for Behind<dyn Snapshot> {
    fn position(&self) -> &Position {
        self.inner.position()
    }

    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>> {
        self.script.pass(Step::Read).await?;
        Ok(Behind::boxed(&self.script, self.inner.read(request).await?))
    }

    async fn current_position(&self) -> Result<Position> {
        self.script.pass(Step::CurrentPosition).await?;
        self.inner.current_position().await
    }

    fn invitation(&self) -> Option<String> {
        self.inner.invitation()
    }
}

#[async_trait]
impl Reader for Behind<dyn Reader> {
    async fn next(&mut self) -> Result<Option<Batch>> {
        self.script.pass(Step::Next).await?;
        self.inner.next().await
    }
}

#[async_trait]
impl Target for Behind<dyn Target> {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        self.inner.map_column(column)
    }

    fn computes(&self, table: &TablePlan, column: &str) -> std::result::Result<(), String> {
        self.inner.computes(table, column)
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        self.inner.design(tables, catalog)
    }

    async fn missing_rights(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Vec<String>> {
        self.inner.missing_rights(tables, catalog).await
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        self.inner.existing(tables).await
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        self.inner.ledger().await
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>> {
        self.inner.parts(tables, ledger).await
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        self.script.pass(Step::Claim).await?;
        Ok(Behind::boxed(&self.script, self.inner.claim(holder).await?))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        self.inner.shared()
    }
}

#[async_trait]
impl Load for Behind<dyn Load> {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        self.script.pass(Step::Begin).await?;
        self.inner.begin(header, plan, preparations).await
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        self.script.pass(Step::Writer).await?;
        Ok(Behind::boxed(&self.script, self.inner.writer(request).await?))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        self.script.pass(Step::ResetTable).await?;
        self.inner.reset_table(index, table).await
    }

    async fn reset_chunk(&self, index: usize, table: &TablePlan, chunk: usize) -> Result<()> {
        self.inner.reset_chunk(index, table, chunk).await
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        self.inner.set_position(position).await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        self.script.pass(Step::Finish).await?;
        self.inner.finish(plan, done).await?;
        self.script.pass(Step::Done).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        self.inner.mark(stage).await
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()> {
        self.script.pass(Step::ReplaceRows).await?;
        self.inner.replace_rows(table, remove, add).await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.inner.leases()
    }
}

#[async_trait]
impl Writer for Behind<dyn Writer> {
    async fn write(&mut self, batch: Batch) -> Result<()> {
        self.script.pass(Step::Write).await?;
        self.inner.write(batch).await
    }

    async fn offer(&mut self, batch: RecordBatch) -> Result<()> {
        self.script.pass(Step::Write).await?;
        self.inner.offer(batch).await
    }

    async fn commit(self: Box<Self>, entry: Entry) -> Result<()> {
        self.script.pass(Step::Commit).await?;
        self.inner.commit(entry).await?;
        self.script.pass(Step::Committed).await
    }
}
