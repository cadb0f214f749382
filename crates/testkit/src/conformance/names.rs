//! Names and emptiness.

use std::sync::Arc;

use arrow_array::RecordBatch;
use longshore_model::catalog::Catalog;
use longshore_model::connector::Preparation;
use longshore_model::{Code, LogicalType};

use super::System;
use super::harness::{Job, Seed, columns_of, numbered, ok, open, table};
use crate::corpus::{self, Value};

const NAMES: &[&str] = &[
    "plain",
    "UPPER case",
    "a\"b",
    "a'b",
    "a`b",
    "[a]",
    "a.b",
    "..",
    ".hidden",
    "a/b",
    "a\\b",
    "a;b--",
    "select",
    "table",
    "Ünï",
    "\u{1F600}",
    "%41",
    "-dash",
    "a:b?c=d&e",
    "line\nbreak",
    "tab\tname",
    " space ",
    "*",
    "$1",
    "0",
    "null",
    "rowid",
    "longshore.json",
];

/// Tables and columns of hostile names are made, filled, listed and read back under these names;
/// those that the system does not take are refused before anything is made.
pub async fn hostile_names_round_trip(system: Arc<System>) {
    let long = "n".repeat(system.limits.name_bytes);
    let all = NAMES.iter().copied().chain([long.as_str()]);
    let (names, refused): (Vec<&str>, Vec<&str>) = all.partition(|n| (system.limits.takes_name)(n));
    check_refusals(&system, &refused).await;
    let columns: Vec<_> = names.iter().map(|name| (*name, LogicalType::Text)).collect();
    let seeds = names.iter().map(|name| {
        let table = table(name, &columns);
        let row = |_| columns.iter().map(|(name, _)| Value::Text((*name).to_string())).collect();
        let rows = corpus::build(&columns_of(&table), (0..2).map(row));
        Seed { table, chunks: vec![vec![rows]] }
    });
    let job = Job::open(&system, "names", seeds.collect()).await;
    job.run().await;
    job.check(&system, "names").await;
    let catalog = ok(open(&system, "names").await.catalog().await, "catalog");
    let mut found: Vec<_> = catalog.tables.iter().map(|table| table.name.name.clone()).collect();
    let mut expected: Vec<_> = names.iter().map(ToString::to_string).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "tables of the catalog");
    for table in &catalog.tables {
        let columns: Vec<_> = table.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(columns, names, "columns of {}", table.name);
    }
}

async fn check_refusals(system: &System, names: &[&str]) {
    let job = Job::open(system, "refused names", vec![numbered("plain", &[1])]).await;
    for name in names {
        let (mut table, mut column) = (job.plan.tables[0].clone(), job.plan.tables[0].clone());
        table.target.name = (*name).to_string();
        column.columns[0].target = (*name).to_string();
        for plan in [table, column] {
            let design = job.target.design(&[plan], &Catalog::default());
            let code = design.err().map(|error| error.code());
            assert_eq!(code, Some(Code::SpecInvalid), "{name:?} is refused");
        }
    }
}

/// A table without rows is there afterwards, and a chunk without rows has its entry; an empty
/// batch does no harm.
pub async fn empty_tables_and_chunks_without_rows_are_kept(system: Arc<System>) {
    let mut with_gap = numbered("with gap", &[3, 0, 2]);
    let empty = RecordBatch::new_empty(with_gap.chunks[0][0].schema());
    with_gap.chunks[1].push(empty.clone());
    with_gap.chunks[2].insert(0, empty);
    let mut untouched = numbered("untouched", &[0]);
    untouched.chunks[0].clear();
    let seeds = vec![numbered("empty", &[0]), with_gap, untouched];
    let job = Job::open(&system, "empty", seeds).await;
    job.run().await;
    job.check(&system, "empty").await;
    assert_eq!(job.ledger().await.entries.len(), 5, "an entry for every chunk");
    let catalog = ok(open(&system, "empty").await.catalog().await, "catalog");
    assert_eq!(catalog.tables.len(), 3, "tables of the catalog");
    let names: Vec<_> = job.plan.tables.iter().map(|table| table.target.clone()).collect();
    let mut existing = ok(job.target.existing(&names).await, "existing");
    existing.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = existing.iter().map(|t| (t.name.to_string(), t.has_rows)).collect();
    let expected = [("empty", false), ("untouched", false), ("with gap", true)];
    assert_eq!(found, expected.map(|(name, rows)| (name.to_string(), rows)));
    assert_eq!(existing[0].columns, ["id", "name"]);
}

/// A target that is not there is no error and stays away until it is claimed; as a source it is
/// one.
pub async fn opening_a_target_makes_nothing(system: Arc<System>) {
    let job = Job::open(&system, "nothing", vec![numbered("t", &[1])]).await;
    assert_eq!(ok(job.target.ledger().await, "ledger"), None);
    let names = [job.plan.tables[0].target.clone()];
    assert_eq!(ok(job.target.existing(&names).await, "existing"), []);
    let source = system.connector.open_source(&system.endpoint("nothing")).await;
    match source {
        Ok(source) if system.limits.made_before => {
            assert_eq!(ok(source.catalog().await, "catalog").tables, []);
        }
        other => assert_eq!(other.err().map(|error| error.code()), Some(Code::NotFound)),
    }
    let load = job.claim().await;
    assert_eq!(ok(job.target.existing(&names).await, "existing"), []);
    job.begin(&*load, Preparation::Create).await;
    job.copy_all(&*load).await;
    job.finish(&*load).await;
    drop(load);
    assert_eq!(ok(job.target.existing(&names).await, "existing").len(), 1);
}
