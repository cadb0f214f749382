//! Indexes of tables and materialised views.

use longshore_dialect::{Relation, read_condition, read_expression};
use longshore_model::catalog::{Index as ModelIndex, IndexPart};
use tokio_postgres::Row;

use super::Got;
use super::constraint::Constraint;
use crate::dialect::SQL;

pub(super) struct Index {
    pub(super) oid: u32,
    pub(super) table: u32,
    pub(super) name: String,
    definition: String,
    unique: bool,
    pub(super) constraint: bool,
    pub(super) parent: Option<u32>,
    condition: Option<String>,
    parts: Vec<String>,
    options: Vec<i32>,
    pub(super) clustered: bool,
    pub(super) identifies: bool,
    pub(super) valid: bool,
    pub(super) qualified: String,
    settings: Vec<String>,
    expressions: Vec<String>,
}

pub(super) fn index(row: &Row) -> Got<Index> {
    Ok(Index {
        oid: row.try_get(0)?,
        table: row.try_get(1)?,
        name: row.try_get(2)?,
        definition: row.try_get(3)?,
        unique: row.try_get(4)?,
        constraint: row.try_get(5)?,
        parent: row.try_get(6)?,
        condition: row.try_get(7)?,
        parts: row.try_get(8)?,
        options: row.try_get(9)?,
        clustered: row.try_get(10)?,
        identifies: row.try_get(11)?,
        valid: row.try_get(12)?,
        qualified: row.try_get(13)?,
        settings: row.try_get(14)?,
        expressions: row.try_get(15)?,
    })
}

impl Index {
    /// The statements that make it.
    pub(super) fn create(&self) -> String {
        let mut sql = self.definition.clone();
        for words in &self.settings {
            sql += &format!(";\nALTER INDEX {} {words}", self.qualified);
        }
        sql
    }

    /// The index as other systems see it; `None` for the primary key's, and for what only this
    /// system has.
    pub(super) fn model(&self, constraints: &[Constraint], table: &Relation) -> Option<ModelIndex> {
        let kind = constraints.iter().find(|one| self.constraint && one.name == self.name);
        if !self.valid || kind.is_some_and(|one| one.kind != "u") {
            return None;
        }
        let parts = self.parts.iter().enumerate().map(|(at, column)| IndexPart {
            column: Some(column.clone()).filter(|column| !column.is_empty()),
            descending: self.options.get(at).is_some_and(|bits| bits & 1 == 1),
            common: self
                .expressions
                .get(at)
                .filter(|text| !text.is_empty())
                .map(|text| read_expression(&SQL, table, text, !self.unique)),
        });
        let condition = self.condition.as_ref();
        Some(ModelIndex {
            name: self.name.clone(),
            parts: parts.collect(),
            unique: self.unique,
            constraint: self.constraint,
            condition: self.condition.clone(),
            common: condition.map(|text| read_condition(&SQL, table, text)),
            native: Some(self.definition.clone()),
        })
    }
}
