//! Values as literals in SQL, and as fields of lines.

use std::fmt::Write;

use longshore_model::{Cell, Code, ColumnView, Error, LogicalType, Result};

use crate::sql::push_literal;
use crate::types;

/// How a column's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As a number or a text, whichever the value is.
    Plain,
    /// As a bit string.
    Bits,
    /// As a span of hours, minutes and seconds.
    Span,
    /// As a date and time without a zone.
    Moment,
    /// As a number whose digits are a text: a literal of a number keeps 65 of them.
    Digits,
}

impl Form {
    /// The form for values of a type in a column that is declared so.
    pub(crate) fn of(logical: &LogicalType, declared: &str) -> Form {
        match (logical, types::word(declared)) {
            (LogicalType::Bits { .. }, "bit") => Form::Bits,
            (LogicalType::Interval, "time") => Form::Span,
            (LogicalType::Decimal { .. }, declared) if declared != "decimal" => Form::Digits,
            (LogicalType::Timestamp { .. }, "datetime" | "timestamp") => Form::Moment,
            _ => Form::Plain,
        }
    }

    /// Appends a value as a literal in SQL.
    pub(crate) fn literal(
        self,
        cell: Cell<'_>,
        out: &mut String,
        scratch: &mut String,
    ) -> Result<()> {
        match (self, cell) {
            (_, Cell::Null) => out.push_str("NULL"),
            (_, Cell::Bytes(bytes)) => {
                out.push_str("X'");
                hex(bytes, out);
                out.push('\'');
            }
            (Form::Bits, Cell::Text(text)) => {
                let _ = write!(out, "b'{text}'");
            }
            (_, Cell::Text(text)) => push_literal(text, out),
            (form, cell) => {
                let bare = match cell {
                    Cell::Bool(_) | Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) => true,
                    Cell::Decimal(..) | Cell::WideDecimal(..) => form != Form::Digits,
                    _ => false,
                };
                scratch.clear();
                form.text(cell, scratch)?;
                match bare {
                    true => out.push_str(scratch),
                    false => push_literal(scratch, out),
                }
            }
        }
        Ok(())
    }

    /// Appends a value as a field of a line; bytes are hexadecimal.
    pub(crate) fn field(self, cell: Cell<'_>, out: &mut String) -> Result<()> {
        match cell {
            Cell::Null => out.push_str("\\N"),
            Cell::Bytes(bytes) => hex(bytes, out),
            Cell::Text(text) => push_field(text, out),
            // None of the others has a character that must be escaped.
            cell => self.text(cell, out)?,
        }
        Ok(())
    }

    /// Appends the text of a value that is neither text nor bytes.
    fn text(self, cell: Cell<'_>, out: &mut String) -> Result<()> {
        match (self, cell) {
            (_, Cell::Bool(value)) => out.push(if value { '1' } else { '0' }),
            (_, Cell::Float(value)) if value.is_finite() => {
                // With an exponent it is a float to the server, and not a decimal.
                let _ = write!(out, "{value:e}");
            }
            (_, Cell::Float(_)) => return Err(refused("a float is not finite")),
            (Form::Span, Cell::Interval(0, 0, nanos)) if nanos % 1000 == 0 => span(nanos, out),
            (Form::Span, Cell::Interval(..)) => {
                return Err(refused("an interval is no span of hours with microseconds"));
            }
            (form, cell) => {
                cell.write_text(out);
                if form == Form::Moment && out.ends_with('Z') {
                    out.pop();
                }
            }
        }
        Ok(())
    }
}

/// Appends a text as a field of a line.
fn push_field(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = memchr::memchr3(b'\t', b'\n', b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push('\\');
        out.push(match rest.as_bytes()[at] {
            b'\t' => 't',
            b'\n' => 'n',
            _ => '\\',
        });
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

fn refused(why: &str) -> Error {
    Error::new(Code::ValueRefused, why.to_string())
}

/// Appends bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.reserve(bytes.len() * 2);
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// Microseconds of a span as `[-]H:MM:SS.ffffff`.
fn span(nanos: i64, out: &mut String) {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1000;
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let _ = write!(out, "{sign}{hours:02}:{minutes:02}:{:02}.{fraction:06}", seconds % 60);
}

/// A column of a batch on its way into statements.
pub(crate) struct Column<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// How its values are written.
    pub(crate) form: Form,
    /// Its values.
    pub(crate) view: ColumnView<'a>,
}

impl Column<'_> {
    /// Appends the value of a row as a literal.
    pub(crate) fn literal(&self, row: usize, out: &mut String, scratch: &mut String) -> Result<()> {
        let written = self.form.literal(self.view.cell(row), out, scratch);
        written.map_err(|error| error.with("column", self.name))
    }

    /// Appends the value of a row as a field of a line.
    pub(crate) fn field(&self, row: usize, out: &mut String) -> Result<()> {
        let written = self.form.field(self.view.cell(row), out);
        written.map_err(|error| error.with("column", self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::Form;
    use longshore_model::{Cell, Unit};

    #[test]
    fn values_become_literals() {
        for (form, cell, expected) in [
            (Form::Plain, Cell::Null, "NULL"),
            (Form::Plain, Cell::Bool(true), "1"),
            (Form::Plain, Cell::Float(-0.0), "-0e0"),
            (Form::Plain, Cell::Float(0.1), "1e-1"),
            (Form::Plain, Cell::Float(1e300), "1e300"),
            (Form::Plain, Cell::Decimal(-105, 2), "-1.05"),
            (Form::Digits, Cell::Decimal(-105, 2), "'-1.05'"),
            (Form::Plain, Cell::Text("it's \\ '"), "'it''s \\\\ '''"),
            (Form::Plain, Cell::Bytes(&[0, 254]), "X'00FE'"),
            (Form::Bits, Cell::Text("0101"), "b'0101'"),
            (Form::Plain, Cell::Text("0101"), "'0101'"),
            (Form::Span, Cell::Interval(0, 0, -3_020_399_000_001_000), "'-838:59:59.000001'"),
            (Form::Plain, Cell::Interval(1, 2, 0), "'P1M2DT0S'"),
            (Form::Moment, Cell::Timestamp(1, Unit::Micro, true), "'1970-01-01 00:00:00.000001'"),
            (Form::Plain, Cell::Timestamp(0, Unit::Nano, true), "'1970-01-01 00:00:00Z'"),
        ] {
            let (mut out, mut scratch) = (String::new(), String::new());
            form.literal(cell, &mut out, &mut scratch).expect("a literal");
            assert_eq!(out, expected);
        }
        for (form, cell, expected) in [
            (Form::Plain, Cell::Null, "\\N"),
            (Form::Plain, Cell::Float(-0.0), "-0e0"),
            (Form::Digits, Cell::Decimal(-105, 2), "-1.05"),
            (Form::Plain, Cell::Text("a\tb\nc\\d'\r"), "a\\tb\\nc\\\\d'\r"),
            (Form::Plain, Cell::Text("\\N"), "\\\\N"),
            (Form::Plain, Cell::Bytes(&[0, 254]), "00FE"),
            (Form::Bits, Cell::Text("0101"), "0101"),
            (Form::Span, Cell::Interval(0, 0, 1000), "00:00:00.000001"),
        ] {
            let mut out = String::new();
            form.field(cell, &mut out).expect("a field");
            assert_eq!(out, expected);
        }
        for (form, cell) in [
            (Form::Plain, Cell::Float(f64::INFINITY)),
            (Form::Span, Cell::Interval(1, 0, 0)),
            (Form::Span, Cell::Interval(0, 0, 1)),
        ] {
            assert!(form.literal(cell, &mut String::new(), &mut String::new()).is_err());
            assert!(form.field(cell, &mut String::new()).is_err());
        }
    }
}
