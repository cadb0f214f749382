//! Tables and views as SQL sees them.

use longshore_model::catalog::TableName;

use crate::Kind;

/// A table or a view, by the name that the source has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// The name in the source.
    pub name: TableName,
    /// The name in the words of the dialect that is written; unused by conditions.
    pub written: String,
    /// The columns.
    pub columns: Vec<Column>,
}

/// A column of a table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name in the source.
    pub name: String,
    /// The name that is written, without quotes.
    pub written: String,
    /// What operators may do with it.
    pub kind: Kind,
    /// Whether it may be NULL.
    pub nullable: bool,
    /// The type by which literals of the source name it, such as an enumeration of its own.
    pub named: Option<String>,
}

impl Relation {
    /// A table of the source itself: what is written are its own names.
    pub fn of(name: TableName, columns: Vec<Column>) -> Self {
        let written = written(&name);
        Self { name, written, columns }
    }

    /// The column of a name; one that is written the same wins over one in another case.
    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        let same = self.columns.iter().find(|column| column.name == name);
        same.or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
    }
}

impl Column {
    /// A column of the source itself.
    pub fn of(name: &str, kind: Kind, nullable: bool) -> Self {
        let (name, written) = (name.to_string(), name.to_string());
        Self { name, written, kind, nullable, named: None }
    }
}

/// A name in the words of common SQL.
pub(crate) fn written(name: &TableName) -> String {
    let quote = crate::dialect::COMMON.quote;
    match &name.namespace {
        Some(namespace) => format!("{}.{}", quote(namespace), quote(&name.name)),
        None => quote(&name.name),
    }
}
