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

mod canonical;

use std::fmt;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::Batch;
use crate::cell::ColumnView;
use crate::logical::LogicalType;
use crate::{Code, Error, Result};
use canonical::Canonical;

/// Rows made canonical at a time: few enough to stay in the processor's cache.
const BLOCK: usize = 512;

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
    let mut canonical = Canonical::default();
    let mut start = 0;
    while start < batch.num_rows() {
        let end = batch.num_rows().min(start + BLOCK);
        canonical.fill(&columns, start..end);
        canonical.rows().for_each(&mut each);
        start = end;
    }
    Ok(())
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
mod tests;
