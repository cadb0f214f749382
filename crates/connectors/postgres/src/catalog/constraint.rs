//! Constraints of tables.

use longshore_dialect::{Relation, read_condition};
use longshore_model::catalog::{Check, Common, ForeignKey, TableName};
use tokio_postgres::Row;

use super::Got;
use crate::dialect::SQL;
use crate::sql;

pub(super) struct Constraint {
    pub(super) oid: u32,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) definition: String,
    pub(super) local: bool,
    /// Whether it is not a copy of its parent table's.
    pub(super) own: bool,
    pub(super) references: Option<u32>,
    pub(super) columns: Vec<String>,
    referenced: Vec<String>,
    on_delete: String,
    on_update: String,
    deferred: bool,
    /// Whether every row meets it, or none needs to.
    pub(super) valid: bool,
}

pub(super) fn constraint(row: &Row) -> Got<Constraint> {
    let references: u32 = row.try_get(7)?;
    Ok(Constraint {
        oid: row.try_get(1)?,
        name: row.try_get(2)?,
        kind: row.try_get(3)?,
        definition: row.try_get(4)?,
        local: row.try_get(5)?,
        own: row.try_get(6)?,
        references: (references != 0).then_some(references),
        columns: row.try_get(8)?,
        referenced: row.try_get(9)?,
        on_delete: row.try_get(10)?,
        on_update: row.try_get(11)?,
        deferred: row.try_get(12)?,
        valid: row.try_get(13)?,
    })
}

impl Constraint {
    /// The words that make the key over an index of its name; `None` for what has no such words.
    pub(super) fn over_index(&self) -> Option<String> {
        let words = match self.kind.as_str() {
            "p" => "PRIMARY KEY",
            "u" => "UNIQUE",
            _ => return None,
        };
        if self.definition.contains("WITHOUT OVERLAPS") {
            return None;
        }
        let ends = [" DEFERRABLE INITIALLY DEFERRED", " DEFERRABLE"];
        let deferred = ends.into_iter().find(|end| self.definition.ends_with(end));
        let name = sql::quote(&self.name);
        Some(format!("{words} USING INDEX {name}{}", deferred.unwrap_or_default()))
    }

    /// Whether a foreign key can be made first and held against the rows later.
    pub(super) fn valid_later(&self) -> bool {
        self.valid && !self.definition.ends_with("NOT ENFORCED")
    }

    /// The check as other systems see it.
    pub(super) fn check(&self, table: &Relation) -> Check {
        let definition = self.definition.trim_end_matches(" NO INHERIT");
        let condition = definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')'));
        let common = match condition {
            Some(condition) => read_condition(&SQL, table, condition),
            None if definition.ends_with(" NOT VALID") => {
                Common::Refused("rows that were there before it need not meet it".to_string())
            }
            None => Common::Refused("the source does not enforce it".to_string()),
        };
        Check { name: self.name.clone(), common }
    }

    /// The foreign key as other systems see it.
    pub(super) fn foreign_key(&self, references: &TableName) -> ForeignKey {
        let action = |letter: &str| {
            match letter {
                "r" => "RESTRICT",
                "c" => "CASCADE",
                "n" => "SET NULL",
                "d" => "SET DEFAULT",
                _ => "NO ACTION",
            }
            .to_string()
        };
        ForeignKey {
            columns: self.columns.clone(),
            references: references.clone(),
            referenced: self.referenced.clone(),
            on_delete: action(&self.on_delete),
            on_update: action(&self.on_update),
            deferred: self.deferred,
        }
    }
}
