use longshore_engine::report::Outcome;
use longshore_engine::{Event, VerifyMode};
use longshore_model::Code;
use longshore_model::catalog::{Table, TableName};
use longshore_model::spec::{ColumnRules, Existing, Mask, VerifyLevel};
use longshore_testkit::memory::WIRE;
use longshore_testkit::scripted::{Script, Step};

use crate::{Scene, content, many, people, rows};

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_and_is_proved() {
    let scene = Scene::new("arrives");
    scene.source.put(people("large", true), many(0, 2000));
    scene.source.put(
        people("keyless", false),
        vec![rows(&[(1, "a", 0.5); 3]), rows(&[(2, "-", f64::NAN)])],
    );
    scene.source.put(people("empty", true), Vec::new());
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(end.report.outcome, Outcome::Verified);
    for table in ["large", "keyless", "empty"] {
        assert_eq!(content(&scene.target, table), content(&scene.source, table), "{table}");
    }
    let one = &end.report.moves[0];
    assert!(one.source_unchanged);
    assert_eq!(one.tables.iter().map(|table| table.rows).sum::<u64>(), 2004);
    assert!(one.tables[0].chunks > 5, "the large table is split");
    assert_eq!(
        scene.count(|e| matches!(e, Event::ChunkDone { .. })),
        one.tables.iter().map(|t| t.chunks).sum::<usize>()
    );
}

/// A table whose rows pass in the stores' own wire format.
fn wired(name: &str, keyed: bool) -> Table {
    let mut table = people(name, keyed);
    for column in &mut table.columns {
        column.native = column.logical.to_string();
    }
    table.attributes.insert(WIRE.to_string(), String::new());
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_pass_untouched_where_both_ends_speak_the_same() {
    let mut scene = Scene::new("wire");
    scene.source.put(wired("plain", true), many(0, 1000));
    scene.source.put(wired("masked", true), many(0, 100));
    let mut rules = ColumnRules::default();
    rules.mask.insert("name".to_string(), Mask::Sha256);
    scene.spec.moves[0].columns = [("masked".to_string(), rules)].into();
    let plan = scene.plan().await.expect("a plan");
    let wire = |name: &str| {
        let table = plan.moves[0].tables.iter().find(|table| table.target.name == name);
        table.expect("the table").wire.clone()
    };
    assert_eq!(wire("plain").as_deref(), Some(WIRE));
    assert_eq!(wire("masked"), None);
    Script::named("wire-target").fail_after(Step::Commit, 2, 1);
    let end = scene.run().await;
    assert_eq!(end.report.outcome, Outcome::Verified, "{:?}", end.error);
    assert_eq!(content(&scene.target, "plain"), content(&scene.source, "plain"));

    // A difference is traced to its row, and mended.
    assert!(scene.target.append(&TableName::plain("plain"), rows(&[(5000, "extra", 1.0)])));
    let mode = VerifyMode { level: VerifyLevel::Full, independent: false, repair: false };
    let found = scene.verify(mode).await;
    assert_eq!(found.error.map(|error| error.code()), Some(Code::Difference));
    let table = "plain";
    let proof = found.report.moves[0].verification.as_ref().expect("a verification");
    let proof = proof.tables.iter().find(|proof| proof.table == table).expect("the table");
    assert_eq!((proof.extra, proof.missing, proof.different), (1, 0, 0));
    let end = scene.verify(VerifyMode { repair: true, ..mode }).await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(content(&scene.target, "plain"), content(&scene.source, "plain"));
}

#[tokio::test(flavor = "multi_thread")]
async fn passing_errors_are_tried_again_and_lasting_ones_end_the_run() {
    let scene = Scene::new("retry");
    scene.source.put(people("t", true), many(0, 500));
    Script::named("retry-source").fail_after(Step::Next, 3, 2);
    Script::named("retry-target").fail_after(Step::Commit, 1, 1);
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert!(scene.count(|e| matches!(e, Event::ChunkRetry { .. })) >= 2);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));

    let scene = Scene::new("lasting");
    scene.source.put(people("t", true), many(0, 500));
    Script::named("lasting-target").break_after(Step::Write, 2);
    let end = scene.run().await;
    assert_eq!(end.error.map(|e| e.code()), Some(Code::Io));
    assert_eq!(end.report.outcome, Outcome::Failed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_not_done_twice() {
    let scene = Scene::new("lost-answer");
    scene.source.put(people("t", false), many(0, 500));
    Script::named("lost-answer-target").fail_after(Step::Committed, 1, 1);
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn data_that_is_there_is_never_touched_unasked() {
    let scene = Scene::new("existing");
    scene.source.put(people("t", true), many(0, 10));
    scene.target.put(people("t", true), many(100, 5));
    let end = scene.run().await;
    assert_eq!(end.error.map(|e| e.code()), Some(Code::TargetNotEmpty));
    assert_eq!(content(&scene.target, "t").len(), 5);

    for (existing, expected) in
        [(Existing::Append, 15), (Existing::Truncate, 10), (Existing::Replace, 10)]
    {
        let mut scene = Scene::new(&format!("existing-{existing:?}"));
        scene.spec.moves[0].existing = existing;
        scene.source.put(people("t", true), many(0, 10));
        scene.target.put(people("t", true), many(100, 5));
        let end = scene.run().await;
        assert!(end.error.is_none(), "{existing:?}: {:?}", end.error);
        assert_eq!(end.report.outcome, Outcome::Verified);
        assert_eq!(content(&scene.target, "t").len(), expected, "{existing:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finished_migration_run_again_changes_nothing() {
    let scene = Scene::new("again");
    scene.source.put(people("t", false), many(0, 300));
    assert!(scene.run().await.error.is_none());
    let before = content(&scene.target, "t");
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(end.report.outcome, Outcome::Verified);
    assert_eq!(content(&scene.target, "t"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_of_two_runs_is_refused_with_the_holders_name() {
    let scene = Scene::new("two");
    scene.source.put(people("t", true), many(0, 500));
    Script::named("two-source").slow(Step::Next, std::time::Duration::from_millis(20));
    let plan = scene.plan().await.expect("a plan");
    let (one, two) = tokio::join!(scene.run_plan(plan.clone(), "run-1"), async {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        scene.run_plan(plan.clone(), "run-2").await
    });
    assert!(one.error.is_none(), "{:?}", one.error);
    let error = two.error.expect("refused");
    assert_eq!(error.code(), Code::TargetBusy);
    assert!(error.to_string().contains("run-1"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_source_gives_the_same_plan() {
    let scene = Scene::new("deterministic");
    scene.source.put(people("b", true), many(0, 500));
    scene.source.put(people("a", false), many(0, 500));
    let one = scene.plan().await.expect("a plan").digest().expect("a digest");
    let two = scene.plan().await.expect("a plan").digest().expect("a digest");
    assert_eq!(one, two);
    scene.source.append(&longshore_model::catalog::TableName::plain("a"), rows(&[(9, "x", 0.0)]));
    assert_ne!(scene.plan().await.expect("a plan").digest().expect("a digest"), one);
}
