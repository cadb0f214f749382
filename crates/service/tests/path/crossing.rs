//! The corpus crossed over all pairs of systems: what one can hold and the other takes without a loss
//! comes back the same, and what does not come back was counted as rejected on the way.

use std::collections::BTreeMap;

use longshore_engine::report::{MoveReport, Outcome};
use longshore_model::loss::OnReject;
use longshore_model::spec::Spec;
use longshore_model::{Cell, ColumnBuilder, ColumnView, Literal, LogicalType, Unit};
use longshore_testkit::corpus;
use longshore_testkit::mysql::{Flavor, Mysql};
use longshore_testkit::postgres::{Postgres, Version};
use tempfile::TempDir;

use crate::scene::{folder, migrate, put, store};

/// A system, and empty places in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Postgres,
    Mysql,
    MariaDb,
    Sqlite,
    Parquet,
}

const ALL: [System; 5] =
    [System::Postgres, System::Mysql, System::MariaDb, System::Sqlite, System::Parquet];

impl System {
    fn place(self, folder: &TempDir, name: &str) -> String {
        let path = folder.path().join(name);
        match self {
            System::Postgres => {
                let server = Postgres::shared(Version::V18);
                server.url(&server.create(name))
            }
            System::Mysql => {
                let server = Mysql::shared(Flavor::MySql);
                server.url(&server.create(name))
            }
            System::MariaDb => {
                let server = Mysql::shared(Flavor::MariaDb);
                server.url(&server.create(name))
            }
            System::Sqlite => format!("sqlite:{}", path.display()),
            System::Parquet => format!("file:{}?format=parquet", path.display()),
        }
    }
}

/// The texts of the rows of each table, by the row's number.
type Rows = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// Moves everything that the target can hold; returns what was rejected, by table.
async fn moved(from: &str, to: &str, what: &str) -> BTreeMap<String, u64> {
    let mut spec = Spec::short(from, to);
    spec.on_reject = OnReject::Divert;
    let end = migrate(&spec).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let fine = matches!(end.report.outcome, Outcome::Verified | Outcome::Rejected);
    assert!(fine, "{what}: {:?}", end.error);
    let one: &MoveReport = &end.report.moves[0];
    assert!(one.verification.as_ref().is_some_and(|proof| proof.matches), "{what}");
    for loss in &one.fidelity {
        assert_eq!(loss.predicted, loss.counted, "{what}: {loss:?}");
    }
    one.tables.iter().map(|table| (table.source.clone(), table.rejected)).collect()
}

async fn read(from: &str, what: &str) -> Rows {
    let into = store();
    let rejected = moved(from, &into.address("memory"), what).await;
    assert!(rejected.values().all(|rows| *rows == 0), "{what}: memory holds everything");
    let tables = into.tables().into_iter();
    tables.map(|table| (table.name.name.clone(), rows(&into.rows(&table.name)))).collect()
}

fn rows(batches: &[arrow_array::RecordBatch]) -> BTreeMap<String, Option<String>> {
    let mut rows = BTreeMap::new();
    for batch in batches {
        for row in corpus::texts(batch).expect("texts") {
            let [number, value] = <[_; 2]>::try_from(row).expect("two columns");
            rows.insert(number.expect("a number"), value.map(|text| plain(&text)));
        }
    }
    rows
}

/// A text without what systems write differently for the same value: moments of UTC become moments
/// where there is no such type, and times of the day become spans.
fn plain(text: &str) -> String {
    match text {
        "true" => "1".to_string(),
        "false" => "0".to_string(),
        _ => time_of(text).unwrap_or_else(|| text.trim_end_matches('Z').to_string()),
    }
}

/// The time of the day that a span of at most a day is.
fn time_of(text: &str) -> Option<String> {
    let mut builder = ColumnBuilder::new(&LogicalType::Interval);
    builder.parse(text).ok()?;
    let array = builder.finish();
    let span = ColumnView::new(&LogicalType::Interval, &array).expect("a column").cell(0);
    let Cell::Interval(0, 0, nanoseconds @ 0..=86_400_000_000_000) = span else { return None };
    let mut time = String::new();
    Cell::Time(nanoseconds, Unit::Nano).write_text(&mut time);
    Some(time)
}

/// Whether a value came back. Values of any kind in one column travel as the texts of their literals
/// through systems that have no such columns.
fn is_same(went: Option<&Option<String>>, came: &Option<String>) -> bool {
    let unquoted = |text: &String| match Literal::parse(text) {
        Some(Literal::Text(inner)) => String::from_utf8(inner).ok(),
        _ => None,
    };
    went.is_some_and(|went| went == came || *went == came.as_ref().and_then(unquoted))
}

/// A → B → A for every B.
async fn cross(system: System) {
    let (folder, corpus) = (folder(), store());
    for (number, logical) in corpus::types().iter().enumerate() {
        put(&corpus, &format!("t{number}"), Some("n"), corpus::batch(logical));
    }
    let from = system.place(&folder, "origin");
    moved(&corpus.address("memory"), &from, &format!("corpus to {system:?}")).await;
    let origin = read(&from, &format!("{system:?}")).await;
    assert_eq!(origin.len(), corpus::types().len());
    for other in ALL.into_iter().filter(|other| *other != system) {
        let what = format!("{system:?} by {other:?}");
        let between = other.place(&folder, &format!("between{other:?}").to_lowercase());
        let back = system.place(&folder, &format!("back{other:?}").to_lowercase());
        let lost = moved(&from, &between, &format!("{what}, there")).await;
        let again = moved(&between, &back, &format!("{what}, back")).await;
        let came = read(&back, &what).await;
        for (number, logical) in corpus::types().iter().enumerate() {
            let name = format!("t{number}");
            let (went, came) = (&origin[&name], &came[&name]);
            let count = |lost: &BTreeMap<String, u64>| {
                let found = lost.iter().find(|(table, _)| table.ends_with(&name));
                found.map_or(0, |(_, rows)| *rows)
            };
            assert_eq!(count(&again), 0, "{what}: {logical}: what came from there goes back");
            assert_eq!(came.len() as u64 + count(&lost), went.len() as u64, "{what}: {logical}");
            for (row, value) in came {
                let went = went.get(row);
                assert!(is_same(went, value), "{what}: {logical}: {went:?} is {value:?}");
            }
        }
    }
}

macro_rules! crossings {
    ($($name:ident $system:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            cross(System::$system).await;
        }
    )*};
}

crossings! {
    what_postgres_holds_comes_back_from_every_system Postgres;
    what_mysql_holds_comes_back_from_every_system Mysql;
    what_mariadb_holds_comes_back_from_every_system MariaDb;
    what_sqlite_holds_comes_back_from_every_system Sqlite;
}
