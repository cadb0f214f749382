use std::collections::BTreeMap;

use longshore_engine::report::Outcome;
use longshore_model::loss::LossKind;
use longshore_model::loss::Policies;
use longshore_model::plan::ColumnPlan;
use longshore_model::spec::{ColumnRules, Mask};
use longshore_model::{BatchBuilder, Code, LogicalType};

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

/// A scene whose table has dates of which two are none, a policy for them, and maybe a rule.
fn with_zero_dates(name: &str, policies: &str, asked: Option<&str>) -> Scene {
    let mut scene = Scene::new(name);
    let mut table = people("t", true);
    table.columns.truncate(2);
    table.columns[1].logical = LogicalType::LooseDate;
    let types = [LogicalType::INT64, LogicalType::LooseDate];
    let mut builder = BatchBuilder::new(["id", "name"].into_iter().zip(&types));
    for (id, date) in [("1", "2024-02-29"), ("2", "0000-00-00"), ("3", "2024-00-00")] {
        for (column, text) in builder.columns().iter_mut().zip([id, date]) {
            column.parse(text).expect("a value of the column's type");
        }
        builder.end_row();
    }
    scene.source.put(table, vec![builder.finish().expect("a batch")]);
    scene.spec.policies = serde_json::from_str(policies).expect("policies");
    if let Some(asked) = asked {
        scene.spec.moves[0].types.insert("t.name".to_string(), asked.parse().expect("a type"));
    }
    scene
}

#[tokio::test(flavor = "multi_thread")]
async fn dates_that_are_no_days_are_lost_by_policy_or_kept_as_texts() {
    let texts = [Some("2024-02-29"), Some("0000-00-00"), Some("2024-00-00")];
    let days = [Some("2024-02-29"), None, None];
    for (number, (policies, asked, to, expected)) in [
        (r#"{"zero-date": "null"}"#, None, "date", Some(days)),
        ("{}", None, "date", None),
        ("{}", Some("text"), "text", Some(texts)),
        ("{}", Some("loose-date"), "loose-date", Some(texts)),
    ]
    .into_iter()
    .enumerate()
    {
        let scene = with_zero_dates(&format!("zero-dates-{number}"), policies, asked);
        let plan = scene.plan().await.expect("a plan");
        let column: &ColumnPlan = &plan.moves[0].tables[0].columns[1];
        assert_eq!(column.to.to_string(), to);
        let predicted: Vec<_> =
            plan.moves[0].losses.iter().map(|loss| (loss.kind, loss.count)).collect();
        let lossy = to == "date";
        let zero_dates = lossy.then_some((LossKind::ZeroDate, 2));
        assert_eq!(predicted, Vec::from_iter(zero_dates));
        let end = scene.run().await;
        let Some(expected) = expected else {
            assert_eq!(end.error.map(|e| e.code()), Some(Code::ValueRefused));
            continue;
        };
        assert!(end.error.is_none(), "{:?}", end.error);
        assert_eq!(end.report.outcome, Outcome::Verified);
        let found: Vec<_> =
            content(&scene.target, "t").into_iter().map(|row| row[1].clone()).collect();
        assert_eq!(found, expected.map(|text| text.map(str::to_string)));
        if lossy {
            let row = &end.report.moves[0].fidelity[0];
            assert_eq!((row.predicted, row.counted, row.verified), (2, 2, Some(true)));
        }
    }
}
