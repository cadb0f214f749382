//! The data path from plan to report, over stores in memory that fail as they are told.

mod migration;
mod restart;
mod rules;
mod verification;

use std::sync::{Arc, Mutex};

use arrow_array::RecordBatch;
use longshore_engine::{
    Cancel, Connectors, Event, Events, Forecast, Link, RunEnd, RunRequest, VerifyMode,
    VerifyRequest,
};
use longshore_model::catalog::{Column, Table, TableName};
use longshore_model::ledger::Holder;
use longshore_model::plan::Plan;
use longshore_model::spec::{Size, Spec, VerifyLevel};
use longshore_model::{BatchBuilder, LogicalType, Result};
use longshore_testkit::memory::{Memory, Store};
use longshore_testkit::scripted::Scripted;

/// A migration between two stores, and what a test needs to run it.
struct Scene {
    spec: Spec,
    links: Vec<Link>,
    source: Store,
    target: Store,
    seen: Arc<Mutex<Vec<Event>>>,
    cancel: Cancel,
}

impl Scene {
    /// A scene of its own for a test: `name` must be unique.
    fn new(name: &str) -> Self {
        let (from, to) = (format!("scripted:{name}-source"), format!("scripted:{name}-target"));
        let mut spec = Spec::short(&from, &to);
        spec.limits.chunk = Size(4 << 10);
        spec.limits.attempts = 3;
        let connectors = Connectors::new(vec![Arc::new(Memory), Arc::new(Scripted)]);
        Self {
            links: vec![connectors.link(&from, &to).expect("addresses")],
            spec,
            source: Store::named(&format!("{name}-source")),
            target: Store::named(&format!("{name}-target")),
            seen: Arc::default(),
            cancel: Cancel::default(),
        }
    }

    async fn plan(&self) -> Result<Plan> {
        longshore_engine::make_plan(
            &self.spec,
            &self.links,
            Forecast::Every,
            &Events::ignored(),
            &self.cancel,
        )
        .await
    }

    async fn run(&self) -> RunEnd {
        let plan = match longshore_engine::plan_in_target(&self.spec, &self.links).await {
            Ok(Some(plan)) => plan,
            _ => self.plan().await.expect("a plan"),
        };
        self.run_plan(plan, "run-1").await
    }

    async fn run_plan(&self, plan: Plan, run: &str) -> RunEnd {
        let seen = self.seen.clone();
        longshore_engine::run(RunRequest {
            plan,
            links: self.links.clone(),
            limits: self.spec.limits.clone(),
            run: run.to_string(),
            holder: holder(run),
            events: Events::new(move |_, event| {
                seen.lock().expect("no test panics with it").push(event.clone());
            }),
            cancel: self.cancel.clone(),
            verify: Some(VerifyLevel::Full),
            started: "2026-01-01T00:00:00Z".to_string(),
            process: None,
            rejects: std::env::temp_dir().join("longshore-engine-rejects"),
        })
        .await
    }

    async fn verify(&self, mode: VerifyMode) -> RunEnd {
        longshore_engine::verify(VerifyRequest {
            links: self.links.clone(),
            spec: self.spec.clone(),
            mode,
            run: "verify-1".to_string(),
            holder: holder("verify-1"),
            events: Events::ignored(),
            cancel: self.cancel.clone(),
            started: "2026-01-01T00:00:00Z".to_string(),
            rejects: std::env::temp_dir().join("longshore-engine-rejects"),
        })
        .await
    }

    fn count(&self, wanted: impl Fn(&Event) -> bool) -> usize {
        self.seen.lock().expect("no test panics with it").iter().filter(|e| wanted(e)).count()
    }
}

fn holder(run: &str) -> Holder {
    Holder { run: run.to_string(), host: "here".to_string(), pid: 1, since: "now".to_string() }
}

/// A table of `id` (the key when `keyed`), `name` and `score`.
fn people(name: &str, keyed: bool) -> Table {
    let column = |name: &str, logical: LogicalType| Column::new(name, logical);
    Table {
        name: TableName::plain(name),
        columns: vec![
            column("id", LogicalType::INT64),
            column("name", LogicalType::Text),
            column("score", LogicalType::FLOAT64),
        ],
        primary_key: if keyed { vec!["id".to_string()] } else { Vec::new() },
        indexes: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        native: None,
        rows_elsewhere: false,
        comment: None,
        attributes: Default::default(),
    }
}

/// Rows of [`people`], from texts; `-` is NULL.
fn rows(values: &[(i64, &str, f64)]) -> RecordBatch {
    use longshore_model::Cell;
    let types = [LogicalType::INT64, LogicalType::Text, LogicalType::FLOAT64];
    let mut builder = BatchBuilder::new(["id", "name", "score"].into_iter().zip(&types));
    for (id, name, score) in values {
        let cells = [Cell::Int(*id), Cell::Text(name), Cell::Float(*score)];
        for (column, cell) in builder.columns().iter_mut().zip(cells) {
            let cell = if cell == Cell::Text("-") { Cell::Null } else { cell };
            column.append(cell).expect("a value of the column's type");
        }
        builder.end_row();
    }
    builder.finish().expect("a batch")
}

/// `count` rows with ids from `first`.
fn many(first: i64, count: i64) -> Vec<RecordBatch> {
    let names: Vec<String> = (first..first + count).map(|id| format!("name of {id}")).collect();
    let values: Vec<_> =
        (first..).zip(&names).map(|(id, name)| (id, name.as_str(), id as f64 / 3.0)).collect();
    values.chunks(50).map(rows).collect()
}

/// Every row of a table as text, sorted.
fn content(store: &Store, table: &str) -> Vec<Vec<Option<String>>> {
    let mut all = Vec::new();
    for batch in store.rows(&TableName::plain(table)) {
        all.extend(longshore_testkit::corpus::texts(&batch).expect("texts"));
    }
    all.sort();
    all
}
