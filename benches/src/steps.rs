//! The steps: ours, and the same work done bare.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::RecordBatch;
use longshore_engine::report::Report;
use longshore_engine::{Cancel, Connectors, Event, Events, Forecast, Link, RunRequest};
use longshore_model::connector::{Connector, ReadRequest};
use longshore_model::ledger::Holder;
use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Batch, Cell, ColumnView, Fingerprint, LogicalType};
use longshore_testkit::null::Null;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql};
use serde_json::{Value, json};

use crate::Failure;
use crate::meter::Meter;

/// Every step, in the order of a turn.
pub(crate) const NAMES: &[&str] = &[
    "scan",
    "encode",
    "fingerprint",
    "sqlite-parquet",
    "sqlite-null",
    "insert",
    "parquet-sqlite",
    "verify",
];

const TABLES: [&str; 3] = ["lineitem", "orders", "customer"];

/// The data that every step starts from.
pub(crate) fn source(dir: &Path) -> PathBuf {
    dir.join("tpch.db")
}

pub(crate) fn generate(path: &Path, scale: f64) -> Result<(), Failure> {
    let partial = path.with_extension("partial");
    if partial.exists() {
        std::fs::remove_file(&partial)?;
    }
    longshore_testkit::lineitem::write(&partial, scale)?;
    std::fs::rename(partial, path)?;
    Ok(())
}

/// Runs one step and measures it; `None` when it needs a tool that is not there.
pub(crate) fn run(name: &str, dir: &Path, scale: f64) -> Result<Option<Value>, Failure> {
    if crate::serve::NAMES.contains(&name) {
        return crate::serve::run(name, dir, scale);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if crate::postgres::NAMES.contains(&name) {
        return runtime.block_on(crate::postgres::run(name, dir));
    }
    if crate::trees::NAMES.contains(&name) {
        return runtime.block_on(crate::trees::run(name, dir));
    }
    if crate::stores::NAMES.contains(&name) {
        return runtime.block_on(crate::stores::run(name, dir));
    }
    if crate::mysql::NAMES.contains(&name) {
        return runtime.block_on(crate::mysql::run(name, dir));
    }
    let bare = |work: &dyn Fn() -> Result<(), Failure>| {
        let meter = Meter::start(dir)?;
        work()?;
        meter.read()
    };
    let measured = match name {
        "scan" => bare(&|| scan(dir)),
        "encode" => encode(&runtime.block_on(load(dir))?, dir),
        "fingerprint" => {
            let tables = runtime.block_on(load(dir))?;
            bare(&|| fingerprint(&tables))
        }
        "insert" => insert(&runtime.block_on(load(dir))?, dir),
        "sqlite-parquet" => {
            runtime.block_on(measured_copy(dir, &sqlite(dir), &fresh(dir, "parquet")?))
        }
        "sqlite-null" => runtime.block_on(measured_copy(dir, &sqlite(dir), "null:bench")),
        "parquet-sqlite" => {
            let from = format!("file:{}", dir.join("parquet").display());
            fresh(dir, "back.db")?;
            let to = format!("sqlite:{}", dir.join("back.db").display());
            runtime.block_on(measured_copy(dir, &from, &to))
        }
        "verify" => {
            let to = format!("file:{}", dir.join("parquet").display());
            runtime.block_on(verify(dir, &sqlite(dir), &to))
        }
        _ => return Err(format!("unknown step {name}").into()),
    };
    measured.map(Some)
}

/// Every value of every row through the SQLite library, and nothing done with it.
fn scan(dir: &Path) -> Result<(), Failure> {
    let connection = Connection::open_with_flags(source(dir), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut bytes = 0;
    for table in TABLES {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}"))?;
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                bytes += match row.get_ref(column)? {
                    ValueRef::Text(text) | ValueRef::Blob(text) => text.len(),
                    _ => 8,
                };
            }
        }
    }
    std::hint::black_box(bytes);
    Ok(())
}

/// The tables in memory, as the connector reads them.
async fn load(dir: &Path) -> Result<Vec<(String, Vec<LogicalType>, Vec<RecordBatch>)>, Failure> {
    let link = connectors().link(&sqlite(dir), "null:bench-load")?;
    let plan = plan(&link, &sqlite(dir), "null:bench-load").await?;
    let source = link.source.open_source(&link.from).await?;
    let snapshot = source.snapshot(1).await?;
    let mut tables = Vec::new();
    for table in &plan.moves[0].tables {
        let columns: Vec<_> =
            table.columns.iter().map(|c| (c.source.clone(), c.from.clone())).collect();
        let types = columns.iter().map(|(_, logical)| logical.clone()).collect();
        let request = ReadRequest {
            table: table.source.clone(),
            columns,
            filter: None,
            range: None,
            wire: None,
            batch_bytes: 4 << 20,
        };
        let mut reader = snapshot.read(&request).await?;
        let mut batches = Vec::new();
        while let Some(batch) = reader.next().await? {
            if let Batch::Rows(rows) = batch {
                batches.push(rows);
            }
        }
        tables.push((table.source.to_string(), types, batches));
    }
    Ok(tables)
}

type Loaded = [(String, Vec<LogicalType>, Vec<RecordBatch>)];

/// Batches to Parquet files with zstd, on one core.
fn encode(tables: &Loaded, dir: &Path) -> Result<Value, Failure> {
    let target = dir.join("encoded");
    std::fs::create_dir_all(&target)?;
    let meter = Meter::start(dir)?;
    for (name, _, batches) in tables {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .build();
        let file = File::create(target.join(format!("{name}.parquet")))?;
        let mut writer = ArrowWriter::try_new(file, batches[0].schema(), Some(properties))?;
        for batch in batches {
            writer.write(batch)?;
            if writer.in_progress_size() > 32 << 20 {
                writer.flush()?;
            }
        }
        writer.into_inner()?.sync_all()?;
    }
    let read = meter.read();
    std::fs::remove_dir_all(target)?;
    read
}

/// The engine's own work on batches that need no conversion, on one core.
fn fingerprint(tables: &Loaded) -> Result<(), Failure> {
    let mut sum = Fingerprint::default();
    for batch in tables.iter().flat_map(|(_, _, batches)| batches) {
        sum.add_batch(&Batch::Rows(batch.clone()))?;
    }
    std::hint::black_box(sum);
    Ok(())
}

/// Batches to SQLite by prepared inserts in one transaction, on one core, to the disk.
fn insert(tables: &Loaded, dir: &Path) -> Result<Value, Failure> {
    let path = dir.join("insert.db");
    remove_database(&path)?;
    let meter = Meter::start(dir)?;
    let mut connection = Connection::open(&path)?;
    connection.pragma_update(None, "foreign_keys", false)?;
    let schemas = Connection::open_with_flags(source(dir), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let transaction = connection.transaction()?;
    for (name, types, batches) in tables {
        let ddl: String = schemas.query_row(
            "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1",
            [name],
            |row| row.get(0),
        )?;
        transaction.execute_batch(&ddl)?;
        let marks = vec!["?"; types.len()].join(",");
        let mut statement = transaction.prepare(&format!("INSERT INTO {name} VALUES ({marks})"))?;
        for batch in batches {
            let views: Vec<ColumnView<'_>> = types
                .iter()
                .zip(batch.columns())
                .map(|(logical, array)| ColumnView::new(logical, array))
                .collect::<Result<_, _>>()?;
            for row in 0..batch.num_rows() {
                for (index, view) in views.iter().enumerate() {
                    statement.raw_bind_parameter(index + 1, Bound(view.cell(row)))?;
                }
                statement.raw_execute()?;
            }
        }
    }
    transaction.commit()?;
    drop(connection);
    let read = meter.read();
    remove_database(&path)?;
    read
}

struct Bound<'a>(Cell<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Cell::Int(value) => ValueRef::Integer(value),
            Cell::Float(value) => ValueRef::Real(value),
            Cell::Text(value) => ValueRef::Text(value.as_bytes()),
            Cell::Bytes(value) => ValueRef::Blob(value),
            _ => ValueRef::Null,
        }))
    }
}

/// A run of ours without verification.
pub(crate) async fn copy(from: &str, to: &str) -> Result<(), Failure> {
    let link = connectors().link(from, to)?;
    let plan = plan(&link, from, to).await?;
    run_plan(plan, link).await.map(drop)
}

/// A run of ours after its plan was made, without verification, measured; with the share of the
/// workers' time that the engine itself took.
pub(crate) async fn measured_copy(dir: &Path, from: &str, to: &str) -> Result<Value, Failure> {
    let link = connectors().link(from, to)?;
    let plan = plan(&link, from, to).await?;
    let meter = Meter::start(dir)?;
    let report = run_plan(plan, link).await?;
    let mut read = meter.read()?;
    let waits = &report.performance.waits;
    let total = waits.source + waits.target + waits.own + waits.limits;
    read["own_share"] = json!(waits.own / total);
    read["waits"] = json!(waits);
    read["stages"] = json!(report.steps);
    Ok(read)
}

async fn run_plan(plan: Plan, link: Link) -> Result<Report, Failure> {
    let limits = plan.limits.clone();
    let moved = Arc::new(AtomicU64::new(0));
    let progress = Events::new(move |_, event| {
        if let Event::Copied { rows, .. } = event {
            moved.fetch_add(*rows, Ordering::Relaxed);
        }
    });
    let end = longshore_engine::run(RunRequest {
        plan,
        links: vec![link],
        limits,
        run: "bench".to_string(),
        holder: holder(),
        events: progress,
        cancel: Cancel::default(),
        verify: None,
        started: String::new(),
        process: None,
        rejects: std::env::temp_dir().join("longshore-bench-rejects"),
    })
    .await;
    match end.error {
        Some(error) => Err(told(&error)),
        None => Ok(end.report),
    }
}

/// Reads a target back and compares it with what its ledger says.
pub(crate) async fn verify(dir: &Path, from: &str, to: &str) -> Result<Value, Failure> {
    let link = connectors().link(from, to)?;
    let meter = Meter::start(dir)?;
    let mode = longshore_engine::VerifyMode {
        level: longshore_model::spec::VerifyLevel::Full,
        independent: false,
        repair: false,
    };
    let end = longshore_engine::verify(longshore_engine::VerifyRequest {
        links: vec![link],
        spec: Spec::short(from, to),
        mode,
        run: "bench-verify".to_string(),
        holder: holder(),
        events: Events::ignored(),
        cancel: Cancel::default(),
        started: String::new(),
        rejects: std::env::temp_dir().join("longshore-bench-rejects"),
    })
    .await;
    match end.error {
        Some(error) => Err(told(&error)),
        None => meter.read(),
    }
}

/// An error with what led to it.
fn told(error: &longshore_model::Error) -> Failure {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text.into()
}

async fn plan(link: &Link, from: &str, to: &str) -> Result<Plan, Failure> {
    let spec = Spec::short(from, to);
    let links = [link.clone()];
    Ok(longshore_engine::make_plan(
        &spec,
        &links,
        Forecast::Every,
        &Events::ignored(),
        &Cancel::default(),
    )
    .await?)
}

fn connectors() -> Connectors {
    let mut list = longshore_connectors::all();
    list.push(Arc::new(Null) as Arc<dyn Connector>);
    Connectors::new(list)
}

fn holder() -> Holder {
    Holder { run: "bench".to_string(), host: String::new(), pid: 0, since: String::new() }
}

pub(crate) fn sqlite(dir: &Path) -> String {
    format!("sqlite:{}", source(dir).display())
}

/// The address of a folder that is not there.
pub(crate) fn fresh(dir: &Path, name: &str) -> Result<String, Failure> {
    let path = dir.join(name);
    if path.is_dir() {
        std::fs::remove_dir_all(&path)?;
    } else {
        remove_database(&path)?;
    }
    Ok(format!("file:{}", path.display()))
}

fn remove_database(path: &Path) -> Result<(), Failure> {
    for suffix in ["", "-journal", "-wal", "-shm", "-longshore.lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
