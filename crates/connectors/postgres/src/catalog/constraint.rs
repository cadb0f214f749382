//! Constraints of tables.

use longshore_model::catalog::{ForeignKey, TableName};
use tokio_postgres::Row;

use super::Got;

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
