//! From the Arrow types of files to the Arrow form of logical types.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types as t;
use arrow_array::{ArrayRef, PrimitiveArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use longshore_model::{Code, ColumnBuilder, Error, LogicalType, Result, TYPE_KEY, Unit};

/// What is done to a column of a file to get the Arrow form of its logical type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Nothing: it has that form.
    Keep,
    /// Its canonical text is read.
    Parse,
    /// Ticks are multiplied.
    Scale(i64),
    /// An instant gets another zone's name; the instant is the same.
    Rezone,
    /// A 16-bit float is widened.
    Widen,
    /// Bytes of a fixed length become bytes.
    Unfix,
    /// There are only NULLs.
    Nulls,
    /// There is no logical type.
    Refuse,
}

/// The schema in which views, dictionaries and large forms are plain ones.
pub(crate) fn plain_schema(schema: &Schema) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let plain = plain_type(field.data_type());
            field.as_ref().clone().with_data_type(plain)
        })
        .collect();
    Schema::new_with_metadata(fields, schema.metadata().clone())
}

pub(crate) fn plain_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain_type(value),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
            DataType::Decimal128(*precision, *scale)
        }
        DataType::Decimal256(precision, scale) if *precision <= 38 => {
            DataType::Decimal128(*precision, *scale)
        }
        other => other.clone(),
    }
}

/// What a column of a file means, and how it gets there.
pub(crate) fn describe(field: &Field) -> (LogicalType, Conversion) {
    let tagged = field.metadata().get(TYPE_KEY).and_then(|text| text.parse::<LogicalType>().ok());
    if let Some(logical) = tagged
        && *field.data_type() == DataType::Utf8
        && logical.arrow() != DataType::Utf8
    {
        return (logical, Conversion::Parse);
    }
    if let Some(logical) = LogicalType::of_field(field) {
        return (logical, Conversion::Keep);
    }
    let timestamp = |unit, utc| LogicalType::Timestamp { unit, utc };
    match field.data_type() {
        DataType::Timestamp(unit, zone) => match unit {
            TimeUnit::Second => {
                (timestamp(Unit::Micro, zone.is_some()), Conversion::Scale(1_000_000))
            }
            TimeUnit::Millisecond => {
                (timestamp(Unit::Micro, zone.is_some()), Conversion::Scale(1000))
            }
            TimeUnit::Microsecond => (timestamp(Unit::Micro, true), Conversion::Rezone),
            TimeUnit::Nanosecond => (timestamp(Unit::Nano, true), Conversion::Rezone),
        },
        DataType::Date64 => (timestamp(Unit::Micro, false), Conversion::Scale(1000)),
        DataType::Time32(TimeUnit::Second) => {
            (LogicalType::Time { unit: Unit::Micro }, Conversion::Scale(1_000_000))
        }
        DataType::Time32(_) => (LogicalType::Time { unit: Unit::Micro }, Conversion::Scale(1000)),
        DataType::Float16 => (LogicalType::Float { bits: 32 }, Conversion::Widen),
        DataType::FixedSizeBinary(_) => (LogicalType::Bytes, Conversion::Unfix),
        DataType::Null => (LogicalType::Text, Conversion::Nulls),
        other => {
            let name = other.to_string();
            (LogicalType::Opaque { system: "arrow".to_string(), name }, Conversion::Refuse)
        }
    }
}

/// The column in the Arrow form of `logical`.
pub(crate) fn convert(
    array: &ArrayRef,
    conversion: Conversion,
    logical: &LogicalType,
) -> Result<ArrayRef> {
    match conversion {
        Conversion::Keep => Ok(array.clone()),
        Conversion::Parse => parse(array, logical),
        Conversion::Scale(factor) => scale(array, factor, logical),
        Conversion::Rezone => Ok(match array.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => Arc::new(
                array.as_primitive::<t::TimestampMicrosecondType>().clone().with_timezone("UTC"),
            ),
            _ => Arc::new(
                array.as_primitive::<t::TimestampNanosecondType>().clone().with_timezone("UTC"),
            ),
        }),
        Conversion::Widen => {
            let widened: PrimitiveArray<t::Float32Type> =
                array.as_primitive::<t::Float16Type>().unary(f32::from);
            Ok(Arc::new(widened))
        }
        Conversion::Unfix => {
            let fixed = array.as_fixed_size_binary();
            Ok(Arc::new(fixed.iter().collect::<arrow_array::BinaryArray>()))
        }
        Conversion::Nulls => Ok(new_null_array(&logical.arrow(), array.len())),
        Conversion::Refuse => {
            Err(Error::new(Code::TypeUnsupported, "a column has a type that cannot be moved")
                .with("type", logical.to_string()))
        }
    }
}

fn parse(array: &ArrayRef, logical: &LogicalType) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(logical);
    for text in array.as_string::<i32>() {
        match text {
            None => builder.null(),
            Some(text) => builder.parse(text).map_err(|misfit| {
                Error::new(Code::ValueInvalid, format!("a value {}", misfit.describe()))
            })?,
        }
    }
    Ok(builder.finish())
}

fn scale(array: &ArrayRef, factor: i64, logical: &LogicalType) -> Result<ArrayRef> {
    let out_of_range =
        || Error::new(Code::ValueInvalid, "a time is outside the range of microseconds in 64 bits");
    let by = |value: i64| value.checked_mul(factor).ok_or_else(out_of_range);
    let by_narrow = |value: i32| by(i64::from(value));
    if let LogicalType::Time { .. } = logical {
        let times: PrimitiveArray<t::Time64MicrosecondType> = match array.data_type() {
            DataType::Time32(TimeUnit::Second) => {
                array.as_primitive::<t::Time32SecondType>().try_unary(by_narrow)?
            }
            _ => array.as_primitive::<t::Time32MillisecondType>().try_unary(by_narrow)?,
        };
        return Ok(Arc::new(times));
    }
    let stamps: PrimitiveArray<t::TimestampMicrosecondType> = match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, _) => {
            array.as_primitive::<t::TimestampSecondType>().try_unary(by)?
        }
        DataType::Date64 => array.as_primitive::<t::Date64Type>().try_unary(by)?,
        _ => array.as_primitive::<t::TimestampMillisecondType>().try_unary(by)?,
    };
    Ok(Arc::new(stamps.with_data_type(logical.arrow())))
}
