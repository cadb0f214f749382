//! Defaults of columns that mean the same in every system.

/// A default, apart from the dialect it is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// None, or NULL.
    Null,
    /// A number, as it is written.
    Number(String),
    /// A text, a date or whatever else is written in quotes.
    Text(String),
    /// A string of bits.
    Bits(String),
    /// A truth value.
    Bool(bool),
    /// The moment at which the row is made.
    Now,
    /// The day on which the row is made.
    Today,
}

impl DefaultValue {
    /// Reads a default in the words that dialects share; `None` for any other expression. Texts have
    /// doubled quotes and no escapes, and may be followed by a cast, as PostgreSQL shows them.
    pub fn read(text: &str) -> Option<Self> {
        let text = without_cast(text.trim());
        if let Some(bits) = text.strip_prefix(['b', 'B']).and_then(unquoted) {
            let only_bits = bits.bytes().all(|byte| matches!(byte, b'0' | b'1'));
            return only_bits.then_some(Self::Bits(bits));
        }
        if let Some(text) = unquoted(text) {
            return Some(Self::Text(text));
        }
        let is_number = text.ends_with(|c: char| c.is_ascii_digit() || c == '.')
            && text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
            && text.parse::<f64>().is_ok_and(f64::is_finite);
        if is_number {
            return Some(Self::Number(text.to_string()));
        }
        let word = text.to_ascii_lowercase();
        match word.as_str() {
            "null" => Some(Self::Null),
            "true" => Some(Self::Bool(true)),
            "false" => Some(Self::Bool(false)),
            "current_date" | "current_date()" | "curdate()" => Some(Self::Today),
            "current_timestamp" => Some(Self::Now),
            _ => is_now(&word).then_some(Self::Now),
        }
    }
}

/// The text before a cast such as `::character varying(9)`.
fn without_cast(text: &str) -> &str {
    let is_type = |name: &str| {
        name.chars().all(|c| c.is_alphanumeric() || " _\".(),[]".contains(c)) && !name.is_empty()
    };
    match text.rsplit_once("::") {
        Some((value, name)) if is_type(name) => value,
        _ => text,
    }
}

fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let pairs = inner.matches("''").count();
    (inner.matches('\'').count() == 2 * pairs).then(|| inner.replace("''", "'"))
}

/// `now()` or `current_timestamp(6)`.
fn is_now(word: &str) -> bool {
    let rest = word.strip_prefix("current_timestamp").or_else(|| word.strip_prefix("now"));
    let digits = rest.and_then(|rest| rest.strip_prefix('(')?.strip_suffix(')'));
    digits.is_some_and(|digits| matches!(digits.trim().as_bytes(), [] | [b'0'..=b'6']))
}

#[cfg(test)]
mod tests {
    use super::DefaultValue::{self, Bits, Bool, Now, Null, Number, Text, Today};

    #[test]
    fn what_dialects_share_is_read() {
        for (text, expected) in [
            ("NULL", Some(Null)),
            ("NULL::character varying", Some(Null)),
            ("-5", Some(Number("-5".to_string()))),
            ("1.50", Some(Number("1.50".to_string()))),
            ("inf", None),
            ("'it''s \\'", Some(Text("it's \\".to_string()))),
            ("''", Some(Text(String::new()))),
            ("''''", Some(Text("'".to_string()))),
            ("'::'", Some(Text("::".to_string()))),
            ("'a'::text", Some(Text("a".to_string()))),
            ("'a'::character varying(9)", Some(Text("a".to_string()))),
            ("'0'::numeric", Some(Text("0".to_string()))),
            ("'a'::text || 'b'::text", None),
            ("2::int * 3", None),
            ("10::int / 2", None),
            ("'a'::\"char\"", Some(Text("a".to_string()))),
            ("'a' || 'b'", None),
            ("'a'b'", None),
            ("'", None),
            ("b'0101'", Some(Bits("0101".to_string()))),
            ("B'1'::\"bit\"", Some(Bits("1".to_string()))),
            ("b'12'", None),
            ("true", Some(Bool(true))),
            ("now()", Some(Now)),
            ("CURRENT_TIMESTAMP(6)", Some(Now)),
            ("current_timestamp()", Some(Now)),
            ("now(7)", None),
            ("now", None),
            ("CURDATE()", Some(Today)),
            ("nextval('a'::regclass)", None),
            ("uuid()", None),
        ] {
            assert_eq!(DefaultValue::read(text), expected, "{text}");
        }
    }
}
