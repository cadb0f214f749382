//! What the catalog is read with: a fixed number of queries, whatever the number of tables. They run
//! with an empty search path, so that every name in a definition is qualified.

mod hanging;
mod left;
mod order;
mod tables;
mod things;

pub(super) use hanging::{COMMENTS, HANGING};
pub(super) use left::LEFT;
pub(super) use order::EDGES;
pub(super) use tables::{
    COLUMNS, COLUMNS_OF, CONSTRAINTS, INDEXES, NOT_NULLS, SEQUENCE_DATA, SEQUENCES, TABLES, VIEWS,
};
pub(super) use things::{
    AGGREGATES, CASTS, COLLATIONS, DOMAIN_CHECKS, EXTENSIONS, FUNCTIONS, OPERATORS, SCHEMAS,
    TEXT_SEARCH, TYPES,
};

/// Things that are data of the user: not the system's, not an extension's, not the ledger's.
macro_rules! ours {
    ($object:literal, $namespace:literal) => {
        concat!(
            "(",
            $namespace,
            ".nspname !~ '^pg_' AND ",
            $namespace,
            ".nspname NOT IN ('information_schema', '_longshore') AND ",
            $crate::catalog::queries::not_of_extension!($object),
            ")"
        )
    };
}

macro_rules! not_of_extension {
    ($object:literal) => {
        concat!(
            "NOT EXISTS (SELECT FROM pg_depend part WHERE part.classid = ",
            $object,
            ".tableoid AND part.objid = ",
            $object,
            ".oid AND part.deptype = 'e')"
        )
    };
}

use not_of_extension;
use ours;

/// A query in the words that a version has. Where a column came with a version, the query names it
/// `{column@version}`, and what stands for it before, `{column@version|other}`.
pub(super) fn for_version(query: &str, version: u32) -> String {
    let mut text = String::with_capacity(query.len());
    let mut rest = query;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, following) = after.split_once('}').unwrap_or((after, ""));
        let (new, condition) = inside.split_once('@').unwrap_or((inside, "0"));
        let (since, old) = condition.split_once('|').unwrap_or((condition, "NULL"));
        let since: u32 = since.parse().unwrap_or(0);
        text.push_str(before);
        text.push_str(if version >= since * 10_000 { new } else { old });
        rest = following;
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::for_version;

    #[test]
    fn columns_of_later_versions_are_replaced() {
        let query = "SELECT {a.new@17}, {a.b@16|a.c} FROM a";
        assert_eq!(for_version(query, 180_001), "SELECT a.new, a.b FROM a");
        assert_eq!(for_version(query, 160_000), "SELECT NULL, a.b FROM a");
        assert_eq!(for_version(query, 150_004), "SELECT NULL, a.c FROM a");
    }
}
