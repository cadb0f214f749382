//! Keys that tables have which were in the target before, so that none is made twice.

use std::collections::HashMap;

use longshore_model::Result;
use longshore_model::connector::Preparation;
use longshore_model::plan::{MovePlan, Statement};
use tokio_postgres::Client;

use crate::catalog::{PRIMARY_KEY_INDEX, UNIQUE_KEY_INDEX};
use crate::failure::failure;
use crate::preparing::preparations;
use crate::sql;

/// The tables that are kept.
#[derive(Default)]
pub(crate) struct Standing {
    /// Their constraints, by their numbers.
    constraints: HashMap<usize, Vec<Constraint>>,
    /// The names that the plan has for their primary keys.
    primaries: HashMap<usize, String>,
}

struct Constraint {
    name: String,
    primary: bool,
    definition: String,
}

impl Standing {
    /// Asks for them.
    pub(crate) async fn of(client: &Client, plan: &MovePlan, schema: &str) -> Result<Self> {
        let kept: Vec<i64> = preparations(client)
            .await?
            .into_iter()
            .enumerate()
            .filter(|(_, one)| matches!(one, Preparation::Keep | Preparation::Empty))
            .filter_map(|(number, _)| i64::try_from(number).ok())
            .collect();
        let number = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        let mut found: HashMap<usize, Vec<Constraint>> =
            kept.iter().map(|table| (number(*table), Vec::new())).collect();
        if kept.is_empty() {
            return Ok(Self::default());
        }
        let name = |number: &i64| {
            let table = usize::try_from(*number).ok().and_then(|at| plan.tables.get(at));
            table.map_or_else(String::new, |table| sql::table(&table.target, schema))
        };
        let names: Vec<String> = kept.iter().map(name).collect();
        let told = |error| failure("look for the keys of tables", error);
        for row in client.query(CONSTRAINTS, &[&kept, &names]).await.map_err(told)? {
            found.entry(number(row.try_get(0).map_err(told)?)).or_default().push(Constraint {
                name: row.try_get(1).map_err(told)?,
                primary: row.try_get(2).map_err(told)?,
                definition: plain(row.try_get(3).map_err(told)?),
            });
        }
        let primary = |statement: &Statement| {
            let name = named(&statement.purpose, PRIMARY_KEY_INDEX)?;
            statement.table.map(|table| (table, name.to_string()))
        };
        let primaries = plan.finish.iter().filter_map(primary).collect();
        Ok(Self { constraints: found, primaries })
    }

    /// Whether the table of a statement has the key that it would make. A mark on a primary key that
    /// has another name here is not set: the table keeps its own.
    pub(crate) fn has(&self, statement: &Statement) -> bool {
        let Some(table) = statement.table else { return false };
        let Some(constraints) = self.constraints.get(&table) else { return false };
        if let Some(marked) = named(&statement.purpose, "mark") {
            let is_primary = self.primaries.get(&table).is_some_and(|name| name == marked);
            return is_primary && constraints.iter().any(|one| one.primary && one.name != marked);
        }
        let index = [PRIMARY_KEY_INDEX, UNIQUE_KEY_INDEX]
            .into_iter()
            .find_map(|kind| Some((kind, named(&statement.purpose, kind)?)));
        if let Some((kind, name)) = index {
            let primary = kind == PRIMARY_KEY_INDEX;
            return constraints.iter().any(|one| one.name == name || primary && one.primary);
        }
        let Some((_, added)) = statement.sql.split_once(" ADD ") else { return false };
        if !statement.sql.starts_with("ALTER TABLE ") {
            return false;
        }
        if let Some(named) = added.strip_prefix("CONSTRAINT ") {
            let primary = named.contains(" PRIMARY KEY ");
            let called = |one: &Constraint| {
                let name = sql::quote(&one.name);
                named.strip_prefix(&name).is_some_and(|rest| rest.starts_with(' '))
            };
            return constraints.iter().any(|one| called(one) || primary && one.primary);
        }
        let (primary, added) = (added.starts_with("PRIMARY KEY"), plain(added));
        constraints.iter().any(|one| primary && one.primary || one.definition.starts_with(&added))
    }
}

/// The name of a thing of a kind that a statement's purpose speaks of.
fn named<'a>(purpose: &'a str, kind: &str) -> Option<&'a str> {
    purpose.strip_prefix(kind)?.strip_prefix(' ')
}

/// A definition without what may be written in two ways.
fn plain(definition: &str) -> String {
    definition.replace(['"', ' '], "")
}

const CONSTRAINTS: &str = "
    SELECT wanted.number, k.conname::pg_catalog.text, k.contype = 'p',
        pg_catalog.pg_get_constraintdef(k.oid)
    FROM unnest($1::pg_catalog.int8[], $2::pg_catalog.text[]) AS wanted (number, name)
    JOIN pg_catalog.pg_constraint k
        ON k.conrelid = pg_catalog.to_regclass(wanted.name) AND k.contype IN ('p', 'u', 'f', 'x')";

#[cfg(test)]
mod tests {
    use super::{Constraint, Standing, plain};
    use longshore_model::plan::Statement;

    #[test]
    fn keys_of_kept_tables_are_known_by_name_kind_or_definition() {
        let one = |name: &str, primary, definition| Constraint {
            name: name.to_string(),
            primary,
            definition: plain(definition),
        };
        let t = vec![
            one("pk of t", true, "PRIMARY KEY (id)"),
            one("t_u_key", false, "UNIQUE (u, \"V\")"),
            one("t_r_fkey", false, "FOREIGN KEY (r) REFERENCES public.t(id)"),
        ];
        let v = vec![one("v_pkey", true, "PRIMARY KEY (id)")];
        let primary = |table: usize, name: &str| (table, name.to_string());
        let standing = Standing {
            constraints: [(0, t), (2, v), (3, Vec::new())].into(),
            primaries: [primary(0, "t_pkey"), primary(2, "v_pkey"), primary(3, "w_pkey")].into(),
        };
        for (table, purpose, sql, expected) in [
            (0, "index of a primary key t_pkey", "CREATE UNIQUE INDEX t_pkey ON t (id)", true),
            (0, "index of a unique key t_u_key", "CREATE UNIQUE INDEX t_u_key ON t (u)", true),
            (0, "index of a unique key t_w_key", "CREATE UNIQUE INDEX t_w_key ON t (w)", false),
            (0, "", "ALTER TABLE t ADD CONSTRAINT \"t_pkey\" PRIMARY KEY USING INDEX t_pkey", true),
            (0, "", "ALTER TABLE t ADD CONSTRAINT \"t_u_key\" UNIQUE USING INDEX t_u_key", true),
            (0, "", "ALTER TABLE t ADD CONSTRAINT \"t_u\" UNIQUE USING INDEX t_u", false),
            (0, "", "ALTER TABLE \"t\" ADD PRIMARY KEY (\"other\")", true),
            (0, "", "ALTER TABLE \"t\" ADD UNIQUE (\"u\", \"V\")", true),
            (0, "", "ALTER TABLE \"t\" ADD UNIQUE (\"u\")", false),
            (
                0,
                "",
                "ALTER TABLE t ADD FOREIGN KEY (\"r\") REFERENCES \"public\".\"t\" (\"id\")",
                true,
            ),
            (0, "", "CREATE INDEX i ON t (r)", false),
            (0, "mark t_pkey", "ALTER TABLE t CLUSTER ON t_pkey", true),
            (0, "mark t_u_key", "ALTER TABLE t CLUSTER ON t_u_key", false),
            (1, "mark u_pkey", "ALTER TABLE u CLUSTER ON u_pkey", false),
            (2, "mark v_pkey", "ALTER TABLE v CLUSTER ON v_pkey", false),
            (3, "mark w_pkey", "ALTER TABLE w CLUSTER ON w_pkey", false),
            (1, "", "ALTER TABLE u ADD PRIMARY KEY (id)", false),
        ] {
            let statement = Statement {
                table: Some(table),
                step: 1,
                purpose: purpose.to_string(),
                sql: sql.to_string(),
            };
            assert_eq!(standing.has(&statement), expected, "{purpose} {sql}");
        }
    }
}
