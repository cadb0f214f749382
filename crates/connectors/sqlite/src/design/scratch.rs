//! An empty database in memory on which statements are tried.

use longshore_model::catalog::Program;
use longshore_model::{Code, Error, Result};
use rusqlite::Connection;

use crate::open::{failure, message};
use crate::sql::quote;

/// An empty database in memory.
pub(super) struct Scratch(Connection);

impl Scratch {
    pub(super) fn open() -> Result<Self> {
        let open = || {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch("PRAGMA foreign_keys = OFF")?;
            Ok(connection)
        };
        open().map(Self).map_err(|error| failure("open a database in memory", error))
    }

    /// Runs the definition of a table; one that SQLite refuses ends the plan.
    pub(super) fn must_run(&self, sql: &str, table: &str) -> Result<()> {
        self.run(sql).map_err(|reason| {
            Error::new(Code::Unsupported, "this build of SQLite refuses a table's definition")
                .with("table", table)
                .because(reason)
                .hint("Leave the table out under `tables`, or make it by hand and use append.")
        })
    }

    /// Runs a statement; the error is SQLite's reason.
    pub(super) fn run(&self, sql: &str) -> Result<(), String> {
        self.0.execute_batch(sql).map_err(|error| message(&error))
    }

    /// Makes views and finds those that lack something they need, in the order of the list. A view
    /// may need one that is made after it.
    pub(super) fn views<'a>(
        &self,
        views: &[&'a Program],
    ) -> Result<Vec<(&'a Program, Option<String>)>> {
        let mut outcomes: Vec<(&Program, Option<String>)> =
            views.iter().map(|view| (*view, self.run(&view.native).err())).collect();
        loop {
            let mut changed = false;
            for (view, outcome) in outcomes.iter_mut().filter(|(_, outcome)| outcome.is_none()) {
                let name = quote(&view.name);
                if let Some(reason) = self.lacks(&format!("SELECT * FROM {name}")) {
                    self.drop_one("VIEW", &view.name)?;
                    *outcome = Some(reason);
                    changed = true;
                }
            }
            if !changed {
                return Ok(outcomes);
            }
        }
    }

    /// Makes a trigger and finds what it lacks.
    pub(super) fn trigger(&self, trigger: &Program) -> Result<Option<String>> {
        if let Err(reason) = self.run(&trigger.native) {
            return Ok(Some(reason));
        }
        let reason = self.exercises(&trigger.table)?.iter().find_map(|sql| self.lacks(sql));
        if reason.is_some() {
            self.drop_one("TRIGGER", &trigger.name)?;
        }
        Ok(reason)
    }

    /// Statements that set off every trigger of a table or view.
    fn exercises(&self, table: &str) -> Result<Vec<String>> {
        let name = quote(table);
        let columns = || -> rusqlite::Result<Vec<String>> {
            let mut statement =
                self.0.prepare("SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0")?;
            let rows = statement.query_map([table], |row| row.get(0))?;
            rows.collect()
        };
        let columns = columns().map_err(|error| failure("try a trigger", error))?;
        let sets: Vec<String> =
            columns.iter().map(|column| format!("{0} = {0}", quote(column))).collect();
        Ok(vec![
            format!("INSERT INTO {name} DEFAULT VALUES"),
            format!("UPDATE {name} SET {}", sets.join(", ")),
            format!("DELETE FROM {name}"),
        ])
    }

    /// What a statement lacks to be compiled, in SQLite's words. Functions and collations of the
    /// application are no lack: it brings them.
    fn lacks(&self, sql: &str) -> Option<String> {
        let reason = message(&self.0.prepare(sql).err()?);
        ["no such table", "no such column", "no such view"]
            .iter()
            .any(|lack| reason.contains(lack))
            .then_some(reason)
    }

    fn drop_one(&self, kind: &str, name: &str) -> Result<()> {
        self.0
            .execute_batch(&format!("DROP {kind} {}", quote(name)))
            .map_err(|error| failure("try a definition", error))
    }
}
