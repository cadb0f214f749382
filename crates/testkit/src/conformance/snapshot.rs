//! Snapshots show one state.

use std::sync::Arc;
use std::time::Duration;

use longshore_model::connector::Preparation;
use longshore_model::{Code, Kind, Result};

use super::System;
use super::harness::{
    Job, holder, numbered, numbered_from, ok, open, read, read_all, request, same_rows,
};

/// A reader can be dropped before its end, and its place is free for the next.
pub async fn a_reader_can_be_dropped(system: Arc<System>) {
    let job = Job::open(&system, "early", vec![numbered("t", &[2000, 2000])]).await;
    job.run().await;
    let snapshot = ok(open(&system, "early").await.snapshot(1).await, "snapshot");
    let mut request = request(&job.plan.tables[0], None);
    request.batch_bytes = 256;
    for batches in 0..4 {
        let mut reader = ok(snapshot.read(&request).await, "read");
        for _ in 0..batches {
            assert!(ok(reader.next().await, "next").is_some());
        }
    }
    let found = read_all(&*snapshot, &job.plan.tables[0]).await;
    same_rows(&job.expected(0), &found, "after dropped readers");
}

/// As many readers as were announced work at the same time; one more waits for its turn.
pub async fn readers_work_at_the_same_time(system: Arc<System>) {
    let job = Job::open(&system, "readers", vec![numbered("t", &[500, 500])]).await;
    job.run().await;
    let snapshot = ok(open(&system, "readers").await.snapshot(3).await, "snapshot");
    let request = request(&job.plan.tables[0], None);
    let mut readers = Vec::new();
    for _ in 0..3 {
        readers.push(ok(snapshot.read(&request).await, "read"));
    }
    for reader in &mut readers {
        assert!(ok(reader.next().await, "next").is_some());
    }
    let turn = async { drop(readers) };
    let (found, ()) = tokio::join!(read(&*snapshot, &request), turn);
    same_rows(&job.expected(0), &ok(found, "read by the fourth"), "the fourth reader");
}

/// Unchanged sources have equal positions, across snapshots and openings; a write makes another.
pub async fn positions_tell_changes(system: Arc<System>) {
    let job = Job::open(&system, "positions", vec![numbered("t", &[10])]).await;
    job.run().await;
    let source = open(&system, "positions").await;
    let snapshot = ok(source.snapshot(1).await, "snapshot");
    let before = snapshot.position().clone();
    read_all(&*snapshot, &job.plan.tables[0]).await;
    assert_eq!(ok(snapshot.current_position().await, "current_position"), before);
    drop(snapshot);
    let again = ok(open(&system, "positions").await.snapshot(2).await, "snapshot");
    assert_eq!(*again.position(), before, "nothing has changed");
    drop(again);
    ok(append(&system, "positions").await, "append");
    let after = ok(source.snapshot(1).await, "snapshot of the opened source");
    assert_ne!(*after.position(), before, "rows were added");
    let after = ok(open(&system, "positions").await.snapshot(1).await, "snapshot");
    assert_ne!(*after.position(), before, "rows were added");
}

/// A snapshot never shows rows that were written after it was taken: it shows the old state, or
/// says that the source has changed. Where the write succeeds beside it, its position tells.
pub async fn a_snapshot_shows_one_state(system: Arc<System>) {
    let job = Job::open(&system, "state", vec![numbered("t", &[1000, 1000])]).await;
    job.run().await;
    let source = open(&system, "state").await;
    let snapshot = ok(source.snapshot(2).await, "snapshot");
    let task = tokio::spawn({
        let system = system.clone();
        async move { append(&system, "state").await }
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(2);
    while !task.is_finished() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    match read(&*snapshot, &request(&job.plan.tables[0], None)).await {
        Ok(found) => same_rows(&job.expected(0), &found, "the state of the snapshot"),
        Err(error) => assert_eq!(error.code(), Code::SourceChanged, "{error}"),
    }
    if task.is_finished() {
        let now = ok(snapshot.current_position().await, "current_position");
        let written = task.await.expect("no panic");
        assert!(written.is_err() || now != *snapshot.position(), "the position has moved on");
        return;
    }
    drop(snapshot);
    if let Err(error) = task.await.expect("no panic") {
        assert_eq!(error.kind(), Kind::Busy, "{error}");
    }
}

/// Adds rows to `t`, as a run of its own.
async fn append(system: &System, name: &str) -> Result<()> {
    let job = Job::open(system, name, vec![numbered_from("t", 100_000, &[10])]).await;
    let load = job.target.claim(&holder("run-2")).await?;
    load.begin(&job.header(), &job.plan, &[Preparation::Keep]).await?;
    let writer = job.written(&*load, 0, 0).await;
    writer.commit(job.entry(0, 0)).await?;
    load.finish(&job.plan, &|_: &str| {}).await
}
