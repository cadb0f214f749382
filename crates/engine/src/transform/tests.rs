use longshore_model::catalog::{Table, TableName};
use longshore_model::loss::{Action, LossKind};
use longshore_model::plan::{ColumnPlan, Guard, TablePlan};
use longshore_model::spec::Mask;
use longshore_model::{Batch, BatchBuilder, Code, ColumnView, Error, LogicalType};

use super::{Losses, OnFail, Transform};

fn column(from: &str, to: &str) -> ColumnPlan {
    ColumnPlan {
        source: "c".to_string(),
        target: "d".to_string(),
        from: from.parse().expect("a type"),
        to: to.parse().expect("a type"),
        native: String::new(),
        declared: String::new(),
        mask: None,
        guards: Vec::new(),
        computed: false,
    }
}

fn table(column: ColumnPlan) -> TablePlan {
    let name = TableName::plain("t");
    TablePlan {
        source: name.clone(),
        target: name.clone(),
        columns: vec![column],
        described: Vec::new(),
        wire: None,
        filter: None,
        rows: 0,
        bytes: 0,
        key: Vec::new(),
        structure: Table {
            name,
            columns: Vec::new(),
            primary_key: Vec::new(),
            indexes: Vec::new(),
            foreign_keys: Vec::new(),
            checks: Vec::new(),
            native: None,
            rows_elsewhere: false,
            comment: None,
            attributes: Default::default(),
        },
        chunks: Vec::new(),
    }
}

/// The texts that come out; `-` is NULL.
fn apply(
    column: ColumnPlan,
    values: &[&str],
    on_fail: OnFail,
) -> Result<(Vec<String>, Losses), Error> {
    let (from, to) = (column.from.clone(), column.to.clone());
    let mut builder = BatchBuilder::new([("c", &from)]);
    for value in values {
        let target = &mut builder.columns()[0];
        if *value == "-" {
            target.null()
        } else {
            target.parse(value).expect("a value")
        }
        builder.end_row();
    }
    let mut losses = Losses::default();
    let transform = Transform::new(&table(column), on_fail);
    let Batch::Rows(rows) = transform.apply(Batch::Rows(builder.finish()?), &mut losses)? else {
        panic!("rows came back as wire bytes");
    };
    assert_eq!(rows.schema().field(0).name(), "d");
    assert_eq!(LogicalType::of_field(rows.schema().field(0)), Some(to.clone()));
    let view = ColumnView::new(&to, rows.column(0))?;
    let texts = (0..rows.num_rows())
        .map(|row| {
            let mut text = String::new();
            match view.cell(row) {
                longshore_model::Cell::Null => text.push('-'),
                cell => cell.write_text(&mut text),
            }
            text
        })
        .collect();
    Ok((texts, losses))
}

#[test]
fn guards_replace_and_count() {
    let mut guarded = column("float64", "float64");
    guarded.guards = vec![
        Guard { kind: LossKind::Nan, action: Action::Null },
        Guard { kind: LossKind::NegativeZero, action: Action::Zero },
    ];
    let (texts, losses) =
        apply(guarded.clone(), &["NaN", "-0.0", "1.5", "-"], OnFail::Stop).expect("allowed");
    assert_eq!(texts, ["-", "0.0", "1.5", "-"]);
    assert_eq!(losses.counts["c"], [(LossKind::Nan, 1), (LossKind::NegativeZero, 1)].into());

    guarded.guards[0].action = Action::Fail;
    let error = apply(guarded.clone(), &["NaN"], OnFail::Stop).expect_err("refused");
    assert_eq!(error.code(), Code::ValueRefused);
    let (_, losses) = apply(guarded, &["NaN", "NaN"], OnFail::Count).expect("counted");
    assert_eq!(losses.counts["c"], [(LossKind::Nan, 2)].into());
}

#[test]
fn casts_are_exact_or_lost_by_policy() {
    let (texts, _) =
        apply(column("int64", "boolean"), &["0", "1", "-"], OnFail::Stop).expect("fits");
    assert_eq!(texts, ["false", "true", "-"]);
    assert!(apply(column("int64", "boolean"), &["5"], OnFail::Stop).is_err());
    let mut lossy = column("variant", "int64");
    lossy.guards = vec![Guard { kind: LossKind::InvalidCast, action: Action::Null }];
    let (texts, losses) =
        apply(lossy, &["1", "'2'", "3.0", "'x'", "x'00'"], OnFail::Stop).expect("allowed");
    assert_eq!(texts, ["1", "2", "3", "-", "-"]);
    assert_eq!(losses.counts["c"], [(LossKind::InvalidCast, 2)].into());
}

#[test]
fn values_out_of_range_are_caught_at_the_edge() {
    for (logical, values, expected) in [
        ("float32", ["Infinity", "1.5"], ["-", "1.5"]),
        ("float64", ["NaN", "-Infinity"], ["NaN", "-"]),
        ("date", ["9999-12-31", "10000-01-01"], ["9999-12-31", "-"]),
        ("date", ["0000-12-31", "0001-01-01"], ["-", "0001-01-01"]),
        (
            "timestamp(us)",
            ["9999-12-31 23:59:59.999999", "10000-01-01 00:00:00"],
            ["9999-12-31 23:59:59.999999", "-"],
        ),
        (
            "timestamptz(us)",
            ["0000-12-31 23:59:59.999999Z", "0001-01-01 00:00:00Z"],
            ["-", "0001-01-01 00:00:00Z"],
        ),
        (
            "timestamp(ns)",
            ["1677-09-21 00:12:43.145224192", "2262-04-11 23:47:16.854775807"],
            ["1677-09-21 00:12:43.145224192", "2262-04-11 23:47:16.854775807"],
        ),
        ("text", ["Infinity", "10000-01-01"], ["Infinity", "10000-01-01"]),
    ] {
        let mut guarded = column(logical, logical);
        guarded.guards = vec![Guard { kind: LossKind::OutOfRange, action: Action::Null }];
        let (texts, losses) = apply(guarded, &values, OnFail::Stop).expect("allowed");
        assert_eq!(texts, expected, "{logical}");
        let caught = expected.iter().filter(|text| **text == "-").count() as u64;
        let counted = losses.counts.get("c").map_or(0, |counts| counts[&LossKind::OutOfRange]);
        assert_eq!(counted, caught, "{logical}");
    }
}

#[test]
fn dates_that_are_no_days_are_a_loss_of_their_own() {
    let days = ["2024-02-29", "0000-00-00", "2020-00-00", "2023-02-31", "-"];
    let moments = ["2024-02-29 01:02:03.5", "0000-00-00 00:00:00", "2020-05-00 01:00:00", "-"];
    type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a [&'a str], u64);
    let cases: [Case<'_>; 8] = [
        ("loose-date", "date", &days, &["2024-02-29", "-", "-", "-", "-"], 3),
        ("loose-date", "text", &days, &days, 0),
        (
            "loose-timestamp",
            "timestamp(us)",
            &moments,
            &["2024-02-29 01:02:03.5", "-", "-", "-"],
            2,
        ),
        (
            "loose-timestamptz",
            "timestamptz(us)",
            &moments,
            &["2024-02-29 01:02:03.5Z", "-", "-", "-"],
            2,
        ),
        (
            "loose-timestamptz",
            "timestamp(us)",
            &moments,
            &["2024-02-29 01:02:03.5", "-", "-", "-"],
            2,
        ),
        ("loose-timestamp", "text", &moments, &moments, 0),
        ("loose-timestamptz", "text", &moments, &moments, 0),
        ("loose-timestamp", "date", &["2024-02-29 00:00:00", "-"], &["2024-02-29", "-"], 0),
    ];
    for (from, to, values, expected, lost) in cases {
        let mut lossy = column(from, to);
        lossy.guards = vec![
            Guard { kind: LossKind::ZeroDate, action: Action::Null },
            Guard { kind: LossKind::InvalidCast, action: Action::Fail },
        ];
        let (texts, losses) = apply(lossy.clone(), values, OnFail::Stop).expect("allowed");
        assert_eq!(texts, expected, "{from} as {to}");
        let counted = losses.counts.get("c").map_or(0, |counts| counts[&LossKind::ZeroDate]);
        assert_eq!(counted, lost, "{from} as {to}");

        lossy.guards.clear();
        let refused = apply(lossy, values, OnFail::Stop).err().map(|error| error.to_string());
        assert_eq!(refused.is_some(), lost > 0, "{from} as {to}");
        assert!(refused.is_none_or(|text| text.contains("month or day")), "{from} as {to}");
    }
    let with_time = apply(
        column("loose-timestamp", "date"),
        &["2024-02-29 00:00:01", "0000-00-00 00:00:00"],
        OnFail::Count,
    );
    let expected = [(LossKind::InvalidCast, 1), (LossKind::ZeroDate, 1)].into();
    assert_eq!(with_time.expect("counted").1.counts["c"], expected);
}

#[test]
fn masks_hide_values_and_keep_null() {
    for (mask, to, expected) in [
        (Mask::Redact, "text", ["***", "***", "-"]),
        (Mask::Null, "int64", ["-", "-", "-"]),
        (
            Mask::Sha256,
            "text",
            [
                "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
                "d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
                "-",
            ],
        ),
    ] {
        let mut masked = column("int64", to);
        masked.mask = Some(mask);
        let (texts, _) = apply(masked, &["1", "2", "-"], OnFail::Stop).expect("masked");
        assert_eq!(texts, expected);
    }
}

#[test]
fn rows_are_diverted_and_the_others_stay_in_order() {
    let mut guarded = column("float64", "float64");
    guarded.guards = vec![Guard { kind: LossKind::Nan, action: Action::Divert }];
    let values = ["1.0", "NaN", "2.0", "-", "NaN"];
    let (texts, losses) = apply(guarded, &values, OnFail::Stop).expect("allowed");
    assert_eq!(texts, ["1.0", "2.0", "-"]);
    assert_eq!(losses.counts["c"], [(LossKind::Nan, 2)].into());
    let rows: Vec<usize> = losses.diverted.iter().map(|one| one.row).collect();
    assert_eq!(rows, [1, 4]);
    assert_eq!(losses.samples["c"][&LossKind::Nan], ["row 2", "row 5"]);
}

#[test]
fn decimals_are_rounded_half_away_from_zero_where_a_policy_says_so() {
    let rounding = |from: &str, action| {
        let mut lossy = column(from, "decimal(5,2)");
        lossy.guards = vec![
            Guard { kind: LossKind::InvalidCast, action: Action::Null },
            Guard { kind: LossKind::NumericScale, action },
        ];
        lossy
    };
    for (from, value, expected, kind) in [
        ("text", "1.005", "1.01", Some(LossKind::NumericScale)),
        ("text", "-1.005", "-1.01", Some(LossKind::NumericScale)),
        ("text", "1.0049", "1.00", Some(LossKind::NumericScale)),
        ("text", "0.001", "0.00", Some(LossKind::NumericScale)),
        ("text", "1e-90", "0.00", Some(LossKind::NumericScale)),
        ("text", "999.995", "-", Some(LossKind::InvalidCast)),
        ("text", "1000", "-", Some(LossKind::InvalidCast)),
        ("text", "many", "-", Some(LossKind::InvalidCast)),
        ("text", "1.50", "1.50", None),
        ("float64", "2.675", "2.68", Some(LossKind::NumericScale)),
        ("decimal(9,4)", "12.3456", "12.35", Some(LossKind::NumericScale)),
        ("variant", "1.239", "1.24", Some(LossKind::NumericScale)),
        ("variant", "'1.239'", "1.24", Some(LossKind::NumericScale)),
    ] {
        let (texts, losses) =
            apply(rounding(from, Action::Round), &[value], OnFail::Stop).expect(value);
        assert_eq!(texts, [expected], "{from} {value}");
        let counted: Vec<_> = losses.counts.get("c").into_iter().flatten().collect();
        assert_eq!(counted, kind.iter().map(|kind| (kind, &1)).collect::<Vec<_>>(), "{value}");
    }
    let error = apply(rounding("text", Action::Fail), &["1.005"], OnFail::Stop);
    assert!(error.expect_err("refused").to_string().contains("more digits after the point"));
    let (texts, _) = apply(rounding("text", Action::Null), &["1.005"], OnFail::Stop).expect("null");
    assert_eq!(texts, ["-"]);
}

#[test]
fn bytes_that_are_no_text_follow_their_policy() {
    for (from, value, action, expected) in [
        ("bytes", "\\x61ff62", Action::Replace, "a\u{fffd}b"),
        ("bytes", "\\x61ff62", Action::Null, "-"),
        ("bytes", "\\x6162", Action::Fail, "ab"),
        ("variant", "CAST(x'61ff' AS TEXT)", Action::Replace, "a\u{fffd}"),
    ] {
        let mut lossy = column(from, "text");
        lossy.guards = vec![
            Guard { kind: LossKind::InvalidCast, action: Action::Fail },
            Guard { kind: LossKind::InvalidUtf8, action },
        ];
        let (texts, losses) = apply(lossy, &[value], OnFail::Stop).expect(value);
        assert_eq!(texts, [expected], "{from} {value}");
        let lost = losses.counts.get("c").and_then(|kinds| kinds.get(&LossKind::InvalidUtf8));
        assert_eq!(lost.is_some(), action != Action::Fail);
    }
}
