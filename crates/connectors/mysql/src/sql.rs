//! Names and literals in SQL. Sessions have `NO_BACKSLASH_ESCAPES`, so that only quotes are doubled.

/// An identifier in quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// Names in quotes, separated by commas.
pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ")
}

/// A text in quotes.
pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What a statement is split into at commas that stand in no quotes and no parentheses.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0u32);
    let mut quote = None;
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(byte),
            (None, b'(') => depth += 1,
            (None, b')') => depth = depth.saturating_sub(1),
            (None, b',') if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// The parts before, in and after the first parentheses of a text.
pub(crate) fn parentheses(text: &str) -> Option<(&str, &str, &str)> {
    let (mut open, mut depth, mut quote) = (None, 0u32, None);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(mark), byte) if byte == mark => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"' | b'`') => quote = Some(byte),
            (None, b'(') => {
                depth += 1;
                open = open.or(Some(at));
            }
            (None, b')') => {
                depth = depth.saturating_sub(1);
                if let (0, Some(open)) = (depth, open) {
                    return Some((&text[..open], &text[open + 1..at], &text[at + 1..]));
                }
            }
            _ => {}
        }
    }
    None
}

/// The name in backquotes that a text begins with, and what follows it.
pub(crate) fn leading_name(text: &str) -> Option<(String, &str)> {
    let rest = text.strip_prefix('`')?;
    let mut name = String::new();
    let mut at = 0;
    loop {
        let end = at + rest[at..].find('`')?;
        name.push_str(&rest[at..end]);
        match rest[end + 1..].strip_prefix('`') {
            Some(_) => {
                name.push('`');
                at = end + 2;
            }
            None => return Some((name, &rest[end + 1..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{leading_name, literal, parentheses, quote, split};

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(literal("it's \\"), "'it''s \\'");
        assert_eq!(leading_name("`a``b` int"), Some(("a`b".to_string(), " int")));
        assert_eq!(leading_name("int"), None);
    }

    #[test]
    fn texts_are_split_outside_of_quotes_and_parentheses() {
        let parts = split("`a,` int, KEY `k` (`a`,`b`), CHECK (`c` in ('x,(','''')),\n z");
        assert_eq!(parts, ["`a,` int", "KEY `k` (`a`,`b`)", "CHECK (`c` in ('x,(',''''))", "z"]);
        let found = parentheses("CREATE TABLE `t (` (\n a (b) ')'\n) ENGINE");
        assert_eq!(found, Some(("CREATE TABLE `t (` ", "\n a (b) ')'\n", " ENGINE")));
        assert_eq!(parentheses("a (b"), None);
    }
}
