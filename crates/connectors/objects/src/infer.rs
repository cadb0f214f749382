//! Types of columns in text files that nothing describes, found from every value: never from a
//! sample, and only when the text of the value comes back.

use crate::digits::Digits;
use longshore_model::{Cell, ColumnBuilder, ColumnView, LogicalType, Unit};

/// The columns of a table that a scan found, in the order in which they first appear.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inferred {
    pub(crate) columns: Vec<(String, LogicalType)>,
}

/// What the values of a CSV column can be.
#[derive(Debug)]
pub(crate) struct TextKinds {
    seen: bool,
    /// The types that every value so far is the exact text of, the best first.
    candidates: Vec<LogicalType>,
}

impl Default for TextKinds {
    fn default() -> Self {
        let timestamp = |utc| LogicalType::Timestamp { unit: Unit::Micro, utc };
        Self {
            seen: false,
            candidates: vec![
                LogicalType::INT64,
                LogicalType::FLOAT64,
                LogicalType::Boolean,
                LogicalType::Date,
                timestamp(false),
                timestamp(true),
            ],
        }
    }
}

impl TextKinds {
    /// Takes a value into account.
    pub(crate) fn see(&mut self, text: &str) {
        self.seen = true;
        self.candidates.retain(|candidate| is_text_of(candidate, text));
    }

    /// The best type that holds every value.
    pub(crate) fn logical(&self) -> LogicalType {
        match self.candidates.first() {
            Some(logical) if self.seen => logical.clone(),
            _ => LogicalType::Text,
        }
    }
}

fn is_text_of(logical: &LogicalType, text: &str) -> bool {
    match logical {
        LogicalType::Int { .. } => is_integer(text),
        LogicalType::Float { .. } => is_exact_float(text),
        LogicalType::Boolean => matches!(text, "true" | "false"),
        // The texts of the other types begin with the digits of a year.
        _ => {
            text.len() <= 40
                && text.as_bytes().last().is_some_and(|b| b.is_ascii_digit() || *b == b'Z')
                && prints_the_same(logical, text)
        }
    }
}

fn prints_the_same(logical: &LogicalType, text: &str) -> bool {
    let mut builder = ColumnBuilder::new(logical);
    if builder.parse(text).is_err() {
        return false;
    }
    let array = builder.finish();
    let mut printed = String::new();
    if let Ok(view) = ColumnView::new(logical, &array) {
        view.cell(0).write_text(&mut printed);
    }
    printed == text
}

/// Whether a text is an integer in the one form in which integers are printed.
pub(crate) fn is_integer(text: &str) -> bool {
    text.len() <= 20 && text.parse::<i64>().is_ok_and(|value| value.to_string() == text)
}

/// Whether a text is a plain number whose digits a 64-bit float keeps.
pub(crate) fn is_exact_float(text: &str) -> bool {
    let whole = text.strip_prefix('-').unwrap_or(text).split(['.', 'e', 'E']).next().unwrap_or("");
    let plain = whole.bytes().all(|byte| byte.is_ascii_digit())
        && !whole.is_empty()
        && (whole.len() == 1 || !whole.starts_with('0'))
        && !text.ends_with('.');
    let Some(value) = plain.then(|| text.parse::<f64>().ok()).flatten() else { return false };
    let mut printed = String::new();
    Cell::Float(value).write_text(&mut printed);
    let wanted = Digits::parse(text);
    value.is_finite() && wanted.is_some() && Digits::parse(&printed) == wanted
}

/// What the values of a key of JSON Lines are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct JsonKinds {
    integers: bool,
    /// Integers above 2⁶³−1.
    large: bool,
    negative: bool,
    /// Numbers with a fraction or an exponent.
    floats: bool,
    /// Numbers that a float does not keep.
    inexact: bool,
    /// Numbers that neither an integer nor a float keeps.
    unbounded: bool,
    texts: bool,
    booleans: bool,
    nested: bool,
}

impl JsonKinds {
    /// Takes the JSON text of a value into account.
    pub(crate) fn see(&mut self, token: &str) {
        match token.as_bytes().first() {
            Some(b'n') | None => {}
            Some(b't' | b'f') => self.booleans = true,
            Some(b'"') => self.texts = true,
            Some(b'{' | b'[') => self.nested = true,
            Some(_) => self.see_number(token),
        }
    }

    fn see_number(&mut self, token: &str) {
        let exact = is_exact_float(token);
        self.inexact |= !exact;
        self.negative |= token.starts_with('-');
        if is_integer(token) {
            self.integers = true;
        } else if token.parse::<u64>().is_ok() {
            self.large = true;
        } else {
            self.floats = true;
            self.unbounded |= !exact;
        }
    }

    /// The type that holds every value.
    pub(crate) fn logical(&self) -> LogicalType {
        let numbers = self.integers || self.large || self.floats;
        match (numbers, self.texts, self.booleans, self.nested) {
            (_, true, false, false) if !numbers => LogicalType::Text,
            (false, false, true, false) => LogicalType::Boolean,
            (false, false, false, false) => LogicalType::Text,
            (true, false, false, false) => self.number(),
            (true, true, false, false) if !self.large && !self.unbounded => LogicalType::Variant,
            _ => LogicalType::Json,
        }
    }

    fn number(&self) -> LogicalType {
        match (self.floats, self.large) {
            (false, false) => LogicalType::INT64,
            (false, true) if !self.negative => LogicalType::Int { bits: 64, unsigned: true },
            (true, _) if !self.inexact => LogicalType::FLOAT64,
            _ => LogicalType::Number,
        }
    }
}

#[cfg(test)]
mod tests {
    use longshore_model::LogicalType;

    use super::{JsonKinds, TextKinds};

    fn text(values: &[&str]) -> String {
        let mut kinds = TextKinds::default();
        values.iter().for_each(|value| kinds.see(value));
        kinds.logical().to_string()
    }

    fn json(values: &[&str]) -> String {
        let mut kinds = JsonKinds::default();
        values.iter().for_each(|value| kinds.see(value));
        kinds.logical().to_string()
    }

    #[test]
    fn a_type_is_found_only_when_every_text_comes_back() {
        for (values, expected) in [
            (&[][..], "text"),
            (&["1", "-5", "9223372036854775807"], "int64"),
            (&["007"], "text"),
            (&["+1"], "text"),
            (&["-0"], "float64"),
            (&["9223372036854775808"], "text"),
            (&["1", "1.5"], "float64"),
            (&["1.10", "-0.5", "1e300"], "float64"),
            (&["0.1234567890123456789"], "text"),
            (&["1."], "text"),
            (&[".5"], "text"),
            (&["NaN"], "text"),
            (&["1e999"], "text"),
            (&["true", "false"], "boolean"),
            (&["t"], "text"),
            (&["2024-02-29", "0001-01-01"], "date"),
            (&["2023-02-29"], "text"),
            (&["2024-02-29 12:00:00.5"], "timestamp(us)"),
            (&["2024-02-29T12:00:00"], "text"),
            (&["2024-02-29 12:00:00Z"], "timestamptz(us)"),
            (&["2024-02-29", "x"], "text"),
            (&[""], "text"),
            (&["1", ""], "text"),
        ] {
            assert_eq!(text(values), expected, "{values:?}");
        }
    }

    #[test]
    fn json_numbers_keep_every_digit() {
        for (values, expected) in [
            (&["null"][..], "text"),
            (&["1", "null"], "int64"),
            (&["18446744073709551615", "0"], "uint64"),
            (&["18446744073709551615", "-1"], "number"),
            (&["123456789012345678901234567890"], "number"),
            (&["1", "0.5", "-0.0"], "float64"),
            (&["9007199254740993", "0.5"], "number"),
            (&["0.1234567890123456789"], "number"),
            (&["\"a\""], "text"),
            (&["\"a\"", "1", "1.5"], "variant"),
            (&["\"a\"", "true"], "json"),
            (&["true", "false"], "boolean"),
            (&["{}", "null"], "json"),
            (&["[1]", "2"], "json"),
        ] {
            assert_eq!(json(values), expected, "{values:?}");
        }
        assert_eq!(JsonKinds::default().logical(), LogicalType::Text);
    }
}
