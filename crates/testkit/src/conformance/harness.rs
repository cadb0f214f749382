//! What the engine does, at its plainest: seeds become a plan, the plan a loaded target, and the
//! target is read back.

use arrow_array::RecordBatch;
use longshore_model::catalog::{Catalog, Column, Table, TableName};
use longshore_model::connector::{
    Load, Part, Preparation, ReadRequest, Snapshot, Source, Target, WriteRequest, Writer,
};
use longshore_model::ledger::{Entry, Header, Holder, Ledger, Stage};
use longshore_model::loss::LossKind;
use longshore_model::plan::{Chunk, ColumnPlan, MovePlan, Position, Range, TablePlan};
use longshore_model::spec::Existing;
use longshore_model::{
    Batch, BatchBuilder, Cell, ColumnBuilder, ColumnView, Fingerprint, LogicalType, Misfit, Result,
};
use serde_json::json;

use super::System;
use crate::corpus::{self, Value};

type Lacks = fn(&LogicalType, Cell<'_>) -> bool;

pub(super) const BATCH_BYTES: usize = 1 << 20;

/// A table and its rows, by chunk.
#[derive(Clone)]
pub(super) struct Seed {
    pub(super) table: Table,
    pub(super) chunks: Vec<Vec<RecordBatch>>,
}

/// A target with a plan for it. `chunks` hold the rows as the plan's types have them.
pub(super) struct Job {
    pub(super) target: Box<dyn Target>,
    pub(super) plan: MovePlan,
    pub(super) chunks: Vec<Vec<Vec<RecordBatch>>>,
}

/// The value, or the end of the case.
pub(super) fn ok<T>(result: Result<T>, doing: impl std::fmt::Display) -> T {
    result.unwrap_or_else(|error| panic!("{doing}: {error:?}"))
}

pub(super) fn table(name: &str, columns: &[(&str, LogicalType)]) -> Table {
    let column = |(name, logical): &(&str, LogicalType)| Column::new(*name, logical.clone());
    Table {
        name: TableName::plain(name),
        columns: columns.iter().map(column).collect(),
        primary_key: Vec::new(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: None,
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    }
}

/// A table `name` of the columns `id` and `name`, with chunks of so many rows; ids count up.
pub(super) fn numbered(name: &str, chunks: &[usize]) -> Seed {
    numbered_from(name, 0, chunks)
}

pub(super) fn numbered_from(name: &str, first: usize, chunks: &[usize]) -> Seed {
    let table = table(name, &[("id", LogicalType::INT64), ("name", LogicalType::Text)]);
    let columns = columns_of(&table);
    let mut next = first;
    let mut chunk = |rows: &usize| {
        let ids = next..next + rows;
        next += rows;
        vec![corpus::build(&columns, ids.map(numbered_row))]
    };
    Seed { chunks: chunks.iter().map(&mut chunk).collect(), table }
}

fn numbered_row(id: usize) -> Vec<Value> {
    vec![Value::Text(id.to_string()), Value::Text(format!("row number {id} of the table"))]
}

pub(super) fn columns_of(table: &Table) -> Vec<(String, LogicalType)> {
    table.columns.iter().map(|column| (column.name.clone(), column.logical.clone())).collect()
}

impl Job {
    /// A plan for the seeds, without the values that the system lacks.
    pub(super) async fn open(system: &System, name: &str, seeds: Vec<Seed>) -> Self {
        Self::open_with(system, name, seeds, system.limits.lacks).await
    }

    /// A plan for the seeds, without the values that `drops` names.
    pub(super) async fn open_with(
        system: &System,
        name: &str,
        seeds: Vec<Seed>,
        drops: Lacks,
    ) -> Self {
        let endpoint = system.endpoint(name);
        let target = ok(system.connector.open_target(&endpoint).await, "open_target");
        let (mut tables, mut chunks) = (Vec::new(), Vec::new());
        for seed in &seeds {
            let (plan, rows) = plan_table(&*target, seed, drops);
            tables.push(plan);
            chunks.push(rows);
        }
        let catalog = Catalog {
            tables: seeds.into_iter().map(|seed| seed.table).collect(),
            ..Catalog::default()
        };
        let design = ok(target.design(&tables, &catalog), "design");
        assert_eq!(design.not_moved, [], "plain tables can be made");
        let plan = MovePlan {
            selects: Vec::new(),
            from: "testkit:seeds".to_string(),
            to: endpoint.to_string(),
            existing: Existing::Refuse,
            on_reject: Default::default(),
            keys: Default::default(),
            position: Position("the first".to_string()),
            tables,
            prepare: design.prepare,
            finish: design.finish,
            losses: Vec::new(),
            not_moved: Vec::new(),
            merge: None,
            risks: Vec::new(),
            restart: String::new(),
        };
        Self { target, plan, chunks }
    }

    pub(super) fn header(&self) -> Header {
        Header {
            run: "run-1".to_string(),
            spec_digest: "sha256:1111".to_string(),
            plan_digest: "sha256:2222".to_string(),
            plan: "{\"it's\": \"a \\\"plan\\\"\u{1F600}\\n\"}\n".to_string(),
            move_index: 0,
            position: self.plan.position.clone(),
            baselines: Default::default(),
            kept: Default::default(),
        }
    }

    pub(super) async fn claim(&self) -> Box<dyn Load> {
        ok(self.target.claim(&holder("run-1")).await, "claim")
    }

    pub(super) async fn begin(&self, load: &dyn Load, preparation: Preparation) {
        let preparations = vec![preparation; self.plan.tables.len()];
        ok(load.begin(&self.header(), &self.plan, &preparations).await, "begin");
    }

    /// A writer that has taken the rows of a chunk.
    pub(super) async fn written(
        &self,
        load: &dyn Load,
        table: usize,
        chunk: usize,
    ) -> Box<dyn Writer> {
        let request = WriteRequest {
            table_index: table,
            table: &self.plan.tables[table],
            chunk_index: chunk,
            memory: 8 << 20,
            offers: false,
            lease: None,
        };
        let mut writer = ok(load.writer(&request).await, "writer");
        for batch in &self.chunks[table][chunk] {
            ok(writer.write(Batch::Rows(batch.clone())).await, "write");
        }
        writer
    }

    pub(super) fn entry(&self, table: usize, chunk: usize) -> Entry {
        Entry {
            table,
            chunk,
            fingerprint: fingerprint(&self.chunks[table][chunk]),
            bytes: 12,
            losses: [("v".to_string(), [(LossKind::Nan, 3)].into())].into(),
            samples: [("v".to_string(), [(LossKind::Nan, vec!["id=1".to_string()])].into())].into(),
            rejected: 2,
            ..Entry::default()
        }
    }

    pub(super) async fn copy_chunk(&self, load: &dyn Load, table: usize, chunk: usize) {
        let writer = self.written(load, table, chunk).await;
        let commit = writer.commit(self.entry(table, chunk)).await;
        ok(commit, format!("commit of chunk {chunk} of {}", self.plan.tables[table].target));
    }

    pub(super) async fn copy_all(&self, load: &dyn Load) {
        for table in 0..self.plan.tables.len() {
            for chunk in 0..self.chunks[table].len() {
                self.copy_chunk(load, table, chunk).await;
            }
        }
    }

    pub(super) async fn finish(&self, load: &dyn Load) {
        ok(load.mark(Stage::Copied).await, "mark");
        ok(load.finish(&self.plan, &|_: &str| {}).await, "finish");
    }

    /// The whole way of a run.
    pub(super) async fn run(&self) {
        let load = self.claim().await;
        self.begin(&*load, Preparation::Create).await;
        self.copy_all(&*load).await;
        self.finish(&*load).await;
    }

    pub(super) async fn ledger(&self) -> Ledger {
        ok(self.target.ledger().await, "ledger").expect("the target has a ledger")
    }

    pub(super) fn expected(&self, table: usize) -> Vec<RecordBatch> {
        self.chunks[table].iter().flatten().cloned().collect()
    }

    pub(super) async fn parts(&self, table: usize) -> Vec<Part> {
        let ledger = self.ledger().await;
        let asked = [(table, &self.plan.tables[table])];
        ok(self.target.parts(&asked, &ledger).await, "parts").remove(0)
    }

    /// The table holds exactly the rows expected.
    pub(super) async fn check(&self, system: &System, name: &str) {
        let source = open(system, name).await;
        let snapshot = ok(source.snapshot(1).await, "snapshot");
        for (index, table) in self.plan.tables.iter().enumerate() {
            let found = read_all(&*snapshot, table).await;
            same_rows(&self.expected(index), &found, &table.target.to_string());
        }
    }
}

pub(super) async fn open(system: &System, name: &str) -> Box<dyn Source> {
    ok(system.connector.open_source(&system.endpoint(name)).await, "open_source")
}

pub(super) fn holder(run: &str) -> Holder {
    Holder {
        run: run.to_string(),
        host: "host.example".to_string(),
        pid: std::process::id(),
        since: "2026-01-02T03:04:05Z".to_string(),
    }
}

fn plan_table(
    target: &dyn Target,
    seed: &Seed,
    drops: Lacks,
) -> (TablePlan, Vec<Vec<RecordBatch>>) {
    let mut structure = seed.table.clone();
    let mut columns = Vec::new();
    let mut guards = Vec::new();
    for column in &mut structure.columns {
        let doing = format!("map_column of {}", column.logical);
        let mapping = ok(target.map_column(column), doing);
        columns.push(ColumnPlan {
            source: column.name.clone(),
            target: column.name.clone(),
            from: column.logical.clone(),
            to: mapping.logical.clone(),
            native: mapping.native.clone(),
            declared: String::new(),
            mask: None,
            guards: Vec::new(),
            computed: false,
        });
        column.logical = mapping.logical;
        column.native = mapping.native;
        guards.push(mapping.guards);
    }
    let convert = |batch: &RecordBatch| convert(batch, &columns, &guards, drops);
    let chunks: Vec<Vec<RecordBatch>> =
        seed.chunks.iter().map(|batches| batches.iter().map(convert).collect()).collect();
    let rows = |batches: &[RecordBatch]| fingerprint(batches).rows;
    let plan = TablePlan {
        source: seed.table.name.clone(),
        target: seed.table.name.clone(),
        described: Vec::new(),
        wire: None,
        filter: None,
        rows: chunks.iter().map(|batches| rows(batches)).sum(),
        bytes: 0,
        key: structure.primary_key.clone(),
        structure,
        chunks: chunks
            .iter()
            .enumerate()
            .map(|(index, batches)| Chunk {
                range: json!({"seed": index}),
                rows: rows(batches),
                bytes: 0,
            })
            .collect(),
        columns,
    };
    (plan, chunks)
}

/// The rows as the target's types have them, without the values that it cannot hold.
fn convert(
    batch: &RecordBatch,
    columns: &[ColumnPlan],
    guards: &[Vec<LossKind>],
    drops: Lacks,
) -> RecordBatch {
    let names = columns.iter().map(|column| (column.target.as_str(), &column.to));
    let mut out = BatchBuilder::new(names);
    let views: Vec<_> = columns
        .iter()
        .zip(batch.columns())
        .map(|(column, array)| ok(ColumnView::new(&column.from, array), "a column of the seed"))
        .collect();
    for row in 0..batch.num_rows() {
        for (index, view) in views.iter().enumerate() {
            let (plan, cell) = (&columns[index], guarded(view.cell(row), &guards[index]));
            let cell = if drops(&plan.to, cell) { Cell::Null } else { cell };
            convert_cell(plan, cell, &mut out.columns()[index]).unwrap_or_else(|misfit| {
                panic!("a {} as {}: {}", plan.from, plan.to, misfit.describe())
            });
        }
        out.end_row();
    }
    ok(out.finish(), "a batch of converted rows")
}

fn guarded<'a>(cell: Cell<'a>, guards: &[LossKind]) -> Cell<'a> {
    match guards.iter().find(|kind| kind.catches(cell)) {
        None => cell,
        Some(LossKind::NegativeZero) => Cell::Float(0.0),
        Some(_) => Cell::Null,
    }
}

fn convert_cell(plan: &ColumnPlan, cell: Cell<'_>, out: &mut ColumnBuilder) -> Result<(), Misfit> {
    match (cell, plan.from == plan.to) {
        (Cell::Text(text), true) => out.parse(text),
        (cell, true) => out.append(cell),
        (cell, false) => out.cast(cell),
    }
}

pub(super) fn target_columns(table: &TablePlan) -> Vec<(String, LogicalType)> {
    table.columns.iter().map(|column| (column.target.clone(), column.to.clone())).collect()
}

pub(super) fn request(table: &TablePlan, range: Option<Range>) -> ReadRequest {
    ReadRequest {
        table: table.target.clone(),
        columns: target_columns(table),
        filter: None,
        range,
        wire: None,
        batch_bytes: BATCH_BYTES,
    }
}

pub(super) async fn read_all(snapshot: &dyn Snapshot, table: &TablePlan) -> Vec<RecordBatch> {
    let rows = read(snapshot, &request(table, None)).await;
    ok(rows, format!("read of {}", table.target))
}

/// Every batch of a request; that each is as asked for is checked on the way.
pub(super) async fn read(
    snapshot: &dyn Snapshot,
    request: &ReadRequest,
) -> Result<Vec<RecordBatch>> {
    let mut reader = snapshot.read(request).await?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next().await? {
        let Batch::Rows(batch) = batch else { panic!("wire rows, which nobody asked for") };
        assert!(batch.num_rows() > 0, "a batch has at least one row");
        let schema = batch.schema();
        let found: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| (field.name().clone(), LogicalType::of_field(field)))
            .collect();
        let asked =
            request.columns.iter().map(|(name, logical)| (name.clone(), Some(logical.clone())));
        assert_eq!(found, asked.collect::<Vec<_>>(), "columns of a batch of {}", request.table);
        batches.push(batch);
    }
    Ok(batches)
}

pub(super) fn fingerprint(batches: &[RecordBatch]) -> Fingerprint {
    let mut sum = Fingerprint::default();
    for batch in batches {
        ok(sum.add_batch(&Batch::Rows(batch.clone())), "fingerprint");
    }
    sum
}

/// Compares two multisets of rows, by the text of every cell and by fingerprint.
pub(super) fn same_rows(expected: &[RecordBatch], found: &[RecordBatch], what: &str) {
    let sorted = |batches: &[RecordBatch]| {
        let texts = batches.iter().flat_map(|batch| ok(corpus::texts(batch), "texts"));
        let mut rows: Vec<_> = texts.collect();
        rows.sort();
        rows
    };
    let (left, right) = (sorted(expected), sorted(found));
    for (left, right) in left.iter().zip(&right) {
        assert!(
            left == right,
            "{what}: expected {:.300?}, found {:.300?}",
            short(left),
            short(right)
        );
    }
    assert_eq!(left.len(), right.len(), "{what}: rows");
    assert_eq!(fingerprint(expected), fingerprint(found), "{what}: fingerprint");
}

fn short(row: &[Option<String>]) -> Vec<Option<String>> {
    let cut = |text: &String| text.chars().take(120).collect();
    row.iter().map(|cell| cell.as_ref().map(cut)).collect()
}
