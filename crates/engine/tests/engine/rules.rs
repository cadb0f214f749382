use std::collections::BTreeMap;

use longshore_engine::report::Outcome;
use longshore_model::Code;
use longshore_model::loss::LossKind;
use longshore_model::loss::Policies;
use longshore_model::spec::{ColumnRules, Mask};

use crate::{Scene, content, many, people, rows};

fn rules(fill: impl FnOnce(&mut ColumnRules)) -> BTreeMap<String, ColumnRules> {
    let mut rules = ColumnRules::default();
    fill(&mut rules);
    [("t".to_string(), rules)].into()
}

fn row(values: &[&str]) -> Vec<Option<String>> {
    values.iter().map(|value| Some(value.to_string())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_dropped_renamed_masked_and_converted() {
    let mut scene = Scene::new("rules");
    scene.source.put(people("t", true), vec![rows(&[(1, "a", 2.0), (2, "b", 3.0)])]);
    let one = &mut scene.spec.moves[0];
    one.columns = rules(|r| {
        r.rename.insert("id".to_string(), "number".to_string());
        r.mask.insert("name".to_string(), Mask::Redact);
    });
    one.rename.insert("t".to_string(), "persons".to_string());
    one.types.insert("t.score".to_string(), "int32".parse().expect("a type"));
    one.filter.insert("t".to_string(), "id > 1".to_string());
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    assert_eq!(end.report.outcome, Outcome::Verified);
    assert_eq!(content(&scene.target, "persons"), [row(&["2", "***", "3"])]);
    let table = &scene.target.tables()[0];
    assert_eq!(table.primary_key, ["number"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_matches_nothing_is_refused() {
    type Change = fn(&mut longshore_model::spec::Move);
    let changes: [(&str, Change); 6] = [
        ("tables", |one| one.tables.push("nothing".to_string())),
        ("rename", |one| drop(one.rename.insert("nothing".to_string(), "x".to_string()))),
        ("where", |one| drop(one.filter.insert("nothing".to_string(), "1".to_string()))),
        ("types", |one| {
            drop(one.types.insert("t.nothing".to_string(), "text".parse().expect("a type")))
        }),
        ("columns", |one| one.columns = rules(|r| r.drop.push("nothing".to_string()))),
        ("columns", |one| one.columns = [("nothing".to_string(), ColumnRules::default())].into()),
    ];
    for (index, (what, change)) in changes.into_iter().enumerate() {
        let mut scene = Scene::new(&format!("no-match-{index}"));
        scene.source.put(people("t", true), many(0, 3));
        change(&mut scene.spec.moves[0]);
        let error = scene.plan().await.expect_err(what);
        assert_eq!(error.code(), Code::SpecNoMatch, "{what}");
        assert!(error.to_string().contains("nothing"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn losses_are_predicted_counted_and_reconciled() {
    let mut scene = Scene::new("losses");
    scene
        .source
        .put(people("t", true), vec![rows(&[(1, "12", 0.0), (2, "x", 0.0), (3, "y", 0.0)])]);
    scene.spec.moves[0].types.insert("t.name".to_string(), "int64".parse().expect("a type"));
    let plan = scene.plan().await.expect("a plan");
    assert_eq!(plan.moves[0].losses.len(), 1);
    assert_eq!(
        (plan.moves[0].losses[0].kind, plan.moves[0].losses[0].count),
        (LossKind::InvalidCast, 2)
    );
    assert!(plan.moves[0].risks.iter().any(|risk| risk.contains("so the run will")));
    let end = scene.run_plan(plan, "run-1").await;
    assert_eq!(end.error.map(|e| e.code()), Some(Code::ValueRefused));

    let mut scene = Scene::new("losses-allowed");
    scene
        .source
        .put(people("t", true), vec![rows(&[(1, "12", 0.0), (2, "x", 0.0), (3, "y", 0.0)])]);
    scene.spec.moves[0].types.insert("t.name".to_string(), "int64".parse().expect("a type"));
    scene.spec.policies =
        serde_json::from_str::<Policies>(r#"{"invalid-cast": "null"}"#).expect("policies");
    let end = scene.run().await;
    assert!(end.error.is_none(), "{:?}", end.error);
    let row = &end.report.moves[0].fidelity[0];
    assert_eq!((row.predicted, row.counted, row.verified), (2, 2, Some(true)));
}
