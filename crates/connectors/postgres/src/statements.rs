//! Statements of a plan: each is run once, whole, in an order that the server accepts.

use longshore_model::Error;
use longshore_model::plan::Statement;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::failure::failure;
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
pub(crate) async fn prepare_one(client: &Client, statement: &Statement) -> Result<(), Refused> {
    if let Some(schema) = statement.purpose.strip_prefix("schema ")
        && session::has_schema(client, schema).await?
    {
        return Ok(());
    }
    run(client, statement, statement.table.is_none()).await
}

/// Runs a statement whose thing may be there already.
pub(crate) async fn run_once(client: &Client, statement: &Statement) -> Result<(), Refused> {
    run(client, statement, true).await
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
