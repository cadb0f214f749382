//! The proof of a set of rows: a count and a 128-bit hash that does not depend on their order.
//!
//! The hash of a row is XXH3-128 over its canonical bytes: for each column in order a tag, then the
//! value, with its length before it where lengths differ. Rows are combined by addition modulo
//! 2¹²⁸, so that the fingerprint of a whole is the sum of its parts and duplicates count.
//!
//! | tag | value |
//! |---|---|
//! | 0 | NULL |
//! | 1 | boolean, 1 byte |
//! | 2, 3 | integer, 8 bytes little-endian; 3 when it is above 2⁶³−1 |
//! | 4 | float, the 8 bytes of its binary64 bits; every NaN is 0x7ff8000000000000 |
//! | 5 | decimal, 32 bytes two's complement at the column's scale, then the scale |
//! | 6, 7 | text, bytes: length in 8 bytes, then the bytes |
//! | 8 | date, days in 4 bytes |
//! | 9, 10 | time of day, timestamp: ticks in 8 bytes, then 1 byte for the unit |
//! | 11 | interval: months 4, days 4, nanoseconds 8 |
//! | 12 | UUID, 16 bytes |

use std::fmt;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::Batch;
use crate::cell::{Cell, ColumnView};
use crate::logical::{LogicalType, Unit};
use crate::{Code, Error, Result};

/// Row count and hash of a set of rows. Equal sets have equal fingerprints; unequal ones differ but
/// for a chance of 2⁻¹²⁸.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fingerprint {
    /// The number of rows.
    pub rows: u64,
    /// The sum of the rows' hashes.
    pub hash: u128,
}

impl Fingerprint {
    /// Adds every row of a batch.
    pub fn add_batch(&mut self, batch: &Batch) -> Result<()> {
        match batch {
            Batch::Rows(rows) => for_each_row(rows, |canonical| self.add_row(xxh3_128(canonical))),
            Batch::Wire(wire) => {
                let mut start = 0;
                for &end in &wire.ends {
                    self.add_row(xxh3_128(&wire.bytes[start..end]));
                    start = end;
                }
                Ok(())
            }
        }
    }

    /// Adds one row by its hash.
    pub fn add_row(&mut self, hash: u128) {
        self.rows += 1;
        self.hash = self.hash.wrapping_add(hash);
    }

    /// The fingerprint of both sets together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { rows: self.rows + other.rows, hash: self.hash.wrapping_add(other.hash) }
    }
}

/// The hash of every row of a batch, over the columns given by their index (all when `None`).
pub fn row_hashes(batch: &RecordBatch, columns: Option<&[usize]>) -> Result<Vec<u128>> {
    let mut hashes = Vec::with_capacity(batch.num_rows());
    match columns {
        None => for_each_row(batch, |canonical| hashes.push(xxh3_128(canonical)))?,
        Some(columns) => {
            let part = batch
                .project(columns)
                .map_err(|e| Error::new(Code::Internal, "a key column is missing").because(e))?;
            for_each_row(&part, |canonical| hashes.push(xxh3_128(canonical)))?;
        }
    }
    Ok(hashes)
}

fn for_each_row(batch: &RecordBatch, mut each: impl FnMut(&[u8])) -> Result<()> {
    let schema = batch.schema();
    let logical: Vec<LogicalType> = schema
        .fields()
        .iter()
        .map(|field| {
            LogicalType::of_field(field).ok_or_else(|| {
                Error::new(Code::Internal, "a batch has a column without logical type")
                    .with("column", field.name().clone())
            })
        })
        .collect::<Result<_>>()?;
    let columns: Vec<ColumnView<'_>> = logical
        .iter()
        .zip(batch.columns())
        .map(|(logical, array)| ColumnView::new(logical, array))
        .collect::<Result<_>>()?;
    let mut canonical = Vec::with_capacity(256);
    for row in 0..batch.num_rows() {
        canonical.clear();
        for column in &columns {
            write_canonical(column.cell(row), &mut canonical);
        }
        each(&canonical);
    }
    Ok(())
}

#[inline]
fn write_canonical(cell: Cell<'_>, out: &mut Vec<u8>) {
    fn fixed<const N: usize>(out: &mut Vec<u8>, tag: u8, bytes: [u8; N]) {
        out.push(tag);
        out.extend_from_slice(&bytes);
    }
    fn framed(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
        fixed(out, tag, (bytes.len() as u64).to_le_bytes());
        out.extend_from_slice(bytes);
    }
    let unit_byte = |unit| match unit {
        Unit::Micro => 6,
        Unit::Nano => 9,
    };
    match cell {
        Cell::Null => out.push(0),
        Cell::Bool(value) => fixed(out, 1, [u8::from(value)]),
        Cell::Int(value) => fixed(out, 2, value.to_le_bytes()),
        Cell::UInt(value) => {
            fixed(out, if i64::try_from(value).is_ok() { 2 } else { 3 }, value.to_le_bytes());
        }
        Cell::Float(value) => {
            let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
            fixed(out, 4, bits.to_le_bytes());
        }
        Cell::Decimal(value, scale) => {
            fixed(out, 5, arrow_buffer::i256::from_i128(value).to_le_bytes());
            out.push(scale.to_le_bytes()[0]);
        }
        Cell::WideDecimal(value, scale) => {
            fixed(out, 5, value.to_le_bytes());
            out.push(scale.to_le_bytes()[0]);
        }
        Cell::Text(value) => framed(out, 6, value.as_bytes()),
        Cell::Bytes(value) => framed(out, 7, value),
        Cell::Date(value) => fixed(out, 8, value.to_le_bytes()),
        Cell::Time(value, unit) => {
            fixed(out, 9, value.to_le_bytes());
            out.push(unit_byte(unit));
        }
        Cell::Timestamp(value, unit, _) => {
            fixed(out, 10, value.to_le_bytes());
            out.push(unit_byte(unit));
        }
        Cell::Interval(months, days, nanos) => {
            fixed(out, 11, months.to_le_bytes());
            out.extend_from_slice(&days.to_le_bytes());
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        Cell::Uuid(value) => fixed(out, 12, *value),
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:032x}", self.rows, self.hash)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parse = || {
            let (rows, hash) = text.split_once(':')?;
            Some(Self { rows: rows.parse().ok()?, hash: u128::from_str_radix(hash, 16).ok()? })
        };
        parse().ok_or_else(|| serde::de::Error::custom("not a fingerprint"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::BatchBuilder;

    fn rows(values: &[[Option<&str>; 2]]) -> Fingerprint {
        let mut builder = BatchBuilder::new([("a", &LogicalType::Text), ("b", &LogicalType::Text)]);
        for row in values {
            for (column, value) in builder.columns().iter_mut().zip(row) {
                column.append(value.map_or(Cell::Null, Cell::Text)).expect("text");
            }
            builder.end_row();
        }
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_batch(&Batch::Rows(builder.finish().expect("a batch"))).expect("hashable");
        fingerprint
    }

    #[test]
    fn what_other_tools_confuse_differs() {
        let different = [
            rows(&[[Some("x0"), Some("y")]]),
            rows(&[[Some("x"), Some("0y")]]),
            rows(&[[Some(""), None]]),
            rows(&[[None, Some("")]]),
            rows(&[[Some(""), Some("")]]),
            rows(&[[Some("a"), Some("b")]]),
            rows(&[[Some("A"), Some("b")]]),
            rows(&[[Some("a "), Some("b")]]),
            rows(&[[Some("a"), Some("b")], [Some("a"), Some("b")]]),
            // Four rows wrong in the same way must not cancel out.
            rows(&[[Some("a"), Some("c")]; 4]),
            rows(&[[Some("a"), Some("b")]; 4]),
            rows(&[]),
        ];
        for (index, one) in different.iter().enumerate() {
            for other in &different[index + 1..] {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn order_does_not_count_and_parts_add_up() {
        let (one, two) = ([Some("a"), None], [Some("b"), Some("c")]);
        assert_eq!(rows(&[one, two]), rows(&[two, one]));
        assert_eq!(rows(&[one]).plus(rows(&[two])), rows(&[one, two]));
        // The definition is a promise: a ledger of today must verify tomorrow.
        assert_eq!(rows(&[one, two]).to_string(), GOLDEN);
    }

    const GOLDEN: &str = "2:b2f5dc673e25bc1c7bb583c9df4e46a4";
}
