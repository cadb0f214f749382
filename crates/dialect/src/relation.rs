//! Tables and views as SQL sees them.

use longshore_model::catalog::{self, TableName};
use longshore_model::plan::{ColumnPlan, TablePlan};

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

    /// A table of a plan as the target has it. `stored` says of what kind a column is there; one that
    /// a rule has made of another kind, or masked, means something else.
    pub fn planned(
        table: &TablePlan,
        written: String,
        stored: impl Fn(&ColumnPlan) -> Kind,
    ) -> Self {
        let columns = table.columns.iter().map(|column| {
            let described = table.structure.column(&column.target);
            Column {
                name: column.source.clone(),
                written: column.target.clone(),
                kind: planned(column, described, stored(column)),
                nullable: described.is_none_or(|described| described.nullable),
                named: None,
            }
        });
        Self { name: table.source.clone(), written, columns: columns.collect() }
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

/// The kind of a column in the target.
fn planned(column: &ColumnPlan, described: Option<&catalog::Column>, stored: Kind) -> Kind {
    let limited = described.is_some_and(|described| !described.values.is_empty());
    let is_text = |kind: &Kind| limited && matches!(kind, Kind::Opaque(_));
    let (before, stored) = match (Kind::of(&column.from), stored) {
        (before, stored) if is_text(&before) && is_text(&stored) => (Kind::Text, Kind::Text),
        (before, Kind::Text) if is_text(&before) => (Kind::Text, Kind::Text),
        // Moments are kept as the clock of UTC where there is no type for them.
        (Kind::Instant, Kind::Timestamp) => (Kind::Instant, Kind::Instant),
        both => both,
    };
    if column.mask.is_some() {
        return Kind::Opaque("its values are masked".to_string());
    }
    match before.is_like(&stored) {
        true => stored,
        false => Kind::Opaque(format!("it becomes {}", column.to)),
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
