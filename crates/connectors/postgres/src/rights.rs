//! What the user of an address may not do and would have to, with the words that grant it.

use std::collections::BTreeSet;

use longshore_model::catalog::Catalog;
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, Result};
use tokio_postgres::Client;

use crate::address::Address;
use crate::failure::failure;
use crate::{DIALECT, sql};

/// What making the tables and what belongs to them would be refused.
pub(crate) async fn missing(
    client: &Client,
    address: &Address,
    tables: &[TablePlan],
    catalog: &Catalog,
) -> Result<Vec<String>> {
    let told = |error| failure("ask for the user's rights", error);
    let user = client.query_one(USER, &[]).await.map_err(told)?;
    let (name, database): (String, String) =
        (user.try_get(0).map_err(told)?, user.try_get(1).map_err(told)?);
    let (creates, superuser): (bool, bool) =
        (user.try_get(2).map_err(told)?, user.try_get(3).map_err(told)?);
    let name = sql::quote(&name);
    let mut lacking = Vec::new();

    let namespace = |table: &TablePlan| {
        table.target.namespace.clone().unwrap_or_else(|| address.schema.clone())
    };
    let mut wanted: BTreeSet<String> = tables.iter().map(namespace).collect();
    wanted.insert("_longshore".to_string());
    let wanted: Vec<String> = wanted.into_iter().collect();
    let mut absent = Vec::new();
    for row in client.query(SCHEMAS, &[&wanted]).await.map_err(told)? {
        let (schema, there, allowed): (String, bool, bool) = (
            row.try_get(0).map_err(told)?,
            row.try_get(1).map_err(told)?,
            row.try_get(2).map_err(told)?,
        );
        let schema = sql::quote(&schema);
        if !there {
            absent.push(schema);
        } else if !allowed {
            lacking.push(format!(
                "the target's user may not make tables in {schema}: \
                 GRANT USAGE, CREATE ON SCHEMA {schema} TO {name};"
            ));
        }
    }
    if !creates && !absent.is_empty() {
        lacking.push(format!(
            "the target's user may not make the schemas {}: GRANT CREATE ON DATABASE {} TO {name};",
            absent.join(", "),
            sql::quote(&database)
        ));
    }
    if catalog.dialect == DIALECT {
        extensions(client, catalog, superuser, &mut lacking).await?;
    }
    Ok(lacking)
}

async fn extensions(
    client: &Client,
    catalog: &Catalog,
    superuser: bool,
    lacking: &mut Vec<String>,
) -> Result<()> {
    let wanted: Vec<&str> = catalog
        .programs
        .iter()
        .filter(|program| program.kind == "extension")
        .map(|program| program.name.as_str())
        .collect();
    let told = |error| failure("ask for the server's extensions", error);
    for row in client.query(EXTENSIONS, &[&wanted]).await.map_err(told)? {
        let name: String = row.try_get(0).map_err(told)?;
        let (available, allowed): (bool, bool) =
            (row.try_get(1).map_err(told)?, row.try_get(2).map_err(told)?);
        if !available {
            lacking.push(format!("the extension {name} is not installed on the target's server"));
        } else if !allowed && !superuser {
            lacking.push(format!(
                "the extension {name} can be made by a superuser only, before the run: \
                 CREATE EXTENSION {};",
                sql::quote(&name)
            ));
        }
    }
    Ok(())
}

/// Adds to a refusal to read a table what would allow it.
pub(crate) fn reading(error: Error, table: &str, address: &Address) -> Error {
    if error.code() != Code::PermissionDenied {
        return error;
    }
    let user = sql::quote(address.config.get_user().unwrap_or("the user"));
    // What the server names is a table without its schema, and nothing of the rows.
    if error.message().contains("row-level security") {
        return error.hint(format!(
            "A policy would hide rows without a word. As a superuser: ALTER ROLE {user} BYPASSRLS;"
        ));
    }
    let schema = table.split_inclusive("\".").next().unwrap_or(table).trim_end_matches('.');
    error.hint(format!(
        "GRANT USAGE ON SCHEMA {schema} TO {user}; GRANT SELECT ON {table} TO {user}; \
         or for every table of the schema: GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {user};"
    ))
}

const USER: &str = "
    SELECT current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text,
        pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
        (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user)";

const SCHEMAS: &str = "
    SELECT wanted.name, n.oid IS NOT NULL,
        COALESCE(pg_catalog.has_schema_privilege(n.oid, 'CREATE')
            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false)
    FROM unnest($1::pg_catalog.text[]) AS wanted (name)
    LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name
    ORDER BY 1";

/// Extensions that are not there: name, whether they can be made, whether by everybody who may make
/// schemas.
const EXTENSIONS: &str = "
    SELECT wanted.name, pg_catalog.count(v.name) > 0,
        COALESCE(pg_catalog.bool_or(v.trusted OR NOT v.superuser), false)
    FROM unnest($1::pg_catalog.text[]) AS wanted (name)
    LEFT JOIN pg_catalog.pg_available_extension_versions v ON v.name = wanted.name
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = wanted.name)
    GROUP BY wanted.name ORDER BY 1";
