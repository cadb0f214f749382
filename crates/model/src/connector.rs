//! The contract between the engine and the connectors.
//!
//! A connector is one system, as source and as target. The engine calls it in this order:
//!
//! ```text
//! plan     Source::catalog → Source::study (per table) → Target::map_column → Target::design
//! copy     Source::snapshot → Target::claim → Load::begin → (Snapshot::read ∥ Load::writer)* → Load::finish
//! verify   Target::ledger → Target::parts → Connector::open_source on the target → Snapshot::read
//! ```
//!
//! One virtual call moves a batch; nothing virtual is called per row or value. No method that
//! carries data has a default: what a connector cannot do is a declared capability, which the plan
//! checks.

mod share;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use serde::Serialize;

use crate::Result;
use crate::batch::Batch;
use crate::catalog::{Catalog, Column, NotMoved, Table, TableName};
use crate::endpoint::Endpoint;
use crate::ledger::{Entry, Header, Holder, Lease, Ledger, Stage};
use crate::logical::LogicalType;
use crate::loss::LossKind;
use crate::names::Names;
use crate::plan::{Chunk, MovePlan, Position, Range, Statement, TablePlan};

pub use share::{Leases, Place, SharedSource, SharedTarget, Standing, Term};

/// One system.
#[async_trait]
pub trait Connector: Send + Sync {
    /// What it is: for help texts, the reference and the choice of a connector by scheme.
    fn about(&self) -> &'static About;

    /// Opens a source. Nothing in it is changed, now or later; a source that is not there is an
    /// error.
    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>>;

    /// Opens a target. Nothing in it is changed before [`Target::claim`]; a target that is not
    /// there yet is not an error.
    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>>;
}

/// What a connector is.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// A short name, such as `sqlite`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The option that an address must have, where another connector takes the scheme without it.
    pub chosen_by: Option<(&'static str, &'static str)>,
    /// Whether its addresses are paths in the file system of this machine.
    pub local: bool,
    /// The port that is meant where an address names none.
    pub port: Option<u16>,
    /// The schemes of its addresses.
    pub schemes: &'static [&'static str],
    /// An example of an address.
    pub example: &'static str,
    /// The options of its addresses: name and meaning.
    pub options: &'static [(&'static str, &'static str)],
    /// The variables of the environment that it knows, of which it is given the values with the
    /// address: name and meaning.
    pub variables: &'static [(&'static str, &'static str)],
    /// As a source.
    pub source: SourceCapabilities,
    /// As a target.
    pub target: TargetCapabilities,
}

/// What a source can do.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct SourceCapabilities {
    /// Whether it evaluates conditions (`where`).
    pub filter: bool,
    /// Whether the chunks of a study also cover what is added to a table later. Where they do not, a
    /// plan holds for the state of the source that it was made for, and for no other.
    pub open_ended: bool,
    /// The dialect of its native definitions; empty when it has none.
    pub dialect: &'static str,
    /// What holds for consistency and restart, for the plan.
    pub restart: &'static str,
}

/// What a target can do.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct TargetCapabilities {
    /// The most writers at one time; `None` when there is no bound.
    pub writers: Option<usize>,
    /// How differences are mended.
    pub repair: Repair,
    /// The dialect whose native definitions it takes; empty when it takes none.
    pub dialect: &'static str,
    /// The wire formats that its writers take, for tables of its own dialect.
    pub wires: &'static [&'static str],
    /// Whether names of tables have a namespace.
    pub namespaces: bool,
    /// Which names it tells apart.
    pub names: Names,
    /// Whether what it holds already stays where it is the same as in the source:
    /// [`Existing::Mirror`](crate::spec::Existing::Mirror) and
    /// [`Existing::Append`](crate::spec::Existing::Append) go by name then.
    pub merges: bool,
    /// Whether several processes can load it together: [`Target::shared`] and [`Load::leases`] are
    /// there.
    pub shared: bool,
}

/// How differences between source and target are mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Repair {
    /// Row by row, by [`Load::replace_rows`].
    Rows,
    /// By writing the chunk again.
    Chunks,
}

/// A system that data leaves.
#[async_trait]
pub trait Source: Send + Sync {
    /// Reads the structure: every table, view, index and key, and what it cannot move. Types of
    /// columns are what the system enforces; where it enforces nothing, they are a first guess that
    /// [`Self::study`] corrects. Cheap: no table is scanned.
    async fn catalog(&self) -> Result<Catalog>;

    /// Studies one table: counts rows, finds the exact types, splits it. Deterministic for an
    /// unchanged source. Called for several tables at the same time.
    async fn study(&self, request: &StudyRequest<'_>) -> Result<Study>;

    /// Takes one consistent view for up to `readers` readers at a time. It lives until it is
    /// dropped.
    async fn snapshot(&self, readers: usize) -> Result<Box<dyn Snapshot>>;

    /// What other processes join a view by; `None` where each takes a view of its own, and only equal
    /// positions tell that two of them show one state.
    fn shared(&self) -> Option<&dyn SharedSource>;
}

/// What [`Source::study`] is asked.
#[derive(Debug, Clone)]
pub struct StudyRequest<'a> {
    /// The table, from the catalog of the same source.
    pub table: &'a Table,
    /// The columns that will be read, by name.
    pub columns: &'a [String],
    /// The condition that rows must meet.
    pub filter: Option<&'a str>,
    /// The size of a chunk in bytes.
    pub chunk_bytes: u64,
    /// Whether values will be decoded; rows that pass in a wire format need no look at their values.
    pub decoded: bool,
}

/// What a study finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Study {
    /// The exact type of every column that was asked for, in the order of the request. Reading a
    /// column as this type fails only when the source has changed.
    pub types: Vec<LogicalType>,
    /// Chunks that cover the table without overlap, and whatever is added to it later where
    /// [`SourceCapabilities::open_ended`] is declared. A table without rows has at least one.
    pub chunks: Vec<Chunk>,
    /// The wire formats in which these columns can be read without decoding a value, the best first.
    pub wires: Vec<String>,
    /// What people should know, such as mixed types in a column. Never values.
    pub notes: Vec<String>,
}

/// One consistent view of a source.
#[async_trait]
pub trait Snapshot: Send + Sync {
    /// The state that it shows.
    fn position(&self) -> &Position;

    /// What is weaker about it than its user may expect, and how that is mended.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// What another process joins this view by, while it lives: for [`SharedSource::join`].
    fn invitation(&self) -> Option<String>;

    /// Reads rows of it. Waits while as many readers as were announced are open.
    async fn read(&self, request: &ReadRequest) -> Result<Box<dyn Reader>>;

    /// The state of the source now, outside the snapshot: equal to [`Self::position`] when nothing
    /// has changed.
    async fn current_position(&self) -> Result<Position>;
}

/// What [`Snapshot::read`] is asked.
#[derive(Debug, Clone)]
pub struct ReadRequest {
    /// The table.
    pub table: TableName,
    /// The columns, in the order and with the types in which batches must hold them.
    pub columns: Vec<(String, LogicalType)>,
    /// The condition that rows must meet.
    pub filter: Option<String>,
    /// The part of the table; `None` for all of it.
    pub range: Option<Range>,
    /// The wire format in which rows must come, one of those that the study offered for this table;
    /// `None` for Arrow.
    pub wire: Option<String>,
    /// The size of a batch in bytes. A batch is larger only when one row is.
    pub batch_bytes: usize,
}

/// A stream of batches, in the source's own order.
#[async_trait]
pub trait Reader: Send {
    /// The next batch, with at least one row; `None` at the end. After an error the reader is dead.
    /// Dropping it at any time stops the work behind it.
    async fn next(&mut self) -> Result<Option<Batch>>;
}

/// A system that data reaches.
#[async_trait]
pub trait Target: Send + Sync {
    /// How a column of the source will be declared, which type will be read back, and which values
    /// it cannot hold. Pure.
    fn map_column(&self, column: &Column) -> Result<Mapping>;

    /// Whether the target has a place for a column at all; why not. What it has none for stays behind,
    /// and the plan says so. Pure.
    fn keeps(&self, _: &Column) -> std::result::Result<(), String> {
        Ok(())
    }

    /// Whether the target can compute a generated column of another dialect exactly as the source
    /// does; why not. What it computes is compared with the source's values afterwards. Pure.
    fn computes(&self, table: &TablePlan, column: &str) -> std::result::Result<(), String>;

    /// The statements that make the tables and finish them. Pure. `catalog` is the source's, of
    /// any dialect; what cannot be made goes into [`Design::not_moved`].
    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design>;

    /// What the user of the address may not do although [`Self::design`] needs it, each with the
    /// words that grant it.
    async fn missing_rights(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Vec<String>>;

    /// Which of the tables are there, and whether they hold rows.
    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>>;

    /// The ledger, read without claiming; `None` when the target has none.
    async fn ledger(&self) -> Result<Option<Ledger>>;

    /// The parts in which tables of the target, given with their index in the plan, are read back: a
    /// list for each of them. Together they hold every row of the table, those that no run wrote too.
    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>>;

    /// Claims the target for one run. Refused with `TargetBusy` and the holder's name while another
    /// run, in any process, holds it. The claim ends with the returned value or with the process.
    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>>;

    /// What other processes of a run join by, where [`TargetCapabilities::shared`] is declared.
    fn shared(&self) -> Option<&dyn SharedTarget>;
}

/// How a column arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The declared type.
    pub native: String,
    /// The type written and read back; when it differs from the source's, every value is converted
    /// exactly.
    pub logical: LogicalType,
    /// Values that the target cannot hold.
    pub guards: Vec<LossKind>,
}

/// The statements of a migration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Design {
    /// Run before the copy, by [`Load::begin`].
    pub prepare: Vec<Statement>,
    /// Run after it, by [`Load::finish`].
    pub finish: Vec<Statement>,
    /// What stays behind.
    pub not_moved: Vec<NotMoved>,
    /// What may stop the run, or surprises.
    pub risks: Vec<String>,
}

/// A table that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingTable {
    /// The name.
    pub name: TableName,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it holds rows.
    pub has_rows: bool,
}

/// A part of a table of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Which part, for [`ReadRequest::range`].
    pub range: Option<Range>,
    /// The chunk whose rows it holds, when it holds those of exactly one.
    pub chunk: Option<usize>,
}

/// What [`Load::begin`] does with one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preparation {
    /// Make it; it is not there.
    Create,
    /// Leave it as it is.
    Keep,
    /// Remove its rows.
    Empty,
    /// Drop it and make it anew.
    Recreate,
}

/// A target, claimed by one run.
#[async_trait]
pub trait Load: Send + Sync {
    /// Prepares the tables and writes the header and [`Stage::Prepared`], all or nothing. Any older
    /// ledger is gone afterwards. `preparations` has one item for each table of the plan.
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()>;

    /// A writer for one chunk. Rows that an unfinished writer left behind are gone before it
    /// writes; a chunk that is in already is replaced.
    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>>;

    /// Removes every row of a table that this run wrote, and its entries, all or nothing. Only
    /// called when the table held no rows before.
    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()>;

    /// Takes the entry of a chunk out of the ledger, so that the chunk is written again. Only called
    /// where [`Repair::Chunks`] is declared.
    async fn reset_chunk(&self, index: usize, table: &TablePlan, chunk: usize) -> Result<()>;

    /// Changes the position that the ledger's entries are true for.
    async fn set_position(&self, position: &Position) -> Result<()>;

    /// Runs what is left of the plan's `finish`, makes the load visible to others and marks
    /// [`Stage::Finished`]. `done` is called with each statement's purpose. Repeating it is
    /// harmless.
    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()>;

    /// Marks a stage.
    async fn mark(&self, stage: Stage) -> Result<()>;

    /// The leases of chunks, where [`TargetCapabilities::shared`] is declared.
    fn leases(&self) -> Option<&dyn Leases>;

    /// Takes rows out and puts rows in, all or nothing: for every row of `remove` one row of the
    /// table that is equal in every column goes. `add` holds the planned types, `remove` the planned
    /// types or variants, as its fields say. Only called where [`Repair::Rows`] is declared.
    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()>;
}

/// What [`Load::writer`] is asked.
#[derive(Debug, Clone)]
pub struct WriteRequest<'a> {
    /// The table's index in the plan.
    pub table_index: usize,
    /// The table.
    pub table: &'a TablePlan,
    /// The chunk's index in the table.
    pub chunk_index: usize,
    /// Memory that the writer may hold, in bytes.
    pub memory: usize,
    /// Whether batches come by [`Writer::offer`] instead of [`Writer::write`].
    pub offers: bool,
    /// The lease of the chunk, where several processes write. The chunk must not be in then:
    /// `LeaseLost` where it is.
    pub lease: Option<&'a Lease>,
}

/// Writes one chunk. Dropping it without a commit leaves nothing that a reader would see.
#[async_trait]
pub trait Writer: Send {
    /// Takes a batch: accepted, not durable. Batches hold the columns of the plan in their order.
    async fn write(&mut self, batch: Batch) -> Result<()>;

    /// Takes a batch after looking at every row, or nothing of it: after an error of
    /// [`Kind::Data`](crate::Kind::Data) the writer goes on as if it had not been asked, after any
    /// other it is dead. The engine then offers parts of the batch, down to the rows that are
    /// refused. Never called with wire bytes.
    async fn offer(&mut self, batch: RecordBatch) -> Result<()>;

    /// Makes the rows and the entry durable in one step: after a crash at any moment both are there
    /// or neither is. Sets [`Entry::range`]. With a lease it also ends that, in the same step: with
    /// `LeaseLost`, and nothing written, when the lease has expired or is another's by the target's
    /// clock.
    async fn commit(self: Box<Self>, entry: Entry) -> Result<()>;
}
