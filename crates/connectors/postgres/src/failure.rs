//! What went wrong on the server, in the project's words. The server's details and contexts quote
//! values of rows, and so do its messages about data: none of them is passed on.

use crate::session;
use longshore_model::{Code, Error};
use tokio_postgres::error::{DbError, SqlState};

/// An error of the server or of the way to it; `doing` completes "could not …".
pub(crate) fn failure(doing: &str, error: tokio_postgres::Error) -> Error {
    if let Some(database) = error.as_db_error() {
        let made = of_server(code_of(database), doing, database);
        return if is_poolers(database) { session::pooled().because(made) } else { made };
    }
    if let Some(refused) = refused_protection(&error) {
        return Error::new(Code::PermissionDenied, format!("could not {doing}: {refused}"))
            .hint("Give the server's certificate authority with ?sslrootcert=FILE.");
    }
    let text = error.to_string();
    let made = Error::new(Code::Database, format!("could not {doing}: the connection failed"));
    // An authentication that this side refuses, or a wrong configuration, does not pass.
    match text.starts_with("invalid configuration") || text.starts_with("authentication") {
        true => made.because(error),
        false => made.because(error).temporary(),
    }
}

/// An error while values are written: what the server says of them is that it refuses them.
pub(crate) fn refusal(doing: &str, error: tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(database) if class(database) == "22" || is_value_syntax(database) => {
            of_server(Code::ValueRefused, doing, database)
        }
        _ => failure(doing, error),
    }
}

/// An error while rows are selected that meet a condition of the spec.
pub(crate) fn selection(doing: &str, error: tokio_postgres::Error, filter: Option<&str>) -> Error {
    match (error.as_db_error(), filter) {
        (Some(database), Some(_))
            if class(database) == "42"
                && !matches!(
                    *database.code(),
                    SqlState::INSUFFICIENT_PRIVILEGE | SqlState::UNDEFINED_TABLE
                ) =>
        {
            Error::new(Code::SpecInvalid, "a condition under `where` is not valid")
                .with("sqlstate", database.code().code())
                .hint("A condition is what follows WHERE in the source's SQL.")
        }
        _ => failure(doing, error),
    }
}

/// The code of an error that the server told.
fn code_of(error: &DbError) -> Code {
    match error.code() {
        &SqlState::DISK_FULL => Code::StorageFull,
        &SqlState::INSUFFICIENT_PRIVILEGE
        | &SqlState::INVALID_PASSWORD
        | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        | &SqlState::READ_ONLY_SQL_TRANSACTION => Code::PermissionDenied,
        &SqlState::INVALID_CATALOG_NAME
        | &SqlState::UNDEFINED_TABLE
        | &SqlState::UNDEFINED_COLUMN
        | &SqlState::INVALID_SCHEMA_NAME => Code::NotFound,
        _ if class(error) == "22" => Code::ValueInvalid,
        _ if class(error) == "23" => Code::RowRefused,
        _ => Code::Database,
    }
}

/// Whether the parser of a type, not of SQL, stumbled: its message quotes the value.
fn is_value_syntax(error: &DbError) -> bool {
    error.code() == &SqlState::SYNTAX_ERROR && error.position().is_none()
}

fn of_server(code: Code, doing: &str, error: &DbError) -> Error {
    let state = error.code().code();
    let speaks_of_data = matches!(class(error), "22" | "23" | "P0") || is_value_syntax(error);
    let what = if speaks_of_data { meaning(error.code()) } else { error.message().to_string() };
    let mut made = Error::new(code, format!("could not {doing}: {what}")).with("sqlstate", state);
    let table = error.table().map(|table| match error.schema() {
        Some(schema) => format!("{schema}.{table}"),
        None => table.to_string(),
    });
    for (key, value) in [
        ("table", table.as_deref()),
        ("column", error.column()),
        ("type", error.datatype()),
        ("constraint", error.constraint()),
    ] {
        if let Some(value) = value {
            made = made.with(key, value);
        }
    }
    if matches!(
        *error.code(),
        SqlState::CHARACTER_NOT_IN_REPERTOIRE | SqlState::UNTRANSLATABLE_CHARACTER
    ) {
        made = made.hint(
            "The two databases have different encodings: one made with ENCODING 'UTF8' holds every \
             text. Texts that are not valid in the source have to be corrected there.",
        );
    }
    if matches!(
        *error.code(),
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    ) {
        made = made
            .hint("Check the user and the password in the address, and the server's pg_hba.conf.");
    }
    if error.code() == &SqlState::OUT_OF_MEMORY && error.message().contains("shared memory") {
        made = made.hint(
            "The server has no room for more locks: raise max_locks_per_transaction there and start \
             it anew.",
        );
    }
    if passes(error) { made.temporary() } else { made }
}

/// Errors that only a pooler makes: it ends transactions, or hands out sessions with others'
/// statements in them.
fn is_poolers(error: &DbError) -> bool {
    let states = [SqlState::DUPLICATE_PSTATEMENT, SqlState::INVALID_SQL_STATEMENT_NAME];
    states.contains(error.code())
        || error.code() == &SqlState::PROTOCOL_VIOLATION && error.message().contains("transaction")
}

/// Whether doing it again can help.
fn passes(error: &DbError) -> bool {
    matches!(class(error), "08" | "40" | "53" | "57" | "58") && error.code() != &SqlState::DISK_FULL
        || matches!(
            *error.code(),
            SqlState::LOCK_NOT_AVAILABLE
                | SqlState::OBJECT_IN_USE
                | SqlState::QUERY_CANCELED
                | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        )
}

fn class(error: &DbError) -> &str {
    error.code().code().get(..2).unwrap_or_default()
}

/// What a state about data means, without the data.
fn meaning(state: &SqlState) -> String {
    let text = match *state {
        SqlState::UNIQUE_VIOLATION => "a unique key is there twice",
        SqlState::NOT_NULL_VIOLATION => "a column must not be NULL",
        SqlState::FOREIGN_KEY_VIOLATION => "a foreign key refers to no row",
        SqlState::CHECK_VIOLATION => "a check refuses a row",
        SqlState::EXCLUSION_VIOLATION => "an exclusion constraint refuses a row",
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => "a number is out of range",
        SqlState::STRING_DATA_RIGHT_TRUNCATION => "a text is longer than its column",
        SqlState::CHARACTER_NOT_IN_REPERTOIRE => "a text has a character that the encoding lacks",
        SqlState::UNTRANSLATABLE_CHARACTER => "a text has a character that the encoding lacks",
        SqlState::INVALID_TEXT_REPRESENTATION => "a text is no value of its column's type",
        SqlState::INVALID_DATETIME_FORMAT => "a text is no date or time",
        SqlState::DATETIME_FIELD_OVERFLOW => "a date or time is out of range",
        SqlState::BAD_COPY_FILE_FORMAT => "the rows are not in the form that COPY takes",
        SqlState::INVALID_BINARY_REPRESENTATION => "a value is not in its type's binary form",
        _ => "the server refused the data",
    };
    text.to_string()
}

/// Why TLS did not come about, where that is the cause.
fn refused_protection(error: &tokio_postgres::Error) -> Option<String> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = cause {
        if let Some(tls) = one.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        let inner = one.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Some(tls.to_string());
        }
        cause = one.source();
    }
    None
}
