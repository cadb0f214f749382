//! The Arrow form in which Parquet files hold logical types.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, StringArray};
use arrow_schema::{DataType, Field};
use longshore_model::{Cell, ColumnView, LogicalType, Result, TYPE_KEY};

/// How Parquet stores a column of this type: as it is, or as canonical text where Parquet has no
/// exact form.
pub(super) fn stored_field(name: &str, logical: &LogicalType) -> Field {
    if stored_as_text(logical) {
        return Field::new(name, DataType::Utf8, true)
            .with_metadata([(TYPE_KEY.to_string(), logical.to_string())]);
    }
    logical.field(name, true)
}

/// Whether Parquet has no exact form: its intervals count milliseconds, its decimals have no
/// negative scale.
pub(super) fn stored_as_text(logical: &LogicalType) -> bool {
    match logical {
        LogicalType::Interval => true,
        LogicalType::Decimal { scale, .. } => *scale < 0,
        _ => false,
    }
}

/// The column as Parquet stores it.
pub(super) fn store(logical: &LogicalType, array: &ArrayRef) -> Result<ArrayRef> {
    let view = ColumnView::new(logical, array)?;
    if !stored_as_text(logical) {
        return Ok(array.clone());
    }
    let mut scratch = String::new();
    let texts: StringArray = (0..array.len())
        .map(|row| match view.cell(row) {
            Cell::Null => None,
            cell => {
                scratch.clear();
                cell.write_text(&mut scratch);
                Some(scratch.clone())
            }
        })
        .collect();
    Ok(Arc::new(texts))
}
