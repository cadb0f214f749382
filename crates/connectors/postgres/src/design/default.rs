//! Defaults of other systems.

use longshore_model::loss::LossKind;
use longshore_model::{ColumnBuilder, ColumnView, LogicalType};

use crate::sql::literal;

/// The default that means here what a text means there, for a column that is stored as `logical`;
/// `None` when that is no default at all.
pub(super) fn translate(text: &str, logical: &LogicalType) -> Result<Option<String>, &'static str> {
    if text.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    let number = |text: &str| {
        let ends = text.ends_with(|c: char| c.is_ascii_digit());
        (ends && text.parse::<f64>().is_ok()).then(|| text.to_string())
    };
    let translated = match logical {
        LogicalType::Int { .. }
        | LogicalType::Float { .. }
        | LogicalType::Decimal { .. }
        | LogicalType::Number => number(text).or_else(|| number(&unquoted(text)?)),
        LogicalType::Text => unquoted(text).map(|_| text.to_string()),
        LogicalType::Boolean if matches!(text, "0" | "1") => Some((text == "1").to_string()),
        LogicalType::Bits { length } => bits(text, *length),
        LogicalType::Date => today(text).or_else(|| moment(&unquoted(text)?, logical)),
        LogicalType::Timestamp { utc, .. } => now(text).or_else(|| {
            let text = unquoted(text)?;
            let zone = if *utc && !text.contains(['Z', '+']) { "Z" } else { "" };
            moment(&(text + zone), logical)
        }),
        _ => None,
    };
    translated.map(Some).ok_or("its text is of another system; set it anew for PostgreSQL")
}

/// The text of a literal that every system reads alike.
fn unquoted(text: &str) -> Option<String> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let odd = inner.replace("''", "").contains(['\'', '\\']);
    (!odd).then(|| inner.replace("''", "'"))
}

/// `b'101'`, a number, as long as its column.
fn bits(text: &str, length: u32) -> Option<String> {
    let digits = text.strip_prefix(['b', 'B'])?.strip_prefix('\'')?.strip_suffix('\'')?;
    let length = usize::try_from(length).ok()?;
    let fits = digits.len() <= length && digits.bytes().all(|byte| matches!(byte, b'0' | b'1'));
    fits.then(|| format!("B'{digits:0>length$}'"))
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

fn today(text: &str) -> Option<String> {
    let words = ["current_date", "current_date()", "curdate()"];
    let is_today = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    is_today.then(|| "CURRENT_DATE".to_string())
}

fn now(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let digits = match lower.as_str() {
        "current_timestamp" => "",
        other => {
            let rest = other.strip_prefix("current_timestamp").or(other.strip_prefix("now"))?;
            rest.strip_prefix('(')?.strip_suffix(')')?.trim()
        }
    };
    match digits.as_bytes() {
        [] => Some("CURRENT_TIMESTAMP".to_string()),
        [b'0'..=b'6'] => Some(format!("CURRENT_TIMESTAMP({digits})")),
        _ => None,
    }
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
            ("text", "'a\\n'", Err(())),
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
            ("timestamptz", "CURRENT_TIMESTAMP(6)", Ok(Some("CURRENT_TIMESTAMP(6)"))),
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
