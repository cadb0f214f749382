//! Values that are nearly others.

use longshore_model::{Cell, ColumnBuilder, ColumnView, LogicalType};
use longshore_testkit::corpus::Value;

/// The emptiest value of a type that its corpus has.
pub(crate) fn emptiest(logical: &LogicalType, rows: &[Vec<Value>]) -> Value {
    let empty = match logical {
        LogicalType::Bytes => "\\x",
        LogicalType::Variant => "''",
        LogicalType::Json => "\"\"",
        _ => "",
    };
    let values = || rows.iter().map(|row| &row[1]).filter(|value| **value != Value::Null);
    let found = values().find(|value| **value == Value::Text(empty.to_string()));
    found.or_else(|| values().next()).expect("the corpus has values").clone()
}

/// A text with one letter in the other case.
pub(crate) fn swap_case(text: &str) -> Option<String> {
    let at = text.find(|c: char| c.is_ascii_alphabetic())?;
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] ^= 0x20;
    String::from_utf8(bytes).ok()
}

/// The value that differs least from another of its type; `None` for NULL and what has none.
pub(crate) fn neighbour(logical: &LogicalType, value: &Value) -> Option<Value> {
    if *value == Value::Null {
        return None;
    }
    let mut builder = ColumnBuilder::new(logical);
    value.append(&mut builder).expect("a value of its type");
    let array = builder.finish();
    let cell = ColumnView::new(logical, &array).expect("a column").cell(0);
    let text = |cell: Cell<'_>| {
        let mut out = String::new();
        cell.write_text(&mut out);
        Some(Value::Text(out))
    };
    let near = match cell {
        Cell::Bool(value) => text(Cell::Bool(!value)),
        Cell::Int(value) => text(Cell::Int(value ^ 1)),
        Cell::UInt(value) => text(Cell::UInt(value ^ 1)),
        Cell::Float(value) if value.is_finite() && value != 0.0 => {
            text(Cell::Float(match logical {
                LogicalType::Float { bits: 32 } => {
                    f64::from(f32::from_bits((value as f32).to_bits() ^ 1))
                }
                _ => f64::from_bits(value.to_bits() ^ 1),
            }))
        }
        Cell::Decimal(value, scale) => text(Cell::Decimal(value ^ 1, scale)),
        Cell::WideDecimal(value, scale) => {
            let one = arrow_buffer::i256::ONE;
            let near = if value.is_negative() { value + one } else { value - one };
            text(Cell::WideDecimal(near, scale))
        }
        Cell::Date(days) => text(Cell::Date(days ^ 1)),
        // A day has an end, and no moment after it.
        Cell::Time(ticks, unit) => text(Cell::Time((ticks - 1).abs(), unit)),
        Cell::Timestamp(ticks, unit, utc) => text(Cell::Timestamp(ticks ^ 1, unit, utc)),
        Cell::Interval(months, days, nanos) => text(Cell::Interval(months, days, nanos ^ 1)),
        Cell::Uuid(bytes) => {
            let mut near = *bytes;
            near[15] ^= 1;
            text(Cell::Uuid(&near))
        }
        Cell::Bytes(bytes) => {
            let (last, rest) = bytes.split_last()?;
            text(Cell::Bytes(&[rest, &[last ^ 1]].concat()))
        }
        Cell::Text(value) => match logical {
            LogicalType::Variant => Some(Value::Text((value.parse::<i64>().ok()? ^ 1).to_string())),
            LogicalType::Number => {
                let last = value.strip_suffix(|c: char| c.is_ascii_digit())?;
                let digit = value.bytes().last()? ^ 1;
                Some(Value::Text(format!("{last}{}", char::from(digit))))
            }
            _ => {
                let at = value.rfind(|c: char| c.is_ascii_alphanumeric())?;
                let mut bytes = value.as_bytes().to_vec();
                bytes[at] ^= 1;
                String::from_utf8(bytes).ok().map(Value::Text)
            }
        },
        _ => None,
    };
    let unlike = |near: &Value| {
        *near != *value
            && !matches!(near, Value::Text(text) if ["-0.0", "0.0", "NaN"].contains(&text.as_str()))
    };
    near.filter(unlike)
}
