//! Statements of a plan: each is run once, whole, in an order that the server accepts.

use longshore_model::Error;
use longshore_model::plan::Statement;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::failure::failure;
use crate::ledger::{self, Phase};
use crate::session;

/// Why a statement of the plan was not run.
pub(crate) enum Refused {
    /// What it needs is not there yet. The catalog's order is that in which things were made, and
    /// some of them were changed since to need later ones.
    Early(Error),
    /// It cannot be run.
    Never(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Never(error)
    }
}

/// Runs a statement of the preparation. Things that belong to no table, such as schemas and types,
/// may be there already.
pub(crate) async fn prepare_one(
    client: &Client,
    number: usize,
    statement: &Statement,
) -> Result<(), Refused> {
    if let Some(schema) = schema_of(statement)
        && session::has_schema(client, schema).await?
    {
        return note(client, Phase::Prepare, number).await;
    }
    run(client, statement, statement.table.is_none()).await?;
    note(client, Phase::Prepare, number).await
}

/// The schema that a statement makes.
pub(crate) fn schema_of(statement: &Statement) -> Option<&str> {
    statement.purpose.strip_prefix("schema ")
}

async fn note(client: &Client, phase: Phase, number: usize) -> Result<(), Refused> {
    let noted = client.batch_execute(&ledger::note(phase, number)).await;
    noted.map_err(|error| failure("write the ledger", error).into())
}

/// Runs statements one after the other and notes them in the ledger, all or none: false when one of
/// them was refused, which the server tells better of each on its own. Two ways to the server and
/// back, however many they are.
pub(crate) async fn run_together(
    client: &Client,
    phase: Phase,
    statements: &[(usize, &Statement)],
) -> Result<bool, Error> {
    let told = |error| failure("run statements of the plan", error);
    // On its own: a statement that cannot even be parsed would take the savepoint with it.
    client.batch_execute("SAVEPOINT together").await.map_err(told)?;
    let mut sql = String::new();
    for (number, statement) in statements {
        sql += &format!("{};\n{};\n", statement.sql, ledger::note(phase, *number));
    }
    let Err(error) = client.batch_execute(&(sql + "RELEASE together")).await else {
        return Ok(true);
    };
    if client.is_closed() {
        return Err(told(error));
    }
    client.batch_execute("ROLLBACK TO together; RELEASE together").await.map_err(told)?;
    Ok(false)
}

/// Runs a statement whose thing may be there already.
pub(crate) async fn run_once(
    client: &Client,
    number: usize,
    statement: &Statement,
) -> Result<(), Refused> {
    run(client, statement, true).await?;
    note(client, Phase::Finish, number).await
}

/// Runs a statement, all or nothing, and leaves the transaction usable when it was refused.
async fn run(client: &Client, statement: &Statement, may_be_there: bool) -> Result<(), Refused> {
    let told_of = |error| failure("prepare the target", error);
    // On its own: a statement that cannot even be parsed would take the savepoint with it.
    client.batch_execute("SAVEPOINT thing").await.map_err(told_of)?;
    let sql = format!("{}; RELEASE thing", statement.sql);
    let Err(error) = client.batch_execute(&sql).await else { return Ok(()) };
    if client.is_closed() {
        return Err(told(statement, error).into());
    }
    let undo = client.batch_execute("ROLLBACK TO thing; RELEASE thing").await;
    undo.map_err(told_of)?;
    match error.code() {
        _ if may_be_there && is_there(&error) => Ok(()),
        Some(state) if MISSING.contains(state) => Err(Refused::Early(told(statement, error))),
        _ => Err(told(statement, error).into()),
    }
}

/// What a server says of a thing that is not there.
const MISSING: [SqlState; 5] = [
    SqlState::CANNOT_COERCE,
    SqlState::UNDEFINED_TABLE,
    SqlState::UNDEFINED_OBJECT,
    SqlState::UNDEFINED_FUNCTION,
    SqlState::UNDEFINED_COLUMN,
];

fn is_there(error: &tokio_postgres::Error) -> bool {
    [
        &SqlState::DUPLICATE_SCHEMA,
        &SqlState::DUPLICATE_OBJECT,
        &SqlState::DUPLICATE_TABLE,
        &SqlState::DUPLICATE_FUNCTION,
    ]
    .iter()
    .any(|state| error.code() == Some(state))
}

fn told(statement: &Statement, error: tokio_postgres::Error) -> Error {
    failure("run a statement of the plan", error).with("statement", statement.purpose.clone())
}
