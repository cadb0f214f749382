//! Values come back as they were.

use std::sync::Arc;

use longshore_model::connector::{Preparation, WriteRequest};
use longshore_model::{Batch, Code, ColumnView, LogicalType};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::System;
use super::harness::{
    Job, Seed, columns_of, fingerprint, ok, open, read, request, same_rows, table, target_columns,
};
use super::read::study;
use crate::corpus::{self, Value};

/// Every value of the corpus of every type comes back by text and by fingerprint, in one chunk and
/// through the target's own catalog.
pub async fn every_type_round_trips(system: Arc<System>) {
    let seeds = corpus::types().into_iter().enumerate().map(|(index, logical)| Seed {
        table: table(&format!("v{index}"), &[("n", LogicalType::INT64), ("v", logical.clone())]),
        chunks: vec![vec![corpus::batch(&logical)]],
    });
    let job = Job::open(&system, "types", seeds.collect()).await;
    job.run().await;
    job.check(&system, "types").await;
}

/// A value that the system lacks ends the write with words, and is never another value.
pub async fn values_that_the_system_lacks_are_refused(system: Arc<System>) {
    let mut number = 0;
    for logical in corpus::types() {
        for value in corpus::values(&logical) {
            let columns = [("v", logical.clone())];
            let named = columns_of(&table("t", &columns));
            let batch = corpus::build(&named, [vec![value.clone()]]);
            let view = ok(ColumnView::new(&logical, batch.column(0)), "a column");
            if !(system.limits.lacks)(&logical, view.cell(0)) {
                continue;
            }
            number += 1;
            let name = format!("t{number}");
            let seed = Seed { table: table(&name, &columns), chunks: vec![vec![batch.clone()]] };
            let job = Job::open_with(&system, "refused", vec![seed], |_, _| false).await;
            let load = job.claim().await;
            job.begin(&*load, Preparation::Create).await;
            let request = WriteRequest {
                table_index: 0,
                table: &job.plan.tables[0],
                chunk_index: 0,
                memory: 8 << 20,
                offers: false,
                lease: None,
            };
            let mut writer = ok(load.writer(&request).await, "writer");
            let written = match writer.write(Batch::Rows(job.chunks[0][0][0].clone())).await {
                Ok(()) => writer.commit(job.entry(0, 0)).await,
                Err(error) => Err(error),
            };
            let code = written.err().map(|error| error.code());
            assert_eq!(code, Some(Code::ValueRefused), "{logical} {value:?}");
            drop(load);
            assert_eq!(job.ledger().await.entries, []);
        }
    }
}

/// A study of what was written finds types as which every value can be read; where it finds the
/// type that was written, the values are the same.
pub async fn studied_types_read_every_value(system: Arc<System>) {
    let seeds = corpus::types().into_iter().enumerate().map(|(index, logical)| Seed {
        table: table(&format!("v{index}"), &[("n", LogicalType::INT64), ("v", logical.clone())]),
        chunks: vec![vec![corpus::batch(&logical)]],
    });
    let job = Job::open(&system, "studied", seeds.collect()).await;
    job.run().await;
    let source = open(&system, "studied").await;
    let snapshot = ok(source.snapshot(1).await, "snapshot");
    for (index, plan) in job.plan.tables.iter().enumerate() {
        let study = study(&*source, &plan.target.name, 64 << 10, None).await;
        let written = target_columns(plan);
        let names = written.iter().map(|(name, _)| name.clone());
        let columns: Vec<_> = names.zip(study.types).collect();
        let what = format!("{} read as {}", plan.columns[1].to, columns[1].1);
        let mut found = Vec::new();
        for chunk in study.chunks {
            let mut request = request(plan, Some(chunk.range));
            request.columns.clone_from(&columns);
            found.extend(ok(read(&*snapshot, &request).await, &what));
        }
        if columns == written {
            same_rows(&job.expected(index), &found, &what);
        } else {
            assert_eq!(fingerprint(&found).rows, plan.rows, "{what}: rows");
        }
    }
}

/// Batches of arbitrary columns come back, among them columns of nothing but NULL and tables
/// without rows.
pub async fn arbitrary_batches_round_trip(system: Arc<System>) {
    let mut runner = TestRunner::deterministic();
    let mut seed = |index| {
        let batch = corpus::any_batch().new_tree(&mut runner).expect("a batch").current();
        let schema = batch.schema();
        let columns: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| {
                let logical = LogicalType::of_field(field).expect("a logical type");
                (field.name().as_str(), logical)
            })
            .collect();
        Seed { table: table(&format!("b{index}"), &columns), chunks: vec![vec![batch.clone()]] }
    };
    let seeds = (0..40).map(&mut seed).collect();
    let job = Job::open(&system, "arbitrary", seeds).await;
    job.run().await;
    job.check(&system, "arbitrary").await;
}

/// A row of 10 MB passes through bounds of 64 KiB, between small ones.
pub async fn a_row_larger_than_every_bound_round_trips(system: Arc<System>) {
    let columns = [("n", LogicalType::INT64), ("t", LogicalType::Text), ("b", LogicalType::Bytes)];
    let table = table("large", &columns);
    let names = columns_of(&table);
    let row = |n: i64, size: usize| {
        let text = |text: String| Value::Text(text);
        vec![
            text(n.to_string()),
            text("é".repeat(size)),
            text(format!("\\x{}", "00fe".repeat(size))),
        ]
    };
    let rows = [row(1, 1), row(2, 2_500_000), row(3, 1)];
    let seed = Seed { table, chunks: vec![vec![corpus::build(&names, rows)]] };
    let job = Job::open(&system, "large", vec![seed]).await;
    job.run().await;
    let snapshot = open(&system, "large").await.snapshot(1).await;
    let snapshot = ok(snapshot, "snapshot");
    let mut request = request(&job.plan.tables[0], None);
    request.batch_bytes = 64 << 10;
    let found = ok(read(&*snapshot, &request).await, "read");
    same_rows(&job.expected(0), &found, "large");
}

/// Equal rows in a table without key are as many afterwards as before, within a chunk and across
/// chunks.
pub async fn duplicate_rows_are_kept(system: Arc<System>) {
    let table = table("twice", &[("a", LogicalType::Text), ("b", LogicalType::INT64)]);
    let columns = columns_of(&table);
    let rows = || {
        let row = || vec![Value::Text("same".to_string()), Value::Null];
        vec![corpus::build(&columns, [row(), row(), vec![Value::Null, Value::Null], row()])]
    };
    let seed = Seed { chunks: vec![rows(), rows()], table };
    let job = Job::open(&system, "twice", vec![seed]).await;
    job.run().await;
    job.check(&system, "twice").await;
}
