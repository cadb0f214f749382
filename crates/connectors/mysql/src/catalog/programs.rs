//! What stands beside the tables: views, triggers, routines, events, checks.

use longshore_dialect::{View, read_condition, read_views};
use longshore_model::Result;
use longshore_model::catalog::{Catalog, Check, Common, NotMoved, Program, TableName};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};

use super::{DOING, checks, is_json_check};
use crate::dialect::{self, SQL};
use crate::failure::failure;
use crate::flavor::Flavor;
use crate::session::{cell, rows};
use crate::sql::{literal, quote, unescaped};

/// A kind of thing with a definition of its own.
struct Kind {
    name: &'static str,
    /// Lists them: name, table, type in SQL.
    list: &'static str,
    /// The column of `SHOW CREATE` with the definition.
    shown: usize,
    /// Its columns with the mode and the collation under which the definition means what it does.
    under: Option<[usize; 2]>,
}

const KINDS: &[Kind] = &[
    Kind {
        name: "view",
        list: "SELECT TABLE_NAME, TABLE_NAME, 'VIEW' FROM information_schema.VIEWS \
               WHERE TABLE_SCHEMA = DATABASE() ORDER BY BINARY TABLE_NAME",
        shown: 1,
        under: None,
    },
    Kind {
        name: "routine",
        list: "SELECT ROUTINE_NAME, ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES \
               WHERE ROUTINE_SCHEMA = DATABASE() AND ROUTINE_TYPE IN ('FUNCTION', 'PROCEDURE') \
               ORDER BY ROUTINE_TYPE, BINARY ROUTINE_NAME",
        shown: 2,
        under: Some([1, 4]),
    },
    Kind {
        name: "trigger",
        list: "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, 'TRIGGER' FROM \
               information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() \
               ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
        shown: 2,
        under: Some([1, 4]),
    },
    Kind {
        name: "event",
        list: "SELECT EVENT_NAME, EVENT_NAME, 'EVENT' FROM information_schema.EVENTS \
               WHERE EVENT_SCHEMA = DATABASE() ORDER BY BINARY EVENT_NAME",
        shown: 3,
        under: Some([1, 5]),
    },
];

/// Adds them to a catalog.
pub(super) async fn read(conn: &mut Conn, flavor: Flavor, catalog: &mut Catalog) -> Result<()> {
    for kind in KINDS {
        for row in rows(conn, DOING, kind.list).await? {
            one(conn, kind, &row, catalog).await?;
        }
    }
    views(catalog);
    if flavor == Flavor::MySql && !has_checks(conn).await? {
        return Ok(());
    }
    for row in rows(conn, DOING, checks(flavor)).await? {
        let text = |at: usize| cell(&row, at).unwrap_or_default();
        let (table, name, native) = (text(0), text(1), text(2));
        let Some(owner) = catalog.tables.iter_mut().find(|one| one.name.name == table) else {
            continue;
        };
        if owner.columns.iter().any(|column| is_json_check(&native, &column.name)) {
            continue;
        }
        // MySQL shows the text as a literal would have it.
        let condition = match flavor {
            Flavor::MySql => unescaped(&native),
            Flavor::MariaDb => native,
        };
        let common = match text(3).as_str() {
            "YES" => read_condition(&SQL, &dialect::source(&table, &owner.columns), &condition),
            _ => Common::Refused("the source does not enforce it".to_string()),
        };
        owner.checks.push(Check { name, common });
    }
    Ok(())
}

/// Reads views for other systems.
fn views(catalog: &mut Catalog) {
    let mut programs: Vec<&mut Program> =
        catalog.programs.iter_mut().filter(|program| program.kind == "view").collect();
    // Between CREATE and VIEW stands how the server runs it.
    let text = |native: &str| match native.find(" VIEW `") {
        Some(at) => format!("CREATE{}", &native[at..]),
        None => native.to_string(),
    };
    let view = |program: &&mut Program| View {
        name: TableName::plain(program.name.clone()),
        text: Ok(text(&program.native)),
    };
    let views: Vec<View> = programs.iter().map(view).collect();
    let tables = catalog.tables.iter();
    let tables = tables.map(|table| dialect::source(&table.name.name, &table.columns)).collect();
    for (program, common) in programs.iter_mut().zip(read_views(&SQL, tables, &views)) {
        program.common = Some(common);
    }
}

async fn has_checks(conn: &mut Conn) -> Result<bool> {
    let query = "SELECT 1 FROM information_schema.TABLES WHERE \
                 TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = 'CHECK_CONSTRAINTS'";
    Ok(!rows(conn, DOING, query).await?.is_empty())
}

async fn one(conn: &mut Conn, kind: &Kind, row: &Row, catalog: &mut Catalog) -> Result<()> {
    let text = |row: &Row, at: usize| cell(row, at).unwrap_or_default();
    let (name, table) = (text(row, 0), text(row, 1));
    let show = format!("SHOW CREATE {} {}", text(row, 2), quote(&name));
    let shown: Option<String> = match conn.query::<Row, _>(&show).await {
        Ok(shown) => shown.first().and_then(|row| {
            let definition = without_definer(&cell(row, kind.shown)?);
            let Some([mode, collation]) = kind.under else { return Some(definition) };
            Some(format!(
                "SET SESSION sql_mode = {}, SESSION collation_connection = {};\n{definition}",
                literal(&cell(row, mode)?),
                literal(&cell(row, collation)?)
            ))
        }),
        // A view over something that is gone cannot be shown.
        Err(mysql_async::Error::Server(_)) => None,
        Err(error) => return Err(failure(DOING, error)),
    };
    match shown {
        Some(native) => catalog.programs.push(Program {
            kind: kind.name.to_string(),
            name,
            table,
            native,
            common: None,
            needs: Vec::new(),
            described: false,
        }),
        None => catalog.not_moved.push(NotMoved {
            kind: kind.name.to_string(),
            name,
            reason: "the server does not show its definition: it may be invalid, or the user may \
                     not see it (GRANT SHOW VIEW, TRIGGER, EVENT; SHOW_ROUTINE)"
                .to_string(),
        }),
    }
    Ok(())
}

/// A definition that belongs to whoever runs it.
fn without_definer(native: &str) -> String {
    let Some((before, rest)) = native.split_once(" DEFINER=`") else { return native.to_string() };
    if before.len() > 60 {
        return native.to_string();
    }
    let Some((_, rest)) = rest.split_once("`@`") else { return native.to_string() };
    match rest.split_once('`') {
        Some((_, rest)) => format!("{before}{rest}"),
        None => native.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_definer;

    #[test]
    fn definers_are_left_out() {
        let text = "CREATE ALGORITHM=UNDEFINED DEFINER=`root`@`%` SQL SECURITY DEFINER VIEW `v` AS";
        let expected = "CREATE ALGORITHM=UNDEFINED SQL SECURITY DEFINER VIEW `v` AS";
        assert_eq!(without_definer(text), expected);
        assert_eq!(without_definer("CREATE VIEW v"), "CREATE VIEW v");
    }
}
