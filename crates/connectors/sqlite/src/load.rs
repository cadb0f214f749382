//! A claimed target: preparing, finishing, and everything that is not the writing of a chunk.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::RecordBatch;
use async_trait::async_trait;
use longshore_model::connector::{Leases, Load, Preparation, WriteRequest, Writer};
use longshore_model::ledger::{Header, Stage};
use longshore_model::plan::{MovePlan, Position, Statement, TablePlan};
use longshore_model::{Code, Error, Result, failpoint};
use rusqlite::{Connection, OptionalExtension};

use crate::open::{self, target_failure};
use crate::shape::Shape;
use crate::sql::{quote, tokens};
use crate::writer::SqliteWriter;
use crate::{ledger, repair};

/// The page cache for building indexes, in KiB.
const FINISH_CACHE: u32 = 64 * 1024;

/// The key of the header under which the preparations are kept.
const PREPARATIONS: &str = "preparations";

/// A database that one run writes.
pub(crate) struct SqliteLoad {
    connection: Arc<Mutex<Connection>>,
    _lock: File,
}

impl SqliteLoad {
    /// Opens the database, and makes it when it is missing.
    pub(crate) fn open(path: &Path, lock: File) -> Result<Self> {
        Ok(Self { connection: Arc::new(Mutex::new(open::writing(path)?)), _lock: lock })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let connection = self.connection.clone();
        open::blocking(move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner)))
            .await
    }
}

#[async_trait]
impl Load for SqliteLoad {
    async fn begin(
        &self,
        header: &Header,
        plan: &MovePlan,
        preparations: &[Preparation],
    ) -> Result<()> {
        let (header, plan, preparations) = (header.clone(), plan.clone(), preparations.to_vec());
        self.run(move |connection| {
            transaction(connection, || {
                ledger::make(connection, &header)?;
                prepare(connection, &plan, &preparations)?;
                ledger::mark(connection, Stage::Prepared)?;
                failpoint::hit("sqlite.before-begin")
            })?;
            failpoint::hit("sqlite.after-begin")
        })
        .await
    }

    async fn writer(&self, request: &WriteRequest<'_>) -> Result<Box<dyn Writer>> {
        Ok(Box::new(SqliteWriter::start(self.connection.clone(), request)?))
    }

    async fn reset_table(&self, index: usize, table: &TablePlan) -> Result<()> {
        let name = table.target.name.clone();
        self.run(move |connection| {
            transaction(connection, || {
                execute(connection, &format!("DELETE FROM {}", quote(&name)), "empty a table")?;
                ledger::remove(connection, &ledger::scattered(&name))?;
                ledger::forget(connection, index)
            })
        })
        .await
    }

    async fn reset_chunk(&self, _: usize, table: &TablePlan, _: usize) -> Result<()> {
        Err(Error::new(Code::Unsupported, "tables are copied again as a whole, not by chunks")
            .with("table", table.target.to_string()))
    }

    async fn set_position(&self, position: &Position) -> Result<()> {
        let position = position.clone();
        self.run(move |connection| {
            transaction(connection, || ledger::put(connection, "position", &position.0))
        })
        .await
    }

    async fn finish(
        &self,
        plan: &MovePlan,
        done: &(dyn for<'a> Fn(&'a str) + Send + Sync),
    ) -> Result<()> {
        let cache = format!("PRAGMA cache_size = -{FINISH_CACHE}");
        self.run(move |connection| execute(connection, &cache, "set the cache")).await?;
        for (number, statement) in plan.finish.iter().enumerate() {
            let own = statement.clone();
            self.run(move |connection| finish_one(connection, number, &own)).await?;
            done(&statement.purpose);
        }
        self.mark(Stage::Finished).await
    }

    async fn mark(&self, stage: Stage) -> Result<()> {
        self.run(move |connection| transaction(connection, || ledger::mark(connection, stage)))
            .await
    }

    async fn replace_rows(
        &self,
        table: &TablePlan,
        remove: &RecordBatch,
        add: &RecordBatch,
    ) -> Result<()> {
        let (table, remove, add) = (table.clone(), remove.clone(), add.clone());
        self.run(move |connection| {
            transaction(connection, || repair::replace_rows(connection, &table, &remove, &add))
        })
        .await
    }

    fn leases(&self) -> Option<&dyn Leases> {
        None
    }
}

/// Does something all or nothing.
fn transaction(connection: &Connection, work: impl FnOnce() -> Result<()>) -> Result<()> {
    execute(connection, "BEGIN IMMEDIATE", "begin a transaction")?;
    let result = work().and_then(|()| execute(connection, "COMMIT", "commit a transaction"));
    if result.is_err() && !connection.is_autocommit() {
        // The first error says more than one of the rollback, which happens at the latest when the
        // connection closes.
        let _ = connection.execute_batch("ROLLBACK");
    }
    result
}

fn execute(connection: &Connection, sql: &str, doing: &str) -> Result<()> {
    connection.execute_batch(sql).map_err(|error| target_failure(doing, error))
}

fn prepare(connection: &Connection, plan: &MovePlan, preparations: &[Preparation]) -> Result<()> {
    if preparations.len() != plan.tables.len() {
        return Err(Error::new(Code::Internal, "not every table has a preparation"));
    }
    for (table, preparation) in plan.tables.iter().zip(preparations) {
        let name = quote(&table.target.name);
        match preparation {
            Preparation::Create => {}
            Preparation::Keep => {
                require_columns(connection, table)?;
                // Whatever it holds is of no chunk.
                ledger::put(connection, &ledger::scattered(&table.target.name), "true")?;
            }
            Preparation::Empty => {
                require_columns(connection, table)?;
                execute(connection, &format!("DELETE FROM {name}"), "empty a table")?;
            }
            Preparation::Recreate => {
                execute(connection, &format!("DROP TABLE IF EXISTS {name}"), "drop a table")?;
            }
        }
    }
    for statement in &plan.prepare {
        let made = statement
            .table
            .and_then(|index| preparations.get(index))
            .is_none_or(|p| matches!(p, Preparation::Create | Preparation::Recreate));
        if made {
            run_statement(connection, statement)?;
        }
    }
    let kept: Vec<bool> =
        preparations.iter().map(|p| matches!(p, Preparation::Keep | Preparation::Empty)).collect();
    let kept = serde_json::to_string(&kept).map_err(|error| {
        Error::new(Code::Internal, "the ledger cannot be written").because(error)
    })?;
    ledger::put(connection, PREPARATIONS, &kept)
}

/// Refuses a table that lacks a column of the plan.
fn require_columns(connection: &Connection, table: &TablePlan) -> Result<()> {
    let name = &table.target.name;
    let shape = Shape::get(connection, name)?;
    if let Some(missing) = table.columns.iter().find(|column| {
        !shape.columns.iter().any(|there| there.name.eq_ignore_ascii_case(&column.target))
    }) {
        return Err(Error::new(Code::Unsupported, "a table of the target lacks a column")
            .with("table", name.clone())
            .with("column", missing.target.clone())
            .hint("Add the column, drop it under `columns`, or use `existing: replace`."));
    }
    Ok(())
}

fn run_statement(connection: &Connection, statement: &Statement) -> Result<()> {
    connection.execute_batch(&statement.sql).map_err(|error| {
        target_failure("run a statement of the plan", error)
            .with("statement", statement.purpose.clone())
    })
}

fn finish_one(connection: &Connection, number: usize, statement: &Statement) -> Result<()> {
    if ledger::has_run(connection, number)? {
        return Ok(());
    }
    transaction(connection, || {
        if !is_there(connection, statement)? {
            run_statement(connection, statement)?;
        }
        ledger::ran(connection, number)?;
        failpoint::hit("sqlite.before-statement")
    })?;
    failpoint::hit("sqlite.after-statement")
}

/// Whether what a statement makes is there: the very same thing, or anything of that name on a
/// table that was there before the run. A setting is there when it has any value.
fn is_there(connection: &Connection, statement: &Statement) -> Result<bool> {
    let words = tokens(&statement.sql);
    if let [first, setting, ..] = words.as_slice()
        && first.is("PRAGMA")
    {
        let sql = format!("PRAGMA {}", setting.text);
        return connection
            .query_row(&sql, [], |row| row.get::<_, i64>(0))
            .map(|number| number != 0)
            .map_err(|error| target_failure("read a setting of the target", error));
    }
    let Some(kind) = words
        .iter()
        .take(3)
        .position(|word| ["INDEX", "VIEW", "TRIGGER"].iter().any(|kind| word.is(kind)))
    else {
        return Ok(false);
    };
    let Some(name) = words.get(kind + 1) else { return Ok(false) };
    let found: Option<Option<String>> = connection
        .query_row(
            "SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE",
            [words[kind].text.to_ascii_lowercase(), name.text.clone()],
            |row| row.get(0),
        )
        .optional()
        .map_err(|error| target_failure("read the target's definitions", error))?;
    let Some(sql) = found else { return Ok(false) };
    let kept: Vec<bool> = ledger::get(connection, PREPARATIONS)?
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let on_kept = statement.table.is_some_and(|index| kept.get(index) == Some(&true));
    Ok(on_kept || sql.as_deref() == Some(statement.sql.as_str()))
}
