//! The canonical bytes of rows, made column by column: a loop over one column's values is several
//! times faster than a branch per value.

use std::ops::Range;

use arrow_array::array::GenericByteArray;
use arrow_array::types::ByteArrayType;
use arrow_buffer::i256;

use crate::cell::{ColumnView, Values};
use crate::logical::Unit;

const NULL: u8 = 0;
const TRUTH: u8 = 1;
const INTEGER: u8 = 2;
const LARGE_INTEGER: u8 = 3;
const FLOAT: u8 = 4;
const DECIMAL: u8 = 5;
const TEXT: u8 = 6;
const BYTES: u8 = 7;
const DATE: u8 = 8;
const TIME: u8 = 9;
const TIMESTAMP: u8 = 10;
const INTERVAL: u8 = 11;
const UUID: u8 = 12;

/// A tag and a length of 8 bytes stand before text and bytes.
const FRAME: usize = 9;

const NAN: u64 = 0x7ff8_0000_0000_0000;

/// The canonical bytes of a block of rows.
#[derive(Default)]
pub(super) struct Canonical {
    bytes: Vec<u8>,
    /// Where each row starts; one more than there are rows.
    starts: Vec<usize>,
    /// Where the next column of each row goes.
    cursors: Vec<usize>,
}

impl Canonical {
    /// Makes the rows of a range of a batch canonical.
    pub(super) fn fill(&mut self, columns: &[ColumnView<'_>], rows: Range<usize>) {
        self.starts.clear();
        self.starts.resize(rows.len() + 1, 0);
        for column in columns {
            measure(column, rows.clone(), &mut self.starts[1..]);
        }
        let mut end = 0;
        for start in &mut self.starts {
            end += *start;
            *start = end;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.cursors.clear();
        self.cursors.extend_from_slice(&self.starts[..rows.len()]);
        for column in columns {
            write(column, rows.clone(), &mut self.cursors, &mut self.bytes);
        }
    }

    /// The canonical bytes of each row.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.starts.windows(2).map(|bounds| &self.bytes[bounds[0]..bounds[1]])
    }
}

/// Adds the bytes that each row of a column takes.
fn measure(column: &ColumnView<'_>, rows: Range<usize>, lengths: &mut [usize]) {
    match &column.values {
        Values::Text(array) => measure_framed(column, array, rows, lengths),
        Values::Bytes(array) => measure_framed(column, array, rows, lengths),
        Values::Bool(_) => measure_fixed(column, rows, lengths, 2),
        Values::Decimal(..) | Values::WideDecimal(..) => measure_fixed(column, rows, lengths, 34),
        Values::Date(_) => measure_fixed(column, rows, lengths, 5),
        Values::Time(..) | Values::Timestamp(..) => measure_fixed(column, rows, lengths, 10),
        Values::Interval(_) | Values::Uuid(_) => measure_fixed(column, rows, lengths, 17),
        Values::I8(_)
        | Values::I16(_)
        | Values::I32(_)
        | Values::I64(_)
        | Values::U8(_)
        | Values::U16(_)
        | Values::U32(_)
        | Values::U64(_)
        | Values::F32(_)
        | Values::F64(_) => measure_fixed(column, rows, lengths, 9),
    }
}

fn measure_fixed(column: &ColumnView<'_>, rows: Range<usize>, lengths: &mut [usize], width: usize) {
    match column.nulls {
        None => lengths.iter_mut().for_each(|length| *length += width),
        Some(nulls) => {
            for (length, row) in lengths.iter_mut().zip(rows) {
                *length += if nulls.is_null(row) { 1 } else { width };
            }
        }
    }
}

fn measure_framed<T: ByteArrayType<Offset = i32>>(
    column: &ColumnView<'_>,
    array: &GenericByteArray<T>,
    rows: Range<usize>,
    lengths: &mut [usize],
) {
    for (length, row) in lengths.iter_mut().zip(rows) {
        *length += match column.nulls {
            Some(nulls) if nulls.is_null(row) => 1,
            _ => FRAME + slice(array, row).len(),
        };
    }
}

/// Writes a column's part of each row and moves the rows' cursors behind it.
fn write(column: &ColumnView<'_>, rows: Range<usize>, cursors: &mut [usize], out: &mut [u8]) {
    let mut sink = Sink { column, rows, cursors, out };
    match &column.values {
        Values::Text(array) => sink.framed(array, TEXT),
        Values::Bytes(array) => sink.framed(array, BYTES),
        Values::Bool(array) => sink.fixed(|row| [TRUTH, u8::from(array.value(row))]),
        Values::I8(values) => sink.fixed(|row| integer(values[row].into())),
        Values::I16(values) => sink.fixed(|row| integer(values[row].into())),
        Values::I32(values) => sink.fixed(|row| integer(values[row].into())),
        Values::I64(values) => sink.fixed(|row| integer(values[row])),
        Values::U8(values) => sink.fixed(|row| integer(values[row].into())),
        Values::U16(values) => sink.fixed(|row| integer(values[row].into())),
        Values::U32(values) => sink.fixed(|row| integer(values[row].into())),
        Values::U64(values) => sink.fixed(|row| match i64::try_from(values[row]) {
            Ok(value) => integer(value),
            Err(_) => tagged(LARGE_INTEGER, values[row].to_le_bytes()),
        }),
        Values::F32(values) => sink.fixed(|row| float(values[row].into())),
        Values::F64(values) => sink.fixed(|row| float(values[row])),
        Values::Decimal(values, scale) => {
            sink.fixed(|row| decimal(i256::from_i128(values[row]), *scale));
        }
        Values::WideDecimal(values, scale) => sink.fixed(|row| decimal(values[row], *scale)),
        Values::Date(values) => sink.fixed(|row| tagged::<4, 5>(DATE, values[row].to_le_bytes())),
        Values::Time(values, unit) => sink.fixed(|row| ticks(TIME, values[row], *unit)),
        Values::Timestamp(values, unit, _) => {
            sink.fixed(|row| ticks(TIMESTAMP, values[row], *unit))
        }
        Values::Interval(values) => sink.fixed(|row| {
            let value = values[row];
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&value.months.to_le_bytes());
            bytes[4..8].copy_from_slice(&value.days.to_le_bytes());
            bytes[8..].copy_from_slice(&value.nanoseconds.to_le_bytes());
            tagged::<16, 17>(INTERVAL, bytes)
        }),
        Values::Uuid(array) => sink.fixed(|row| {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(array.value(row));
            tagged::<16, 17>(UUID, bytes)
        }),
    }
}

struct Sink<'a> {
    column: &'a ColumnView<'a>,
    rows: Range<usize>,
    cursors: &'a mut [usize],
    out: &'a mut [u8],
}

impl Sink<'_> {
    #[inline(always)]
    fn fixed<const W: usize>(&mut self, encode: impl Fn(usize) -> [u8; W]) {
        for (cursor, row) in self.cursors.iter_mut().zip(self.rows.clone()) {
            if self.column.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                self.out[*cursor] = NULL;
                *cursor += 1;
            } else {
                self.out[*cursor..*cursor + W].copy_from_slice(&encode(row));
                *cursor += W;
            }
        }
    }

    fn framed<T: ByteArrayType<Offset = i32>>(&mut self, array: &GenericByteArray<T>, tag: u8) {
        for (cursor, row) in self.cursors.iter_mut().zip(self.rows.clone()) {
            if self.column.nulls.is_some_and(|nulls| nulls.is_null(row)) {
                self.out[*cursor] = NULL;
                *cursor += 1;
                continue;
            }
            let value = slice(array, row);
            let target = &mut self.out[*cursor..*cursor + FRAME + value.len()];
            target[0] = tag;
            target[1..FRAME].copy_from_slice(&(value.len() as u64).to_le_bytes());
            target[FRAME..].copy_from_slice(value);
            *cursor += target.len();
        }
    }
}

fn slice<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, row: usize) -> &[u8] {
    array.value(row).as_ref()
}

#[inline(always)]
fn tagged<const N: usize, const W: usize>(tag: u8, bytes: [u8; N]) -> [u8; W] {
    let mut out = [tag; W];
    out[1..].copy_from_slice(&bytes);
    out
}

#[inline(always)]
fn integer(value: i64) -> [u8; 9] {
    tagged(INTEGER, value.to_le_bytes())
}

#[inline(always)]
fn float(value: f64) -> [u8; 9] {
    let bits = if value.is_nan() { NAN } else { value.to_bits() };
    tagged(FLOAT, bits.to_le_bytes())
}

#[inline(always)]
fn decimal(value: i256, scale: i8) -> [u8; 34] {
    let mut out = [DECIMAL; 34];
    out[1..33].copy_from_slice(&value.to_le_bytes());
    out[33] = scale.to_le_bytes()[0];
    out
}

#[inline(always)]
fn ticks(tag: u8, value: i64, unit: Unit) -> [u8; 10] {
    let mut out = [tag; 10];
    out[1..9].copy_from_slice(&value.to_le_bytes());
    out[9] = match unit {
        Unit::Micro => 6,
        Unit::Nano => 9,
    };
    out
}
