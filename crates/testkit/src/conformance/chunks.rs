//! Chunks are in once or not at all.

use std::sync::Arc;

use longshore_model::connector::{Preparation, WriteRequest};
use longshore_model::ledger::{Entry, Stage};
use longshore_model::{Batch, Code, Kind};

use super::System;
use super::harness::{
    Job, columns_of, fingerprint, holder, numbered, numbered_from, ok, open, read, request,
    same_rows,
};
use crate::corpus::{self, Value};

/// A committed chunk has its entry, as it was given and with a range, and a target opened anew has
/// it too; so has the header.
pub async fn entries_are_in_the_ledger_and_survive(system: Arc<System>) {
    let seeds = || vec![numbered("a", &[3, 4]), numbered("b", &[2])];
    let job = Job::open(&system, "entries", seeds()).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    assert_eq!(job.ledger().await.entries, []);
    job.copy_chunk(&*load, 0, 1).await;
    job.copy_chunk(&*load, 1, 0).await;
    drop(load);
    let again = Job::open(&system, "entries", seeds()).await;
    for job in [&job, &again] {
        let ledger = job.ledger().await;
        assert_eq!(ledger.header, job.header());
        assert_eq!(ledger.stages, [Stage::Prepared]);
        let mut found: Vec<_> =
            ledger.entries.into_iter().map(|entry| Entry { range: None, ..entry }).collect();
        found.sort_by_key(|entry| (entry.table, entry.chunk));
        assert_eq!(found, [job.entry(0, 1), job.entry(1, 0)]);
    }
    let load = again.claim().await;
    again.copy_chunk(&*load, 0, 0).await;
    again.finish(&*load).await;
    drop(load);
    again.check(&system, "entries").await;
}

/// A writer that is dropped leaves no row and no entry; the chunk can be written again, by the same
/// claim and by the next.
pub async fn a_dropped_writer_leaves_nothing(system: Arc<System>) {
    let job = Job::open(&system, "dropped", vec![numbered("t", &[500, 500, 500])]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    drop(job.written(&*load, 0, 0).await);
    assert_eq!(job.ledger().await.entries, []);
    job.copy_chunk(&*load, 0, 0).await;
    drop(job.written(&*load, 0, 1).await);
    drop(load);
    assert_eq!(job.ledger().await.entries.len(), 1);
    let load = job.claim().await;
    job.copy_chunk(&*load, 0, 2).await;
    job.copy_chunk(&*load, 0, 1).await;
    job.finish(&*load).await;
    drop(load);
    assert_eq!(job.ledger().await.entries.len(), 3);
    job.check(&system, "dropped").await;
}

/// A chunk may come in any number of batches, and a writer may be given hardly any memory.
pub async fn a_chunk_of_many_batches_is_whole(system: Arc<System>) {
    let mut seed = numbered("t", &[2000, 2000]);
    for batches in &mut seed.chunks {
        let whole = batches.remove(0);
        batches.extend((0..2000).step_by(7).map(|row| whole.slice(row, 7.min(2000 - row))));
    }
    let job = Job::open(&system, "batches", vec![seed]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    for chunk in 0..2 {
        let request = WriteRequest {
            table_index: 0,
            table: &job.plan.tables[0],
            chunk_index: chunk,
            memory: 1,
            offers: false,
            lease: None,
        };
        let mut writer = ok(load.writer(&request).await, "writer");
        for batch in &job.chunks[0][chunk] {
            ok(writer.write(Batch::Rows(batch.clone())).await, "write");
        }
        ok(writer.commit(job.entry(0, chunk)).await, "commit");
    }
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "batches").await;
}

/// A batch that is offered is in with all of its rows or with none, and the writer goes on after a
/// refusal; a database refuses NULL where it is not allowed.
pub async fn an_offer_is_taken_whole_or_not_at_all(system: Arc<System>) {
    let mut seed = numbered("t", &[40]);
    seed.table.columns[1].nullable = false;
    let columns = columns_of(&seed.table);
    let job = Job::open(&system, "offers", vec![seed]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    let request = WriteRequest {
        table_index: 0,
        table: &job.plan.tables[0],
        chunk_index: 0,
        memory: 1 << 20,
        offers: true,
        lease: None,
    };
    let mut writer = ok(load.writer(&request).await, "writer");
    let whole = &job.chunks[0][0][0];
    ok(writer.offer(whole.slice(0, 10)).await, "offer");
    if !system.connector.about().target.dialect.is_empty() {
        let row = |id: usize| {
            let name = if id == 57 { Value::Null } else { Value::Text("a name".to_string()) };
            vec![Value::Text(id.to_string()), name]
        };
        let wrong = corpus::build(&columns, (50..60).map(row));
        for part in [wrong.clone(), wrong.slice(7, 1), wrong.slice(5, 5)] {
            let error = writer.offer(part).await.expect_err("NULL is refused");
            assert_eq!(error.kind(), Kind::Data, "{error:?}");
        }
    }
    ok(writer.offer(whole.slice(10, 1)).await, "offer after a refusal");
    ok(writer.offer(whole.slice(11, 29)).await, "offer");
    ok(writer.commit(job.entry(0, 0)).await, "commit");
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "offers").await;
}

/// As many writers as are declared work at the same time, and commit in any order.
pub async fn writers_work_at_the_same_time(system: Arc<System>) {
    let writers = system.connector.about().target.writers.unwrap_or(4).min(4);
    let seeds = vec![numbered("a", &[200; 4]), numbered("b", &[10; 4])];
    let job = Job::open(&system, "writers", seeds).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    let all: Vec<_> = (0..4).flat_map(|chunk| [(0, chunk), (1, chunk)]).collect();
    for group in all.chunks(writers) {
        let mut open = Vec::new();
        for &(table, chunk) in group {
            open.push((job.written(&*load, table, chunk).await, job.entry(table, chunk)));
        }
        for (writer, entry) in open.into_iter().rev() {
            ok(writer.commit(entry).await, "commit");
        }
    }
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "writers").await;
}

/// While a claim lives, another is refused with `TargetBusy` and the holder's name, and nothing
/// else stops working; afterwards it is granted.
pub async fn a_second_claim_is_refused_with_the_holder(system: Arc<System>) {
    let job = Job::open(&system, "claims", vec![numbered("t", &[1])]).await;
    let other = Job::open(&system, "claims", vec![numbered("t", &[1])]).await;
    let load = job.claim().await;
    for target in [&other.target, &job.target] {
        let error = target.claim(&holder("run-2")).await.err().expect("the claim is refused");
        assert_eq!(error.code(), Code::TargetBusy);
        let text = format!("{error} {}", error.chain().join(" "));
        assert!(text.contains("run-1") && text.contains("host.example"), "{text}");
    }
    job.begin(&*load, Preparation::Create).await;
    assert!(ok(other.target.ledger().await, "ledger while it is claimed").is_some());
    drop(load);
    let second = ok(other.target.claim(&holder("run-2")).await, "claim after release");
    let error = job.target.claim(&holder("run-1")).await.err().expect("the claim is refused");
    assert!(error.to_string().contains("run-2"), "{error}");
    drop(second);
}

/// The parts hold every row once, also rows of an earlier load; those of one chunk are attributed
/// to it.
pub async fn parts_cover_every_row(system: Arc<System>) {
    let first = Job::open(&system, "parts", vec![numbered("t", &[300, 1, 0, 300])]).await;
    first.run().await;
    check_parts(&system, &first, first.expected(0)).await;

    let more = Job::open(&system, "parts", vec![numbered_from("t", 1000, &[5, 6])]).await;
    let load = more.claim().await;
    more.begin(&*load, Preparation::Keep).await;
    more.copy_all(&*load).await;
    more.finish(&*load).await;
    drop(load);
    let all = [first.expected(0), more.expected(0)].concat();
    check_parts(&system, &more, all).await;
}

async fn check_parts(system: &System, job: &Job, expected: Vec<arrow_array::RecordBatch>) {
    let snapshot = ok(open(system, "parts").await.snapshot(1).await, "snapshot");
    let mut found = Vec::new();
    for part in job.parts(0).await {
        let rows = read(&*snapshot, &request(&job.plan.tables[0], part.range)).await;
        let rows = ok(rows, "read of a part");
        if let Some(chunk) = part.chunk {
            let entry = fingerprint(&job.chunks[0][chunk]);
            assert_eq!(fingerprint(&rows), entry, "the part of chunk {chunk}");
        }
        found.extend(rows);
    }
    same_rows(&expected, &found, "all parts together");
}
