//! Columns of tables.

use longshore_model::catalog::{Column as ModelColumn, Generated};
use tokio_postgres::Row;

use super::Got;
use super::sequence::Sequence;
use crate::sql::quote;
use crate::types::{self, NativeType};

pub(super) struct Column {
    pub(super) name: String,
    pub(super) native: NativeType,
    pub(super) required: bool,
    pub(super) default: Option<String>,
    identity: String,
    pub(super) generated: String,
    collation: Option<String>,
    pub(super) local: bool,
    storage: Option<String>,
    compression: Option<String>,
    statistics: Option<i32>,
    options: Option<String>,
    pub(super) default_number: Option<u32>,
    labels: Vec<String>,
    comment: Option<String>,
}

/// A constraint against NULL that has more to say than `NOT NULL`.
pub(super) struct NotNull {
    pub(super) column: String,
    /// Its name, where it is not the server's own.
    pub(super) name: Option<String>,
    alone: bool,
    pub(super) valid: bool,
}

/// A type, from five columns of a row.
pub(super) fn native(row: &Row, at: usize) -> Got<NativeType> {
    Ok(NativeType {
        name: row.try_get(at)?,
        base: row.try_get(at + 1)?,
        builtin: row.try_get(at + 2)?,
        portable: row.try_get(at + 3)?,
        modifier: row.try_get(at + 4)?,
    })
}

pub(super) fn column(row: &Row) -> Got<Column> {
    Ok(Column {
        name: row.try_get(1)?,
        native: native(row, 2)?,
        required: row.try_get(7)?,
        default: row.try_get(8)?,
        identity: row.try_get(9)?,
        generated: row.try_get(10)?,
        collation: row.try_get(11)?,
        local: row.try_get(12)?,
        storage: row.try_get(13)?,
        compression: row.try_get(14)?,
        statistics: row.try_get(15)?,
        options: row.try_get(16)?,
        default_number: row.try_get(17)?,
        labels: row.try_get(18)?,
        comment: row.try_get(19)?,
    })
}

pub(super) fn not_null(row: &Row) -> Got<NotNull> {
    Ok(NotNull {
        column: row.try_get(1)?,
        name: row.try_get(2)?,
        alone: row.try_get(3)?,
        valid: row.try_get(4)?,
    })
}

impl Column {
    /// The column in its table's definition, with the sequence of its identity.
    pub(super) fn declare(
        &self,
        sequence: Option<&Sequence>,
        not_null: Option<&NotNull>,
        default_later: bool,
    ) -> String {
        let mut text = format!("{} {}", quote(&self.name), self.native.name);
        if let Some(collation) = &self.collation {
            text += &format!(" COLLATE {collation}");
        }
        match (self.generated.as_str(), &self.default) {
            ("s", Some(expression)) => {
                text += &format!(" GENERATED ALWAYS AS ({expression}) STORED");
            }
            ("v", Some(expression)) => {
                text += &format!(" GENERATED ALWAYS AS ({expression}) VIRTUAL");
            }
            (_, Some(default)) if !default_later => text += &format!(" DEFAULT {default}"),
            _ => {}
        }
        match not_null {
            Some(one) if one.valid => text += &one.words(),
            None if self.required => text += " NOT NULL",
            _ => {}
        }
        let when = match self.identity.as_str() {
            "a" => "ALWAYS",
            "d" => "BY DEFAULT",
            _ => return text,
        };
        // A partition has the identity of its parent, whose sequence it is.
        match sequence {
            Some(one) => {
                let (name, parameters) = (&one.name, one.parameters());
                text + &format!(" GENERATED {when} AS IDENTITY (SEQUENCE NAME {name} {parameters})")
            }
            None => text,
        }
    }

    /// What is set after the table is made, each to follow `ALTER COLUMN … SET`.
    pub(super) fn settings(&self) -> Vec<String> {
        let storage = self.storage.as_deref().and_then(|storage| match storage {
            "p" => Some("STORAGE PLAIN"),
            "e" => Some("STORAGE EXTERNAL"),
            "m" => Some("STORAGE MAIN"),
            "x" => Some("STORAGE EXTENDED"),
            _ => None,
        });
        let compression = self.compression.as_deref().and_then(|compression| match compression {
            "p" => Some("COMPRESSION pglz"),
            "l" => Some("COMPRESSION lz4"),
            _ => None,
        });
        let mut all: Vec<String> =
            storage.into_iter().chain(compression).map(str::to_string).collect();
        all.extend(
            self.statistics.filter(|target| *target >= 0).map(|n| format!("STATISTICS {n}")),
        );
        all.extend(self.options.as_ref().map(|options| format!("({options})")));
        all
    }

    /// Whether rows without a value get the next number of a sequence.
    fn numbers_rows(&self) -> bool {
        let default = self.default.as_deref().unwrap_or_default();
        !self.identity.is_empty() || self.generated.is_empty() && default.starts_with("nextval(")
    }

    /// The column as other systems see it.
    pub(super) fn model(&self, not_null: Option<&NotNull>) -> ModelColumn {
        let generated = self.default.clone().filter(|_| !self.generated.is_empty());
        ModelColumn {
            name: self.name.clone(),
            logical: types::logical(&self.native),
            native: self.native.name.clone(),
            length: self.native.length(),
            nullable: !self.required || not_null.is_some_and(|one| !one.valid),
            default: self.default.clone().filter(|_| generated.is_none()),
            generated: generated.map(|expression| Generated {
                expression,
                common: None,
                stored: self.generated == "s",
            }),
            collation: self.collation.clone(),
            increments: self.numbers_rows(),
            values: self.labels.clone(),
            comment: self.comment.clone(),
        }
    }
}

impl NotNull {
    /// What follows the type of its column.
    fn words(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(" CONSTRAINT {}", quote(name)));
        let alone = if self.alone { " NO INHERIT" } else { "" };
        format!("{} NOT NULL{alone}", name.unwrap_or_default())
    }

    /// The constraint beside the columns, where it has a name.
    pub(super) fn line(&self) -> Option<String> {
        let (name, column) = (quote(self.name.as_ref()?), quote(&self.column));
        let alone = if self.alone { " NO INHERIT" } else { "" };
        self.valid.then(|| format!("CONSTRAINT {name} NOT NULL {column}{alone}"))
    }

    /// What adds it to its table after the load, where older rows need not meet it.
    pub(super) fn late(&self, table: &str) -> Option<String> {
        let name = self.name.as_ref().map(|name| format!("CONSTRAINT {} ", quote(name)));
        let (name, column) = (name.unwrap_or_default(), quote(&self.column));
        let alone = if self.alone { " NO INHERIT" } else { "" };
        (!self.valid)
            .then(|| format!("ALTER TABLE {table} ADD {name}NOT NULL {column}{alone} NOT VALID"))
    }
}
