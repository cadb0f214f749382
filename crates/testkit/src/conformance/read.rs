//! Studying and reading.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use longshore_model::LogicalType;
use longshore_model::catalog::TableName;
use longshore_model::connector::{ReadRequest, Source, Study, StudyRequest};

use super::System;
use super::harness::{
    BATCH_BYTES, Job, Seed, columns_of, numbered, ok, open, read, same_rows, table,
};
use crate::corpus::{self, Value};

/// The chunks of a study hold every row once, are several when they must be small, have the rows
/// and types that were announced, and are the same twice. An empty table has one.
pub async fn chunks_of_a_study_cover_the_table(system: Arc<System>) {
    let mut keyed = numbered("keyed", &[1000, 1000, 1000]);
    keyed.table.primary_key = vec!["id".to_string()];
    let mut named = numbered("by name", &[1000, 1000, 1000]);
    named.table.primary_key = vec!["name".to_string(), "id".to_string()];
    let loose = numbered("loose", &[1000, 1000, 1000]);
    let seeds = vec![loose, keyed, numbered("empty", &[0]), named, sparse()];
    let job = Job::open(&system, "study", seeds).await;
    job.run().await;
    let source = open(&system, "study").await;
    for (index, plan) in job.plan.tables.iter().enumerate() {
        let name = plan.target.to_string();
        let first = study(&*source, &name, 4096, None).await;
        let again = study(&*open(&system, "study").await, &name, 4096, None).await;
        assert_eq!(first, again, "{name}: studied twice");
        assert!(plan.rows < 100 || first.chunks.len() > 1, "{name}: one chunk of 4 KiB");
        assert!(!first.chunks.is_empty(), "{name}: no chunk");
        let columns: Vec<_> =
            ["id".to_string(), "name".to_string()].into_iter().zip(first.types).collect();
        let snapshot = ok(source.snapshot(1).await, "snapshot");
        let mut found = Vec::new();
        for chunk in first.chunks {
            let request = ReadRequest {
                table: plan.target.clone(),
                columns: columns.clone(),
                filter: None,
                range: Some(chunk.range),
                wire: None,
                batch_bytes: BATCH_BYTES,
            };
            let rows = ok(read(&*snapshot, &request).await, "read of a chunk");
            let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(count as u64, chunk.rows, "{name}: rows of a chunk");
            found.extend(rows);
        }
        same_rows(&job.expected(index), &found, &name);
    }
}

/// A key whose values are as far apart as they can be.
fn sparse() -> Seed {
    let mut table = table("sparse", &[("id", LogicalType::INT64), ("name", LogicalType::Text)]);
    table.primary_key = vec!["id".to_string()];
    let ids = [i64::MIN, i64::MIN + 1, -1, 0, 1, 2, 1 << 62, i64::MAX - 1, i64::MAX];
    let row = |id: i64| vec![Value::Text(id.to_string()), Value::Text("x".repeat(3000))];
    let rows = corpus::build(&columns_of(&table), ids.map(row));
    Seed { table, chunks: vec![vec![rows.slice(0, 5)], vec![rows.slice(5, 4)]] }
}

/// Columns come in the order asked for, and only those.
pub async fn columns_come_in_the_order_asked_for(system: Arc<System>) {
    let table = table(
        "t",
        &[("a", LogicalType::INT64), ("b", LogicalType::Text), ("c", LogicalType::FLOAT64)],
    );
    let columns = columns_of(&table);
    let row = |n: usize| ["", "b", ".5"].map(|end| Value::Text(format!("{n}{end}"))).to_vec();
    let seed = Seed { chunks: vec![vec![corpus::build(&columns, (0..10).map(row))]], table };
    let job = Job::open(&system, "order", vec![seed]).await;
    job.run().await;
    let source = open(&system, "order").await;
    for order in [&[2, 0][..], &[1], &[2, 1, 0]] {
        let types = super::harness::target_columns(&job.plan.tables[0]);
        let request = ReadRequest {
            table: job.plan.tables[0].target.clone(),
            columns: order.iter().map(|&index: &usize| types[index].clone()).collect(),
            filter: None,
            range: None,
            wire: None,
            batch_bytes: BATCH_BYTES,
        };
        let snapshot = ok(source.snapshot(1).await, "snapshot");
        let found = ok(read(&*snapshot, &request).await, "read");
        let project = |batch: RecordBatch| batch.project(order).expect("columns of the seed");
        let expected: Vec<_> = job.expected(0).into_iter().map(project).collect();
        same_rows(&expected, &found, &format!("columns {order:?}"));
    }
}

/// A table or a column that is not there, and a value that is not of the type asked for, are errors;
/// none of them shows a value.
pub async fn what_cannot_be_read_is_an_error(system: Arc<System>) {
    let table = table("t", &[("n", LogicalType::INT64), ("v", LogicalType::Text)]);
    let row = [Value::Text("1".to_string()), Value::Text("hunter2".to_string())];
    let rows = corpus::build(&columns_of(&table), [row.to_vec()]);
    let job = Job::open(&system, "wrong", vec![Seed { table, chunks: vec![vec![rows]] }]).await;
    job.run().await;
    let source = open(&system, "wrong").await;
    let snapshot = ok(source.snapshot(1).await, "snapshot");
    let right = super::harness::request(&job.plan.tables[0], None);
    let mut requests = vec![right.clone(), right.clone(), right.clone()];
    requests[0].table = TableName::plain("t2");
    requests[1].columns[1].0 = "v2".to_string();
    requests[2].columns[1].1 = LogicalType::INT64;
    for request in requests {
        let error = read(&*snapshot, &request).await.expect_err("a wrong request");
        let shown = format!("{} {:?}", error.chain().join(" "), error.context());
        assert!(!shown.contains("hunter2"), "a value in an error");
        assert_ne!(error.kind(), longshore_model::Kind::Internal, "{shown}");
    }
    let found = ok(read(&*snapshot, &right).await, "read after errors");
    same_rows(&job.expected(0), &found, "after errors");
}

/// A batch is at most twice as large as asked for, unless it is one row; and small rows share
/// batches.
pub async fn batches_respect_their_bound(system: Arc<System>) {
    let table = table("t", &[("n", LogicalType::INT64), ("v", LogicalType::Text)]);
    let row = |n: usize| {
        let size = if n % 50 == 49 { 40_000 } else { 100 };
        vec![Value::Text(n.to_string()), Value::Text("x".repeat(size))]
    };
    let rows = corpus::build(&columns_of(&table), (0..2000).map(row));
    let job = Job::open(&system, "bound", vec![Seed { table, chunks: vec![vec![rows]] }]).await;
    job.run().await;
    let snapshot = ok(open(&system, "bound").await.snapshot(1).await, "snapshot");
    for bound in [1, 16 << 10, 256 << 10] {
        let request = ReadRequest {
            wire: None,
            batch_bytes: bound,
            ..super::harness::request(&job.plan.tables[0], None)
        };
        let found = ok(read(&*snapshot, &request).await, "read");
        for batch in found.iter().filter(|batch| batch.num_rows() > 1) {
            let size = data_bytes(batch);
            assert!(size <= 2 * bound, "{size} bytes where {bound} were asked for");
        }
        assert!(bound == 1 || found.len() < 1000, "{} batches of {bound} bytes", found.len());
        same_rows(&job.expected(0), &found, "bound");
    }
}

/// The bytes of the values, without spare room.
fn data_bytes(batch: &RecordBatch) -> usize {
    let size = |array: &Arc<dyn Array>| array.to_data().get_slice_memory_size();
    batch.columns().iter().map(|array| size(array).expect("the size of an array")).sum()
}

/// Where conditions are declared, they select rows in studies and reads; a wrong one is an error of
/// the migration.
pub async fn filters_select_rows(system: Arc<System>) {
    if !system.connector.about().source.filter {
        return;
    }
    let job = Job::open(&system, "filter", vec![numbered("t", &[30, 30])]).await;
    job.run().await;
    let source = open(&system, "filter").await;
    let snapshot = ok(source.snapshot(1).await, "snapshot");
    let study = study(&*source, "t", 1 << 20, Some("id > 10")).await;
    assert!(!study.chunks.is_empty());
    let mut request = super::harness::request(&job.plan.tables[0], None);
    request.filter = Some("id > 10".to_string());
    let mut found = Vec::new();
    for chunk in study.chunks {
        let part = ReadRequest { range: Some(chunk.range), ..request.clone() };
        found.extend(ok(read(&*snapshot, &part).await, "read of a chunk"));
    }
    let all = arrow_select::concat::concat_batches(&job.expected(0)[0].schema(), &job.expected(0))
        .expect("batches of one schema");
    same_rows(&[all.slice(11, 49)], &found, "rows that meet the condition");
    request.columns.remove(0);
    let found = ok(read(&*snapshot, &request).await, "read without the condition's column");
    let expected = all.slice(11, 49).project(&[1]).expect("the second column");
    same_rows(&[expected], &found, "a condition on a column that is not read");
    request.filter = Some("id >>> nonsense(".to_string());
    let error = read(&*snapshot, &request).await.expect_err("a wrong condition");
    assert_eq!(error.kind(), longshore_model::Kind::Usage, "{error}");
}

pub(super) async fn study(
    source: &dyn Source,
    name: &str,
    chunk_bytes: u64,
    filter: Option<&str>,
) -> Study {
    let catalog = ok(source.catalog().await, "catalog");
    let table = catalog.tables.iter().find(|table| table.name.name == name);
    let table = table.unwrap_or_else(|| panic!("{name} is not in the catalog"));
    let columns: Vec<_> = table.columns.iter().map(|column| column.name.clone()).collect();
    let request = StudyRequest { table, columns: &columns, filter, chunk_bytes, decoded: true };
    let study = ok(source.study(&request).await, format!("study of {name}"));
    assert_eq!(study.types.len(), columns.len());
    study
}
