//! How columns are declared.

use longshore_model::Unit;
use longshore_model::catalog::Column;
use longshore_model::connector::Mapping;
use longshore_model::loss::LossKind;
use longshore_model::{LogicalType, Result};

use crate::DIALECT;

/// The longest bit string that the server declares.
const MOST_BITS: u32 = 83_886_080;

/// The longest text that the server bounds.
const MOST_CHARACTERS: u32 = 10_485_760;

/// How a column is declared, stored and read back. A declaration of the same dialect stays.
pub(crate) fn map_column(column: &Column) -> Result<Mapping> {
    if !column.native.is_empty() {
        let (native, logical) = (column.native.clone(), column.logical.clone());
        return Ok(Mapping { native, logical, guards: Vec::new() });
    }
    let (native, logical) = match (&column.logical, column.length) {
        (LogicalType::Text, Some(length @ 1..=MOST_CHARACTERS)) => {
            (format!("varchar({length})"), LogicalType::Text)
        }
        (logical, _) => storage(logical),
    };
    let guards = match column.logical {
        LogicalType::Text | LogicalType::Variant | LogicalType::Opaque { .. } => {
            vec![LossKind::NulText]
        }
        _ => Vec::new(),
    };
    Ok(Mapping { native, logical, guards })
}

/// The type as it is declared, and the logical type that is read back from it.
fn storage(logical: &LogicalType) -> (String, LogicalType) {
    let int = |bits| LogicalType::Int { bits, unsigned: false };
    let (native, stored) = match logical {
        LogicalType::Int { bits: 8 | 16, unsigned: false }
        | LogicalType::Int { bits: 8, unsigned: true } => ("smallint", int(16)),
        LogicalType::Int { bits: 32, unsigned: false }
        | LogicalType::Int { bits: 16, unsigned: true } => ("integer", int(32)),
        LogicalType::Int { bits: 32, unsigned: true }
        | LogicalType::Int { unsigned: false, .. } => ("bigint", int(64)),
        LogicalType::Int { .. } => {
            ("numeric(20,0)", LogicalType::Decimal { precision: 20, scale: 0 })
        }
        LogicalType::Decimal { precision, scale } => return decimal(*precision, *scale),
        LogicalType::Boolean => ("boolean", logical.clone()),
        LogicalType::Float { bits: 32 } => ("real", logical.clone()),
        LogicalType::Float { .. } => ("double precision", logical.clone()),
        LogicalType::Number => ("numeric", logical.clone()),
        LogicalType::Text | LogicalType::Variant => ("text", logical.clone()),
        LogicalType::Bytes => ("bytea", logical.clone()),
        LogicalType::Date => ("date", logical.clone()),
        LogicalType::Time { unit: Unit::Micro } => ("time", logical.clone()),
        LogicalType::Timestamp { unit: Unit::Micro, utc: false } => ("timestamp", logical.clone()),
        LogicalType::Timestamp { unit: Unit::Micro, utc: true } => ("timestamptz", logical.clone()),
        // The server keeps microseconds.
        LogicalType::Time { .. } | LogicalType::Timestamp { .. } => ("text", LogicalType::Text),
        LogicalType::Interval => ("interval", logical.clone()),
        LogicalType::Uuid => ("uuid", logical.clone()),
        // jsonb would change spaces, the order of keys and numbers.
        LogicalType::Json => ("json", logical.clone()),
        LogicalType::Opaque { system, name } if system == DIALECT => {
            return (name.clone(), logical.clone());
        }
        LogicalType::Bits { length } if *length <= MOST_BITS => {
            return (format!("bit({length})"), logical.clone());
        }
        LogicalType::Bits { .. }
        | LogicalType::LooseDate
        | LogicalType::LooseTimestamp { .. }
        | LogicalType::Opaque { .. } => ("text", logical.clone()),
    };
    (native.to_string(), stored)
}

fn decimal(precision: u8, scale: i8) -> (String, LogicalType) {
    match u8::try_from(scale) {
        Ok(digits) => {
            (format!("numeric({precision},{digits})"), LogicalType::Decimal { precision, scale })
        }
        // Scales below zero exist since version 15 only; the same numbers have more digits.
        Err(_) => {
            let precision = precision.saturating_add(scale.unsigned_abs());
            match precision <= 76 {
                true => decimal(precision, 0),
                false => ("numeric".to_string(), LogicalType::Number),
            }
        }
    }
}
