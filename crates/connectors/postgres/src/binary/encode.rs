//! Batches as rows of a COPY, binary where every column has a binary form, else text.

use arrow_array::{ArrayRef, RecordBatch};
use bytes::{BufMut, Bytes};
use longshore_model::{Cell, Code, ColumnView, Error, LogicalType, Result};

use super::lane::{Lane, Values};
use super::{EPOCH_DAYS, EPOCH_MICROS, bits, numeric, text};
use crate::types::{Form, NativeType, form};
use crate::wire::Wire;

/// Writes rows of batches.
pub(crate) struct Encoder {
    columns: Vec<Writing>,
    wire: Wire,
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
        Ok(Self { columns, wire })
    }

    /// The form in which it writes.
    pub(crate) fn wire(&self) -> Wire {
        self.wire
    }

    /// The rows of a batch, to be encoded.
    pub(crate) fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<Rows<'a>> {
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
        let lane = |(column, array): (&Writing, &'a ArrayRef)| {
            Lane::of(column.form, &column.logical, array)
        };
        let lanes = self.columns.iter().zip(batch.columns()).map(lane).collect();
        let end = batch.num_rows();
        Ok(Rows { encoder: self, views, lanes, count, scratch: String::new(), next: 0, end })
    }
}

/// Rows on their way into messages.
pub(crate) struct Rows<'a> {
    encoder: &'a Encoder,
    views: Vec<ColumnView<'a>>,
    lanes: Vec<Lane<'a>>,
    count: i16,
    scratch: String,
    next: usize,
    end: usize,
}

impl Rows<'_> {
    /// As many of the rows that are left as fill so many bytes, at least one; `None` at the end.
    pub(crate) fn message(&mut self, bytes: usize) -> Result<Option<Bytes>> {
        if self.next == self.end {
            return Ok(None);
        }
        let mut out = Vec::with_capacity(bytes + bytes / 8);
        while self.next < self.end && out.len() < bytes {
            match self.encoder.wire {
                Wire::Binary => self.binary_row(&mut out)?,
                Wire::Text => self.text_row(&mut out)?,
            }
            self.next += 1;
        }
        Ok(Some(out.into()))
    }

    fn binary_row(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let row = self.next;
        out.put_i16(self.count);
        for (at, lane) in self.lanes.iter().enumerate() {
            if lane.is_null(row) {
                out.put_i32(-1);
                continue;
            }
            let done = match &lane.values {
                Values::Int4(values) => written(values[row].to_be_bytes(), out),
                Values::Int8(values) => written(values[row].to_be_bytes(), out),
                Values::Date(values) => put_date(values[row], out),
                Values::Decimal(values, scale)
                    if numeric::encode_scaled(values[row], *scale, out) =>
                {
                    Ok(())
                }
                Values::Text(values) => put_text(&[], values.value(row), out),
                Values::Decimal(..) | Values::Other => {
                    let (form, cell) = (self.encoder.columns[at].form, self.views[at].cell(row));
                    write_binary(form, cell, out, &mut self.scratch)
                }
            };
            done.map_err(|refused| self.encoder.columns[at].told(&refused))?;
        }
        Ok(())
    }

    fn text_row(&mut self, out: &mut Vec<u8>) -> Result<()> {
        let columns = &self.encoder.columns;
        for (number, (column, view)) in columns.iter().zip(&self.views).enumerate() {
            if number > 0 {
                out.put_u8(b'\t');
            }
            let done = text::write(view.cell(self.next), out, &mut self.scratch);
            done.map_err(|refused| column.told(&refused))?;
        }
        out.put_u8(b'\n');
        Ok(())
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
    form: Option<Form>,
    cell: Cell<'_>,
    out: &mut Vec<u8>,
    scratch: &mut String,
) -> Result<(), Refused> {
    match (form.ok_or(Refused::Kind)?, cell) {
        (_, Cell::Null) => out.put_i32(-1),
        (Form::Bool, Cell::Bool(value)) => {
            out.put_i32(1);
            out.put_u8(value.into());
        }
        (Form::Int { bytes }, Cell::Int(value)) => put_int(bytes, value, out)?,
        (Form::Oid, Cell::UInt(value)) => {
            put(u32::try_from(value).map_err(|_| Refused::Range)?.to_be_bytes(), out);
        }
        (Form::Float4, Cell::Float(value)) => {
            #[expect(clippy::cast_possible_truncation, reason = "the column is of 32-bit floats")]
            put((value as f32).to_be_bytes(), out);
        }
        (Form::Float8, Cell::Float(value)) => put(value.to_be_bytes(), out),
        (Form::Numeric, Cell::Decimal(value, scale))
            if numeric::encode_scaled(value, scale, out) => {}
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
        (Form::Text, Cell::Text(text)) => put_searched_text(&[], text, out)?,
        (Form::Jsonb, Cell::Text(text)) => put_searched_text(&[1], text, out)?,
        (Form::Bytes, Cell::Bytes(value)) => {
            out.put_i32(length(value.len())?);
            out.put_slice(value);
        }
        (Form::Date, Cell::Date(days)) => {
            put_date(days, out)?;
        }
        (Form::Time, Cell::Time(ticks, _)) => put(ticks.to_be_bytes(), out),
        (Form::Timestamp, Cell::Timestamp(ticks, ..)) => {
            // The two numbers at the ends mean infinity.
            let ticks = ticks.checked_sub(EPOCH_MICROS).filter(|ticks| *ticks != i64::MIN);
            put(ticks.ok_or(Refused::Range)?.to_be_bytes(), out);
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
        (Form::Uuid, Cell::Uuid(value)) => put(*value, out),
        (Form::Bits, Cell::Text(text)) => {
            if !bits::encode(text, out) {
                return Err(Refused::Range);
            }
        }
        _ => return Err(Refused::Kind),
    }
    Ok(())
}

/// Appends a value of a fixed length, its length in front.
#[inline]
fn put<const N: usize>(value: [u8; N], out: &mut Vec<u8>) {
    out.reserve(4 + N);
    out.extend_from_slice(&(N as u32).to_be_bytes());
    out.extend_from_slice(&value);
}

fn put_int(bytes: u8, value: i64, out: &mut Vec<u8>) -> Result<(), Refused> {
    match bytes {
        2 => put(i16::try_from(value).map_err(|_| Refused::Range)?.to_be_bytes(), out),
        4 => put(i32::try_from(value).map_err(|_| Refused::Range)?.to_be_bytes(), out),
        _ => put(value.to_be_bytes(), out),
    }
    Ok(())
}

#[inline]
fn written<const N: usize>(value: [u8; N], out: &mut Vec<u8>) -> Result<(), Refused> {
    put(value, out);
    Ok(())
}

#[inline]
fn put_date(days: i32, out: &mut Vec<u8>) -> Result<(), Refused> {
    written(days.checked_sub(EPOCH_DAYS).ok_or(Refused::Range)?.to_be_bytes(), out)
}

fn put_searched_text(prefix: &[u8], text: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
    if text::has_nul(text) { Err(Refused::Nul) } else { put_text(prefix, text, out) }
}

#[inline]
fn put_text(prefix: &[u8], text: &str, out: &mut Vec<u8>) -> Result<(), Refused> {
    out.put_i32(length(prefix.len() + text.len())?);
    out.put_slice(prefix);
    out.put_slice(text.as_bytes());
    Ok(())
}

fn length(bytes: usize) -> Result<i32, Refused> {
    i32::try_from(bytes).map_err(|_| Refused::Range)
}
