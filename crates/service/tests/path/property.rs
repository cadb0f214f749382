//! Arbitrary tables through SQLite and files in every format: what comes back is what went in, or
//! the way is refused with a clear code.

use std::path::Path;

use arrow_array::RecordBatch;
use longshore_engine::report::Outcome;
use longshore_model::catalog::TableName;
use longshore_model::loss::Policies;
use longshore_model::spec::{Size, Spec};
use longshore_model::{Code, Literal, LogicalType};
use longshore_testkit::corpus;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRng, TestRunner};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::dump::dump;
use crate::scene::{folder, migrate, put, store};

/// Cases for each format; more with `LONGSHORE_PROPERTY_CASES`.
const CASES: u32 = 60;

fn cases() -> u32 {
    let told = std::env::var("LONGSHORE_PROPERTY_CASES").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arbitrary_tables_survive_parquet() {
    check("parquet", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arbitrary_tables_survive_csv() {
    check("csv", 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arbitrary_tables_survive_jsonl() {
    check("jsonl", 3).await;
}

async fn check(format: &str, seed: u8) {
    let random = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), random);
    for case in 0..cases() {
        let batch = corpus::any_batch().new_tree(&mut runner).expect("a batch").current();
        let what = format!("{format} case {case}: {:?}", batch.schema());
        by_files(format, &batch, &what).await;
        by_databases(format, &batch, &what).await;
    }
}

/// Runs a way that must end well.
async fn go(spec: &Spec, what: &str) {
    let end = migrate(spec).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(end.report.outcome, Outcome::Verified, "{what}: {:?}", end.error);
}

/// A migration of a table that asks for dates that may be no days as what they are.
fn as_they_are(batch: &RecordBatch, from: &str, to: &str) -> Spec {
    let mut spec = Spec::short(from, to);
    for field in batch.schema().fields() {
        let logical = LogicalType::of_field(field).expect("a logical type");
        if logical.strict().is_some() {
            spec.moves[0].types.insert(format!("t.{}", field.name()), logical);
        }
    }
    spec
}

/// Memory → files → memory: types and values are the same.
async fn by_files(format: &str, batch: &RecordBatch, what: &str) {
    let (from, to, folder) = (store(), store(), folder());
    put(&from, "t", None, batch.clone());
    let files = format!("file:{}?format={format}", folder.path().join("out").display());
    let mut spec = as_they_are(batch, &from.address("memory"), &files);
    spec.limits.chunk = Size(256);
    go(&spec, what).await;
    go(&as_they_are(batch, &files, &to.address("memory")), what).await;
    let mut came = Vec::new();
    for part in to.rows(&TableName::plain("t")) {
        let (schema, expected) = (part.schema(), batch.schema());
        for (one, other) in schema.fields().iter().zip(expected.fields()) {
            assert_eq!((one.name(), one.data_type()), (other.name(), other.data_type()), "{what}");
        }
        came.extend(corpus::texts(&part).expect("text"));
    }
    let mut went = corpus::texts(batch).expect("text");
    went.sort();
    came.sort();
    assert!(came == went, "{what}: other values came back");
}

/// Memory → SQLite → files → SQLite: the databases are the same, by classes and bytes.
async fn by_databases(format: &str, batch: &RecordBatch, what: &str) {
    let (from, folder) = (store(), folder());
    put(&from, "t", None, batch.clone());
    let database = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let (one, two) = (database("one.db"), database("two.db"));
    let files = format!("file:{}?format={format}", folder.path().join("out").display());
    let mut spec = as_they_are(batch, &from.address("memory"), &one);
    spec.limits.chunk = Size(256);
    let strict = migrate(&spec).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    if let Some(error) = strict.error {
        assert_eq!(error.code(), Code::ValueRefused, "{what}: {error:?}");
        let policies = r#"{"nan": "null", "negative-zero": "zero"}"#;
        spec.policies = serde_json::from_str::<Policies>(policies).expect("policies");
        spec.moves[0].existing = longshore_model::spec::Existing::Replace;
        go(&spec, what).await;
    }
    stored_exactly(&folder.path().join("one.db"), batch, what);
    go(&Spec::short(&one, &files), what).await;
    go(&Spec::short(&files, &two), what).await;
    let read = |name: &str| dump(&folder.path().join(name)).expect("a dump");
    assert!(read("one.db") == read("two.db"), "{what}: the databases differ");
}

/// Compares what is stored with the canonical text of what was given, in the order of the rows.
fn stored_exactly(path: &Path, batch: &RecordBatch, what: &str) {
    let connection = Connection::open(path).expect("a database");
    let mut statement = connection.prepare("SELECT * FROM t ORDER BY rowid").expect("a query");
    let mut rows = statement.query([]).expect("rows");
    for expected in corpus::texts(batch).expect("text") {
        let row = rows.next().expect("a row").unwrap_or_else(|| panic!("{what}: rows are missing"));
        for (column, text) in expected.iter().enumerate() {
            let stored = row.get_ref(column).expect("a value");
            assert!(is_same(stored, text.as_deref()), "{what}: {stored:?} for {text:?}");
        }
    }
    assert!(rows.next().expect("an end").is_none(), "{what}: rows are too many");
}

fn is_same(stored: ValueRef<'_>, text: Option<&str>) -> bool {
    let Some(text) = text else { return stored == ValueRef::Null };
    let literal = Literal::parse(text);
    match stored {
        ValueRef::Null => text == "NaN",
        ValueRef::Integer(value) => match text {
            "true" | "false" => value == i64::from(text == "true"),
            _ => text.parse() == Ok(value),
        },
        // −0.0 has become 0.0 by policy.
        ValueRef::Real(value) => match text.parse::<f64>() {
            Ok(given) => (given + 0.0).to_bits() == value.to_bits(),
            Err(_) => literal == Some(Literal::Float(value)),
        },
        ValueRef::Text(bytes) => {
            bytes == text.as_bytes() || literal == Some(Literal::Text(bytes.to_vec()))
        }
        ValueRef::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            text == format!("\\x{hex}") || text == format!("x'{hex}'")
        }
    }
}
