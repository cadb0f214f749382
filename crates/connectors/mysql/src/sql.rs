//! Names and literals in SQL.
//!
//! Sessions take backslashes in texts as escapes: servers show expressions in this form whatever the
//! mode, and MySQL refuses its own checks without it.

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
    let mut out = String::with_capacity(text.len() + 2);
    push_literal(text, &mut out);
    out
}

/// Appends a text in quotes.
pub(crate) fn push_literal(text: &str, out: &mut String) {
    out.push('\'');
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'\'', b'\\', rest.as_bytes()) {
        out.push_str(&rest[..=at]);
        out.push_str(&rest[at..=at]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('\'');
}

/// The text of a literal; `None` when it is something else.
pub(crate) fn text_of(literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    let (mut text, mut letters) = (String::with_capacity(inner.len()), inner.chars());
    while let Some(letter) = letters.next() {
        text.push(match letter {
            '\'' if letters.next() == Some('\'') => '\'',
            '\'' => return None,
            '\\' => escaped(letters.next()?),
            other => other,
        });
    }
    Some(text)
}

/// A text without one level of escapes.
pub(crate) fn unescaped(text: &str) -> String {
    let (mut plain, mut letters) = (String::with_capacity(text.len()), text.chars());
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => letters.next().map_or('\\', escaped),
            other => other,
        });
    }
    plain
}

/// What a letter after a backslash stands for.
fn escaped(letter: char) -> char {
    match letter {
        '0' => '\0',
        'b' => '\u{8}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'Z' => '\u{1a}',
        other => other,
    }
}

/// A text in quotes as the standard has it, where only quotes are doubled.
pub(crate) fn standard_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The bytes of a text outside of quotes, with their places.
struct Unquoted<'a> {
    bytes: std::iter::Enumerate<std::str::Bytes<'a>>,
    quote: Option<u8>,
}

impl<'a> Unquoted<'a> {
    fn of(text: &'a str) -> Self {
        Self { bytes: text.bytes().enumerate(), quote: None }
    }
}

impl Iterator for Unquoted<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (at, byte) = self.bytes.next()?;
            match (self.quote, byte) {
                (Some(mark), byte) if byte == mark => self.quote = None,
                (Some(b'\'' | b'"'), b'\\') => drop(self.bytes.next()),
                (Some(_), _) => {}
                (None, b'\'' | b'"' | b'`') => self.quote = Some(byte),
                (None, _) => return Some((at, byte)),
            }
        }
    }
}

/// What a statement is split into at commas that stand in no quotes and no parentheses.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0u32);
    for (at, byte) in Unquoted::of(text) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
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
    let (mut open, mut depth) = (None, 0u32);
    for (at, byte) in Unquoted::of(text) {
        match byte {
            b'(' => {
                depth += 1;
                open = open.or(Some(at));
            }
            b')' => {
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
    use super::{leading_name, literal, parentheses, quote, split, standard_literal, text_of};

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(quote("a`b"), "`a``b`");
        assert_eq!(literal("it's \\"), "'it''s \\\\'");
        assert_eq!(standard_literal("it's \\"), "'it''s \\'");
        assert_eq!(leading_name("`a``b` int"), Some(("a`b".to_string(), " int")));
        assert_eq!(leading_name("int"), None);
    }

    #[test]
    fn literals_are_read() {
        for text in ["", "a", "it's", "\\", "'", "\\'", "''", "a\\b'c"] {
            assert_eq!(text_of(&literal(text)).as_deref(), Some(text));
        }
        assert_eq!(text_of(r"'a\'b\n\0\q'").as_deref(), Some("a'b\n\0q"));
        for none in ["", "'", "a", "'a'b'", "uuid()", "'a' + 'b'"] {
            assert_eq!(text_of(none), None, "{none}");
        }
        assert_eq!(text_of(r"'a\'"), None);
    }

    #[test]
    fn texts_are_split_outside_of_quotes_and_parentheses() {
        let parts = split("`a,` int, KEY `k` (`a`,`b`), CHECK (`c` in ('x,(','''')),\n z");
        assert_eq!(parts, ["`a,` int", "KEY `k` (`a`,`b`)", "CHECK (`c` in ('x,(',''''))", "z"]);
        assert_eq!(split(r"'a\',',b"), [r"'a\','", "b"]);
        let found = parentheses("CREATE TABLE `t (` (\n a (b) ')'\n) ENGINE");
        assert_eq!(found, Some(("CREATE TABLE `t (` ", "\n a (b) ')'\n", " ENGINE")));
        assert_eq!(parentheses("a (b"), None);
    }
}
