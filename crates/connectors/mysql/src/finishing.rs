//! A target after its load: the statements of the plan, tables side by side where they may be.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_model::plan::{MovePlan, Statement};
use longshore_model::{Code, Error, Result, failpoint};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use crate::claim::Claim;
use crate::connections::Connections;
use crate::design::step;
use crate::failure::{failure, number};
use crate::ledger;
use crate::session::{rows, run, set_words};
use crate::sql;

/// Statements of a step that run at the same time.
const AT_ONCE: usize = 2;

/// The finish of a target.
pub(crate) struct Finishing<'a> {
    pub(crate) connections: &'a Arc<Connections>,
    pub(crate) claim: Claim,
    pub(crate) plan: &'a MovePlan,
    /// Takes the purpose of every statement that was run.
    pub(crate) done: &'a (dyn for<'b> Fn(&'b str) + Send + Sync),
}

type Numbered<'a> = (usize, &'a Statement);

impl Finishing<'_> {
    /// Runs what was not run yet: steps one after the other, and the statements of a step again
    /// while some of them only came too early.
    pub(crate) async fn run(&self) -> Result<()> {
        let mut loan = self.connections.lend().await?;
        let ready: HashSet<usize> = ledger::noted(&mut loan.conn).await?.into_iter().collect();
        loan.give_back();
        let mut steps: BTreeMap<u32, Vec<Numbered<'_>>> = BTreeMap::new();
        for (number, statement) in self.plan.finish.iter().enumerate() {
            if !ready.contains(&number) {
                steps.entry(statement.step).or_default().push((number, statement));
            }
        }
        for (step, mut statements) in steps {
            // Statements that lock several tables could wait for each other.
            let lanes = if step <= step::KEYS { AT_ONCE } else { 1 };
            loop {
                let all = statements.len();
                let early = self.run_some(statements, lanes).await?;
                match early.last() {
                    None => break,
                    Some(_) if early.len() < all => {
                        statements = early.into_iter().map(|(one, _)| one).collect();
                    }
                    Some(_) => {
                        let last = early.into_iter().next_back();
                        return last.map_or(Ok(()), |(_, error)| Err(error));
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs statements in so many lanes. Returns those that came too early, and why.
    async fn run_some<'a>(
        &self,
        statements: Vec<Numbered<'a>>,
        lanes: usize,
    ) -> Result<Vec<(Numbered<'a>, Error)>> {
        let queue = Mutex::new(statements.into_iter());
        let lane = || async {
            let mut early = Vec::new();
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((number, statement)) = next else { return Ok::<_, Error>(early) };
                match self.run_one(number, statement).await? {
                    None => (self.done)(&statement.purpose),
                    Some(error) => early.push(((number, statement), error)),
                }
            }
        };
        if lanes == 1 {
            return lane().await;
        }
        let (one, two) = tokio::try_join!(lane(), lane())?;
        Ok(one.into_iter().chain(two).collect())
    }

    /// Runs a statement; the error of one that came too early is returned.
    async fn run_one(&self, number: usize, statement: &Statement) -> Result<Option<Error>> {
        let mut loan = self.connections.lend().await?;
        if statement.step == step::FOREIGN_KEY_CHECKS {
            let violated = rows(&mut loan.conn, "check a foreign key", &statement.sql).await?;
            if !violated.is_empty() {
                return Err(Error::new(
                    Code::RowRefused,
                    "rows refer to others that are not there, which a foreign key forbids",
                )
                .with("statement", statement.purpose.clone())
                .hint("Mend the rows in the source, or leave the foreign key out."));
            }
        } else if let Err(error) = make(&mut loan.conn, &statement.sql).await {
            let early = is_early(&error) && statement.step >= step::PROGRAMS;
            let error = failure("run a statement of the plan", error)
                .with("statement", statement.purpose.clone());
            return if early { Ok(Some(error)) } else { Err(error) };
        }
        set_words(&mut loan.conn).await?;
        failpoint::hit("mysql.statement")?;
        run(&mut loan.conn, "begin a transaction", "START TRANSACTION").await?;
        ledger::note(&mut loan.conn, number).await?;
        ledger::hold(&mut loan.conn, self.claim).await?;
        loan.commit().await?;
        Ok(None)
    }
}

/// Makes what a statement makes, unless it is there: an interrupted run, or somebody before it, has
/// made it. What several changes of one table together cannot do, each of them does for itself.
async fn make(conn: &mut Conn, statement: &str) -> Result<(), mysql_async::Error> {
    let Err(error) = conn.query_drop(statement).await else { return Ok(()) };
    if !is_there(&error) {
        return Err(error);
    }
    let parts = statement.strip_prefix("ALTER TABLE ").and_then(sql::leading_name);
    let Some((table, changes)) = parts else { return Ok(()) };
    for change in sql::split(changes) {
        let one = format!("ALTER TABLE {} {change}", sql::quote(&table));
        match conn.query_drop(one).await {
            Err(error) if !is_there(&error) => return Err(error),
            Err(error)
                if number(&error) == Some(CHECK_NAME)
                    && !has_check(conn, &table, change).await? =>
            {
                return Err(error);
            }
            _ => {}
        }
    }
    Ok(())
}

/// A check has the name of another, of any table.
const CHECK_NAME: u16 = 3822;

/// Whether a table has the check that a change would add to it.
async fn has_check(conn: &mut Conn, table: &str, change: &str) -> Result<bool, mysql_async::Error> {
    let name = change.strip_prefix("ADD CONSTRAINT ").and_then(sql::leading_name);
    let Some((name, _)) = name else { return Ok(false) };
    let query = format!(
        "SELECT 1 FROM information_schema.TABLE_CONSTRAINTS WHERE TABLE_SCHEMA = DATABASE() AND \
         CONSTRAINT_TYPE = 'CHECK' AND BINARY TABLE_NAME = {} AND CONSTRAINT_NAME = {}",
        sql::literal(table),
        sql::literal(&name)
    );
    Ok(conn.query_first::<mysql_async::Row, _>(query).await?.is_some())
}

/// Whether an error says that something is there already.
fn is_there(error: &mysql_async::Error) -> bool {
    let mysql_async::Error::Server(server) = error else { return false };
    // MariaDB has one number for whatever keeps a foreign key from being made; 121 in its words says
    // that another has its name.
    let same_name = server.code == 1005 && server.message.contains("errno: 121");
    same_name || matches!(server.code, 1050 | 1061 | 1068 | 1304 | 1359 | 1537 | 1826 | CHECK_NAME)
}

/// Whether what a statement needs may come later.
fn is_early(error: &mysql_async::Error) -> bool {
    matches!(number(error), Some(1054 | 1146 | 1305 | 1356))
}
