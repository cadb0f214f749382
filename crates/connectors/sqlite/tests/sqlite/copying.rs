//! A database, and the plainest way to copy it into another.

use std::path::{Path, PathBuf};

use longshore_model::catalog::{Catalog, Column};
use longshore_model::connector::{
    Connector, Load, Preparation, ReadRequest, Snapshot, StudyRequest, Target, WriteRequest,
};
use longshore_model::ledger::{Entry, Header, Holder, Stage};
use longshore_model::plan::{ColumnPlan, MovePlan, Position, TablePlan};
use longshore_model::spec::Existing;
use longshore_model::{Endpoint, Fingerprint, Result};
use longshore_sqlite::Sqlite;
use rusqlite::Connection;
use tempfile::TempDir;

/// A folder with a source and a target.
pub(crate) struct Pair {
    pub(crate) folder: TempDir,
}

/// What was copied.
pub(crate) struct Copied {
    pub(crate) plan: MovePlan,
    pub(crate) catalog: Catalog,
    pub(crate) notes: Vec<String>,
}

impl Pair {
    pub(crate) fn new(setup: &str) -> Self {
        let pair = Self { folder: tempfile::tempdir().expect("a folder") };
        pair.open("source.db").execute_batch(setup).expect("a valid setup");
        pair
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn open(&self, name: &str) -> Connection {
        Connection::open(self.path(name)).expect("a database")
    }

    pub(crate) fn endpoint(&self, name: &str) -> Endpoint {
        Endpoint::parse(&format!("sqlite:{}", self.path(name).display())).expect("an address")
    }

    /// Plans the copy of every table that `keep` names, after `change` had its way with it.
    pub(crate) async fn plan(
        &self,
        chunk_bytes: u64,
        change: impl Fn(&mut TablePlan),
        keep: impl Fn(&str) -> bool,
    ) -> Result<Copied> {
        let source = Sqlite.open_source(&self.endpoint("source.db")).await?;
        let target = Sqlite.open_target(&self.endpoint("target.db")).await?;
        let mut catalog = source.catalog().await?;
        catalog.tables.retain(|table| keep(&table.name.name));
        let (mut tables, mut notes) = (Vec::new(), Vec::new());
        for table in &catalog.tables {
            let moving: Vec<&Column> =
                table.columns.iter().filter(|column| column.generated.is_none()).collect();
            let columns: Vec<String> = moving.iter().map(|column| column.name.clone()).collect();
            let study = source
                .study(&StudyRequest {
                    table,
                    columns: &columns,
                    filter: None,
                    chunk_bytes,
                    decoded: true,
                })
                .await?;
            notes.extend(study.notes);
            let columns = moving
                .iter()
                .zip(study.types)
                .map(|(column, logical)| plan_column(&*target, column, logical))
                .collect::<Result<_>>()?;
            let mut plan = TablePlan {
                source: table.name.clone(),
                target: table.name.clone(),
                columns,
                described: Vec::new(),
                wire: None,
                filter: None,
                rows: study.chunks.iter().map(|chunk| chunk.rows).sum(),
                bytes: 0,
                key: table.primary_key.clone(),
                structure: table.clone(),
                chunks: study.chunks,
            };
            change(&mut plan);
            tables.push(plan);
        }
        let design = target.design(&tables, &catalog)?;
        let plan = MovePlan {
            selects: Vec::new(),
            from: String::new(),
            to: String::new(),
            existing: Existing::Refuse,
            on_reject: Default::default(),
            keys: Default::default(),
            position: Position(String::new()),
            tables,
            prepare: design.prepare,
            finish: design.finish,
            losses: Vec::new(),
            not_moved: design.not_moved,
            merge: None,
            risks: Vec::new(),
            restart: String::new(),
        };
        Ok(Copied { plan, catalog, notes })
    }

    /// Copies the whole database.
    pub(crate) async fn copy(&self, chunk_bytes: u64) -> Result<Copied> {
        let copied = self.plan(chunk_bytes, |_| {}, |_| true).await?;
        self.run(&copied.plan).await?;
        Ok(copied)
    }

    pub(crate) async fn claim(&self) -> Result<Box<dyn Load>> {
        Sqlite.open_target(&self.endpoint("target.db")).await?.claim(&holder()).await
    }

    pub(crate) async fn snapshot(&self, name: &str, readers: usize) -> Result<Box<dyn Snapshot>> {
        Sqlite.open_source(&self.endpoint(name)).await?.snapshot(readers).await
    }

    /// Runs a plan and proves by reading the target back that every chunk is in.
    pub(crate) async fn run(&self, plan: &MovePlan) -> Result<()> {
        let load = self.claim().await?;
        load.begin(&header(), plan, &vec![Preparation::Create; plan.tables.len()]).await?;
        let snapshot = self.snapshot("source.db", 2).await?;
        for (index, table) in plan.tables.iter().enumerate() {
            for chunk in 0..table.chunks.len() {
                copy_chunk(&*snapshot, &*load, index, table, chunk).await?;
            }
        }
        load.mark(Stage::Copied).await?;
        load.finish(plan, &|_: &str| {}).await?;
        drop(load);
        self.verify(plan).await
    }

    pub(crate) async fn verify(&self, plan: &MovePlan) -> Result<()> {
        let target = Sqlite.open_target(&self.endpoint("target.db")).await?;
        let ledger = target.ledger().await?.expect("a ledger");
        let snapshot = self.snapshot("target.db", 1).await?;
        for (index, table) in plan.tables.iter().enumerate() {
            let mut sum = Fingerprint::default();
            for part in target.parts(&[(index, table)], &ledger).await?.remove(0) {
                let mut request = request(table, 0);
                request.columns = table
                    .columns
                    .iter()
                    .map(|column| (column.target.clone(), column.to.clone()))
                    .collect();
                request.table = table.target.clone();
                request.range = part.range;
                let found = fingerprint(&*snapshot, &request).await?;
                if let Some(chunk) = part.chunk {
                    let entry = ledger.entry(index, chunk).expect("an entry");
                    assert_eq!(found, entry.fingerprint, "{} chunk {chunk}", table.target);
                }
                sum = sum.plus(found);
            }
            assert_eq!(sum, ledger.expected(index), "{}", table.target);
        }
        Ok(())
    }
}

fn plan_column(
    target: &dyn Target,
    column: &Column,
    logical: longshore_model::LogicalType,
) -> Result<ColumnPlan> {
    let mapping = target.map_column(&Column { logical: logical.clone(), ..column.clone() })?;
    Ok(ColumnPlan {
        source: column.name.clone(),
        target: column.name.clone(),
        from: logical,
        to: mapping.logical,
        native: mapping.native,
        declared: column.native.clone(),
        mask: None,
        guards: Vec::new(),
        computed: false,
    })
}

pub(crate) async fn copy_chunk(
    snapshot: &dyn Snapshot,
    load: &dyn Load,
    index: usize,
    table: &TablePlan,
    chunk: usize,
) -> Result<()> {
    let mut reader = snapshot.read(&request(table, chunk)).await?;
    let write = WriteRequest {
        table_index: index,
        table,
        chunk_index: chunk,
        memory: 8 << 20,
        offers: false,
        lease: None,
    };
    let mut writer = load.writer(&write).await?;
    let mut sum = Fingerprint::default();
    while let Some(batch) = reader.next().await? {
        sum.add_batch(&batch)?;
        writer.write(batch).await?;
    }
    assert_eq!(sum.rows, table.chunks[chunk].rows, "{} chunk {chunk}", table.source);
    writer.commit(entry(index, chunk, sum)).await
}

pub(crate) fn entry(table: usize, chunk: usize, fingerprint: Fingerprint) -> Entry {
    Entry { table, chunk, fingerprint, ..Entry::default() }
}

pub(crate) fn request(table: &TablePlan, chunk: usize) -> ReadRequest {
    ReadRequest {
        table: table.source.clone(),
        columns: table
            .columns
            .iter()
            .map(|column| (column.source.clone(), column.from.clone()))
            .collect(),
        filter: table.filter.clone(),
        range: Some(table.chunks[chunk].range.clone()),
        wire: None,
        batch_bytes: 1 << 12,
    }
}

pub(crate) async fn fingerprint(
    snapshot: &dyn Snapshot,
    request: &ReadRequest,
) -> Result<Fingerprint> {
    let mut reader = snapshot.read(request).await?;
    let mut sum = Fingerprint::default();
    while let Some(batch) = reader.next().await? {
        sum.add_batch(&batch)?;
    }
    Ok(sum)
}

pub(crate) fn header() -> Header {
    Header {
        run: "run".to_string(),
        spec_digest: String::new(),
        plan_digest: String::new(),
        plan: "{}".to_string(),
        move_index: 0,
        position: Position("here".to_string()),
        baselines: Default::default(),
        kept: Default::default(),
    }
}

pub(crate) fn holder() -> Holder {
    Holder { run: "run".into(), host: "host".into(), pid: 1, since: "2026-01-01T00:00:00Z".into() }
}

/// Everything in a database but what longshore keeps: definitions, and every value with its class
/// and bytes.
pub(crate) fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("a database");
    let texts = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).expect("a statement");
        let rows = statement.query_map([], |row| row.get(0)).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("texts")
    };
    let schema = "FROM sqlite_schema WHERE name NOT LIKE '\\_longshore\\_%' ESCAPE '\\'
                  AND tbl_name NOT LIKE '\\_longshore\\_%' ESCAPE '\\'";
    let mut lines = texts(&format!(
        "SELECT type || ' ' || name || ': ' || ifnull(sql, '') {schema} ORDER BY 1"
    ));
    for table in texts(&format!("SELECT name {schema} AND type = 'table' ORDER BY name")) {
        let quoted = format!("\"{}\"", table.replace('"', "\"\""));
        let columns = texts(&format!(
            "SELECT '\"' || replace(name, '\"', '\"\"') || '\"' FROM pragma_table_xinfo('{}')",
            table.replace('\'', "''")
        ));
        for part in columns.chunks(100) {
            let values: Vec<String> =
                part.iter().map(|c| format!("typeof({c}) || ' ' || hex({c}) || ' '")).collect();
            let sql = format!("SELECT {} FROM {quoted} ORDER BY 1", values.join(" || "));
            lines.extend(texts(&sql).into_iter().map(|row| format!("{table}: {row}")));
        }
    }
    lines
}
