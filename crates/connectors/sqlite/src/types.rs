//! Types: what SQLite's loose ones mean, and how every logical type is stored in it.

use longshore_model::catalog::Column;
use longshore_model::connector::Mapping;
use longshore_model::loss::LossKind;
use longshore_model::{LogicalType, Result};

/// What SQLite does to a value that is stored in a column, by the column's declared type
/// (<https://sqlite.org/datatype3.html#determination_of_column_affinity>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Affinity {
    Integer,
    Text,
    Blob,
    Real,
    Numeric,
}

/// The affinity of a declared type.
pub(crate) fn affinity(declared: &str) -> Affinity {
    let upper = declared.to_ascii_uppercase();
    let has = |word: &str| upper.contains(word);
    if has("INT") {
        Affinity::Integer
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Affinity::Text
    } else if has("BLOB") || upper.is_empty() {
        Affinity::Blob
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Affinity::Real
    } else {
        Affinity::Numeric
    }
}

/// What a column most likely holds, before it is studied.
pub(crate) fn guess(declared: &str) -> LogicalType {
    match affinity(declared) {
        Affinity::Integer => LogicalType::INT64,
        Affinity::Text => LogicalType::Text,
        Affinity::Real => LogicalType::FLOAT64,
        Affinity::Blob | Affinity::Numeric => LogicalType::Variant,
    }
}

/// The type of a column without values.
pub(crate) fn guess_empty(declared: &str) -> LogicalType {
    match guess(declared) {
        LogicalType::Variant if declared.to_ascii_uppercase().contains("BLOB") => {
            LogicalType::Bytes
        }
        LogicalType::Variant => LogicalType::Text,
        other => other,
    }
}

/// How a value of a type is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Integer,
    Real,
    Bytes,
    /// Any text, also one that looks like a number.
    Text,
    /// Text that never looks like a number.
    Wordy,
    /// A value of any class.
    Any,
}

impl Form {
    /// Whether a column of this affinity gives back what was put in.
    fn survives(self, affinity: Affinity) -> bool {
        match (self, affinity) {
            (_, Affinity::Blob) | (Form::Bytes, _) => true,
            (Form::Integer, Affinity::Integer | Affinity::Numeric)
            // Whole floats are stored as integers, and read back as the floats they equal.
            | (Form::Real, Affinity::Real | Affinity::Integer | Affinity::Numeric)
            | (Form::Text, Affinity::Text) => true,
            (Form::Wordy, affinity) => affinity != Affinity::Integer,
            _ => false,
        }
    }
}

/// How a column is declared, stored and read back.
pub(crate) fn map_column(column: &Column) -> Result<Mapping> {
    let logical = match &column.logical {
        LogicalType::Int { bits: 64, unsigned: true } => {
            LogicalType::Decimal { precision: 20, scale: 0 }
        }
        other => other.clone(),
    };
    let (form, native) = storage(&logical);
    let keep = is_plain_type(&column.native) && form.survives(affinity(&column.native));
    let guards = match logical {
        LogicalType::Float { .. } => vec![LossKind::Nan, LossKind::NegativeZero],
        _ => Vec::new(),
    };
    Ok(Mapping { native: if keep { column.native.clone() } else { native }, logical, guards })
}

fn storage(logical: &LogicalType) -> (Form, String) {
    let (form, native) = match logical {
        LogicalType::Boolean => (Form::Integer, "BOOLEAN"),
        LogicalType::Int { .. } => (Form::Integer, "INTEGER"),
        LogicalType::Float { .. } => (Form::Real, "REAL"),
        LogicalType::Decimal { precision, scale } => {
            return (Form::Text, format!("DECIMAL_TEXT({precision},{scale})"));
        }
        LogicalType::Number => (Form::Text, "NUMBER_TEXT"),
        LogicalType::Text
        | LogicalType::Bits { .. }
        | LogicalType::LooseDate
        | LogicalType::LooseTimestamp { .. }
        | LogicalType::Opaque { .. } => (Form::Text, "TEXT"),
        LogicalType::Bytes => (Form::Bytes, "BLOB"),
        LogicalType::Date => (Form::Wordy, "DATE"),
        LogicalType::Time { .. } => (Form::Wordy, "TIME"),
        LogicalType::Timestamp { utc: false, .. } => (Form::Wordy, "TIMESTAMP"),
        LogicalType::Timestamp { .. } => (Form::Wordy, "TIMESTAMPTZ"),
        // Not INTERVAL…: whatever contains INT has the affinity of integers.
        LogicalType::Interval => (Form::Text, "DURATION_TEXT"),
        LogicalType::Uuid => (Form::Text, "UUID_TEXT"),
        LogicalType::Json => (Form::Text, "JSON_TEXT"),
        LogicalType::Variant => (Form::Any, "BLOB"),
    };
    (form, native.to_string())
}

/// Whether a declared type is words and at most two numbers in parentheses: safe as it is in any
/// definition.
pub(crate) fn is_plain_type(declared: &str) -> bool {
    let (words, arguments) = match declared.split_once('(') {
        None => (declared, ""),
        Some((words, rest)) => match rest.strip_suffix(')') {
            Some(arguments) if !arguments.is_empty() => (words, arguments),
            _ => return false,
        },
    };
    // ANY is a type of its own in STRICT tables and NUMERIC in all others.
    !words.trim().is_empty()
        && !words.trim().eq_ignore_ascii_case("ANY")
        && words.starts_with(|c: char| c.is_ascii_alphabetic())
        && words.chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | ' '))
        && words.split(' ').all(|word| !is_clause(word))
        && arguments.split(',').count() <= 2
        && arguments.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' '))
}

/// Whether a word would begin something else in a column's definition.
fn is_clause(word: &str) -> bool {
    [
        "NOT",
        "NULL",
        "DEFAULT",
        "PRIMARY",
        "KEY",
        "UNIQUE",
        "CHECK",
        "COLLATE",
        "REFERENCES",
        "GENERATED",
        "ALWAYS",
        "AS",
        "CONSTRAINT",
        "FOREIGN",
        "ON",
        "SET",
        "WITHOUT",
    ]
    .iter()
    .any(|clause| word.eq_ignore_ascii_case(clause))
}

#[cfg(test)]
mod tests {
    use super::{Affinity, affinity, is_plain_type, map_column};
    use longshore_model::LogicalType;
    use longshore_model::catalog::Column;

    #[test]
    fn declared_types_have_the_affinity_of_the_manual() {
        for (declared, expected) in [
            ("TINYINT", Affinity::Integer),
            ("CHARINT", Affinity::Integer),
            ("FLOATING POINT", Affinity::Integer),
            ("VARCHAR(255)", Affinity::Text),
            ("DECIMAL_TEXT(10,2)", Affinity::Text),
            ("DURATION_TEXT", Affinity::Text),
            ("", Affinity::Blob),
            ("DOUBLE PRECISION", Affinity::Real),
            ("DATETIME", Affinity::Numeric),
            ("STRING", Affinity::Numeric),
            ("JSON", Affinity::Numeric),
        ] {
            assert_eq!(affinity(declared), expected, "{declared}");
        }
    }

    #[test]
    fn a_declared_type_is_kept_only_where_it_does_no_harm() {
        for (logical, native, expected) in [
            ("int64", "BOOLEAN", "BOOLEAN"),
            ("int64", "BIGINT", "BIGINT"),
            ("int64", "VARCHAR(9)", "INTEGER"),
            ("uint64", "bigint unsigned", "DECIMAL_TEXT(20,0)"),
            ("decimal(10,2)", "DECIMAL(10,2)", "DECIMAL_TEXT(10,2)"),
            ("text", "VARCHAR(20)", "VARCHAR(20)"),
            ("text", "citext", "citext"),
            ("text", "TEXT); DROP TABLE x; --", "TEXT"),
            ("text", "TEXT NOT NULL", "TEXT"),
            ("json", "json", "JSON_TEXT"),
            ("date", "date", "date"),
            ("interval", "interval", "DURATION_TEXT"),
            ("float64", "DECIMAL", "DECIMAL"),
            ("float64", "VARCHAR(9)", "REAL"),
            ("float32", "float", "float"),
            ("bytes", "bytea", "bytea"),
            ("variant", "INTEGER", "BLOB"),
            ("variant", "ANY", "BLOB"),
            ("variant", "", "BLOB"),
        ] {
            let column = Column {
                native: native.into(),
                ..Column::new("c", logical.parse::<LogicalType>().expect(logical))
            };
            assert_eq!(
                map_column(&column).expect("a mapping").native,
                expected,
                "{logical} {native}"
            );
        }
        assert!(!is_plain_type("a(b)") && !is_plain_type("a()") && !is_plain_type("a(1,2,3)"));
    }
}
