//! A target before its load: room is made, and the statements of the plan are run.

use longshore_model::Result;
use longshore_model::connector::Preparation;
use longshore_model::ledger::{Header, Stage};
use longshore_model::plan::MovePlan;
use tokio_postgres::Client;

use crate::address::Address;
use crate::claim::Claim;
use crate::connections::commit;
use crate::failure::failure;
use crate::ledger::{self, Phase};
use crate::session::begin;
use crate::sql;
use crate::statements::{Refused, prepare_one, run_together, schema_of};

/// The key of the header under which the preparations are kept.
const PREPARATIONS: &str = "preparations";

/// Statements that share a transaction: each table takes locks that the server has a bounded number
/// of.
const STATEMENTS: usize = 500;

/// Statements that are sent together.
const AT_ONCE: usize = 50;

/// The preparation of a target, on a connection whose transaction has begun.
pub(crate) struct Preparing<'a> {
    pub(crate) client: &'a Client,
    pub(crate) address: &'a Address,
    pub(crate) claim: Claim,
    pub(crate) plan: &'a MovePlan,
}

impl Preparing<'_> {
    /// Prepares; the last transaction is left open.
    pub(crate) async fn run(&self, header: &Header, preparations: &[Preparation]) -> Result<()> {
        let client = self.client;
        // Statements of a large plan need several transactions. What an interrupted begin of the
        // same plan has made is kept.
        let begun = match ledger::read(client).await? {
            Some(older)
                if older.header.plan_digest == header.plan_digest
                    && !older.has(Stage::Prepared) =>
            {
                ledger::get(client, PREPARATIONS).await?
            }
            _ => None,
        };
        let (made, done) = match begun {
            Some(text) => (text, ledger::noted(client, Phase::Prepare).await?),
            None => {
                let text = preparations.iter().map(|one| letter(*one)).collect::<String>();
                ledger::make(client, header).await?;
                ledger::put(client, PREPARATIONS, &text).await?;
                self.clear(preparations).await?;
                (text, Vec::new())
            }
        };
        let makes =
            |table: usize| made.as_bytes().get(table).is_some_and(|one| b"cr".contains(one));
        let wanted = |number: &usize| {
            !done.contains(number) && self.plan.prepare[*number].table.is_none_or(makes)
        };
        let numbers: Vec<usize> = (0..self.plan.prepare.len()).filter(wanted).collect();
        let mut early = Vec::new();
        for (turn, some) in numbers.chunks(STATEMENTS).enumerate() {
            if turn > 0 {
                ledger::hold(client, self.claim).await?;
                commit(client).await?;
                begin(client, "").await?;
            }
            for few in some.chunks(AT_ONCE) {
                early.extend(self.run_few(few).await?);
            }
        }
        self.run_early(early).await
    }

    /// Runs some statements, and returns those that came too early.
    async fn run_few(&self, numbers: &[usize]) -> Result<Vec<usize>> {
        let numbered = |number: &usize| (*number, &self.plan.prepare[*number]);
        let few: Vec<_> = numbers.iter().map(numbered).collect();
        // A schema that is there needs no right to make one.
        if few.iter().all(|(_, statement)| schema_of(statement).is_none())
            && run_together(self.client, Phase::Prepare, &few).await?
        {
            return Ok(Vec::new());
        }
        let mut early = Vec::new();
        for (number, statement) in few {
            match prepare_one(self.client, number, statement).await {
                Ok(()) => {}
                Err(Refused::Early(_)) => early.push(number),
                Err(Refused::Never(error)) => return Err(error),
            }
        }
        Ok(early)
    }

    /// Runs statements of the preparation that need what others make, until all are done.
    async fn run_early(&self, mut early: Vec<usize>) -> Result<()> {
        while !early.is_empty() {
            let (all, mut reason) = (early.len(), None);
            for number in std::mem::take(&mut early) {
                match prepare_one(self.client, number, &self.plan.prepare[number]).await {
                    Ok(()) => {}
                    Err(Refused::Never(error)) => return Err(error),
                    Err(Refused::Early(error)) => {
                        early.push(number);
                        reason.get_or_insert(error);
                    }
                }
            }
            if let Some(error) = reason.filter(|_| early.len() == all) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Drops the tables that are made anew, with the views that are too, and empties those that are
    /// kept without their rows.
    async fn clear(&self, preparations: &[Preparation]) -> Result<()> {
        let told = |error| {
            failure("make room for the tables", error).hint(
                "Other objects of the target depend on these tables: drop them first, or use \
                 another database.",
            )
        };
        if preparations.contains(&Preparation::Recreate) {
            for words in ["MATERIALIZED VIEW", "VIEW"] {
                let make = format!("CREATE {words} ");
                let views: Vec<&str> = self
                    .plan
                    .finish
                    .iter()
                    .filter_map(|statement| sql::leading_name(statement.sql.strip_prefix(&make)?))
                    .collect();
                if !views.is_empty() {
                    let sql = format!("DROP {words} IF EXISTS {}", views.join(", "));
                    self.client.batch_execute(&sql).await.map_err(told)?;
                }
            }
        }
        for (wanted, words) in
            [(Preparation::Recreate, "DROP TABLE IF EXISTS"), (Preparation::Empty, "TRUNCATE ONLY")]
        {
            let names: Vec<String> = self
                .plan
                .tables
                .iter()
                .zip(preparations)
                .filter(|(_, preparation)| **preparation == wanted)
                .map(|(table, _)| sql::table(&table.target, &self.address.schema))
                .collect();
            if !names.is_empty() {
                let sql = format!("{words} {}", names.join(", "));
                self.client.batch_execute(&sql).await.map_err(told)?;
            }
        }
        Ok(())
    }
}

/// How each table of the load was prepared.
pub(crate) async fn preparations(client: &Client) -> Result<Vec<Preparation>> {
    let text = ledger::get(client, PREPARATIONS).await?.unwrap_or_default();
    Ok(text
        .chars()
        .map(|one| match one {
            'k' => Preparation::Keep,
            'e' => Preparation::Empty,
            'r' => Preparation::Recreate,
            _ => Preparation::Create,
        })
        .collect())
}

fn letter(preparation: Preparation) -> char {
    match preparation {
        Preparation::Create => 'c',
        Preparation::Keep => 'k',
        Preparation::Empty => 'e',
        Preparation::Recreate => 'r',
    }
}
