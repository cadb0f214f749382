//! What the user of an address may not do and would have to, with the words that grant it.

use std::collections::BTreeSet;

use longshore_model::Result;
use longshore_model::catalog::{Catalog, Common};
use mysql_async::Conn;

use crate::flavor::Flavor;
use crate::session::{cell, rows};
use crate::sql::quote;

/// What the load and its ledger take.
const LOAD: &[&str] =
    &["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES"];

const ASK: &str = "ask for the user's rights";

/// What making the tables and what belongs to them would be refused.
pub(crate) async fn missing(
    conn: &mut Conn,
    catalog: &Catalog,
    flavor: Flavor,
) -> Result<Vec<String>> {
    let Some(held) = held(conn).await? else { return Ok(Vec::new()) };
    let mut wanted: BTreeSet<&str> = LOAD.iter().copied().collect();
    let has_views = catalog.programs.iter().any(|one| matches!(one.common, Some(Common::Sql(_))));
    if has_views {
        wanted.insert("CREATE VIEW");
    }
    if catalog.dialect == flavor.dialect() {
        for program in &catalog.programs {
            match program.kind.as_str() {
                "view" => drop(wanted.insert("CREATE VIEW")),
                "trigger" => drop(wanted.insert("TRIGGER")),
                "routine" => drop(wanted.insert("CREATE ROUTINE")),
                _ => {}
            }
        }
    }
    if wanted.iter().all(|right| held.contains(*right)) {
        return Ok(Vec::new());
    }
    let found = rows(conn, ASK, "SELECT DATABASE(), CURRENT_USER()").await?;
    let text = |at| found.first().and_then(|row| cell(row, at)).unwrap_or_default();
    let database = text(0).replace('_', "\\_");
    // All of them: where several grants fit a database's name, the server takes but one.
    let wanted: Vec<&str> = wanted.into_iter().collect();
    Ok(vec![format!(
        "the target's user may not do all that a load takes: GRANT {} ON {}.* TO {};",
        wanted.join(", "),
        quote(&database),
        account(&text(1))
    )])
}

/// Whether the user may lock all tables for a moment; `None` when it cannot be told.
pub(crate) async fn may_lock(conn: &mut Conn) -> Result<Option<bool>> {
    let held = held(conn).await?;
    Ok(held.map(|held| held.contains("RELOAD") || held.contains("FLUSH_TABLES")))
}

/// The name of the user, as statements write it.
pub(crate) async fn user(conn: &mut Conn) -> Result<String> {
    let found = rows(conn, ASK, "SELECT CURRENT_USER()").await?;
    Ok(account(&found.first().and_then(|row| cell(row, 0)).unwrap_or_default()))
}

fn account(user: &str) -> String {
    let (name, host) = user.rsplit_once('@').unwrap_or((user, "%"));
    format!("{}@{}", quote(name), quote(host))
}

/// The rights on the whole server and on the database; `None` when roles bring others.
async fn held(conn: &mut Conn) -> Result<Option<BTreeSet<String>>> {
    const GRANTEE: &str = "CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
        SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')";
    let role = rows(conn, ASK, "SELECT COALESCE(CURRENT_ROLE(), 'NONE')").await;
    let role = role.ok().and_then(|found| found.first().and_then(|row| cell(row, 0)));
    if role.is_some_and(|role| role != "NONE") {
        return Ok(None);
    }
    let sql = format!(
        "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES WHERE GRANTEE = {GRANTEE} \
         UNION SELECT PRIVILEGE_TYPE FROM information_schema.SCHEMA_PRIVILEGES \
         WHERE GRANTEE = {GRANTEE} AND DATABASE() LIKE TABLE_SCHEMA"
    );
    let found = rows(conn, ASK, &sql).await?;
    Ok(Some(found.iter().filter_map(|row| cell(row, 0)).collect()))
}

#[cfg(test)]
mod tests {
    use super::account;

    #[test]
    fn accounts_are_quoted() {
        assert_eq!(account("a@b@10.0.0.%"), "`a@b`@`10.0.0.%`");
    }
}
