use longshore_engine::VerifyMode;
use longshore_engine::report::{DifferenceKind, Outcome, TableVerification};
use longshore_model::Code;
use longshore_model::catalog::TableName;
use longshore_model::spec::VerifyLevel;

use crate::{Scene, content, many, people, rows};

const FULL: VerifyMode = VerifyMode { level: VerifyLevel::Full, independent: false, repair: false };

/// A migrated table, with the target's rows changed behind its back.
async fn tampered(name: &str, keyed: bool, change: impl Fn(&mut Vec<(i64, String, f64)>)) -> Scene {
    let scene = Scene::new(name);
    let original: Vec<(i64, String, f64)> =
        (0..300).map(|id| (id, format!("name {}", id % 7), 0.5)).collect();
    let batches = |values: &[(i64, String, f64)]| {
        let borrowed: Vec<_> = values.iter().map(|(a, b, c)| (*a, b.as_str(), *c)).collect();
        vec![rows(&borrowed)]
    };
    scene.source.put(people("t", keyed), batches(&original));
    assert!(scene.run().await.error.is_none());
    let mut changed = original;
    change(&mut changed);
    scene.target.put(people("t", keyed), batches(&changed));
    scene
}

async fn proof(scene: &Scene, mode: VerifyMode) -> TableVerification {
    scene.verify(mode).await.report.moves[0].verification.as_ref().expect("a proof").tables[0]
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_extra_and_different_rows_are_named_by_key() {
    let scene = tampered("named", true, |rows| {
        rows.remove(3);
        rows.push((1000, "extra".to_string(), 0.5));
        rows[10].1 = "Name 4".to_string();
    })
    .await;
    let end = scene.verify(FULL).await;
    assert_eq!(end.report.outcome, Outcome::Different);
    assert_eq!(end.error.map(|e| e.code()), Some(Code::Difference));
    let proof = proof(&scene, FULL).await;
    assert_eq!((proof.missing, proof.extra, proof.different), (1, 1, 1));
    let mut named: Vec<_> =
        proof.differences.iter().map(|d| (d.key.as_str(), d.kind, d.columns.clone())).collect();
    named.sort_by_key(|(key, ..)| *key);
    assert_eq!(
        named,
        [
            ("id=1000", DifferenceKind::Extra, vec![]),
            ("id=11", DifferenceKind::Different, vec!["name".to_string()]),
            ("id=3", DifferenceKind::Missing, vec![]),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn keyless_rows_are_compared_as_a_multiset() {
    let scene = tampered("multiset", false, |rows| {
        let twice = rows[5].clone();
        rows.push(twice.clone());
        rows.push(twice);
        rows.remove(0);
    })
    .await;
    let proof = proof(&scene, FULL).await;
    assert_eq!((proof.missing, proof.extra, proof.different), (1, 2, 0));
    assert!(proof.differences.iter().any(|d| d.kind == DifferenceKind::Extra && d.count == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_source_cannot_lose_by_order_is_equal() {
    let scene = tampered("order", false, |rows| rows.reverse()).await;
    assert_eq!(scene.verify(FULL).await.report.outcome, Outcome::Verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn repair_mends_and_proves_it() {
    for keyed in [true, false] {
        let scene = tampered(&format!("repair-{keyed}"), keyed, |rows| {
            rows.truncate(250);
            rows[7].2 = -0.5;
            rows.push((7777, "extra".to_string(), 0.0));
        })
        .await;
        let end = scene.verify(VerifyMode { repair: true, ..FULL }).await;
        assert!(end.error.is_none(), "{:?}", end.error);
        assert!(end.report.moves[0].verification.as_ref().is_some_and(|v| v.repaired >= 52));
        assert_eq!(content(&scene.target, "t"), content(&scene.source, "t"));
        assert_eq!(scene.verify(FULL).await.report.outcome, Outcome::Verified);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn count_and_independent_say_what_they_can() {
    let change = |rows: &mut Vec<(i64, String, f64)>| rows[0].2 = 9.0;
    let scene = tampered("levels", true, change).await;
    let count = VerifyMode { level: VerifyLevel::Count, ..FULL };
    assert_eq!(scene.verify(count).await.report.outcome, Outcome::Verified, "the count is equal");
    let independent = VerifyMode { independent: true, ..FULL };
    assert_eq!(proof(&scene, independent).await.different, 1);

    let copied_by_others = Scene::new("others");
    copied_by_others.source.put(people("t", true), many(0, 100));
    copied_by_others.target.put(people("t", true), many(0, 100));
    let end = copied_by_others.verify(FULL).await;
    assert_eq!(end.error.map(|e| e.code()), Some(Code::LedgerMissing));
    let end = copied_by_others.verify(independent).await;
    assert_eq!(end.report.outcome, Outcome::Verified, "{:?}", end.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_moved_on_does_not_hide_or_invent_differences() {
    let scene = tampered("moved-on", true, |_| {}).await;
    scene.source.append(&TableName::plain("t"), rows(&[(5000, "new", 0.0)]));
    let end = scene.verify(FULL).await;
    assert_eq!(end.report.outcome, Outcome::Verified);
    assert!(!end.report.moves[0].source_unchanged);

    let scene = tampered("moved-on-different", true, |rows| rows[0].2 = 9.0).await;
    scene.source.append(&TableName::plain("t"), rows(&[(5000, "new", 0.0)]));
    let proof = proof(&scene, FULL).await;
    assert!(!proof.matches);
    assert!(proof.note.is_some_and(|note| note.contains("no longer what was copied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_traced_where_the_source_changed_elsewhere_only() {
    let scene = tampered("moved-on-elsewhere", true, |rows| rows[0].2 = 9.0).await;
    scene.source.put(people("beside", true), many(0, 10));
    let found = proof(&scene, FULL).await;
    assert_eq!((found.different, found.note), (1, None));
}
