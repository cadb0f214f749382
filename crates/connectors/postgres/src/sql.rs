//! Names and literals in SQL.

use longshore_model::catalog::TableName;

/// An identifier in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text in quotes, whatever `standard_conforming_strings` says.
pub(crate) fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    match doubled.contains('\\') {
        true => format!("E'{}'", doubled.replace('\\', "\\\\")),
        false => format!("'{doubled}'"),
    }
}

/// A table's qualified name; `schema` is for names without one.
pub(crate) fn table(name: &TableName, schema: &str) -> String {
    format!("{}.{}", quote(name.namespace.as_deref().unwrap_or(schema)), quote(&name.name))
}

/// The statement that makes a schema.
pub(crate) fn create_schema(name: &str) -> String {
    format!("CREATE SCHEMA {}", quote(name))
}

#[cfg(test)]
mod tests {
    use super::{literal, quote};

    #[test]
    fn quotes_and_backslashes_are_doubled() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
