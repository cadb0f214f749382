//! One value of a column, and the canonical text of every logical type.

use arrow_array::types as t;
use arrow_array::{Array, ArrayRef, cast::AsArray};
use arrow_buffer::i256;

use crate::logical::{LogicalType, Unit};
use crate::{Code, Error, Result, calendar};

/// One value, borrowed from its column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// True or false.
    Bool(bool),
    /// A signed integer of any width.
    Int(i64),
    /// An unsigned integer of any width.
    UInt(u64),
    /// A float; 32-bit ones are widened, which is exact.
    Float(f64),
    /// `unscaled × 10⁻ˢᶜᵃˡᵉ`, at most 38 digits.
    Decimal(i128, i8),
    /// `unscaled × 10⁻ˢᶜᵃˡᵉ`, at most 76 digits.
    WideDecimal(i256, i8),
    /// Text, and every type that travels as text.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Days since 1970-01-01.
    Date(i32),
    /// Ticks since midnight.
    Time(i64, Unit),
    /// Ticks since 1970-01-01T00:00:00; the flag says that it is UTC.
    Timestamp(i64, Unit, bool),
    /// Months, days, nanoseconds.
    Interval(i32, i32, i64),
    /// A UUID, most significant byte first.
    Uuid(&'a [u8; 16]),
}

impl Cell<'_> {
    /// A word for the kind of value, for messages: never the value.
    pub fn kind(&self) -> &'static str {
        match self {
            Cell::Null => "null",
            Cell::Bool(_) => "boolean",
            Cell::Int(_) | Cell::UInt(_) => "integer",
            Cell::Float(_) => "float",
            Cell::Decimal(..) | Cell::WideDecimal(..) => "decimal",
            Cell::Text(_) => "text",
            Cell::Bytes(_) => "bytes",
            Cell::Date(_) => "date",
            Cell::Time(..) => "time",
            Cell::Timestamp(..) => "timestamp",
            Cell::Interval(..) => "interval",
            Cell::Uuid(_) => "uuid",
        }
    }

    /// Appends the canonical text: the form that text formats store and that
    /// [`crate::ColumnBuilder::parse`] reads back to the same value. NULL appends nothing.
    pub fn write_text(&self, out: &mut String) {
        use std::fmt::Write;
        // Writing to a String cannot fail.
        let _ = match *self {
            Cell::Null => Ok(()),
            Cell::Bool(value) => write!(out, "{value}"),
            Cell::Int(value) => write!(out, "{value}"),
            Cell::UInt(value) => write!(out, "{value}"),
            Cell::Float(value) => {
                write_float(value, out);
                Ok(())
            }
            Cell::Decimal(unscaled, scale) => {
                write_decimal(&unscaled.to_string(), scale, out);
                Ok(())
            }
            Cell::WideDecimal(unscaled, scale) => {
                write_decimal(&unscaled.to_string(), scale, out);
                Ok(())
            }
            Cell::Text(value) => out.write_str(value),
            Cell::Bytes(value) => {
                out.push_str("\\x");
                write_hex(value, out);
                Ok(())
            }
            Cell::Date(days) => {
                calendar::write_date(i64::from(days), out);
                Ok(())
            }
            Cell::Time(ticks, unit) => {
                calendar::write_time(ticks, unit, out);
                Ok(())
            }
            Cell::Timestamp(ticks, unit, utc) => {
                calendar::write_timestamp(ticks, unit, out);
                out.push_str(if utc { "Z" } else { "" });
                Ok(())
            }
            Cell::Interval(months, days, nanos) => {
                calendar::write_interval(months, days, nanos, out);
                Ok(())
            }
            Cell::Uuid(bytes) => {
                for (index, byte) in bytes.iter().enumerate() {
                    if matches!(index, 4 | 6 | 8 | 10) {
                        out.push('-');
                    }
                    write_hex(&[*byte], out);
                }
                Ok(())
            }
        };
    }

    /// Appends the value as a SQL literal, the form of [`LogicalType::Variant`].
    pub fn write_literal(&self, out: &mut String) {
        match *self {
            Cell::Null => out.push_str("NULL"),
            Cell::Float(value) if value.is_nan() => out.push_str(NAN_LITERAL),
            Cell::Float(value) if value.is_infinite() => {
                out.push_str(if value > 0.0 { "9e999" } else { "-9e999" });
            }
            Cell::Bool(_) | Cell::Int(_) | Cell::UInt(_) | Cell::Float(_) => self.write_text(out),
            Cell::Bytes(value) => {
                out.push_str("x'");
                write_hex(value, out);
                out.push('\'');
            }
            _ => {
                let mut text = String::new();
                self.write_text(&mut text);
                out.push('\'');
                out.push_str(&text.replace('\'', "''"));
                out.push('\'');
            }
        }
    }
}

/// The literal of NaN, in the words of systems that have it.
const NAN_LITERAL: &str = "CAST('NaN' AS REAL)";

/// A value of a [`LogicalType::Variant`] column, read from its literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Text; its bytes need not be UTF-8.
    Text(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
}

impl Literal {
    /// Reads a literal; `None` when it is not one.
    pub fn parse(text: &str) -> Option<Literal> {
        if let Some(rest) = text.strip_prefix("x'") {
            return Some(Literal::Bytes(parse_hex(rest.strip_suffix('\'')?)?));
        }
        if let Some(rest) = text.strip_prefix("CAST(x'") {
            return Some(Literal::Text(parse_hex(rest.strip_suffix("' AS TEXT)")?)?));
        }
        if let Some(rest) = text.strip_prefix('\'') {
            let inner = rest.strip_suffix('\'')?;
            let plain = inner.replace("''", "'");
            let quotes = inner.matches('\'').count();
            return (quotes == 2 * plain.matches('\'').count())
                .then(|| Literal::Text(plain.into_bytes()));
        }
        match text {
            NAN_LITERAL => Some(Literal::Float(f64::NAN)),
            "9e999" => Some(Literal::Float(f64::INFINITY)),
            "-9e999" => Some(Literal::Float(f64::NEG_INFINITY)),
            _ if text.contains(['.', 'e', 'E']) => text.parse().ok().map(Literal::Float),
            _ => text.parse().ok().map(Literal::Int),
        }
    }

    /// Appends the literal of text whose bytes are not UTF-8.
    pub fn write_invalid_text(bytes: &[u8], out: &mut String) {
        out.push_str("CAST(x'");
        write_hex(bytes, out);
        out.push_str("' AS TEXT)");
    }
}

/// A column of a batch, resolved once so that reading a value costs one branch.
#[derive(Debug, Clone)]
pub struct ColumnView<'a> {
    pub(crate) values: Values<'a>,
    pub(crate) nulls: Option<&'a arrow_buffer::NullBuffer>,
}

#[derive(Debug, Clone)]
pub(crate) enum Values<'a> {
    Bool(&'a arrow_array::BooleanArray),
    I8(&'a [i8]),
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    F32(&'a [f32]),
    F64(&'a [f64]),
    Decimal(&'a [i128], i8),
    WideDecimal(&'a [i256], i8),
    Text(&'a arrow_array::StringArray),
    Bytes(&'a arrow_array::BinaryArray),
    Date(&'a [i32]),
    Time(&'a [i64], Unit),
    Timestamp(&'a [i64], Unit, bool),
    Interval(&'a [arrow_buffer::IntervalMonthDayNano]),
    Uuid(&'a arrow_array::FixedSizeBinaryArray),
}

impl<'a> ColumnView<'a> {
    /// A view of `array`, whose Arrow type must be that of `logical`.
    pub fn new(logical: &LogicalType, array: &'a ArrayRef) -> Result<Self> {
        if *array.data_type() != logical.arrow() {
            return Err(Error::new(
                Code::Internal,
                format!("a column of type {logical} came as Arrow {}", array.data_type()),
            ));
        }
        let values = match logical {
            LogicalType::Boolean => Values::Bool(array.as_boolean()),
            LogicalType::Int { bits: 8, unsigned: false } => {
                Values::I8(array.as_primitive::<t::Int8Type>().values())
            }
            LogicalType::Int { bits: 16, unsigned: false } => {
                Values::I16(array.as_primitive::<t::Int16Type>().values())
            }
            LogicalType::Int { bits: 32, unsigned: false } => {
                Values::I32(array.as_primitive::<t::Int32Type>().values())
            }
            LogicalType::Int { unsigned: false, .. } => {
                Values::I64(array.as_primitive::<t::Int64Type>().values())
            }
            LogicalType::Int { bits: 8, .. } => {
                Values::U8(array.as_primitive::<t::UInt8Type>().values())
            }
            LogicalType::Int { bits: 16, .. } => {
                Values::U16(array.as_primitive::<t::UInt16Type>().values())
            }
            LogicalType::Int { bits: 32, .. } => {
                Values::U32(array.as_primitive::<t::UInt32Type>().values())
            }
            LogicalType::Int { .. } => Values::U64(array.as_primitive::<t::UInt64Type>().values()),
            LogicalType::Float { bits: 32 } => {
                Values::F32(array.as_primitive::<t::Float32Type>().values())
            }
            LogicalType::Float { .. } => {
                Values::F64(array.as_primitive::<t::Float64Type>().values())
            }
            LogicalType::Decimal { precision, scale } if *precision <= 38 => {
                Values::Decimal(array.as_primitive::<t::Decimal128Type>().values(), *scale)
            }
            LogicalType::Decimal { scale, .. } => {
                Values::WideDecimal(array.as_primitive::<t::Decimal256Type>().values(), *scale)
            }
            LogicalType::Number
            | LogicalType::Text
            | LogicalType::Bits { .. }
            | LogicalType::LooseDate
            | LogicalType::LooseTimestamp { .. }
            | LogicalType::Json
            | LogicalType::Variant
            | LogicalType::Opaque { .. } => Values::Text(array.as_string()),
            LogicalType::Bytes => Values::Bytes(array.as_binary()),
            LogicalType::Date => Values::Date(array.as_primitive::<t::Date32Type>().values()),
            LogicalType::Time { unit } => Values::Time(
                match unit {
                    Unit::Micro => array.as_primitive::<t::Time64MicrosecondType>().values(),
                    Unit::Nano => array.as_primitive::<t::Time64NanosecondType>().values(),
                },
                *unit,
            ),
            LogicalType::Timestamp { unit, utc } => Values::Timestamp(
                match unit {
                    Unit::Micro => array.as_primitive::<t::TimestampMicrosecondType>().values(),
                    Unit::Nano => array.as_primitive::<t::TimestampNanosecondType>().values(),
                },
                *unit,
                *utc,
            ),
            LogicalType::Interval => {
                Values::Interval(array.as_primitive::<t::IntervalMonthDayNanoType>().values())
            }
            LogicalType::Uuid => Values::Uuid(array.as_fixed_size_binary()),
        };
        Ok(Self { values, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0) })
    }

    /// The value of one row.
    #[inline]
    pub fn cell(&self, row: usize) -> Cell<'a> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return Cell::Null;
        }
        match &self.values {
            Values::Bool(array) => Cell::Bool(array.value(row)),
            Values::I8(values) => Cell::Int(values[row].into()),
            Values::I16(values) => Cell::Int(values[row].into()),
            Values::I32(values) => Cell::Int(values[row].into()),
            Values::I64(values) => Cell::Int(values[row]),
            Values::U8(values) => Cell::UInt(values[row].into()),
            Values::U16(values) => Cell::UInt(values[row].into()),
            Values::U32(values) => Cell::UInt(values[row].into()),
            Values::U64(values) => Cell::UInt(values[row]),
            Values::F32(values) => Cell::Float(values[row].into()),
            Values::F64(values) => Cell::Float(values[row]),
            Values::Decimal(values, scale) => Cell::Decimal(values[row], *scale),
            Values::WideDecimal(values, scale) => Cell::WideDecimal(values[row], *scale),
            Values::Text(array) => Cell::Text(array.value(row)),
            Values::Bytes(array) => Cell::Bytes(array.value(row)),
            Values::Date(values) => Cell::Date(values[row]),
            Values::Time(values, unit) => Cell::Time(values[row], *unit),
            Values::Timestamp(values, unit, utc) => Cell::Timestamp(values[row], *unit, *utc),
            Values::Interval(values) => {
                let value = values[row];
                Cell::Interval(value.months, value.days, value.nanoseconds)
            }
            Values::Uuid(array) => Cell::Uuid(
                array.value(row).first_chunk().expect("a FixedSizeBinary(16) value has 16 bytes"),
            ),
        }
    }
}

fn write_float(value: f64, out: &mut String) {
    use std::fmt::Write;
    if value.is_nan() {
        out.push_str("NaN");
    } else if value.is_infinite() {
        out.push_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    } else {
        // `{:?}` is the shortest text that reads back to the same bits, with exponents.
        let _ = write!(out, "{value:?}");
    }
}

fn write_decimal(digits: &str, scale: i8, out: &mut String) {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", digits),
    };
    out.push_str(sign);
    if scale <= 0 {
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        return;
    }
    let scale = usize::from(scale.unsigned_abs());
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    out.push_str(whole);
    out.push('.');
    out.push_str(fraction);
}

pub(crate) fn write_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

pub(crate) fn parse_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Cell, Literal};

    fn text(cell: Cell<'_>) -> String {
        let mut out = String::new();
        cell.write_text(&mut out);
        out
    }

    #[test]
    fn canonical_text() {
        for (cell, expected) in [
            (Cell::Float(1.0), "1.0"),
            (Cell::Float(-0.0), "-0.0"),
            (Cell::Float(1e300), "1e300"),
            (Cell::Float(f64::NEG_INFINITY), "-Infinity"),
            (Cell::Decimal(-5, 2), "-0.05"),
            (Cell::Decimal(12345, 2), "123.45"),
            (Cell::Decimal(12, -3), "12000"),
            (Cell::Decimal(0, 0), "0"),
            (Cell::Bytes(&[0, 255]), "\\x00ff"),
        ] {
            assert_eq!(text(cell), expected);
        }
    }

    #[test]
    fn literals_come_back_the_same() {
        for (cell, literal) in [
            (Cell::Int(i64::MIN), Literal::Int(i64::MIN)),
            (Cell::Float(1.0), Literal::Float(1.0)),
            (Cell::Float(f64::INFINITY), Literal::Float(f64::INFINITY)),
            (Cell::Float(5e-324), Literal::Float(5e-324)),
            (Cell::Text("it's ''q''"), Literal::Text(b"it's ''q''".to_vec())),
            (Cell::Text(""), Literal::Text(Vec::new())),
            (Cell::Bytes(b"\x00\xff"), Literal::Bytes(vec![0, 255])),
        ] {
            let mut out = String::new();
            cell.write_literal(&mut out);
            assert_eq!(Literal::parse(&out), Some(literal), "{out}");
        }
        let mut nan = String::new();
        Cell::Float(-f64::NAN).write_literal(&mut nan);
        assert!(matches!(Literal::parse(&nan), Some(Literal::Float(value)) if value.is_nan()));
        for wrong in ["", "'", "'a", "x'0'", "x'zz'", "abc", "'a'b'", "1.2.3"] {
            assert_eq!(Literal::parse(wrong), None, "{wrong}");
        }
    }
}
