use longshore_model::{BatchBuilder, Code, LogicalType};

use super::Filter;

const COLUMNS: [(&str, &str); 8] = [
    ("id", "int64"),
    ("name", "text"),
    ("price", "decimal(10,2)"),
    ("ratio", "float64"),
    ("day", "date"),
    ("at", "timestamptz(us)"),
    ("ok", "boolean"),
    ("raw", "bytes"),
];

fn columns() -> Vec<(String, LogicalType)> {
    let column = |(name, ty): (&str, &str)| (name.to_string(), ty.parse().expect("a type"));
    COLUMNS.map(column).to_vec()
}

/// The ids of the rows that a condition selects.
fn selected(condition: &str) -> Result<Vec<String>, longshore_model::Error> {
    let columns = columns();
    let mut builder = BatchBuilder::new(columns.iter().map(|(name, ty)| (name.as_str(), ty)));
    for row in [
        ["1", "apple", "1.50", "0.5", "2024-01-01", "2024-01-01 00:00:00Z", "true", "\\x00"],
        ["2", "it's 50%", "-3.00", "NaN", "2024-06-30", "2024-06-30 12:00:00.5Z", "false", "\\xff"],
        ["3", "", "0.00", "-0.0", "1969-12-31", "1969-12-31 23:59:59Z", "true", "\\x"],
    ] {
        for (column, text) in builder.columns().iter_mut().zip(row) {
            column.parse(text).expect("a value");
        }
        builder.end_row();
    }
    builder.columns()[0].parse("4").expect("a value");
    builder.columns()[1..].iter_mut().for_each(|column| column.null());
    builder.end_row();
    let batch = builder.finish().expect("a batch");
    let found = Filter::parse(condition, &columns)?.select(&batch)?;
    let view = longshore_model::ColumnView::new(&LogicalType::INT64, found.column(0))?;
    Ok((0..found.num_rows())
        .map(|row| {
            let mut text = String::new();
            view.cell(row).write_text(&mut text);
            text
        })
        .collect())
}

#[test]
fn conditions_select_rows_with_three_valued_logic() {
    for (condition, expected) in [
        ("id = 1", &["1"][..]),
        ("ID >= 2 AND \"id\" < 4", &["2", "3"]),
        ("id <> 2.0", &["1", "3", "4"]),
        ("id < 1.5", &["1"]),
        ("id > 99999999999999999999", &[]),
        ("-1 < id AND 2 > id", &["1"]),
        ("name = ''", &["3"]),
        ("name <> ''", &["1", "2"]),
        ("NOT (name = 'apple')", &["2", "3"]),
        ("name IS NULL", &["4"]),
        ("name IS NOT NULL AND ok", &["1", "3"]),
        ("NOT ok", &["2"]),
        ("ok = true OR name IS NULL", &["1", "3", "4"]),
        ("name = NULL OR id = 1", &["1"]),
        ("name IN ('apple', 'x')", &["1"]),
        ("name NOT IN ('apple', NULL)", &[]),
        ("id IN (1, NULL)", &["1"]),
        ("id NOT IN (1, 2)", &["3", "4"]),
        ("price BETWEEN -3 AND 0", &["2", "3"]),
        ("price NOT BETWEEN -3 AND 0", &["1"]),
        ("price = 1.5", &["1"]),
        ("price > 1.499999999999999999999999999", &["1"]),
        ("ratio >= 0", &["1", "2", "3"]),
        ("ratio = 0", &["3"]),
        ("day >= '2024-01-01'", &["1", "2"]),
        ("day = DATE '1969-12-31'", &["3"]),
        ("at < '2024-01-01'", &["3"]),
        ("at >= '2024-06-30T14:00:00+02:00'", &["2"]),
        ("at = '2024-06-30 12:00:00.5'", &["2"]),
        ("raw = x'ff'", &["2"]),
        ("name LIKE '%''s 5_\\%' ESCAPE '\\'", &["2"]),
        ("name LIKE 'a%l%'", &["1"]),
        ("name LIKE '%'", &["1", "2", "3"]),
        ("name LIKE 'APPLE'", &[]),
        ("name NOT LIKE 'a%'", &["2", "3"]),
        ("id = id", &["1", "2", "3", "4"]),
        ("true", &["1", "2", "3", "4"]),
        ("NULL", &[]),
    ] {
        let found = selected(condition).unwrap_or_else(|e| panic!("{condition}: {e:?}"));
        assert_eq!(found, expected, "{condition}");
    }
}

#[test]
fn what_is_not_understood_is_refused() {
    for condition in [
        "",
        "id =",
        "id = 1 id",
        "id = 1; DROP TABLE t",
        "other = 1",
        "\"ID\" = 1",
        "lower(name) = 'a'",
        "id + 1 = 2",
        "name = 1",
        "id = 'x'",
        "day = '2024-13-01'",
        "ratio = 'NaN'",
        "id LIKE '1%'",
        "name LIKE 'a\\' ESCAPE '\\'",
        "name ILIKE 'a'",
        "id IN (SELECT 1)",
        "id",
        "1",
        "1 = 1",
        "id = price",
        "name || 'x' = 'y'",
        "t.id = 1",
    ] {
        let error = selected(condition).expect_err(condition);
        assert_eq!(error.code(), Code::SpecInvalid, "{condition}");
    }
}
