//! Rows of decoded batches in plain types: no dictionaries, views or large forms, and no memory of the
//! whole batch behind a part of it.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types as t;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, OffsetSizeTrait, RecordBatch,
    RecordBatchOptions, StringArray, UInt32Array,
};
use arrow_buffer::ArrowNativeType;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use arrow_select::take::take;

use crate::convert::plain_type;

/// A value of a type of fixed width takes this in memory at most.
const FIXED: usize = 16;
/// What the offset of a text takes.
const OFFSET: usize = 4;

/// Some rows of a batch. The caller has seen to it that they are not too many.
pub(super) fn rows(
    batch: &RecordBatch,
    start: usize,
    length: usize,
) -> Result<RecordBatch, ArrowError> {
    let mut fields = Vec::with_capacity(batch.num_columns());
    let mut arrays = Vec::with_capacity(batch.num_columns());
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let array = compact(&plain(&column.slice(start, length))?)?;
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(length));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
}

/// The bytes that some rows of a batch take in plain types, about.
pub(super) fn width(batch: &RecordBatch, start: usize, length: usize) -> usize {
    batch.columns().iter().map(|column| array_width(&column.slice(start, length))).sum()
}

fn array_width(array: &ArrayRef) -> usize {
    let offsets = OFFSET * array.len();
    match array.data_type() {
        DataType::Utf8 => offsets + between(array.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => offsets + between(array.as_string::<i64>().value_offsets()),
        DataType::Binary => offsets + between(array.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => offsets + between(array.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => offsets + views(array.as_string_view().views()),
        DataType::BinaryView => offsets + views(array.as_binary_view().views()),
        DataType::FixedSizeBinary(size) => {
            offsets + array.len() * usize::try_from(*size).unwrap_or(0)
        }
        DataType::Dictionary(..) => dictionary_width(array),
        _ => FIXED * array.len(),
    }
}

fn between<O: OffsetSizeTrait>(offsets: &[O]) -> usize {
    match offsets {
        [first, .., last] => last.as_usize() - first.as_usize(),
        _ => 0,
    }
}

/// The low half of the first word of a view is its length
/// (<https://arrow.apache.org/docs/format/Columnar.html#variable-size-binary-view-layout>).
fn views(views: &[u128]) -> usize {
    views.iter().map(|view| *view as u32 as usize).sum()
}

fn dictionary_width(array: &ArrayRef) -> usize {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    if values.is_empty() {
        return OFFSET * array.len();
    }
    let width = value_width(values);
    let nulls = dictionary.keys().logical_nulls();
    let keys = dictionary.normalized_keys().into_iter().enumerate();
    keys.map(|(row, key)| match nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
        true => OFFSET,
        false => OFFSET + width(key),
    })
    .sum()
}

/// What tells the bytes of one value of an array.
fn value_width(values: &ArrayRef) -> Box<dyn Fn(usize) -> usize + '_> {
    match values.data_type() {
        DataType::Utf8 => {
            Box::new(|place| values.as_string::<i32>().value_length(place).as_usize())
        }
        DataType::LargeUtf8 => {
            Box::new(|place| values.as_string::<i64>().value_length(place).as_usize())
        }
        DataType::Binary => {
            Box::new(|place| values.as_binary::<i32>().value_length(place).as_usize())
        }
        DataType::LargeBinary => {
            Box::new(|place| values.as_binary::<i64>().value_length(place).as_usize())
        }
        _ => Box::new(|place| array_width(&values.slice(place, 1))),
    }
}

fn plain(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let plain_type = plain_type(array.data_type());
    Ok(match (array.data_type(), &plain_type) {
        (DataType::LargeUtf8, _) => {
            Arc::new(array.as_string::<i64>().iter().collect::<StringArray>())
        }
        (DataType::Utf8View, _) => Arc::new(array.as_string_view().iter().collect::<StringArray>()),
        (DataType::LargeBinary, _) => {
            Arc::new(array.as_binary::<i64>().iter().collect::<BinaryArray>())
        }
        (DataType::BinaryView, _) => {
            Arc::new(array.as_binary_view().iter().collect::<BinaryArray>())
        }
        (DataType::Dictionary(..), _) => {
            let dictionary = array.as_any_dictionary();
            plain(&take(dictionary.values(), dictionary.keys(), None)?)?
        }
        (DataType::Decimal32(..), DataType::Decimal128(precision, scale)) => {
            let wide: Decimal128Array = array.as_primitive::<t::Decimal32Type>().unary(i128::from);
            Arc::new(wide.with_precision_and_scale(*precision, *scale)?)
        }
        (DataType::Decimal64(..), DataType::Decimal128(precision, scale)) => {
            let wide: Decimal128Array = array.as_primitive::<t::Decimal64Type>().unary(i128::from);
            Arc::new(wide.with_precision_and_scale(*precision, *scale)?)
        }
        (DataType::Decimal256(..), DataType::Decimal128(precision, scale)) => {
            let narrow: Decimal128Array =
                array.as_primitive::<t::Decimal256Type>().try_unary(|value| {
                    let wrong = "a decimal has more digits than its type";
                    value.to_i128().ok_or_else(|| ArrowError::ComputeError(wrong.to_string()))
                })?;
            Arc::new(narrow.with_precision_and_scale(*precision, *scale)?)
        }
        _ => array.clone(),
    })
}

/// A copy, where an array holds on to much more memory than its values take.
fn compact(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if array.get_array_memory_size() <= 2 * array_width(array).max(1024) {
        return Ok(array.clone());
    }
    let all: UInt32Array = (0..array.len()).map(|row| u32::try_from(row).ok()).collect();
    take(array, &all, None)
}
