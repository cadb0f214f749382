//! What the tests share: a source's rows as text, and a load of one small table.

use std::path::Path;

use arrow_array::RecordBatch;
use longshore_model::catalog::{Catalog, Column, Table, TableName};
use longshore_model::connector::{
    Connector, Load, Preparation, ReadRequest, Reader, Source, StudyRequest, Target, WriteRequest,
};
use longshore_model::ledger::{Entry, Header, Holder, Stage};
use longshore_model::plan::{Chunk, ColumnPlan, MovePlan, Position, TablePlan};
use longshore_model::{
    Batch, BatchBuilder, ColumnView, Endpoint, Fingerprint, LogicalType, Result,
};
use longshore_objects::connector;

pub(crate) type Rows = Vec<Vec<String>>;

pub(crate) fn address(folder: &Path) -> Endpoint {
    Endpoint::parse(&format!("file:{}", folder.display())).expect("an address")
}

pub(crate) async fn source(folder: &Path) -> Box<dyn Source> {
    connector().open_source(&address(folder)).await.expect("a source")
}

pub(crate) async fn target(folder: &Path) -> Box<dyn Target> {
    connector().open_target(&address(folder)).await.expect("a target")
}

pub(crate) fn texts(batch: &RecordBatch) -> Rows {
    let schema = batch.schema();
    let types: Vec<LogicalType> = schema
        .fields()
        .iter()
        .map(|field| LogicalType::of_field(field).expect("a logical type"))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let columns = types.iter().zip(batch.columns());
            columns
                .map(|(logical, array)| {
                    let mut text = String::new();
                    let view = ColumnView::new(logical, array).expect("a view");
                    view.cell(row).write_text(&mut text);
                    text
                })
                .collect()
        })
        .collect()
}

pub(crate) async fn drain(mut reader: Box<dyn Reader>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    while let Some(batch) = reader.next().await? {
        if let Batch::Rows(rows) = batch {
            batches.push(rows);
        }
    }
    Ok(batches)
}

/// Studies every table but the columns named, and reads all of its chunks.
pub(crate) async fn read_table(source: &dyn Source, name: &str, without: &[&str]) -> Result<Rows> {
    let catalog = source.catalog().await?;
    let table = catalog.tables.iter().find(|t| t.name.to_string() == name).expect("the table");
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| column.name.clone())
        .filter(|name| !without.contains(&name.as_str()))
        .collect();
    let request = StudyRequest {
        table,
        columns: &columns,
        filter: None,
        chunk_bytes: 1 << 20,
        decoded: true,
    };
    let study = source.study(&request).await?;
    let snapshot = source.snapshot(1).await?;
    let mut rows = Rows::new();
    for chunk in study.chunks {
        let request = ReadRequest {
            table: table.name.clone(),
            columns: columns.iter().cloned().zip(study.types.iter().cloned()).collect(),
            filter: None,
            range: Some(chunk.range),
            wire: None,
            batch_bytes: 1 << 20,
        };
        let before = rows.len();
        for batch in drain(snapshot.read(&request).await?).await? {
            rows.extend(texts(&batch));
        }
        assert_eq!((rows.len() - before) as u64, chunk.rows, "rows as studied");
    }
    Ok(rows)
}

/// A table `t` with one number column, in chunks of one row each.
pub(crate) fn plan(target: &dyn Target, chunks: usize) -> MovePlan {
    let structure = Table {
        name: TableName::plain("t"),
        columns: vec![Column {
            native: "INTEGER".to_string(),
            nullable: false,
            ..Column::new("n", LogicalType::INT64)
        }],
        primary_key: vec!["n".to_string()],
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: Some("CREATE TABLE t (n INTEGER PRIMARY KEY)".to_string()),
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    };
    let table = TablePlan {
        source: structure.name.clone(),
        target: structure.name.clone(),
        columns: vec![ColumnPlan {
            source: "n".to_string(),
            target: "n".to_string(),
            from: LogicalType::INT64,
            to: LogicalType::INT64,
            native: String::new(),
            declared: String::new(),
            mask: None,
            guards: Vec::new(),
            computed: false,
        }],
        described: Vec::new(),
        wire: None,
        filter: None,
        rows: chunks as u64,
        bytes: 0,
        key: vec!["n".to_string()],
        structure: structure.clone(),
        chunks: vec![Chunk { range: serde_json::json!({}), rows: 1, bytes: 8 }; chunks],
    };
    let catalog =
        Catalog { dialect: "sqlite".to_string(), tables: vec![structure], ..Catalog::default() };
    let design = target.design(std::slice::from_ref(&table), &catalog).expect("a design");
    MovePlan {
        selects: Vec::new(),
        from: "test:".to_string(),
        to: "file:".to_string(),
        existing: Default::default(),
        on_reject: Default::default(),
        keys: Default::default(),
        position: Position("p".to_string()),
        tables: vec![table],
        prepare: design.prepare,
        finish: design.finish,
        losses: Vec::new(),
        not_moved: design.not_moved,
        merge: None,
        risks: Vec::new(),
        restart: String::new(),
    }
}

pub(crate) async fn claim(target: &dyn Target) -> Box<dyn Load> {
    let holder = Holder {
        run: "r".to_string(),
        host: "h".to_string(),
        pid: 1,
        since: "2026-01-01T00:00:00Z".to_string(),
    };
    target.claim(&holder).await.expect("a claim")
}

pub(crate) async fn begin(load: &dyn Load, run: &str, plan: &MovePlan, how: Preparation) {
    let header = Header {
        run: run.to_string(),
        spec_digest: String::new(),
        plan_digest: String::new(),
        plan: String::new(),
        move_index: 0,
        position: plan.position.clone(),
        baselines: Default::default(),
        kept: Default::default(),
    };
    load.begin(&header, plan, &[how]).await.expect("begin");
}

/// Writes one row into one chunk.
pub(crate) async fn copy(load: &dyn Load, plan: &MovePlan, chunk: usize, number: i64) {
    let mut builder = BatchBuilder::new([("n", &LogicalType::INT64)]);
    builder.columns()[0].parse(&number.to_string()).expect("a number");
    builder.end_row();
    let batch = Batch::Rows(builder.finish().expect("a batch"));
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_batch(&batch).expect("a fingerprint");
    let request = WriteRequest {
        table_index: 0,
        table: &plan.tables[0],
        chunk_index: chunk,
        memory: 1 << 20,
        offers: false,
        lease: None,
    };
    let mut writer = load.writer(&request).await.expect("a writer");
    writer.write(batch).await.expect("write");
    let entry = Entry { chunk, fingerprint, bytes: 8, ..Entry::default() };
    writer.commit(entry).await.expect("commit");
}

pub(crate) async fn finish(load: &dyn Load, plan: &MovePlan) {
    load.mark(Stage::Copied).await.expect("mark");
    load.finish(plan, &|_: &str| {}).await.expect("finish");
}
