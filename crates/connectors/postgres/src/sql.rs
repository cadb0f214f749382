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

/// The qualified name in quotes that a text begins with.
pub(crate) fn leading_name(text: &str) -> Option<&str> {
    let mut at = 0;
    for part in 0..2 {
        let rest = text[at..].strip_prefix(if part == 0 { "\"" } else { ".\"" })?;
        let mut end = text.len() - rest.len();
        loop {
            end += text[end..].find('"')? + 1;
            // A quote in a name is doubled.
            match text[end..].starts_with('"') {
                true => end += 1,
                false => break,
            }
        }
        at = end;
    }
    Some(&text[..at])
}

/// The statement that makes a schema.
pub(crate) fn create_schema(name: &str) -> String {
    format!("CREATE SCHEMA {}", quote(name))
}

#[cfg(test)]
mod tests {
    use super::{leading_name, literal, quote};

    #[test]
    fn quotes_and_backslashes_are_doubled() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("it's"), "'it''s'");
        let text = "\"a\".\"b\"\" AS\" AS SELECT \"x\".\"y\"";
        assert_eq!(leading_name(text), Some("\"a\".\"b\"\" AS\""));
        assert_eq!(leading_name("a.b"), None);
        assert_eq!(literal("a\\'b"), "E'a\\\\''b'");
    }
}
