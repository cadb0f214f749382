//! A target after its load: the statements of the plan, side by side where they may be.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use std::thread::available_parallelism;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use longshore_model::plan::{MovePlan, Statement};
use longshore_model::{Error, Result, failpoint};

use crate::claim::Claim;
use crate::connections::{Connections, commit};
use crate::design::{SMALL, VACUUM, step};
use crate::failure::failure;
use crate::ledger::{self, Phase};
use crate::session;
use crate::standing::Standing;
use crate::statements::{Refused, run_once, run_together};

/// Statements that are sent together.
const AT_ONCE: usize = 50;

/// The finish of a target.
pub(crate) struct Finishing<'a> {
    pub(crate) connections: &'a Arc<Connections>,
    /// The schema of tables without one.
    pub(crate) schema: &'a str,
    pub(crate) claim: Claim,
    pub(crate) plan: &'a MovePlan,
    /// Takes the purpose of every statement that was run.
    pub(crate) done: &'a (dyn for<'b> Fn(&'b str) + Send + Sync),
}

/// A statement with its number in the plan.
type Numbered<'a> = (usize, &'a Statement);

impl Finishing<'_> {
    /// Runs what was not run yet: phases one after the other, and the statements of a phase again
    /// while some of them only came too early.
    pub(crate) async fn run(&self) -> Result<()> {
        let loan = self.connections.lend().await?;
        let ready = ledger::noted(loan.client(), Phase::Finish).await?;
        let ready: HashSet<usize> = ready.into_iter().collect();
        let standing = Standing::of(loan.client(), self.plan, self.schema).await?;
        commit(loan.client()).await?;
        loan.give_back();
        let mut phases: BTreeMap<u32, Vec<Numbered<'_>>> = BTreeMap::new();
        for (number, statement) in self.plan.finish.iter().enumerate() {
            if !ready.contains(&number) && !standing.has(statement) {
                phases.entry(step::phase(statement.step)).or_default().push((number, statement));
            }
        }
        for mut statements in phases.into_values() {
            loop {
                let all = statements.len();
                let (early, error) = self.run_some(statements.into()).await?;
                match error {
                    Some(error) if early.len() == all => return Err(error),
                    None => break,
                    Some(_) => statements = early,
                }
            }
        }
        Ok(())
    }

    /// Runs statements of one phase side by side. Returns those that came too early, and why the
    /// last of them did.
    async fn run_some<'a>(
        &self,
        mut waiting: VecDeque<Numbered<'a>>,
    ) -> Result<(Vec<Numbered<'a>>, Option<Error>)> {
        let at_once = available_parallelism().map_or(1, usize::from).max(2);
        let mut running = FuturesUnordered::new();
        let mut busy: Vec<usize> = Vec::new();
        let (mut early, mut reason) = (Vec::new(), None);
        loop {
            while running.len() < at_once {
                let few = self.next(&mut waiting, &busy);
                if few.is_empty() {
                    break;
                }
                busy.extend(few.iter().filter_map(|(_, statement)| statement.table));
                running.push(async move {
                    let ended = self.run_few(&few).await;
                    (few, ended)
                });
            }
            let Some((few, ended)) = running.next().await else { break };
            for table in few.iter().filter_map(|(_, statement)| statement.table) {
                let place = busy.iter().position(|busy| *busy == table);
                place.map(|place| busy.swap_remove(place));
            }
            for (number, error) in ended? {
                early.extend(few.iter().filter(|(one, _)| *one == number));
                reason = Some(error);
            }
            let done = few.iter().filter(|(number, _)| early.iter().all(|(one, _)| one != number));
            done.for_each(|(_, statement)| (self.done)(&statement.purpose));
        }
        early.sort_by_key(|(number, _)| *number);
        Ok((early, reason))
    }

    /// Runs a statement that the server takes outside of transactions only. It may be run again: it
    /// is noted afterwards.
    async fn vacuum(&self, number: usize, statement: &Statement) -> Result<()> {
        let told = |error| failure("take statistics", error).with("statement", &statement.purpose);
        let client = self.connections.borrow().await?;
        for sql in [session::UNHURRIED, &statement.sql, "RESET ALL"] {
            client.batch_execute(sql).await.map_err(told)?;
        }
        self.connections.put_back(client);
        let loan = self.connections.lend().await?;
        loan.client().batch_execute(&ledger::note(Phase::Finish, number)).await.map_err(told)?;
        ledger::hold(loan.client(), self.claim).await?;
        commit(loan.client()).await?;
        loan.give_back();
        failpoint::hit("postgres.statement")
    }

    /// What to run next: a statement, or several that take a moment only.
    fn next<'a>(&self, waiting: &mut VecDeque<Numbered<'a>>, busy: &[usize]) -> Vec<Numbered<'a>> {
        // Beside indexes, two statements of a table would wait for each other.
        let free = |(_, statement): &Numbered<'_>| {
            statement.step == step::INDEXES
                || statement.table.is_none_or(|table| !busy.contains(&table))
        };
        let mut head: Option<&Statement> = None;
        let first = waiting.iter().position(|one| {
            let statement = one.1;
            // The statements of a table stand together, its steps in order.
            let head = match head {
                Some(head) if head.table.is_some() && head.table == statement.table => head,
                _ => head.insert(statement),
            };
            head.step == statement.step && free(one)
        });
        let first = first.and_then(|place| waiting.remove(place));
        let mut few: Vec<_> = first.into_iter().collect();
        if few.iter().all(|(_, statement)| self.is_short(statement)) {
            while few.len() < AT_ONCE
                && let Some(another) = waiting.pop_front_if(|one| free(one) && self.is_short(one.1))
            {
                few.push(another);
            }
        }
        few
    }

    /// Whether a statement takes a moment only, and locks no table but its own: a transaction with
    /// several foreign keys could wait for another that waits for it.
    fn is_short(&self, statement: &Statement) -> bool {
        let table = statement.table.and_then(|table| self.plan.tables.get(table));
        statement.step < step::MARKS && table.is_some_and(|table| table.bytes < SMALL)
    }

    /// Runs statements in one transaction. Returns those that came too early, and why each did.
    async fn run_few(&self, few: &[Numbered<'_>]) -> Result<Vec<(usize, Error)>> {
        if let [(number, statement)] = few
            && statement.sql.starts_with(VACUUM)
        {
            self.vacuum(*number, statement).await?;
            return Ok(Vec::new());
        }
        let loan = self.connections.lend().await?;
        let mut early = Vec::new();
        if few.len() == 1 || !run_together(loan.client(), Phase::Finish, few).await? {
            for (number, statement) in few {
                match run_once(loan.client(), *number, statement).await {
                    Ok(()) => {}
                    Err(Refused::Early(error)) => early.push((*number, error)),
                    Err(Refused::Never(error)) => return Err(error),
                }
            }
        }
        ledger::hold(loan.client(), self.claim).await?;
        commit(loan.client()).await?;
        loan.give_back();
        failpoint::hit("postgres.statement")?;
        Ok(early)
    }
}
