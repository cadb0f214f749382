//! Connections: how they are made, and the settings under which values mean the same everywhere.

use longshore_model::{Code, Error, Result};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use crate::address::Address;
use crate::failure::failure;
use crate::flavor::Flavor;

/// What does not fit is an error, and dates that are none are kept; as a literal.
const MODE: &str =
    "'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION'";

/// Values have one text form, and nothing times out in between.
const SETTINGS: &str = "\
    SESSION time_zone = '+00:00', SESSION wait_timeout = 28800, SESSION net_read_timeout = 600, \
    SESSION net_write_timeout = 3600, SESSION sql_select_limit = DEFAULT, \
    SESSION sql_safe_updates = 0, SESSION group_concat_max_len = 1048576";

const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ";

/// What is known of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Server {
    /// Which system it is.
    pub(crate) flavor: Flavor,
    /// Its version, such as (10, 11, 4).
    pub(crate) version: (u16, u16, u16),
}

/// The oldest versions that are read and written.
const OLDEST: [(Flavor, (u16, u16, u16)); 2] =
    [(Flavor::MySql, (5, 7, 8)), (Flavor::MariaDb, (10, 5, 0))];

/// Connects, under [`MODE`] and [`SETTINGS`].
pub(crate) async fn connect(address: &Address) -> Result<Conn> {
    let told = |error| failure("connect", error).with("address", address.shown.clone());
    let connecting = Conn::new(address.opts.clone());
    let connected = tokio::time::timeout(address.timeout, connecting).await;
    let mut conn = connected
        .map_err(|_| {
            Error::new(Code::Database, "could not connect: the server does not answer")
                .with("address", address.shown.clone())
                .temporary()
        })?
        .map_err(told)?;
    let server = server(&mut conn).await?;
    if server.flavor != address.flavor {
        return Err(Error::new(
            Code::UrlInvalid,
            format!("the server is {}", server.flavor.title()),
        )
        .with("address", address.shown.clone())
        .hint(format!("Write {}://… for it.", server.flavor.dialect())));
    }
    let old =
        OLDEST.iter().any(|(flavor, oldest)| *flavor == server.flavor && server.version < *oldest);
    if old {
        let version = server.version;
        return Err(Error::new(Code::Unsupported, "the server is too old")
            .with("version", format!("{}.{}.{}", version.0, version.1, version.2))
            .hint("MySQL 5.7.8 and MariaDB 10.5 and later are moved."));
    }
    let limit = match server.flavor {
        Flavor::MySql => ", SESSION max_execution_time = 0",
        Flavor::MariaDb => ", SESSION max_statement_time = 0",
    };
    set_words(&mut conn).await?;
    run(&mut conn, "set a session up", &format!("SET {SETTINGS}{limit}")).await?;
    run(&mut conn, "set a session up", ISOLATION).await?;
    Ok(conn)
}

/// Sets what texts mean to a session, which definitions of programs change.
pub(crate) async fn set_words(conn: &mut Conn) -> Result<()> {
    let sql = format!("SET NAMES utf8mb4, SESSION sql_mode = {MODE}");
    run(conn, "set a session up", &sql).await
}

/// What is known of the server of a connection.
pub(crate) async fn server(conn: &mut Conn) -> Result<Server> {
    let version = text(conn, "ask for the server's version", "SELECT VERSION()").await?;
    let flavor = Flavor::of_version(&version);
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    Ok(Server { flavor, version: (next(), next(), next()) })
}

/// Runs a statement; what it answers is thrown away.
pub(crate) async fn run(conn: &mut Conn, doing: &str, sql: &str) -> Result<()> {
    conn.query_drop(sql).await.map_err(|error| failure(doing, error))
}

/// The rows that a query answers.
pub(crate) async fn rows(conn: &mut Conn, doing: &str, sql: &str) -> Result<Vec<Row>> {
    conn.query(sql).await.map_err(|error| failure(doing, error))
}

/// The one text that a query answers; empty for NULL.
pub(crate) async fn text(conn: &mut Conn, doing: &str, sql: &str) -> Result<String> {
    let rows = rows(conn, doing, sql).await?;
    let row = rows.first().ok_or_else(|| {
        Error::new(Code::Database, format!("could not {doing}: the server gave no answer"))
    })?;
    Ok(cell(row, 0).unwrap_or_default())
}

/// The text in a row of a query; `None` for NULL.
pub(crate) fn cell(row: &Row, at: usize) -> Option<String> {
    use mysql_async::Value;
    match row.as_ref(at)? {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Int(value) => Some(value.to_string()),
        Value::UInt(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Double(value) => Some(value.to_string()),
        other => Some(other.as_sql(true).trim_matches('\'').to_string()),
    }
}

/// The number in a row of a query; 0 for NULL.
pub(crate) fn number(row: &Row, at: usize) -> u64 {
    cell(row, at).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Ends a connection in good order.
pub(crate) async fn close(conn: Conn) {
    let _gone_already = conn.disconnect().await;
}
