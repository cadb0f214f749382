//! One table: what the server says of it, and its definition.

use std::collections::HashMap;

use longshore_model::catalog::TableName;
use tokio_postgres::Row;

use super::column::{Column, NotNull};
use super::constraint::Constraint;
use super::sequence::Sequence;
use super::{Got, key};
use crate::sql::quote;

/// What the server says of a table, apart from what belongs to it.
pub(super) struct Facts {
    pub(super) oid: u32,
    pub(super) name: TableName,
    pub(super) partitioned: bool,
    unlogged: bool,
    partition_key: Option<String>,
    bound: Option<String>,
    pub(super) parents: Vec<u32>,
    options: Option<String>,
    identity: String,
    row_security: bool,
    forced: bool,
    of_type: Option<String>,
    pub(super) comment: Option<String>,
}

/// A table with what belongs to it.
pub(super) struct Parts<'a> {
    pub(super) facts: &'a Facts,
    pub(super) columns: &'a [Column],
    pub(super) constraints: &'a [Constraint],
    pub(super) not_nulls: &'a [NotNull],
    /// Columns of the tables that it inherits from, which are not NULL there.
    pub(super) required_above: &'a dyn Fn(&str) -> bool,
    /// The sequences of identity columns, by table and column.
    pub(super) identities: &'a HashMap<(u32, &'a str), &'a Sequence>,
    /// The tables that it inherits from or is a partition of.
    pub(super) parents: Vec<String>,
    /// Defaults and checks that follow, by their numbers.
    pub(super) later: &'a dyn Fn(u32) -> bool,
}

pub(super) fn facts(row: &Row) -> Got<Facts> {
    Ok(Facts {
        oid: row.try_get(0)?,
        name: TableName { namespace: Some(row.try_get(1)?), name: row.try_get(2)? },
        partitioned: row.try_get(3)?,
        unlogged: row.try_get(4)?,
        partition_key: row.try_get(5)?,
        bound: row.try_get(6)?,
        parents: row.try_get(7)?,
        options: row.try_get(8)?,
        identity: row.try_get(9)?,
        row_security: row.try_get(10)?,
        forced: row.try_get(11)?,
        of_type: row.try_get(12)?,
        comment: row.try_get(13)?,
    })
}

impl Facts {
    /// Whether it is a partition.
    pub(super) fn partition(&self) -> bool {
        self.bound.is_some()
    }
}

impl Parts<'_> {
    /// The statements that make the table, without what follows the load.
    pub(super) fn create(&self) -> String {
        let facts = self.facts;
        let name = key(&facts.name);
        let unlogged = if facts.unlogged { "UNLOGGED " } else { "" };
        let lines = self.lines().join(",\n    ");
        let mut sql = format!("CREATE {unlogged}TABLE {name} (\n    {lines}\n)");
        if !facts.partition() && !self.parents.is_empty() {
            sql += &format!("\nINHERITS ({})", self.parents.join(", "));
        }
        if let Some(partition_key) = &facts.partition_key {
            sql += &format!("\nPARTITION BY {partition_key}");
        }
        if let Some(options) = &facts.options {
            sql += &format!("\nWITH ({options})");
        }
        for column in self.columns {
            self.settings(column, &name, &mut sql);
        }
        match facts.identity.as_str() {
            "n" => sql += &format!(";\nALTER TABLE ONLY {name} REPLICA IDENTITY NOTHING"),
            "f" => sql += &format!(";\nALTER TABLE ONLY {name} REPLICA IDENTITY FULL"),
            _ => {}
        }
        if facts.row_security {
            sql += &format!(";\nALTER TABLE {name} ENABLE ROW LEVEL SECURITY");
        }
        if facts.forced {
            sql += &format!(";\nALTER TABLE ONLY {name} FORCE ROW LEVEL SECURITY");
        }
        if let Some(of_type) = &facts.of_type {
            sql += &format!(";\nALTER TABLE ONLY {name} OF {of_type}");
        }
        if let (Some(bound), Some(parent)) = (&facts.bound, self.parents.first()) {
            sql += &format!(";\nALTER TABLE ONLY {parent} ATTACH PARTITION {name} {bound}");
        }
        sql
    }

    /// What stands between the parentheses.
    fn lines(&self) -> Vec<String> {
        let own = |local: bool| local || self.facts.partition();
        let mut lines: Vec<String> = self
            .columns
            .iter()
            .filter(|column| own(column.local))
            .map(|column| {
                let sequence = self.identities.get(&(self.facts.oid, column.name.as_str()));
                let later = column.default_number.is_some_and(self.later);
                column.declare(sequence.copied(), self.not_null(column), later)
            })
            .collect();
        lines.extend(
            self.constraints
                .iter()
                .filter(|one| one.kind == "c" && own(one.local) && one.valid)
                .filter(|one| !(self.later)(one.oid))
                .map(|one| format!("CONSTRAINT {} {}", quote(&one.name), one.definition)),
        );
        lines.extend(
            self.columns
                .iter()
                .filter(|column| !own(column.local))
                .filter_map(|column| self.not_null(column)?.line()),
        );
        lines
    }

    fn not_null(&self, column: &Column) -> Option<&NotNull> {
        self.not_nulls.iter().find(|one| one.column == column.name)
    }

    /// What is said of a column after the table is made.
    fn settings(&self, column: &Column, name: &str, sql: &mut String) {
        let mut words = column.settings();
        if !column.local && !self.facts.partition() {
            let named = self.not_null(column);
            let required = match named {
                Some(one) => one.name.is_none() && one.valid,
                None => column.required && !(self.required_above)(&column.name),
            };
            if required {
                words.push("NOT NULL".to_string());
            }
            let default = column.default.as_ref().filter(|_| column.generated.is_empty());
            words.extend(default.map(|default| format!("DEFAULT {default}")));
        }
        for words in words {
            let column = quote(&column.name);
            *sql += &format!(";\nALTER TABLE ONLY {name} ALTER COLUMN {column} SET {words}");
        }
    }
}
