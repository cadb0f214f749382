//! SQLite as a target, before it is claimed.

use std::collections::BTreeMap;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use longshore_dialect::write_generated;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Load, Mapping, Part as TargetPart, SharedTarget, Target,
};
use longshore_model::ledger::{Entry, Holder, Ledger};
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, Result};
use rusqlite::{Connection, OptionalExtension};

use crate::dialect::{self, SQL};
use crate::load::SqliteLoad;
use crate::open::{self, beside, shown};
use crate::range::{Part, Span};
use crate::shape::Shape;
use crate::sql::quote;
use crate::{design, ledger, types};

/// A database file that data reaches.
#[derive(Debug)]
pub(crate) struct SqliteTarget {
    path: PathBuf,
}

impl SqliteTarget {
    /// A target that need not be there.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Reads from the database; `missing` when there is no file.
    async fn read<T: Send + 'static>(
        &self,
        missing: T,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let path = self.path.clone();
        open::blocking(move || {
            if !path.try_exists().map_err(|e| Error::io("find the database", shown(&path), e))? {
                return Ok(missing);
            }
            open::recover(&path);
            let connection = open::reading(&path)?;
            connection
                .execute_batch("BEGIN")
                .map_err(|error| open::target_failure("read the target", error))?;
            work(&connection)
        })
        .await
    }
}

#[async_trait]
impl Target for SqliteTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        types::map_column(column)
    }

    fn computes(&self, table: &TablePlan, column: &str) -> std::result::Result<(), String> {
        let written = write_generated(&SQL, &dialect::target(table), table, column);
        written.map(drop).map_err(|refusal| refusal.to_string())
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        design::design(tables, catalog)
    }

    async fn missing_rights(&self, _: &[TablePlan], _: &Catalog) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let tables = tables.to_vec();
        self.read(Vec::new(), move |connection| {
            tables.iter().filter_map(|name| existing(connection, name).transpose()).collect()
        })
        .await
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        self.read(None, ledger::read).await
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<TargetPart>>> {
        let names: Vec<String> =
            tables.iter().map(|(_, table)| table.target.name.clone()).collect();
        let absent = vec![(false, false); names.len()];
        let facts = self
            .read(absent, move |connection| {
                names
                    .iter()
                    .map(|name| {
                        let shape = Shape::find(connection, name)?;
                        let scattered = ledger::get(connection, &ledger::scattered(name))?;
                        let numbered = shape.is_some_and(|shape| shape.rowid.is_some());
                        Ok((numbered, scattered.is_some()))
                    })
                    .collect()
            })
            .await?;
        let mut entries: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        for entry in &ledger.entries {
            entries.entry(entry.table).or_default().push(entry.clone());
        }
        tables
            .iter()
            .zip(facts)
            .map(|((index, _), (numbered, scattered))| {
                if scattered || ledger.header.baselines.contains_key(index) {
                    return Ok(vec![TargetPart { range: None, chunk: None }]);
                }
                parts(entries.get(index).map_or(&[], Vec::as_slice), numbered)
            })
            .collect()
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        let path = self.path.clone();
        let holder = holder.clone();
        let load = open::blocking(move || {
            let lock = lock(&path, &holder)?;
            SqliteLoad::open(&path, lock)
        })
        .await?;
        Ok(Box::new(load))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        None
    }
}

/// A table, or a view that stands in its place.
fn existing(connection: &Connection, name: &TableName) -> Result<Option<ExistingTable>> {
    let database = |error| {
        open::target_failure("read the target's tables", error).with("table", name.to_string())
    };
    let found: Option<String> = connection
        .query_row(
            "SELECT name FROM sqlite_schema
             WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE",
            [&name.name],
            |row| row.get(0),
        )
        .optional()
        .map_err(database)?;
    let Some(found) = found else { return Ok(None) };
    let mut columns = connection
        .prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden <> 1")
        .map_err(database)?;
    let columns = columns
        .query_map([&found], |row| row.get(0))
        .and_then(Iterator::collect)
        .map_err(database)?;
    let has_rows: bool = connection
        .query_row(&format!("SELECT EXISTS (SELECT 1 FROM {})", quote(&found)), [], |row| {
            row.get(0)
        })
        .map_err(database)?;
    Ok(Some(ExistingTable { name: name.clone(), columns, has_rows }))
}

/// One part for each chunk whose rows lie apart from all others', widened until they cover every
/// row number; else the table as a whole.
fn parts(entries: &[Entry], numbered: bool) -> Result<Vec<TargetPart>> {
    if let [only] = entries {
        return Ok(vec![TargetPart { range: None, chunk: Some(only.chunk) }]);
    }
    let whole = || vec![TargetPart { range: None, chunk: None }];
    let mut spans = Vec::new();
    for entry in entries.iter().filter(|entry| entry.fingerprint.rows > 0) {
        match entry.range.as_ref().and_then(Span::of) {
            Some(span) if numbered => spans.push((span, entry.chunk)),
            _ => return Ok(whole()),
        }
    }
    spans.sort_unstable_by_key(|(span, _)| span.first);
    if spans.is_empty() || spans.windows(2).any(|pair| pair[0].0.last >= pair[1].0.first) {
        return Ok(whole());
    }
    let count = spans.len();
    let mut after = None;
    spans
        .into_iter()
        .enumerate()
        .map(|(index, (span, chunk))| {
            let last = (index + 1 < count).then_some(span.last);
            let range = Part::Rowid(after, last).to_range()?;
            after = last;
            Ok(TargetPart { range: Some(range), chunk: Some(chunk) })
        })
        .collect()
}

/// Takes the lock beside the database. The operating system releases it when its holder ends; the
/// file stays, because removing it would let two holders lock two files of the same name.
fn lock(database: &Path, holder: &Holder) -> Result<std::fs::File> {
    let path = beside(&real(database), "-longshore.lock");
    let io = |doing: &'static str| {
        let shown = shown(&path);
        move |error| Error::io(doing, shown.clone(), error)
    };
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open the lock file"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(busy(&mut file)),
        Err(std::fs::TryLockError::Error(error)) => return Err(io("take the lock")(error)),
    }
    let text = serde_json::to_string(holder)
        .map_err(|error| Error::new(Code::Internal, "a holder cannot be written").because(error))?;
    file.set_len(0).map_err(io("write the lock file"))?;
    file.write_all(text.as_bytes()).map_err(io("write the lock file"))?;
    Ok(file)
}

fn busy(file: &mut std::fs::File) -> Error {
    let made = Error::new(Code::TargetBusy, "another run holds the target");
    let mut text = String::new();
    let read = file.rewind().and_then(|()| file.take(4096).read_to_string(&mut text));
    match read.ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok()) {
        None => made,
        Some(holder) => made
            .with("run", holder.run)
            .with("host", holder.host)
            .with("pid", holder.pid.to_string())
            .with("since", holder.since),
    }
}

/// The path without links, so that two names of one database have one lock.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = path.canonicalize() {
        return real;
    }
    match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}
