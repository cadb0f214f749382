//! Batches as rows of a COPY, binary where every column has a binary form, else text.

use arrow_array::RecordBatch;
use bytes::{BufMut, BytesMut};
use longshore_model::{Cell, Code, ColumnView, Error, LogicalType, Result};

use super::{EPOCH_DAYS, EPOCH_MICROS, numeric, text};
use crate::types::{Form, NativeType, form};
use crate::wire::Wire;

/// Writes rows of batches.
pub(crate) struct Encoder {
    columns: Vec<Writing>,
    wire: Wire,
    scratch: String,
}

struct Writing {
    name: String,
    logical: LogicalType,
    form: Option<Form>,
}

/// Why a value was not written.
pub(super) enum Refused {
    /// The server has no such value.
    Range,
    /// The server's texts hold no NUL.
    Nul,
    /// It is not of the column's type.
    Kind,
}

impl Encoder {
    /// An encoder for columns of a table.
    pub(crate) fn new(columns: &[(String, NativeType, LogicalType)]) -> Result<Self> {
        let columns: Vec<Writing> = columns
            .iter()
            .map(|(name, native, logical)| Writing {
                name: name.clone(),
                logical: logical.clone(),
                form: form(native, logical),
            })
            .collect();
        let wire = match columns.iter().all(|column| column.form.is_some()) {
            true => Wire::Binary,
            false => Wire::Text,
        };
        Ok(Self { columns, wire, scratch: String::new() })
    }

    /// The form in which it writes.
    pub(crate) fn wire(&self) -> Wire {
        self.wire
    }

    /// Appends rows from `row` on until `out` has at least `bytes`; returns the row that follows.
    pub(crate) fn encode(
        &mut self,
        batch: &RecordBatch,
        mut row: usize,
        bytes: usize,
        out: &mut BytesMut,
    ) -> Result<usize> {
        if batch.num_columns() != self.columns.len() {
            return Err(Error::new(Code::Internal, "a batch does not fit its table"));
        }
        let views = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| ColumnView::new(&column.logical, array))
            .collect::<Result<Vec<_>>>()?;
        let count = i16::try_from(views.len())
            .map_err(|e| Error::new(Code::Internal, "a table has too many columns").because(e))?;
        while row < batch.num_rows() && out.len() < bytes {
            if self.wire == Wire::Binary {
                out.put_i16(count);
            }
            for (number, (column, view)) in self.columns.iter().zip(&views).enumerate() {
                let cell = view.cell(row);
                let done = match (self.wire, column.form) {
                    (Wire::Binary, Some(form)) => write_binary(form, cell, out, &mut self.scratch),
                    _ => {
                        if number > 0 {
                            out.put_u8(b'\t');
                        }
                        text::write(cell, out, &mut self.scratch)
                    }
                };
                done.map_err(|refused| column.told(&refused))?;
            }
            if self.wire == Wire::Text {
                out.put_u8(b'\n');
            }
            row += 1;
        }
        Ok(row)
    }
}

impl Writing {
    fn told(&self, refused: &Refused) -> Error {
        let made = match refused {
            Refused::Range => Error::new(Code::ValueRefused, "PostgreSQL has no such value")
                .hint("Give the column another type under `types`, such as text."),
            Refused::Nul => {
                Error::new(Code::ValueRefused, "a text holds NUL, which PostgreSQL's texts cannot")
                    .hint("Give the column the type bytes under `types`.")
            }
            Refused::Kind => Error::new(Code::Internal, "a value is not of its column's type"),
        };
        made.with("column", self.name.clone()).with("type", self.logical.to_string())
    }
}

#[inline]
fn write_binary(
    form: Form,
    cell: Cell<'_>,
    out: &mut BytesMut,
    scratch: &mut String,
) -> Result<(), Refused> {
    match (form, cell) {
        (_, Cell::Null) => out.put_i32(-1),
        (Form::Bool, Cell::Bool(value)) => {
            out.put_i32(1);
            out.put_u8(value.into());
        }
        (Form::Int { bytes }, Cell::Int(value)) => put_int(bytes, value, out)?,
        (Form::Oid, Cell::UInt(value)) => {
            out.put_i32(4);
            out.put_u32(u32::try_from(value).map_err(|_| Refused::Range)?);
        }
        (Form::Float4, Cell::Float(value)) => {
            out.put_i32(4);
            #[expect(clippy::cast_possible_truncation, reason = "the column is of 32-bit floats")]
            out.put_f32(value as f32);
        }
        (Form::Float8, Cell::Float(value)) => {
            out.put_i32(8);
            out.put_f64(value);
        }
        (Form::Numeric, cell @ (Cell::Decimal(..) | Cell::WideDecimal(..))) => {
            scratch.clear();
            cell.write_text(scratch);
            if !numeric::encode(scratch, out) {
                return Err(Refused::Range);
            }
        }
        (Form::Numeric, Cell::Text(text)) => {
            if !numeric::encode(text, out) {
                return Err(Refused::Range);
            }
        }
        (Form::Text, Cell::Text(text)) => put_text(&[], text, out)?,
        (Form::Jsonb, Cell::Text(text)) => put_text(&[1], text, out)?,
        (Form::Bytes, Cell::Bytes(value)) => {
            out.put_i32(length(value.len())?);
            out.put_slice(value);
        }
        (Form::Date, Cell::Date(days)) => {
            out.put_i32(4);
            out.put_i32(days.checked_sub(EPOCH_DAYS).ok_or(Refused::Range)?);
        }
        (Form::Time, Cell::Time(ticks, _)) => {
            out.put_i32(8);
            out.put_i64(ticks);
        }
        (Form::Timestamp, Cell::Timestamp(ticks, ..)) => {
            // The two numbers at the ends mean infinity.
            let ticks = ticks.checked_sub(EPOCH_MICROS).filter(|ticks| *ticks != i64::MIN);
            out.put_i32(8);
            out.put_i64(ticks.ok_or(Refused::Range)?);
        }
        (Form::Interval, Cell::Interval(months, days, nanos)) => {
            if nanos % 1000 != 0 {
                return Err(Refused::Range);
            }
            out.put_i32(16);
            out.put_i64(nanos / 1000);
            out.put_i32(days);
            out.put_i32(months);
        }
        (Form::Uuid, Cell::Uuid(value)) => {
            out.put_i32(16);
            out.put_slice(value);
        }
        _ => return Err(Refused::Kind),
    }
    Ok(())
}

fn put_int(bytes: u8, value: i64, out: &mut BytesMut) -> Result<(), Refused> {
    out.put_i32(bytes.into());
    match bytes {
        2 => out.put_i16(i16::try_from(value).map_err(|_| Refused::Range)?),
        4 => out.put_i32(i32::try_from(value).map_err(|_| Refused::Range)?),
        _ => out.put_i64(value),
    }
    Ok(())
}

fn put_text(prefix: &[u8], text: &str, out: &mut BytesMut) -> Result<(), Refused> {
    if text::has_nul(text) {
        return Err(Refused::Nul);
    }
    out.put_i32(length(prefix.len() + text.len())?);
    out.put_slice(prefix);
    out.put_slice(text.as_bytes());
    Ok(())
}

fn length(bytes: usize) -> Result<i32, Refused> {
    i32::try_from(bytes).map_err(|_| Refused::Range)
}
