use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrow_array::RecordBatch;
use longshore_engine::report::TableVerification;
use longshore_engine::{
    Cancel, Connectors, Events, Link, RunEnd, RunRequest, VerifyMode, VerifyRequest,
};
use longshore_model::catalog::{Column, Table, TableName};
use longshore_model::ledger::Holder;
use longshore_model::spec::{Spec, VerifyLevel};
use longshore_model::{LogicalType, Result};
use longshore_testkit::memory::{Memory, Store};
use tempfile::TempDir;

/// A folder in memory where there is one: these tests sync thousands of files.
pub(crate) fn folder() -> TempDir {
    let fast = std::path::Path::new("/dev/shm");
    let made = if fast.is_dir() { tempfile::tempdir_in(fast) } else { tempfile::tempdir() };
    made.expect("a folder")
}

/// A store in memory that no other test has.
pub(crate) fn store() -> Store {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    Store::named(&format!("path-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn links(spec: &Spec) -> Vec<Link> {
    let mut list = longshore_connectors::all();
    list.push(Arc::new(Memory));
    let connectors = Connectors::new(list);
    let link = |one: &longshore_model::spec::Move| connectors.link(&one.from, &one.to);
    spec.moves.iter().map(link).collect::<Result<_>>().expect("addresses")
}

/// Plans a migration and runs it with its verification.
pub(crate) async fn migrate(spec: &Spec) -> Result<RunEnd> {
    let (links, cancel) = (links(spec), Cancel::default());
    let plan = longshore_engine::make_plan(
        spec,
        &links,
        longshore_engine::Forecast::Every,
        &Events::ignored(),
        &cancel,
    )
    .await?;
    let request = RunRequest {
        plan,
        links,
        limits: spec.limits.clone(),
        run: "run-1".to_string(),
        holder: holder(),
        events: Events::ignored(),
        cancel,
        verify: Some(VerifyLevel::Full),
        started: "2026-01-01T00:00:00Z".to_string(),
        process: None,
        rejects: rejects(),
    };
    Ok(longshore_engine::run(request).await)
}

/// Verifies what has run before.
pub(crate) async fn verify(spec: &Spec, repair: bool, independent: bool) -> RunEnd {
    longshore_engine::verify(VerifyRequest {
        links: links(spec),
        spec: spec.clone(),
        mode: VerifyMode { level: VerifyLevel::Full, independent, repair },
        run: "verify-1".to_string(),
        holder: holder(),
        events: Events::ignored(),
        cancel: Cancel::default(),
        started: "2026-01-01T00:00:00Z".to_string(),
        rejects: rejects(),
    })
    .await
}

/// The folder for the reject files of this process, which is there once there is one.
pub(crate) fn rejects() -> PathBuf {
    std::env::temp_dir().join(format!("longshore-rejects-{}", std::process::id()))
}

/// The proof of each table.
pub(crate) fn proofs(end: &RunEnd) -> &[TableVerification] {
    let proof = end.report.moves.first().and_then(|one| one.verification.as_ref());
    &proof.unwrap_or_else(|| panic!("no proof: {:?}", end.error)).tables
}

fn holder() -> Holder {
    Holder {
        run: "run-1".to_string(),
        host: "here".to_string(),
        pid: std::process::id(),
        since: "now".to_string(),
    }
}

/// Puts rows into a store, as a table with or without a key.
pub(crate) fn put(store: &Store, name: &str, key: Option<&str>, batch: RecordBatch) {
    let columns = batch.schema();
    let column = |field: &arrow_schema::Field| Column {
        nullable: key != Some(field.name()),
        ..Column::new(
            field.name(),
            LogicalType::of_field(field).expect("a column of a logical type"),
        )
    };
    let table = Table {
        name: TableName::plain(name),
        columns: columns.fields().iter().map(|field| column(field)).collect(),
        primary_key: key.into_iter().map(str::to_string).collect(),
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: None,
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    };
    store.put(table, vec![batch]);
}
