//! A target before its load. The servers commit with every statement that makes something, so what
//! a begin makes is written down first: one that was interrupted is cleaned up by the next.

use longshore_model::connector::Preparation;
use longshore_model::ledger::{Header, Stage};
use longshore_model::plan::MovePlan;
use longshore_model::{Code, Error, Result, failpoint};
use mysql_async::Conn;

use crate::claim::Claim;
use crate::ledger::{self, key};
use crate::session::{cell, rows, run};
use crate::sql::{literal, quote};

const DOING: &str = "prepare the target";

/// The preparation of a target.
pub(crate) struct Preparing<'a> {
    pub(crate) claim: Claim,
    pub(crate) plan: &'a MovePlan,
    pub(crate) preparations: &'a [Preparation],
}

impl Preparing<'_> {
    /// Prepares, on a connection without a transaction.
    pub(crate) async fn run(&self, conn: &mut Conn, header: &Header) -> Result<()> {
        let unfinished = making(conn).await?;
        let made: Vec<&str> = self.tables(&[Preparation::Create, Preparation::Recreate]);
        for table in self.tables(&[Preparation::Create]) {
            let is_left_over = unfinished.iter().any(|name| name == table);
            if is_there(conn, table).await? && !(is_left_over && is_empty(conn, table).await?) {
                return Err(Error::new(Code::TargetNotEmpty, "a table is there already")
                    .with("table", table));
            }
        }
        let list = serde_json::to_string(&made).map_err(|error| {
            Error::new(Code::Internal, "the ledger cannot be written").because(error)
        })?;
        self.commit(conn, async |conn| {
            ledger::clear(conn).await?;
            ledger::put(conn, key::MAKING, &list).await
        })
        .await?;
        failpoint::hit("mysql.begin")?;
        for table in &made {
            run(conn, DOING, &format!("DROP TABLE IF EXISTS {}", quote(table))).await?;
        }
        for table in self.tables(&[Preparation::Empty]) {
            run(conn, DOING, &format!("TRUNCATE TABLE {}", quote(table))).await?;
        }
        for statement in &self.plan.prepare {
            let kept = statement.table.and_then(|table| self.preparations.get(table));
            if !matches!(kept, Some(Preparation::Keep | Preparation::Empty)) {
                let told = |error: Error| error.with("statement", statement.purpose.clone());
                run(conn, DOING, &statement.sql).await.map_err(told)?;
                failpoint::hit("mysql.statement")?;
            }
        }
        let kept: String = self.preparations.iter().map(|one| letter(*one)).collect();
        self.commit(conn, async |conn| {
            ledger::remove(conn, key::MAKING).await?;
            ledger::put(conn, key::PREPARATIONS, &kept).await?;
            ledger::begin(conn, header).await?;
            ledger::mark(conn, Stage::Prepared).await
        })
        .await
    }

    /// The tables with one of some preparations.
    fn tables(&self, wanted: &[Preparation]) -> Vec<&str> {
        let both = self.plan.tables.iter().zip(self.preparations);
        let found = both.filter(|(_, preparation)| wanted.contains(preparation));
        found.map(|(table, _)| table.target.name.as_str()).collect()
    }

    async fn commit(
        &self,
        conn: &mut Conn,
        work: impl AsyncFnOnce(&mut Conn) -> Result<()>,
    ) -> Result<()> {
        run(conn, DOING, "START TRANSACTION").await?;
        ledger::hold(conn, self.claim).await?;
        work(conn).await?;
        run(conn, DOING, "COMMIT").await
    }
}

fn letter(preparation: Preparation) -> char {
    match preparation {
        Preparation::Create => 'c',
        Preparation::Keep => 'k',
        Preparation::Empty => 'e',
        Preparation::Recreate => 'r',
    }
}

/// The tables that an interrupted begin was making.
pub(crate) async fn making(conn: &mut Conn) -> Result<Vec<String>> {
    let text = ledger::get(conn, key::MAKING).await?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
}

/// Whether each table was there before the run.
pub(crate) async fn kept(conn: &mut Conn) -> Result<Vec<bool>> {
    let text = ledger::get(conn, key::PREPARATIONS).await?.unwrap_or_default();
    Ok(text.chars().map(|one| matches!(one, 'k' | 'e')).collect())
}

async fn is_there(conn: &mut Conn, table: &str) -> Result<bool> {
    let query = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND \
         BINARY TABLE_NAME = {}",
        literal(table)
    );
    Ok(!rows(conn, DOING, &query).await?.is_empty())
}

/// Whether a table has no rows.
pub(crate) async fn is_empty(conn: &mut Conn, table: &str) -> Result<bool> {
    let query = format!("SELECT EXISTS (SELECT 1 FROM {})", quote(table));
    let found = rows(conn, "look into a table", &query).await?;
    Ok(found.first().and_then(|row| cell(row, 0)).as_deref() == Some("0"))
}
