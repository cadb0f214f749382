//! Rows of a binary COPY as batches.

use arrow_array::RecordBatch;
use arrow_buffer::i256;
use longshore_model::Unit;
use longshore_model::{
    BatchBuilder, Cell, Code, ColumnBuilder, Error, LogicalType, Misfit, Result,
};

use super::{EPOCH_DAYS, EPOCH_MICROS, bits, numeric};
use crate::types::{Form, NativeType, read_form};

/// Collects rows into batches.
pub(crate) struct Decoder {
    builder: BatchBuilder,
    columns: Vec<Reading>,
}

struct Reading {
    name: String,
    /// `None` when the value comes as text.
    form: Option<Form>,
    logical: LogicalType,
}

/// Why a value was not taken.
enum Trouble {
    /// Its bytes are no value of its type.
    Garbled,
    /// Its text is not UTF-8.
    Encoding,
    /// The column does not take it.
    Misfit(Misfit),
}

impl From<Misfit> for Trouble {
    fn from(misfit: Misfit) -> Self {
        Trouble::Misfit(misfit)
    }
}

impl Decoder {
    /// A decoder of rows that hold these columns.
    pub(crate) fn new(columns: &[(String, NativeType, LogicalType)]) -> Result<Self> {
        let builder =
            BatchBuilder::new(columns.iter().map(|(name, _, logical)| (name.as_str(), logical)));
        let reading = |(name, native, logical): &(String, NativeType, LogicalType)| Reading {
            name: name.clone(),
            form: read_form(native, logical),
            logical: logical.clone(),
        };
        Ok(Self { builder, columns: columns.iter().map(reading).collect() })
    }

    /// Takes a row.
    pub(crate) fn row(&mut self, mut row: &[u8]) -> Result<()> {
        let count = take(&mut row).map(i16::from_be_bytes);
        if count.and_then(|count| usize::try_from(count).ok()) != Some(self.columns.len()) {
            return Err(garbled());
        }
        for (column, builder) in self.columns.iter().zip(self.builder.columns()) {
            let length = take(&mut row).map(i32::from_be_bytes).ok_or_else(garbled)?;
            if length == -1 {
                builder.null();
                continue;
            }
            let length = usize::try_from(length).map_err(|_| garbled())?;
            let (value, rest) = row.split_at_checked(length).ok_or_else(garbled)?;
            row = rest;
            column.append(value, builder).map_err(|trouble| column.told(trouble))?;
        }
        if !row.is_empty() {
            return Err(garbled());
        }
        self.builder.end_row();
        Ok(())
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> usize {
        self.builder.rows()
    }

    /// Bytes so far, about.
    pub(crate) fn bytes(&self) -> usize {
        self.builder.bytes()
    }

    /// Ends the batch.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        self.builder.finish()
    }
}

impl Reading {
    fn append(&self, value: &[u8], builder: &mut ColumnBuilder) -> Result<(), Trouble> {
        let cell = match self.form {
            None => return self.append_text(value, builder),
            Some(Form::Bool) => match value {
                [0] => Cell::Bool(false),
                [1] => Cell::Bool(true),
                _ => return Err(Trouble::Garbled),
            },
            Some(Form::Int { bytes: 2 }) => Cell::Int(i16::from_be_bytes(whole(value)?).into()),
            Some(Form::Int { bytes: 4 }) => Cell::Int(i32::from_be_bytes(whole(value)?).into()),
            Some(Form::Int { .. }) => Cell::Int(i64::from_be_bytes(whole(value)?)),
            Some(Form::Oid) => Cell::UInt(u32::from_be_bytes(whole(value)?).into()),
            Some(Form::Float4) => Cell::Float(f32::from_be_bytes(whole(value)?).into()),
            Some(Form::Float8) => Cell::Float(f64::from_be_bytes(whole(value)?)),
            Some(Form::Numeric) => return self.append_numeric(value, builder),
            Some(Form::Text) => return self.append_text(value, builder),
            Some(Form::Jsonb) => match value {
                [1, text @ ..] => return self.append_text(text, builder),
                _ => return Err(Trouble::Garbled),
            },
            Some(Form::Bytes) => Cell::Bytes(value),
            Some(Form::Date) => {
                let days = i32::from_be_bytes(whole(value)?);
                // The smallest and the largest number stand for the infinities.
                let finite = days != i32::MIN && days != i32::MAX;
                let days = days.checked_add(EPOCH_DAYS).filter(|_| finite);
                Cell::Date(days.ok_or(Misfit::Range)?)
            }
            Some(Form::Time) => Cell::Time(i64::from_be_bytes(whole(value)?), Unit::Micro),
            Some(Form::Timestamp) => {
                let ticks = i64::from_be_bytes(whole(value)?);
                let finite = ticks != i64::MIN && ticks != i64::MAX;
                let ticks = ticks.checked_add(EPOCH_MICROS).filter(|_| finite);
                let utc = matches!(self.logical, LogicalType::Timestamp { utc: true, .. });
                Cell::Timestamp(ticks.ok_or(Misfit::Range)?, Unit::Micro, utc)
            }
            Some(Form::Interval) => interval(value)?,
            Some(Form::Bits) => {
                let mut text = String::new();
                if !bits::decode(value, &mut text) {
                    return Err(Trouble::Garbled);
                }
                return Ok(builder.append(Cell::Text(&text))?);
            }
            Some(Form::Uuid) => {
                Cell::Uuid(<&[u8; 16]>::try_from(value).map_err(|_| Trouble::Garbled)?)
            }
        };
        Ok(builder.append(cell)?)
    }

    fn append_text(&self, value: &[u8], builder: &mut ColumnBuilder) -> Result<(), Trouble> {
        let text = std::str::from_utf8(value).map_err(|_| Trouble::Encoding)?;
        match self.logical {
            LogicalType::Text
            | LogicalType::Json
            | LogicalType::Number
            | LogicalType::Opaque { .. } => Ok(builder.append(Cell::Text(text))?),
            _ => Ok(builder.parse(text)?),
        }
    }

    fn append_numeric(&self, value: &[u8], builder: &mut ColumnBuilder) -> Result<(), Trouble> {
        let LogicalType::Decimal { scale, .. } = self.logical else {
            return Err(Trouble::Garbled);
        };
        let unscaled = numeric::decode(value, scale).map_err(|error| match error {
            numeric::Unread::Garbled => Trouble::Garbled,
            numeric::Unread::Range => Trouble::Misfit(Misfit::Range),
        })?;
        let cell = match unscaled {
            numeric::Unscaled::Narrow(value) => Cell::Decimal(value, scale),
            numeric::Unscaled::Wide(value) => Cell::WideDecimal(value, scale),
        };
        Ok(builder.append(cell)?)
    }

    fn told(&self, trouble: Trouble) -> Error {
        let made = match trouble {
            Trouble::Garbled => garbled(),
            Trouble::Encoding => Error::new(Code::ValueInvalid, "a text is not valid UTF-8").hint(
                "The database's encoding does not say what its texts are. Move the column as bytes, \
                 with a view or by correcting the texts.",
            ),
            Trouble::Misfit(misfit) => {
                let what = format!("a value {}", misfit.describe());
                Error::new(Code::ValueUnplanned, what).with("type", self.logical.to_string())
            }
        };
        made.with("column", self.name.clone())
    }
}

fn interval(mut value: &[u8]) -> Result<Cell<'static>, Trouble> {
    let micros = take(&mut value).map(i64::from_be_bytes).ok_or(Trouble::Garbled)?;
    let days = take(&mut value).map(i32::from_be_bytes).ok_or(Trouble::Garbled)?;
    let months = i32::from_be_bytes(whole(value)?);
    if (months, days, micros) == (i32::MAX, i32::MAX, i64::MAX)
        || (months, days, micros) == (i32::MIN, i32::MIN, i64::MIN)
    {
        return Err(Misfit::Range.into());
    }
    let nanos = micros.checked_mul(1000).ok_or(Misfit::Range)?;
    Ok(Cell::Interval(months, days, nanos))
}

fn whole<const N: usize>(value: &[u8]) -> Result<[u8; N], Trouble> {
    value.try_into().map_err(|_| Trouble::Garbled)
}

/// Takes some bytes from the front.
pub(super) fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn garbled() -> Error {
    Error::new(Code::SourceUnreadable, "a row of the server's COPY stream is not understood")
}

/// So that both widths of a decimal are one type here.
pub(super) type Wide = i256;
