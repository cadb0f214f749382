//! What a target lacks, looked for in whole columns.

use arrow_array::{ArrayRef, StringArray, cast::AsArray, types as t};
use longshore_model::loss::LossKind;
use longshore_model::plan::ColumnPlan;
use longshore_model::{Cell, LogicalType, Unit};

/// Whether an array may hold a value that a guard catches: the fast way out for those that do not.
pub(super) fn suspects(column: &ColumnPlan, array: &ArrayRef) -> bool {
    let watches = |kind| column.guards.iter().any(|guard| guard.kind == kind);
    if watches(LossKind::NulText) && array.as_string_opt::<i32>().is_some_and(holds_nul) {
        return true;
    }
    let (nan, zero) = (watches(LossKind::Nan), watches(LossKind::NegativeZero));
    let range = watches(LossKind::OutOfRange);
    let is_far = |cell| range && LossKind::OutOfRange.catches(cell);
    match &column.to {
        _ if !nan && !zero && !range => false,
        LogicalType::Float { bits: 32 } => {
            let values = array.as_primitive::<t::Float32Type>().values();
            values.iter().any(|v| {
                nan && v.is_nan()
                    || zero && *v == 0.0 && v.is_sign_negative()
                    || range && v.is_infinite()
            })
        }
        LogicalType::Float { .. } => {
            let values = array.as_primitive::<t::Float64Type>().values();
            values.iter().any(|v| {
                nan && v.is_nan()
                    || zero && *v == 0.0 && v.is_sign_negative()
                    || range && v.is_infinite()
            })
        }
        LogicalType::Date => {
            let values = array.as_primitive::<t::Date32Type>().values();
            values.iter().any(|days| is_far(Cell::Date(*days)))
        }
        LogicalType::Timestamp { unit: Unit::Micro, utc } => {
            let values = array.as_primitive::<t::TimestampMicrosecondType>().values();
            values.iter().any(|ticks| is_far(Cell::Timestamp(*ticks, Unit::Micro, *utc)))
        }
        // 64 bits of nanoseconds end in the year 2262.
        _ => false,
    }
}

/// Whether a NUL is among the bytes of an array's texts, or near them in the same buffer.
fn holds_nul(array: &StringArray) -> bool {
    array.value_data().contains(&0)
}
