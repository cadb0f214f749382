//! The beginning and the end of a load.

use std::sync::{Arc, Mutex};

use longshore_model::connector::Preparation;
use longshore_model::ledger::Stage;
use longshore_model::plan::Position;

use super::System;
use super::harness::{Job, numbered, numbered_from, ok, open, read_all, same_rows};

/// Beginning again makes the tables anew and forgets the older ledger, whatever it held.
pub async fn begin_starts_over(system: Arc<System>) {
    let first = Job::open(&system, "again", vec![numbered("t", &[5, 5])]).await;
    first.run().await;
    let job = Job::open(&system, "again", vec![numbered_from("t", 100, &[4])]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Recreate).await;
    let ledger = job.ledger().await;
    assert_eq!((ledger.entries.len(), ledger.stages), (0, vec![Stage::Prepared]));
    job.copy_all(&*load).await;
    job.begin(&*load, Preparation::Recreate).await;
    assert_eq!(job.ledger().await.entries, []);
    job.copy_all(&*load).await;
    job.finish(&*load).await;
    drop(load);
    job.check(&system, "again").await;
}

/// `Empty` removes the rows of a table and leaves it, `Keep` adds to it; making a table that is
/// there is refused and changes nothing.
pub async fn begin_empties_and_keeps(system: Arc<System>) {
    let first = Job::open(&system, "kept", vec![numbered("t", &[5, 5])]).await;
    first.run().await;
    let load = first.claim().await;
    let create = load.begin(&first.header(), &first.plan, &[Preparation::Create]).await;
    assert!(create.is_err(), "a table that is there is not made");
    drop(load);
    first.check(&system, "kept").await;

    let second = Job::open(&system, "kept", vec![numbered_from("t", 50, &[7])]).await;
    let load = second.claim().await;
    second.begin(&*load, Preparation::Empty).await;
    second.copy_all(&*load).await;
    second.finish(&*load).await;
    drop(load);
    second.check(&system, "kept").await;

    let third = Job::open(&system, "kept", vec![numbered_from("t", 90, &[3, 2])]).await;
    let load = third.claim().await;
    third.begin(&*load, Preparation::Keep).await;
    assert_eq!(third.ledger().await.entries, []);
    third.copy_all(&*load).await;
    third.finish(&*load).await;
    drop(load);
    let snapshot = ok(open(&system, "kept").await.snapshot(1).await, "snapshot");
    let found = read_all(&*snapshot, &third.plan.tables[0]).await;
    let expected = [second.expected(0), third.expected(0)].concat();
    same_rows(&expected, &found, "after appending");
}

/// A reset removes the rows and the entries of one table and leaves the others: chunks that are not
/// written again are gone.
pub async fn reset_removes_rows_and_entries(system: Arc<System>) {
    let seeds = vec![numbered("a", &[5, 5]), numbered("b", &[6, 6])];
    let mut job = Job::open(&system, "reset", seeds).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    job.copy_all(&*load).await;
    ok(load.reset_table(0, &job.plan.tables[0]).await, "reset_table");
    let tables: Vec<_> = job.ledger().await.entries.iter().map(|entry| entry.table).collect();
    assert_eq!(tables, [1, 1]);
    job.copy_chunk(&*load, 0, 1).await;
    ok(load.reset_table(1, &job.plan.tables[1]).await, "reset_table");
    ok(load.reset_table(1, &job.plan.tables[1]).await, "reset_table of an empty table");
    job.copy_chunk(&*load, 1, 0).await;
    job.finish(&*load).await;
    drop(load);
    job.chunks[0][0].clear();
    job.chunks[1][1].clear();
    job.check(&system, "reset").await;
}

/// A new position and a stage are in the ledger, and the entries stay.
pub async fn position_and_stages_are_kept(system: Arc<System>) {
    let job = Job::open(&system, "position", vec![numbered("t", &[5])]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    job.copy_all(&*load).await;
    let position = Position("it's \"another\"\u{1F600}\n".to_string());
    ok(load.set_position(&position).await, "set_position");
    ok(load.mark(Stage::Copied).await, "mark");
    ok(load.mark(Stage::Copied).await, "mark again");
    drop(load);
    let ledger = job.ledger().await;
    assert_eq!(ledger.header.position, position);
    assert_eq!(ledger.entries.len(), 1);
    assert!(ledger.has(Stage::Prepared) && ledger.has(Stage::Copied));
    assert!(!ledger.has(Stage::Finished));
    assert_eq!(ledger.stages.len(), 2, "a stage is marked once");
}

/// Finishing runs every statement once, tells their purposes, and repeating it is harmless, by the
/// same claim and by the next.
pub async fn finish_can_be_repeated(system: Arc<System>) {
    let mut seed = numbered("t", &[5, 5]);
    seed.table.primary_key = vec!["id".to_string()];
    let index = longshore_model::catalog::Index {
        name: "t_by name".to_string(),
        parts: vec![longshore_model::catalog::IndexPart {
            column: Some("name".to_string()),
            descending: true,
            common: None,
        }],
        unique: false,
        constraint: false,
        condition: None,
        common: None,
        native: None,
    };
    seed.table.indexes.push(index);
    let job = Job::open(&system, "finish", vec![seed]).await;
    let load = job.claim().await;
    job.begin(&*load, Preparation::Create).await;
    job.copy_all(&*load).await;
    let told = Mutex::new(Vec::new());
    let done = |purpose: &str| told.lock().expect("no panic").push(purpose.to_string());
    ok(load.finish(&job.plan, &done).await, "finish");
    ok(load.finish(&job.plan, &|_: &str| {}).await, "finish again");
    drop(load);
    let purposes: Vec<_> = job.plan.finish.iter().map(|s| s.purpose.clone()).collect();
    assert_eq!(told.into_inner().expect("no panic"), purposes);
    let load = job.claim().await;
    ok(load.finish(&job.plan, &|_: &str| {}).await, "finish by the next claim");
    drop(load);
    let ledger = job.ledger().await;
    assert!(ledger.has(Stage::Finished));
    assert_eq!(ledger.entries.len(), 2);
    job.check(&system, "finish").await;
}
