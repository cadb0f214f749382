//! What must hold of every decoder of foreign bytes, whatever they are: it ends, without a panic,
//! and what it made of them comes back equal when it is written and decoded again.
//!
//! The fuzz targets feed these functions, and a test feeds them the corpus.

mod files;

use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Cell, ColumnBuilder, ColumnView, Endpoint, Literal, LogicalType};

pub use files::{csv, jsonl, parquet};

/// A decoder and its name, which is that of its fuzz target and of its folder in the corpus.
pub type Decoder = (&'static str, fn(&[u8]));

/// Every decoder.
pub const ALL: &[Decoder] = &[
    ("csv", csv),
    ("jsonl", jsonl),
    ("parquet", parquet),
    ("migration", migration),
    ("plan", plan),
    ("values", values),
    ("words", words),
];

/// A migration file.
pub fn migration(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(spec) = Spec::parse(text, "migration.yaml") else { return };
    let written = spec.to_yaml().expect("a migration can be written");
    let again = Spec::parse(&written, "again.yaml");
    assert!(again.is_ok_and(|again| again == spec), "a migration changed when it was written");
}

/// A plan.
pub fn plan(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(plan) = Plan::from_json(text) else { return };
    let written = plan.to_json().expect("a plan can be written");
    let again = Plan::from_json(&written).expect("a plan that was written can be read");
    assert_eq!(again.digest().ok(), plan.digest().ok(), "a plan changed when it was written");
}

/// The text of a value; the first line is its type.
pub fn values(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some((logical, value)) = text.split_once('\n') else { return };
    let Ok(logical) = logical.parse::<LogicalType>() else { return };
    let Some(written) = rewritten(&logical, value) else { return };
    assert_eq!(rewritten(&logical, &written), Some(written), "a value changed when it was written");
}

/// The canonical text of what a text means; `None` when it means nothing.
fn rewritten(logical: &LogicalType, value: &str) -> Option<String> {
    let mut builder = ColumnBuilder::new(logical);
    builder.parse(value).ok()?;
    let array = builder.finish();
    let view = ColumnView::new(logical, &array).expect("a column fits its own type");
    let mut written = String::new();
    view.cell(0).write_text(&mut written);
    Some(written)
}

/// Addresses, types and literals.
pub fn words(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(endpoint) = Endpoint::parse(text) {
        assert!(!endpoint.to_string().is_empty());
        let _without_panic = endpoint.path();
    }
    if let Ok(logical) = text.parse::<LogicalType>() {
        assert_eq!(logical.to_string().parse().ok(), Some(logical), "a type changed");
    }
    if let Some(literal) = Literal::parse(text) {
        let mut written = String::new();
        match &literal {
            Literal::Int(value) => Cell::Int(*value).write_literal(&mut written),
            Literal::Float(value) => Cell::Float(*value).write_literal(&mut written),
            Literal::Bytes(value) => Cell::Bytes(value).write_literal(&mut written),
            Literal::Text(value) => match std::str::from_utf8(value) {
                Ok(value) => Cell::Text(value).write_literal(&mut written),
                Err(_) => Literal::write_invalid_text(value, &mut written),
            },
        }
        let again = Literal::parse(&written).expect("a literal that was written can be read");
        let both_nan = matches!((&again, &literal), (Literal::Float(a), Literal::Float(b))
            if a.is_nan() && b.is_nan());
        assert!(both_nan || again == literal, "a literal changed when it was written");
    }
}
