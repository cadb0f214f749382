//! Differences are mended as the target declares.

use std::sync::Arc;

use arrow_array::RecordBatch;
use longshore_model::connector::{Load, Preparation, Repair, WriteRequest};
use longshore_model::{Batch, LogicalType};

use super::System;
use super::harness::{Job, Seed, columns_of, numbered, ok, open, read_all, same_rows, table};
use crate::corpus::{self, Value};

/// One row goes for every row to remove, equal in every column and in the kind of every value; rows
/// that cannot be found change nothing.
pub async fn rows_are_replaced_exactly(system: Arc<System>) {
    if system.connector.about().target.repair != Repair::Rows {
        return;
    }
    for kind in [LogicalType::Variant, LogicalType::Text] {
        let table = table("r", &[("v", kind.clone()), ("t", LogicalType::Text)]);
        let columns = columns_of(&table);
        let rows = |rows: &[(Option<&str>, Option<&str>)]| {
            let text =
                |text: Option<&str>| text.map_or(Value::Null, |t| Value::Text(t.to_string()));
            corpus::build(&columns, rows.iter().map(|(v, t)| vec![text(*v), text(*t)]))
        };
        let before = rows(&[
            (Some("1"), Some("a")),
            (Some("'1'"), Some("a")),
            (Some("1.0"), Some("a")),
            (Some("1"), Some("A")),
            (Some("1"), Some("a ")),
            (Some("''"), None),
            (Some("''"), Some("")),
            (None, None),
            (None, None),
            (Some("x'31'"), Some("a")),
        ]);
        let name = format!("replace {kind}");
        let seed = Seed { table, chunks: vec![vec![before]] };
        let job = Job::open(&system, &name, vec![seed]).await;
        job.run().await;
        let load = job.claim().await;
        let plan = &job.plan.tables[0];
        let remove = rows(&[(Some("1"), Some("a")), (None, None), (Some("''"), None)]);
        let add = rows(&[(Some("2"), Some("new")), (Some("2"), Some("new"))]);
        ok(load.replace_rows(plan, &remove, &add).await, "replace_rows");
        let after = rows(&[
            (Some("'1'"), Some("a")),
            (Some("1.0"), Some("a")),
            (Some("1"), Some("A")),
            (Some("1"), Some("a ")),
            (Some("''"), Some("")),
            (None, None),
            (Some("x'31'"), Some("a")),
            (Some("2"), Some("new")),
            (Some("2"), Some("new")),
        ]);
        let partly = rows(&[(Some("1"), Some("A")), (Some("1"), Some("nowhere"))]);
        let none = RecordBatch::new_empty(partly.schema());
        let refused = load.replace_rows(plan, &partly, &none).await;
        assert!(refused.is_err(), "a row that is not there cannot be removed");
        drop(load);
        let snapshot = ok(open(&system, &name).await.snapshot(1).await, "snapshot");
        same_rows(&[after], &read_all(&*snapshot, plan).await, &name);
    }
}

/// Writing a chunk that is in already replaces its rows and its entry, during the load and after
/// it; a writer that is dropped leaves both or neither of the old ones. A target that is mended by
/// rows may refuse instead, and then keeps them.
pub async fn a_chunk_is_replaced(system: Arc<System>) {
    let mut job = Job::open(&system, "rewrite", vec![numbered("t", &[50, 50])]).await;
    let other = Job::open(&system, "rewrite", vec![numbered("t", &[3, 7])]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    job.copy_all(&*load).await;
    job.finish(&*load).await;
    drop(load);
    let load = job.claim().await;
    rewrite(&other, &*load, false).await;
    drop(load);
    let entries = job.ledger().await.entries.len();
    let snapshot = ok(open(&system, "rewrite").await.snapshot(1).await, "snapshot");
    let found = read_all(&*snapshot, &job.plan.tables[0]).await;
    drop(snapshot);
    let kept = if entries == 2 { job.expected(0) } else { job.chunks[0][0].clone() };
    same_rows(&kept, &found, &format!("{entries} entries after a dropped rewrite"));
    let load = job.claim().await;
    if rewrite(&other, &*load, true).await {
        job.chunks[0][1] = other.chunks[0][1].clone();
    } else {
        assert_ne!(system.connector.about().target.repair, Repair::Chunks, "a rewrite is refused");
    }
    job.finish(&*load).await;
    drop(load);
    assert_eq!(job.ledger().await.entries.len(), 2);
    job.check(&system, "rewrite").await;
}

/// Writes chunk 1 once more, and drops or commits it; whether the target allowed it.
async fn rewrite(job: &Job, load: &dyn Load, commit: bool) -> bool {
    let request = WriteRequest {
        table_index: 0,
        table: &job.plan.tables[0],
        chunk_index: 1,
        memory: 8 << 20,
        offers: false,
        lease: None,
    };
    let Ok(mut writer) = load.writer(&request).await else { return false };
    for batch in &job.chunks[0][1] {
        if writer.write(Batch::Rows(batch.clone())).await.is_err() {
            return false;
        }
    }
    !commit || writer.commit(job.entry(0, 1)).await.is_ok()
}
