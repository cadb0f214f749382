//! What a system holds.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::logical::LogicalType;

/// The structure of a system: tables, and what stands beside them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    /// The SQL dialect of every native text in here; a target of the same dialect uses it as it is.
    pub dialect: String,
    /// The namespace of plain names; targets without namespaces leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_namespace: Option<String>,
    /// The tables, by name.
    pub tables: Vec<Table>,
    /// Views and triggers, in the order in which they can be created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// What the connector saw and cannot move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_moved: Vec<NotMoved>,
}

/// The name of a table, with its namespace where the system has them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// Schema or database; `None` in systems that have none.
    pub namespace: Option<String>,
    /// The name itself.
    pub name: String,
}

/// Rows with a schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The name.
    pub name: TableName,
    /// The columns, in their order.
    pub columns: Vec<Column>,
    /// The primary key's columns; empty when there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub primary_key: Vec<String>,
    /// Indexes and unique constraints, without the primary key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Index>,
    /// Foreign keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub foreign_keys: Vec<ForeignKey>,
    /// The conditions that every row meets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// Whether its rows are in other tables of the catalog, as those of a partitioned table are in its
    /// partitions: its structure moves, and nothing is read from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rows_elsewhere: bool,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The table's own definition in the catalog's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
    /// Facts that only systems of the same dialect use, such as `without-rowid`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// What its values are. In systems without enforced types it is exact only after a study.
    pub logical: LogicalType,
    /// The type as the system declares it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub native: String,
    /// The most characters of a text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<u32>,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// The default as an expression in the catalog's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// Set when the system computes the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// The collation, where it is not the system's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<String>,
    /// Whether the system numbers rows itself where no value is given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub increments: bool,
    /// The only texts that it allows, as an enumeration does; empty when there is no such rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// How a generated column is computed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    /// The expression in the catalog's dialect.
    pub expression: String,
    /// The same for other dialects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Common>,
    /// Whether the value is stored, or computed on reading.
    pub stored: bool,
}

/// An index or a unique constraint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    /// The name.
    pub name: String,
    /// Its columns or expressions, in order.
    pub parts: Vec<IndexPart>,
    /// Whether it allows no duplicates.
    pub unique: bool,
    /// Whether it belongs to a constraint in the table's own definition.
    #[serde(default)]
    pub constraint: bool,
    /// The condition of a partial index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// The same for other dialects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Common>,
    /// Its definition in the catalog's dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub native: Option<String>,
}

/// A column or an expression of an index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexPart {
    /// The column; `None` for an expression, which the index's native definition holds.
    pub column: Option<String>,
    /// The expression for other dialects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Common>,
    /// Whether the order is descending.
    #[serde(default)]
    pub descending: bool,
}

/// A condition that every row of a table meets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The name; empty when it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it says.
    pub common: Common,
}

/// A condition, an expression or a view in the SQL that systems share, with the names of the source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Common {
    /// The text.
    Sql(String),
    /// Why it has none: what in it does not mean the same elsewhere.
    Refused(String),
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignKey {
    /// The columns that refer.
    pub columns: Vec<String>,
    /// The table referred to.
    pub references: TableName,
    /// Its columns; empty when it is the primary key.
    pub referenced: Vec<String>,
    /// What follows a delete, such as `CASCADE`.
    pub on_delete: String,
    /// What follows an update.
    pub on_update: String,
    /// Whether it is checked at commit.
    #[serde(default)]
    pub deferred: bool,
}

/// A view or a trigger: something whose text only its own dialect can run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// `view` or `trigger`.
    pub kind: String,
    /// The name.
    pub name: String,
    /// The table or view that it belongs to, or its own name.
    pub table: String,
    /// Its definition.
    pub native: String,
    /// A view for other dialects, as a whole `CREATE VIEW`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub common: Option<Common>,
    /// The tables and views that must be there for it, beside its own, in the catalog's dialect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// Whether the description of its table says the same, so that other systems need no text.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub described: bool,
}

/// Something that stays behind, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotMoved {
    /// What kind of thing it is.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Why it stays behind, and what to do about it.
    pub reason: String,
}

impl Catalog {
    /// The names by which rules may call a table: a table of the default namespace is called with
    /// it or without.
    pub fn called(&self, table: &TableName) -> Vec<String> {
        let mut names = vec![table.to_string()];
        if table.namespace.is_some() && table.namespace == self.default_namespace {
            names.push(table.name.clone());
        }
        names
    }

    /// What a table or view is called where names have no namespace: others than the default one
    /// become part of the name.
    pub fn plain_name(&self, name: &TableName) -> String {
        match &name.namespace {
            Some(namespace) if self.default_namespace.as_ref() != Some(namespace) => {
                name.to_string()
            }
            _ => name.name.clone(),
        }
    }
}

impl TableName {
    /// A name without namespace.
    pub fn plain(name: impl Into<String>) -> Self {
        Self { namespace: None, name: name.into() }
    }
}

impl Column {
    /// A column of a type, of which nothing else is known.
    pub fn new(name: impl Into<String>, logical: LogicalType) -> Self {
        Self {
            name: name.into(),
            logical,
            native: String::new(),
            length: None,
            nullable: true,
            default: None,
            generated: None,
            collation: None,
            increments: false,
            values: Vec::new(),
            comment: None,
        }
    }
}

impl Table {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum NameForm {
    Plain(String),
    Qualified([String; 2]),
}

impl Serialize for TableName {
    /// A plain name is a string, a qualified one a list of two: a dot in a name is no separator.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.namespace {
            None => NameForm::Plain(self.name.clone()),
            Some(namespace) => NameForm::Qualified([namespace.clone(), self.name.clone()]),
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TableName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match NameForm::deserialize(deserializer)? {
            NameForm::Plain(name) => Self { namespace: None, name },
            NameForm::Qualified([namespace, name]) => Self { namespace: Some(namespace), name },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Check, Common, Index, Table};

    /// Plans, ledgers and folders of files hold catalogs.
    #[test]
    fn common_forms_are_written_as_they_were_and_older_catalogs_have_none() {
        for (common, text) in [
            (Common::Sql("\"n\" > 0".to_string()), r#"{"name":"up","common":{"sql":"\"n\" > 0"}}"#),
            (
                Common::Refused("it divides".to_string()),
                r#"{"name":"up","common":{"refused":"it divides"}}"#,
            ),
        ] {
            let check = Check { name: "up".to_string(), common };
            assert_eq!(serde_json::to_string(&check).expect("JSON"), text);
            assert_eq!(serde_json::from_str::<Check>(text).expect("a check"), check);
        }
        let table: Table = serde_json::from_str(r#"{"name":"t","columns":[]}"#).expect("a table");
        assert!(table.checks.is_empty());
        let text = r#"{"name":"i","parts":[{"column":null}],"unique":true,"condition":"n"}"#;
        let index: Index = serde_json::from_str(text).expect("an index");
        assert_eq!((index.common, &index.parts[0].common), (None, &None));
    }
}
