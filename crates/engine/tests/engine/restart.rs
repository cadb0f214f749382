use longshore_engine::Event;
use longshore_engine::report::Outcome;
use longshore_model::catalog::TableName;
use longshore_model::spec::{Existing, Workers};
use longshore_model::{Code, Error};
use longshore_testkit::scripted::{Script, Step};

use crate::{Scene, content, many, people, rows};

/// Breaks a run at a step, then runs it again to the end.
async fn broken_at(
    name: &str,
    step: Step,
    after: u64,
    change: impl Fn(&Scene),
) -> (Scene, longshore_engine::RunEnd) {
    let mut scene = Scene::new(name);
    scene.spec.limits.workers = Workers::Fixed(1);
    scene.source.put(people("t", false), many(0, 1000));
    scene.source.put(people("u", true), many(0, 300));
    let script = Script::named(&format!("{name}-target"));
    script.break_after(step, after);
    let end = scene.run().await;
    assert!(end.error.is_some(), "{name} was to break");
    script.clear();
    change(&scene);
    scene.seen.lock().expect("no test panics with it").clear();
    let end = scene.run().await;
    (scene, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_at_any_step_it_ends_as_if_it_had_not_been() {
    for (step, after) in [
        (Step::Begin, 0),
        (Step::Writer, 0),
        (Step::Writer, 3),
        (Step::Write, 5),
        (Step::Commit, 0),
        (Step::Commit, 4),
        (Step::Committed, 4),
        (Step::Finish, 0),
        (Step::Done, 0),
    ] {
        let name = format!("broken-{step:?}-{after}");
        let (scene, end) = broken_at(&name, step, after, |_| {}).await;
        assert!(end.error.is_none(), "{name}: {:?}", end.error);
        assert_eq!(end.report.outcome, Outcome::Verified, "{name}");
        for table in ["t", "u"] {
            assert_eq!(content(&scene.target, table), content(&scene.source, table), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_in_are_kept() {
    let (scene, end) = broken_at("kept", Step::Commit, 4, |_| {}).await;
    assert!(end.report.resumed);
    let chunks: usize = end.report.moves[0].tables.iter().map(|table| table.chunks).sum();
    assert_eq!(scene.count(|e| matches!(e, Event::ChunkDone { .. })), chunks - 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_changed_meanwhile_is_never_mixed_in() {
    // A change behind the copied chunks: they are confirmed, and the rest is of the new state.
    let (scene, end) = broken_at("changed-behind", Step::Commit, 2, |scene| {
        scene.source.append(&TableName::plain("t"), rows(&[(5000, "late", 1.0)]));
    })
    .await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
    assert!(scene.count(|e| matches!(e, Event::ChunkConfirmed { .. })) > 0);

    // A change within them: the table is copied again.
    let (scene, end) = broken_at("changed-within", Step::Commit, 2, |scene| {
        let mut batches = scene.source.rows(&TableName::plain("t"));
        batches[0] = rows(&[(0, "changed", 1.0)]);
        scene.source.put(people("t", false), batches);
    })
    .await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(scene.count(|e| matches!(e, Event::TableReset { .. })), 1);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_source_is_refused_when_rows_were_appended() {
    let mut scene = Scene::new("changed-append");
    scene.spec.limits.workers = Workers::Fixed(1);
    scene.spec.moves[0].existing = Existing::Append;
    scene.source.put(people("t", false), many(0, 500));
    scene.target.put(people("t", false), many(9000, 5));
    let script = Script::named("changed-append-target");
    script.break_after(Step::Commit, 2);
    assert!(scene.run().await.error.is_some());
    script.clear();
    let mut batches = scene.source.rows(&TableName::plain("t"));
    batches[0] = rows(&[(0, "changed", 1.0)]);
    scene.source.put(people("t", false), batches);
    let end = scene.run().await;
    assert_eq!(end.error.map(|e| e.code()), Some(Code::SourceChanged));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_run_of_another_plan_is_not_mixed_with() {
    let mut scene = Scene::new("other-plan");
    scene.source.put(people("t", false), many(0, 500));
    let script = Script::named("other-plan-target");
    script.break_after(Step::Commit, 2);
    assert!(scene.run().await.error.is_some());
    script.clear();
    scene.spec.name = "another".to_string();
    assert_eq!(scene.run().await.error.map(|e| e.code()), Some(Code::OtherPlan));
    scene.spec.moves[0].existing = Existing::Replace;
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_goes_on_where_it_stopped() {
    let mut scene = Scene::new("stopped");
    scene.source.put(people("t", false), many(0, 1000));
    let cancel = scene.cancel.clone();
    Script::named("stopped-target").on(move |step, count| {
        if step == Step::Committed && count == 2 {
            cancel.request();
        }
        Ok::<_, Error>(())
    });
    let end = scene.run().await;
    assert_eq!(end.report.outcome, Outcome::Cancelled);
    assert_eq!(end.error.map(|e| e.code()), Some(Code::Cancelled));
    Script::named("stopped-target").clear();
    scene.cancel = longshore_engine::Cancel::default();
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
}
