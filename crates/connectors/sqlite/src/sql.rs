//! SQL text: quoting, and reading definitions as SQLite stores them.

use std::ops::Range;

/// A name as an identifier.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a literal.
pub(crate) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Names as identifiers, with commas.
pub(crate) fn quote_all<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(quote).collect::<Vec<_>>().join(", ")
}

/// A token of a statement; spaces and comments are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its meaning: a name without its quotes, a keyword or a sign as it is written.
    pub(crate) text: String,
    /// Whether it can only be a name (or, by an old mistake of SQLite, a text).
    pub(crate) quoted: bool,
    /// Where it is.
    pub(crate) span: Range<usize>,
}

impl Token {
    /// Whether it is this keyword or sign.
    pub(crate) fn is(&self, word: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(word)
    }
}

/// Splits a statement into tokens. Text that ends within a token ends that token.
pub(crate) fn tokens(sql: &str) -> Vec<Token> {
    let bytes = sql.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            byte if byte.is_ascii_whitespace() => at += 1,
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                at = sql[at..].find('\n').map_or(bytes.len(), |end| at + end + 1);
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = sql[at + 2..].find("*/").map_or(bytes.len(), |end| at + 2 + end + 2);
            }
            quote @ (b'\'' | b'"' | b'`' | b'[') => {
                let (text, end) = quoted(sql, at, if quote == b'[' { b']' } else { quote });
                at = end;
                found.push(Token { text, quoted: true, span: start..at });
            }
            byte if is_word(byte) => {
                while at < bytes.len() && is_word(bytes[at]) {
                    at += 1;
                }
                found.push(Token { text: sql[start..at].into(), quoted: false, span: start..at });
            }
            _ => {
                at += 1;
                found.push(Token { text: sql[start..at].into(), quoted: false, span: start..at });
            }
        }
    }
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'$' || byte >= 0x80
}

fn quoted(sql: &str, start: usize, close: u8) -> (String, usize) {
    let bytes = sql.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() {
        if bytes[at] == close {
            if close != b']' && bytes.get(at + 1) == Some(&close) {
                at += 1;
            } else {
                break;
            }
        }
        at += 1;
    }
    let inner = &sql[start + 1..at];
    let close = char::from(close);
    let text = if close == ']' {
        inner.to_string()
    } else {
        inner.replace(&format!("{close}{close}"), &close.to_string())
    };
    (text, (at + 1).min(bytes.len()))
}

/// What the text of a `CREATE TABLE` says beyond what SQLite's own tables tell.
#[derive(Debug, Default)]
pub(crate) struct Definition {
    /// The columns in the order of the text.
    pub(crate) columns: Vec<ColumnText>,
    /// Whether it has the word AUTOINCREMENT.
    pub(crate) autoincrement: bool,
    /// Its CHECK constraints.
    pub(crate) checks: Vec<CheckText>,
    /// Where the table's name is.
    pub(crate) name: Option<Range<usize>>,
}

/// A check of a `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckText {
    /// Its name; empty when it has none.
    pub(crate) name: String,
    /// What stands in its parentheses.
    pub(crate) condition: String,
}

/// One column of a `CREATE TABLE`.
#[derive(Debug, Default)]
pub(crate) struct ColumnText {
    /// The name.
    pub(crate) name: String,
    /// The collation, when one is named.
    pub(crate) collation: Option<String>,
    /// The expression of a generated column, without its parentheses.
    pub(crate) generated: Option<String>,
}

/// Reads a `CREATE TABLE` as SQLite stores it.
pub(crate) fn definition(sql: &str) -> Definition {
    let all = tokens(sql);
    let mut made = Definition {
        name: all.get(2).map(|token| token.span.clone()),
        autoincrement: all.iter().any(|token| token.is("AUTOINCREMENT")),
        ..Definition::default()
    };
    let Some(open) = all.iter().position(|token| token.is("(")) else { return made };
    let mut in_columns = true;
    for item in items(&all[open + 1..]) {
        let constraint = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"];
        let Some(first) = item.first() else { continue };
        in_columns &= !constraint.iter().any(|word| first.is(word));
        if in_columns {
            made.columns.push(column(sql, item));
        }
        made.checks.extend(checks(sql, item));
    }
    made
}

/// The checks of a column or of the table, each perhaps with a name before it.
fn checks(sql: &str, item: &[Token]) -> Vec<CheckText> {
    let (mut found, mut depth) = (Vec::new(), 0_usize);
    for (at, token) in item.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0
            && token.is("CHECK")
            && let Some(open) = item.get(at + 1).filter(|token| token.is("("))
            && let Some(close) = closing(&item[at + 1..])
        {
            let named = at >= 2 && item[at - 2].is("CONSTRAINT");
            let name = if named { item[at - 1].text.clone() } else { String::new() };
            let condition = sql[open.span.end..close.span.start].trim().to_string();
            found.push(CheckText { name, condition });
        }
    }
    found
}

/// The columns and expressions of a `CREATE INDEX`, each without its order.
pub(crate) fn index_parts(sql: &str) -> Vec<String> {
    let all = tokens(sql);
    let on = all.iter().position(|token| token.is("ON")).unwrap_or(all.len());
    let Some(open) = all.iter().skip(on).position(|token| token.is("(")) else {
        return Vec::new();
    };
    let parts = items(&all[on + open + 1..]);
    parts.into_iter().map(|part| without_order(sql, part)).collect()
}

fn without_order(sql: &str, part: &[Token]) -> String {
    let ends = |token: &&Token| token.is("ASC") || token.is("DESC");
    let part = match part.last().filter(ends) {
        Some(_) => &part[..part.len() - 1],
        None => part,
    };
    match (part.first(), part.last()) {
        (Some(first), Some(last)) => sql[first.span.start..last.span.end].to_string(),
        _ => String::new(),
    }
}

/// The parts between commas up to the parenthesis that closes the list.
fn items(tokens: &[Token]) -> Vec<&[Token]> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (index, token) in tokens.iter().enumerate() {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            if depth == 0 {
                found.push(&tokens[start..index]);
                return found;
            }
            depth -= 1;
        } else if token.is(",") && depth == 0 {
            found.push(&tokens[start..index]);
            start = index + 1;
        }
    }
    found
}

fn column(sql: &str, item: &[Token]) -> ColumnText {
    let mut made = ColumnText { name: item[0].text.clone(), ..ColumnText::default() };
    let mut depth = 0_usize;
    for (index, token) in item.iter().enumerate().skip(1) {
        let next = item.get(index + 1);
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        } else if depth > 0 {
            continue;
        } else if token.is("COLLATE") {
            made.collation = next.map(|token| token.text.clone());
        } else if token.is("AS")
            && let Some(open) = next.filter(|token| token.is("("))
            && let Some(close) = closing(&item[index + 1..])
        {
            made.generated = Some(sql[open.span.end..close.span.start].trim().to_string());
        }
    }
    made
}

/// The parenthesis that closes the one at the start.
fn closing(tokens: &[Token]) -> Option<&Token> {
    let mut depth = 0_usize;
    tokens.iter().find(|token| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
        }
        depth == 0
    })
}

#[cfg(test)]
mod tests {
    use super::{definition, index_parts, quote, tokens};

    #[test]
    fn names_survive_quoting() {
        for name in ["a", "a\"b", "a.b", "sélect", "🦀", "a'b", "[x]", ""] {
            let found = tokens(&quote(name));
            assert_eq!(found.len(), 1, "{name}");
            assert_eq!(found[0].text, name);
        }
    }

    #[test]
    fn definitions_are_read_past_comments_quotes_and_nesting() {
        let read = definition(
            "CREATE TABLE \"odd (name\" (id INTEGER PRIMARY KEY AUTOINCREMENT, -- , CHECK (\n\
             [a b] DECIMAL(10,2) DEFAULT (1 + (2)) COLLATE \"NOCASE\" /* ) */,\n\
             g GENERATED ALWAYS AS (f('x)', (1)) || `t`) STORED, \"as\" TEXT, CHECK (id > 0))",
        );
        let names: Vec<_> = read.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["id", "a b", "g", "as"]);
        assert_eq!(read.columns[1].collation.as_deref(), Some("NOCASE"));
        assert_eq!(read.columns[2].generated.as_deref(), Some("f('x)', (1)) || `t`"));
        assert!(read.autoincrement);
        let checks: Vec<_> = read.checks.iter().map(|check| check.condition.as_str()).collect();
        assert_eq!(checks, ["id > 0"]);
        let read = definition(
            "CREATE TABLE t (a INT CONSTRAINT \"p q\" CHECK (f(a) > ')') UNIQUE CHECK(a<9), \
             PRIMARY KEY (a), CHECK (b IN (1)))",
        );
        let checks: Vec<_> =
            read.checks.iter().map(|one| (one.name.as_str(), one.condition.as_str())).collect();
        assert_eq!(checks, [("p q", "f(a) > ')'"), ("", "a<9"), ("", "b IN (1)")]);
        let plain = definition("CREATE TABLE t(a /* CHECK AUTOINCREMENT */, b 'x)')");
        assert!(!plain.autoincrement && plain.checks.is_empty());
    }

    #[test]
    fn parts_of_indexes_lose_their_order() {
        let sql = "CREATE INDEX i ON \"t (\" (a, lower(b, ',') DESC, \"desc\" ASC) WHERE c > (1)";
        assert_eq!(index_parts(sql), ["a", "lower(b, ',')", "\"desc\""]);
        assert!(index_parts("CREATE INDEX").is_empty());
    }

    #[test]
    fn broken_text_does_not_break_the_reader() {
        for text in
            ["", "CREATE", "CREATE TABLE", "CREATE TABLE t(", "'", "[a", "/*", "--", "a AS ("]
        {
            let _ = definition(text);
        }
    }
}
