//! Defaults of other systems.

use longshore_model::loss::LossKind;
use longshore_model::{ColumnBuilder, ColumnView, DefaultValue, LogicalType};

use crate::sql::literal;

/// The default that means here what a text means there, for a column that is stored as `logical`;
/// `None` when that is no default at all.
pub(super) fn translate(text: &str, logical: &LogicalType) -> Result<Option<String>, &'static str> {
    let value = DefaultValue::read(text);
    if value == Some(DefaultValue::Null) {
        return Ok(None);
    }
    let translated = value.and_then(|value| words(value, logical));
    translated.map(Some).ok_or("its text is of another system; set it anew for PostgreSQL")
}

fn words(value: DefaultValue, logical: &LogicalType) -> Option<String> {
    match (logical, value) {
        (
            LogicalType::Int { .. }
            | LogicalType::Float { .. }
            | LogicalType::Decimal { .. }
            | LogicalType::Number,
            DefaultValue::Number(text) | DefaultValue::Text(text),
        ) => text.parse::<f64>().is_ok_and(f64::is_finite).then_some(text),
        (LogicalType::Text, DefaultValue::Text(text)) => {
            (!text.contains('\0')).then(|| literal(&text))
        }
        (LogicalType::Boolean, DefaultValue::Bool(value)) => Some(value.to_string()),
        (LogicalType::Boolean, DefaultValue::Number(text)) => {
            matches!(text.as_str(), "0" | "1").then(|| (text == "1").to_string())
        }
        (LogicalType::Bits { length }, DefaultValue::Bits(digits)) => {
            let length = usize::try_from(*length).ok()?;
            (digits.len() <= length).then(|| format!("B'{digits:0>length$}'"))
        }
        (LogicalType::Date, DefaultValue::Today) => Some("CURRENT_DATE".to_string()),
        (LogicalType::Date, DefaultValue::Text(text)) => moment(&text, logical),
        (LogicalType::Timestamp { .. }, DefaultValue::Now) => Some("CURRENT_TIMESTAMP".to_string()),
        (LogicalType::Timestamp { utc, .. }, DefaultValue::Text(text)) => {
            let zone = if *utc && !text.contains(['Z', '+']) { "Z" } else { "" };
            moment(&(text + zone), logical)
        }
        _ => None,
    }
}

/// A day or a moment of the years that the server writes as everybody does.
fn moment(text: &str, logical: &LogicalType) -> Option<String> {
    let mut builder = ColumnBuilder::new(logical);
    builder.parse(text).ok()?;
    let array = builder.finish();
    let cell = ColumnView::new(logical, &array).ok()?.cell(0);
    let mut text = String::new();
    cell.write_text(&mut text);
    (!LossKind::OutOfRange.catches(cell)).then(|| literal(&text))
}

#[cfg(test)]
mod tests {
    use super::translate;

    #[test]
    fn defaults_of_other_systems_are_translated_or_left() {
        for (logical, text, expected) in [
            ("int32", "NULL", Ok(None)),
            ("int32", "-5", Ok(Some("-5"))),
            ("int32", "'7'", Ok(Some("7"))),
            ("int32", "inf", Err(())),
            ("int32", "'x'", Err(())),
            ("decimal(5,2)", "0.00", Ok(Some("0.00"))),
            ("text", "'it''s'", Ok(Some("'it''s'"))),
            ("text", "'a\\n'", Ok(Some("E'a\\\\n'"))),
            ("text", "'a' || 'b'", Err(())),
            ("text", "'", Err(())),
            ("text", "upper('a')", Err(())),
            ("boolean", "1", Ok(Some("true"))),
            ("boolean", "2", Err(())),
            ("bits(8)", "b'101'", Ok(Some("B'00000101'"))),
            ("bits(2)", "b'101'", Err(())),
            ("bits(2)", "b'12'", Err(())),
            ("date", "'2024-02-29'", Ok(Some("'2024-02-29'"))),
            ("date", "'0000-00-00'", Err(())),
            ("date", "'0000-01-01'", Err(())),
            ("date", "curdate()", Ok(Some("CURRENT_DATE"))),
            ("date", "CURRENT_DATE", Ok(Some("CURRENT_DATE"))),
            ("date", "now()", Err(())),
            ("timestamp", "'2024-02-29 12:00:00.5'", Ok(Some("'2024-02-29 12:00:00.5'"))),
            ("timestamptz", "'2024-02-29 12:00:00'", Ok(Some("'2024-02-29 12:00:00Z'"))),
            ("timestamptz", "'2024-02-29 12:00:00+01'", Ok(Some("'2024-02-29 11:00:00Z'"))),
            ("timestamp", "'0000-00-00 00:00:00'", Err(())),
            ("timestamp", "current_timestamp()", Ok(Some("CURRENT_TIMESTAMP"))),
            ("timestamptz", "CURRENT_TIMESTAMP(6)", Ok(Some("CURRENT_TIMESTAMP"))),
            ("timestamp", "now()", Ok(Some("CURRENT_TIMESTAMP"))),
            ("timestamp", "now", Err(())),
            ("timestamp", "now(7)", Err(())),
            ("bytes", "'a'", Err(())),
        ] {
            let logical = logical.parse().expect(logical);
            let found = translate(text, &logical).map_err(|_| ());
            assert_eq!(found, expected.map(|text| text.map(str::to_string)), "{logical} {text}");
        }
    }
}
