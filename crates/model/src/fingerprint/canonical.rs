//! The canonical bytes of rows. What has a fixed place in every row is written column by column for
//! a block of rows, by loops without branches; texts and bytes follow row by row.

use std::ops::Range;

use arrow_buffer::NullBuffer;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

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
const NANO_TIME: u8 = 10;
const TIMESTAMP: u8 = 11;
const NANO_TIMESTAMP: u8 = 12;
const INTERVAL: u8 = 13;
const UUID: u8 = 14;
const WIDE_DECIMAL: u8 = 15;

const NAN: u64 = 0x7ff8_0000_0000_0000;

/// Rows of a block: few enough that their fixed parts stay in the processor's first cache.
const BLOCK: usize = 128;

/// Texts up to this length are copied as if they all had it, which takes no branch.
const SHORT: usize = 32;

/// A value from here on is hashed where it lies.
const LONG: usize = 64 << 10;

/// Calls `each` with the hash of every row.
pub(super) fn hash_rows(columns: &[ColumnView<'_>], rows: usize, mut each: impl FnMut(u128)) {
    let mut block = Block::new(columns);
    let tails: Vec<Tail<'_>> = columns.iter().filter_map(Tail::of).collect();
    let mut bytes = vec![0; block.stride + SHORT * (tails.len() + 1)];
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + BLOCK);
        block.fill(columns, start..end);
        for row in start..end {
            let fixed = &block.bytes[(row - start) * block.stride..][..block.stride];
            bytes[..block.stride].copy_from_slice(fixed);
            each(hash_row(&mut bytes, block.stride, &tails, row));
        }
        start = end;
    }
}

/// The hash of one row, whose fixed part is in `bytes`.
#[inline]
fn hash_row(bytes: &mut Vec<u8>, fixed: usize, tails: &[Tail<'_>], row: usize) -> u128 {
    let mut end = fixed;
    for (at, tail) in tails.iter().enumerate() {
        let Some(value) = tail.place(row) else { continue };
        let length = value.end - value.start;
        if length <= SHORT && value.start + SHORT <= tail.data.len() {
            bytes[end..end + SHORT].copy_from_slice(&tail.data[value.start..value.start + SHORT]);
        } else if length < LONG {
            let room = end + length + SHORT * (tails.len() + 1);
            if bytes.len() < room {
                bytes.resize(room, 0);
            }
            bytes[end..end + length].copy_from_slice(&tail.data[value]);
        } else {
            return hash_long_row(&bytes[..end], &tails[at..], row);
        }
        end += length;
    }
    xxh3_128(&bytes[..end])
}

/// The hash of a row that begins with some bytes, without a copy of its values.
fn hash_long_row(begin: &[u8], tails: &[Tail<'_>], row: usize) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(begin);
    for tail in tails {
        if let Some(value) = tail.place(row) {
            hash.update(&tail.data[value]);
        }
    }
    hash.digest128()
}

/// The fixed parts of a block of rows, one after the other.
struct Block {
    bytes: Vec<u8>,
    /// The bytes of one row's fixed part.
    stride: usize,
    /// Where each column's slot is in it.
    slots: Vec<usize>,
}

impl Block {
    fn new(columns: &[ColumnView<'_>]) -> Self {
        let mut tags = Vec::with_capacity(columns.len());
        let mut slots = Vec::with_capacity(columns.len());
        let mut stride = columns.len();
        for column in columns {
            let (tag, width) = form(&column.values);
            tags.push(tag);
            slots.push(stride);
            stride += width;
        }
        let mut bytes = vec![0; stride * BLOCK];
        for row in bytes.chunks_exact_mut(stride.max(1)) {
            row[..tags.len()].copy_from_slice(&tags);
        }
        Self { bytes, stride, slots }
    }

    fn fill(&mut self, columns: &[ColumnView<'_>], rows: Range<usize>) {
        let used = rows.len() * self.stride;
        for (index, column) in columns.iter().enumerate() {
            let mut sink = Sink {
                rows: rows.clone(),
                stride: self.stride,
                slot: self.slots[index],
                out: &mut self.bytes[..used],
            };
            sink.column(&column.values);
            let (tag, width) = form(&column.values);
            match (&column.values, column.nulls) {
                (Values::U64(values), _) => sink.tags(index, |row| match values[row] {
                    0..=0x7fff_ffff_ffff_ffff => tag,
                    _ => LARGE_INTEGER,
                }),
                // The block before may have had NULLs.
                (_, Some(_)) => sink.tags(index, |_| tag),
                _ => {}
            }
            if let Some(nulls) = column.nulls {
                sink.nulls(index, nulls, width);
            }
        }
    }
}

/// The tag of a column's values and the bytes of its slot.
fn form(values: &Values<'_>) -> (u8, usize) {
    match values {
        Values::Bool(_) => (TRUTH, 1),
        Values::I8(_)
        | Values::I16(_)
        | Values::I32(_)
        | Values::I64(_)
        | Values::U8(_)
        | Values::U16(_)
        | Values::U32(_)
        | Values::U64(_) => (INTEGER, 8),
        Values::F32(_) | Values::F64(_) => (FLOAT, 8),
        Values::Decimal(..) => (DECIMAL, 17),
        Values::WideDecimal(..) => (WIDE_DECIMAL, 33),
        Values::Text(_) => (TEXT, 4),
        Values::Bytes(_) => (BYTES, 4),
        Values::Date(_) => (DATE, 4),
        Values::Time(_, Unit::Micro) => (TIME, 8),
        Values::Time(_, Unit::Nano) => (NANO_TIME, 8),
        Values::Timestamp(_, Unit::Micro, _) => (TIMESTAMP, 8),
        Values::Timestamp(_, Unit::Nano, _) => (NANO_TIMESTAMP, 8),
        Values::Interval(_) => (INTERVAL, 16),
        Values::Uuid(_) => (UUID, 16),
    }
}

/// One column's places in a block of rows.
struct Sink<'a> {
    rows: Range<usize>,
    stride: usize,
    slot: usize,
    out: &'a mut [u8],
}

impl Sink<'_> {
    fn column(&mut self, values: &Values<'_>) {
        match values {
            Values::Text(array) => self.lengths(array.value_offsets()),
            Values::Bytes(array) => self.lengths(array.value_offsets()),
            Values::Bool(array) => self.each(|row| [u8::from(array.value(row))]),
            Values::I8(values) => self.integers(values),
            Values::I16(values) => self.integers(values),
            Values::I32(values) => self.integers(values),
            Values::I64(values) => self.integers(values),
            Values::U8(values) => self.integers(values),
            Values::U16(values) => self.integers(values),
            Values::U32(values) => self.integers(values),
            Values::U64(values) => self.slots(values, u64::to_le_bytes),
            Values::F32(values) => self.slots(values, |value| float(f64::from(value))),
            Values::F64(values) => self.slots(values, float),
            Values::Decimal(values, scale) => {
                self.slots(values, |value| scaled::<16, 17>(*scale, value.to_le_bytes()));
            }
            Values::WideDecimal(values, scale) => {
                self.slots(values, |value| scaled::<32, 33>(*scale, value.to_le_bytes()));
            }
            Values::Date(values) => self.slots(values, i32::to_le_bytes),
            Values::Time(values, _) | Values::Timestamp(values, ..) => {
                self.slots(values, i64::to_le_bytes);
            }
            Values::Interval(values) => self.slots(values, |value| {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&value.months.to_le_bytes());
                bytes[4..8].copy_from_slice(&value.days.to_le_bytes());
                bytes[8..].copy_from_slice(&value.nanoseconds.to_le_bytes());
                bytes
            }),
            Values::Uuid(array) => self.each(|row| {
                let mut bytes = [0; 16];
                bytes.copy_from_slice(array.value(row));
                bytes
            }),
        }
    }

    fn integers<T: Copy + Into<i64>>(&mut self, values: &[T]) {
        self.slots(values, |value| value.into().to_le_bytes());
    }

    fn lengths(&mut self, offsets: &[i32]) {
        let offsets = &offsets[self.rows.start..=self.rows.end];
        let slots = self.out.chunks_exact_mut(self.stride).map(|row| &mut row[self.slot..][..4]);
        for (slot, pair) in slots.zip(offsets.windows(2)) {
            slot.copy_from_slice(&(pair[1] - pair[0]).to_le_bytes());
        }
    }

    /// Writes the values of primitives.
    #[inline(always)]
    fn slots<T: Copy, const W: usize>(&mut self, values: &[T], encode: impl Fn(T) -> [u8; W]) {
        let slots = self.out.chunks_exact_mut(self.stride).map(|row| &mut row[self.slot..][..W]);
        for (slot, value) in slots.zip(&values[self.rows.clone()]) {
            slot.copy_from_slice(&encode(*value));
        }
    }

    /// Writes the values of other arrays.
    #[inline(always)]
    fn each<const W: usize>(&mut self, encode: impl Fn(usize) -> [u8; W]) {
        let slots = self.out.chunks_exact_mut(self.stride).map(|row| &mut row[self.slot..][..W]);
        for (slot, row) in slots.zip(self.rows.clone()) {
            slot.copy_from_slice(&encode(row));
        }
    }

    fn tags(&mut self, column: usize, tag: impl Fn(usize) -> u8) {
        for (out, row) in self.out.chunks_exact_mut(self.stride).zip(self.rows.clone()) {
            out[column] = tag(row);
        }
    }

    /// Clears the places of NULLs.
    fn nulls(&mut self, column: usize, nulls: &NullBuffer, width: usize) {
        for (out, row) in self.out.chunks_exact_mut(self.stride).zip(self.rows.clone()) {
            if nulls.is_null(row) {
                out[column] = NULL;
                out[self.slot..][..width].fill(0);
            }
        }
    }
}

fn scaled<const N: usize, const W: usize>(scale: i8, value: [u8; N]) -> [u8; W] {
    let mut bytes = [0; W];
    bytes[0] = scale.to_le_bytes()[0];
    bytes[1..].copy_from_slice(&value);
    bytes
}

/// A column whose values have bytes behind the fixed part.
struct Tail<'a> {
    data: &'a [u8],
    offsets: &'a [i32],
    nulls: Option<&'a NullBuffer>,
}

impl<'a> Tail<'a> {
    fn of(column: &ColumnView<'a>) -> Option<Self> {
        let nulls = column.nulls;
        match column.values {
            Values::Text(array) => {
                Some(Self { data: array.value_data(), offsets: array.value_offsets(), nulls })
            }
            Values::Bytes(array) => {
                Some(Self { data: array.value_data(), offsets: array.value_offsets(), nulls })
            }
            _ => None,
        }
    }

    /// Where a row's value is in the data; `None` for NULL.
    #[inline]
    fn place(&self, row: usize) -> Option<Range<usize>> {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        // Arrow's offsets are never negative.
        Some(self.offsets[row] as usize..self.offsets[row + 1] as usize)
    }
}

fn float(value: f64) -> [u8; 8] {
    let bits = if value.is_nan() { NAN } else { value.to_bits() };
    bits.to_le_bytes()
}
