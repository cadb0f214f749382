//! Columns under construction: values go in exactly or not at all.

mod convert;

use std::sync::Arc;

use arrow_array::builder as b;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::{IntervalMonthDayNano, i256};
use arrow_schema::{Schema, SchemaRef};

use crate::cell::Cell;
use crate::logical::{LogicalType, Unit};
use crate::{Code, Error, Result};
use convert::{POWERS_OF_TEN, convert_ticks, rescale};

/// Why a value was not taken. It never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misfit {
    /// The value is of another kind than the column.
    Kind(&'static str),
    /// The text is not one of the type's.
    Text,
    /// The value is outside the type's range, or has more digits than it keeps.
    Range,
}

impl Misfit {
    /// The words for a message that continues "a value …".
    pub fn describe(self) -> String {
        match self {
            Misfit::Kind(kind) => format!("is of another kind ({kind})"),
            Misfit::Text => "is not a text of this type".to_string(),
            Misfit::Range => "is outside the range of this type".to_string(),
        }
    }
}

/// A column under construction.
#[derive(Debug)]
pub struct ColumnBuilder {
    logical: LogicalType,
    values: Values,
    bytes: usize,
}

#[derive(Debug)]
enum Values {
    Bool(b::BooleanBuilder),
    I8(b::Int8Builder),
    I16(b::Int16Builder),
    I32(b::Int32Builder),
    I64(b::Int64Builder),
    U8(b::UInt8Builder),
    U16(b::UInt16Builder),
    U32(b::UInt32Builder),
    U64(b::UInt64Builder),
    F32(b::Float32Builder),
    F64(b::Float64Builder),
    Decimal(b::Decimal128Builder, u8, i8),
    WideDecimal(b::Decimal256Builder, u8, i8),
    Text(b::StringBuilder),
    Variant(b::StringBuilder, String),
    Bytes(b::BinaryBuilder),
    Date(b::Date32Builder),
    TimeMicro(b::Time64MicrosecondBuilder),
    TimeNano(b::Time64NanosecondBuilder),
    StampMicro(b::TimestampMicrosecondBuilder, bool),
    StampNano(b::TimestampNanosecondBuilder, bool),
    Interval(b::IntervalMonthDayNanoBuilder),
    Uuid(b::FixedSizeBinaryBuilder),
}

impl ColumnBuilder {
    /// An empty column of a type.
    pub fn new(logical: &LogicalType) -> Self {
        let values = match logical {
            LogicalType::Boolean => Values::Bool(b::BooleanBuilder::new()),
            LogicalType::Int { bits: 8, unsigned: false } => Values::I8(b::Int8Builder::new()),
            LogicalType::Int { bits: 16, unsigned: false } => Values::I16(b::Int16Builder::new()),
            LogicalType::Int { bits: 32, unsigned: false } => Values::I32(b::Int32Builder::new()),
            LogicalType::Int { unsigned: false, .. } => Values::I64(b::Int64Builder::new()),
            LogicalType::Int { bits: 8, .. } => Values::U8(b::UInt8Builder::new()),
            LogicalType::Int { bits: 16, .. } => Values::U16(b::UInt16Builder::new()),
            LogicalType::Int { bits: 32, .. } => Values::U32(b::UInt32Builder::new()),
            LogicalType::Int { .. } => Values::U64(b::UInt64Builder::new()),
            LogicalType::Float { bits: 32 } => Values::F32(b::Float32Builder::new()),
            LogicalType::Float { .. } => Values::F64(b::Float64Builder::new()),
            LogicalType::Decimal { precision, scale } if *precision <= 38 => Values::Decimal(
                b::Decimal128Builder::new().with_data_type(logical.arrow()),
                *precision,
                *scale,
            ),
            LogicalType::Decimal { precision, scale } => Values::WideDecimal(
                b::Decimal256Builder::new().with_data_type(logical.arrow()),
                *precision,
                *scale,
            ),
            LogicalType::Variant => Values::Variant(b::StringBuilder::new(), String::new()),
            LogicalType::Number
            | LogicalType::Text
            | LogicalType::Bits { .. }
            | LogicalType::LooseDate
            | LogicalType::LooseTimestamp { .. }
            | LogicalType::Json
            | LogicalType::Opaque { .. } => Values::Text(b::StringBuilder::new()),
            LogicalType::Bytes => Values::Bytes(b::BinaryBuilder::new()),
            LogicalType::Date => Values::Date(b::Date32Builder::new()),
            LogicalType::Time { unit: Unit::Micro } => {
                Values::TimeMicro(b::Time64MicrosecondBuilder::new())
            }
            LogicalType::Time { unit: Unit::Nano } => {
                Values::TimeNano(b::Time64NanosecondBuilder::new())
            }
            LogicalType::Timestamp { unit: Unit::Micro, utc } => Values::StampMicro(
                b::TimestampMicrosecondBuilder::new().with_data_type(logical.arrow()),
                *utc,
            ),
            LogicalType::Timestamp { unit: Unit::Nano, utc } => Values::StampNano(
                b::TimestampNanosecondBuilder::new().with_data_type(logical.arrow()),
                *utc,
            ),
            LogicalType::Interval => Values::Interval(b::IntervalMonthDayNanoBuilder::new()),
            LogicalType::Uuid => Values::Uuid(b::FixedSizeBinaryBuilder::new(16)),
        };
        Self { logical: logical.clone(), values, bytes: 0 }
    }

    /// The column's type.
    pub fn logical(&self) -> &LogicalType {
        &self.logical
    }

    /// The bytes that the values take so far, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends NULL.
    pub fn null(&mut self) {
        self.bytes += 1;
        match &mut self.values {
            Values::Bool(v) => v.append_null(),
            Values::I8(v) => v.append_null(),
            Values::I16(v) => v.append_null(),
            Values::I32(v) => v.append_null(),
            Values::I64(v) => v.append_null(),
            Values::U8(v) => v.append_null(),
            Values::U16(v) => v.append_null(),
            Values::U32(v) => v.append_null(),
            Values::U64(v) => v.append_null(),
            Values::F32(v) => v.append_null(),
            Values::F64(v) => v.append_null(),
            Values::Decimal(v, ..) => v.append_null(),
            Values::WideDecimal(v, ..) => v.append_null(),
            Values::Text(v) | Values::Variant(v, _) => v.append_null(),
            Values::Bytes(v) => v.append_null(),
            Values::Date(v) => v.append_null(),
            Values::TimeMicro(v) => v.append_null(),
            Values::TimeNano(v) => v.append_null(),
            Values::StampMicro(v, _) => v.append_null(),
            Values::StampNano(v, _) => v.append_null(),
            Values::Interval(v) => v.append_null(),
            Values::Uuid(v) => v.append_null(),
        }
    }

    /// Appends a value of the column's own kind. Any width of integer is taken when the value
    /// fits, 0 and 1 are taken as booleans, and text is read as by [`Self::parse`] in columns whose
    /// kind is neither text nor a plain number. Nothing is rounded, cut or guessed.
    #[inline]
    pub fn append(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        let kind = Misfit::Kind(cell.kind());
        self.bytes += 8;
        match (&mut self.values, cell) {
            (_, Cell::Null) => {
                self.bytes -= 8;
                self.null();
            }
            (Values::I64(v), Cell::Int(value)) => v.append_value(value),
            (Values::F64(v), Cell::Float(value)) => v.append_value(value),
            (Values::Text(v), Cell::Text(value)) => {
                self.bytes += value.len();
                v.append_value(value);
            }
            (Values::Bytes(v), Cell::Bytes(value)) => {
                self.bytes += value.len();
                v.append_value(value);
            }
            (Values::Variant(v, scratch), cell) => {
                scratch.clear();
                cell.write_literal(scratch);
                self.bytes += scratch.len();
                v.append_value(&*scratch);
            }
            (Values::Bool(v), Cell::Bool(value)) => v.append_value(value),
            (Values::Bool(v), Cell::Int(value @ (0 | 1))) => v.append_value(value == 1),
            (Values::F32(v), Cell::Float(value)) => {
                #[expect(clippy::cast_possible_truncation, reason = "checked on the next line")]
                let narrow = value as f32;
                if f64::from(narrow).to_bits() != value.to_bits() && !value.is_nan() {
                    return Err(Misfit::Range);
                }
                v.append_value(narrow);
            }
            (Values::Decimal(v, precision, scale), Cell::Decimal(value, from))
                if *scale == from =>
            {
                if value.unsigned_abs() >= POWERS_OF_TEN[usize::from(*precision)] {
                    return Err(Misfit::Range);
                }
                v.append_value(value);
            }
            (Values::Decimal(v, precision, scale), Cell::Decimal(value, from)) => {
                let value = rescale(i256::from_i128(value), from.into(), *precision, *scale)?;
                v.append_value(value.to_i128().ok_or(Misfit::Range)?);
            }
            (Values::WideDecimal(v, precision, scale), Cell::Decimal(value, from)) => {
                v.append_value(rescale(i256::from_i128(value), from.into(), *precision, *scale)?);
            }
            (Values::Decimal(v, precision, scale), Cell::WideDecimal(value, from)) => {
                let value = rescale(value, from.into(), *precision, *scale)?;
                v.append_value(value.to_i128().ok_or(Misfit::Range)?);
            }
            (Values::WideDecimal(v, precision, scale), Cell::WideDecimal(value, from)) => {
                v.append_value(rescale(value, from.into(), *precision, *scale)?);
            }
            (Values::Date(v), Cell::Date(value)) => v.append_value(value),
            (Values::TimeMicro(v), Cell::Time(value, unit)) => {
                v.append_value(convert_ticks(value, unit, Unit::Micro)?);
            }
            (Values::TimeNano(v), Cell::Time(value, unit)) => {
                v.append_value(convert_ticks(value, unit, Unit::Nano)?);
            }
            (Values::StampMicro(v, utc), Cell::Timestamp(value, unit, zone)) if *utc == zone => {
                v.append_value(convert_ticks(value, unit, Unit::Micro)?);
            }
            (Values::StampNano(v, utc), Cell::Timestamp(value, unit, zone)) if *utc == zone => {
                v.append_value(convert_ticks(value, unit, Unit::Nano)?);
            }
            (Values::Interval(v), Cell::Interval(months, days, nanos)) => {
                v.append_value(IntervalMonthDayNano::new(months, days, nanos));
            }
            (Values::Uuid(v), Cell::Uuid(value)) => {
                v.append_value(value).map_err(|_| Misfit::Range)?;
            }
            (
                Values::I8(_)
                | Values::I16(_)
                | Values::I32(_)
                | Values::I64(_)
                | Values::U8(_)
                | Values::U16(_)
                | Values::U32(_)
                | Values::U64(_),
                Cell::Int(_) | Cell::UInt(_),
            ) => self.append_integer(cell)?,
            (
                Values::Bool(_)
                | Values::Decimal(..)
                | Values::WideDecimal(..)
                | Values::Date(_)
                | Values::TimeMicro(_)
                | Values::TimeNano(_)
                | Values::StampMicro(..)
                | Values::StampNano(..)
                | Values::Interval(_)
                | Values::Uuid(_),
                Cell::Text(text),
            ) => return self.parse(text),
            _ => return Err(kind),
        }
        Ok(())
    }

    /// Ends the column and empties the builder.
    pub fn finish(&mut self) -> ArrayRef {
        self.bytes = 0;
        match &mut self.values {
            Values::Bool(v) => Arc::new(v.finish()),
            Values::I8(v) => Arc::new(v.finish()),
            Values::I16(v) => Arc::new(v.finish()),
            Values::I32(v) => Arc::new(v.finish()),
            Values::I64(v) => Arc::new(v.finish()),
            Values::U8(v) => Arc::new(v.finish()),
            Values::U16(v) => Arc::new(v.finish()),
            Values::U32(v) => Arc::new(v.finish()),
            Values::U64(v) => Arc::new(v.finish()),
            Values::F32(v) => Arc::new(v.finish()),
            Values::F64(v) => Arc::new(v.finish()),
            Values::Decimal(v, ..) => Arc::new(v.finish()),
            Values::WideDecimal(v, ..) => Arc::new(v.finish()),
            Values::Text(v) | Values::Variant(v, _) => Arc::new(v.finish()),
            Values::Bytes(v) => Arc::new(v.finish()),
            Values::Date(v) => Arc::new(v.finish()),
            Values::TimeMicro(v) => Arc::new(v.finish()),
            Values::TimeNano(v) => Arc::new(v.finish()),
            Values::StampMicro(v, _) => Arc::new(v.finish()),
            Values::StampNano(v, _) => Arc::new(v.finish()),
            Values::Interval(v) => Arc::new(v.finish()),
            Values::Uuid(v) => Arc::new(v.finish()),
        }
    }

    fn append_integer(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        match (&mut self.values, cell) {
            (Values::I64(v), Cell::Int(value)) => {
                v.append_value(value);
                return Ok(());
            }
            (Values::I32(v), Cell::Int(value)) => {
                v.append_value(i32::try_from(value).map_err(|_| Misfit::Range)?);
                return Ok(());
            }
            _ => {}
        }
        let wide = match cell {
            Cell::Int(value) => i128::from(value),
            Cell::UInt(value) => i128::from(value),
            _ => return Err(Misfit::Kind(cell.kind())),
        };
        fn fit<T: TryFrom<i128>>(value: i128) -> Result<T, Misfit> {
            T::try_from(value).map_err(|_| Misfit::Range)
        }
        match &mut self.values {
            Values::I8(v) => v.append_value(fit(wide)?),
            Values::I16(v) => v.append_value(fit(wide)?),
            Values::I32(v) => v.append_value(fit(wide)?),
            Values::I64(v) => v.append_value(fit(wide)?),
            Values::U8(v) => v.append_value(fit(wide)?),
            Values::U16(v) => v.append_value(fit(wide)?),
            Values::U32(v) => v.append_value(fit(wide)?),
            Values::U64(v) => v.append_value(fit(wide)?),
            _ => return Err(Misfit::Kind(cell.kind())),
        }
        Ok(())
    }
}

/// A batch under construction: columns of one schema, counted in rows and bytes.
#[derive(Debug)]
pub struct BatchBuilder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

impl BatchBuilder {
    /// An empty batch with the given names and types; every column is nullable.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, &'a LogicalType)>) -> Self {
        let (fields, columns): (Vec<_>, Vec<_>) = columns
            .into_iter()
            .map(|(name, logical)| (logical.field(name, true), ColumnBuilder::new(logical)))
            .unzip();
        Self { schema: Arc::new(Schema::new(fields)), columns, rows: 0 }
    }

    /// The schema of the batches.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns, to append one value to each.
    pub fn columns(&mut self) -> &mut [ColumnBuilder] {
        &mut self.columns
    }

    /// Counts a row, after every column got its value.
    pub fn end_row(&mut self) {
        self.rows += 1;
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes so far, about.
    pub fn bytes(&self) -> usize {
        self.columns.iter().map(ColumnBuilder::bytes).sum()
    }

    /// Ends the batch and empties the builder.
    pub fn finish(&mut self) -> Result<RecordBatch> {
        let arrays = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        let options = arrow_array::RecordBatchOptions::new()
            .with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options).map_err(|error| {
            Error::new(Code::Internal, "a batch does not fit its schema").because(error)
        })
    }
}

#[cfg(test)]
mod tests;
