//! The proof of a set of rows: a count and a 128-bit hash that does not depend on their order.
//!
//! The hash of a row is XXH3-128 over its canonical bytes, in three parts without gaps: a tag for each
//! column in order; then a slot for each column in order; then the bytes of the texts and bytes among
//! them, in order. Numbers are little-endian. Rows are combined by addition modulo 2¹²⁸, so that the
//! fingerprint of a whole is the sum of its parts and duplicates count.
//!
//! | tag | value | slot |
//! |---|---|---|
//! | 0 | NULL | zeros, as many as the column's type takes |
//! | 1 | boolean | 1 byte |
//! | 2, 3 | integer; 3 when it is above 2⁶³−1 | 8 bytes |
//! | 4 | float | 8 bytes, its binary64 bits; every NaN is 0x7ff8000000000000 |
//! | 5 | decimal of at most 38 digits | the column's scale, 1 byte; then 16 bytes two's complement |
//! | 6, 7 | text, bytes | 4 bytes, the length |
//! | 8 | date | 4 bytes, days |
//! | 9, 10 | time of day in µs, in ns | 8 bytes |
//! | 11, 12 | timestamp in µs, in ns | 8 bytes |
//! | 13 | interval | months 4, days 4, nanoseconds 8 |
//! | 14 | UUID | 16 bytes |
//! | 15 | decimal of more digits | the column's scale, 1 byte; then 32 bytes two's complement |
//!
//! Every part is as long as the tags and the types say, so different rows of equal types have
//! different bytes.

mod canonical;

use std::fmt;

use arrow_array::RecordBatch;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::batch::Batch;
use crate::cell::ColumnView;
use crate::logical::LogicalType;
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
            Batch::Rows(rows) => for_each_row(rows, |hash| self.add_row(hash)),
            Batch::Objects(objects) => for_each_row(&objects.rows, |hash| self.add_row(hash)),
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

    /// The fingerprint of a set without a part of it.
    #[must_use]
    pub fn minus(self, part: Self) -> Self {
        Self { rows: self.rows.saturating_sub(part.rows), hash: self.hash.wrapping_sub(part.hash) }
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
        None => for_each_row(batch, |hash| hashes.push(hash))?,
        Some(columns) => {
            let part = batch
                .project(columns)
                .map_err(|e| Error::new(Code::Internal, "a key column is missing").because(e))?;
            for_each_row(&part, |hash| hashes.push(hash))?;
        }
    }
    Ok(hashes)
}

fn for_each_row(batch: &RecordBatch, each: impl FnMut(u128)) -> Result<()> {
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
    canonical::hash_rows(&columns, batch.num_rows(), each);
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
