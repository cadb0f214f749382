//! The values of the commonest columns, found without a look at each value's kind.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray, types as t};
use arrow_buffer::NullBuffer;
use longshore_model::LogicalType;

use super::text;
use crate::types::Form;

/// A column of a batch.
pub(super) struct Lane<'a> {
    pub(super) values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

pub(super) enum Values<'a> {
    Int4(&'a [i32]),
    Int8(&'a [i64]),
    Date(&'a [i32]),
    Decimal(&'a [i128], i8),
    /// Texts among which there is no NUL.
    Text(&'a StringArray),
    /// What is written value by value. Texts have to be searched for NUL.
    Other,
}

impl<'a> Lane<'a> {
    /// The lane of an array whose Arrow type is that of `logical`.
    pub(super) fn of(form: Option<Form>, logical: &LogicalType, array: &'a ArrayRef) -> Self {
        let values = match (form, logical) {
            (Some(Form::Int { bytes: 4 }), _) => {
                Values::Int4(array.as_primitive::<t::Int32Type>().values())
            }
            (Some(Form::Int { bytes: 8 }), _) => {
                Values::Int8(array.as_primitive::<t::Int64Type>().values())
            }
            (Some(Form::Date), _) => Values::Date(array.as_primitive::<t::Date32Type>().values()),
            (Some(Form::Numeric), LogicalType::Decimal { precision: 0..=38, scale }) => {
                Values::Decimal(array.as_primitive::<t::Decimal128Type>().values(), *scale)
            }
            (Some(Form::Text), _) if !text::may_hold_nul(array) => Values::Text(array.as_string()),
            _ => Values::Other,
        };
        Self { values, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0) }
    }

    /// Whether a row has NULL.
    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }
}
