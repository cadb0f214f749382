//! Queries of views.

use longshore_model::catalog::TableName;

use crate::term::Term;

/// A view: its name, and what it selects.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) selects: Vec<Select>,
    /// Between two selects, whether duplicates stay.
    pub(crate) keeps: Vec<bool>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit: Option<String>,
    pub(crate) offset: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) from: Vec<From>,
    pub(crate) condition: Option<Term>,
    pub(crate) groups: Vec<Term>,
    pub(crate) having: Option<Term>,
}

/// A column of a select.
#[derive(Debug, Clone)]
pub(crate) enum Item {
    Term {
        term: Term,
        name: Option<String>,
    },
    /// All columns, or those of one relation.
    Every(Option<String>),
}

/// A table or view in a select, and how it is joined to those before it.
#[derive(Debug, Clone)]
pub(crate) struct From {
    pub(crate) name: TableName,
    pub(crate) alias: String,
    pub(crate) join: Join,
    /// What is written for the name.
    pub(crate) written: String,
}

#[derive(Debug, Clone)]
pub(crate) enum Join {
    /// The first one, or each row with each.
    Each,
    Inner(On),
    Left(On),
}

#[derive(Debug, Clone)]
pub(crate) enum On {
    Term(Term),
    /// Columns of one name on both sides.
    Using(Vec<String>),
}

#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) term: Term,
    /// The column of the select that it is, from 0.
    pub(crate) item: Option<usize>,
    pub(crate) descending: bool,
    /// Whether NULL comes first, where something says so or a value may be NULL.
    pub(crate) nulls_first: Option<bool>,
}
