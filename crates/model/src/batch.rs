//! What flows from a reader to a writer.

use arrow_array::RecordBatch;
use bytes::Bytes;

use crate::object::ObjectBatch;

/// A part of a chunk. Readers make them as large as they are told to, writers take any size.
#[derive(Debug, Clone)]
pub enum Batch {
    /// Rows as Arrow columns, in the order and with the names of the request.
    Rows(RecordBatch),
    /// Rows in a wire format that source and target both speak, passed through untouched.
    Wire(WireBatch),
    /// Objects with their bytes.
    Objects(ObjectBatch),
}

/// Rows in a wire format.
#[derive(Debug, Clone)]
pub struct WireBatch {
    /// The rows, one after the other, without header or trailer.
    pub bytes: Bytes,
    /// Where each row ends in `bytes`; the rows are canonical for the format, so that equal rows
    /// are equal bytes.
    pub ends: Vec<usize>,
}

impl Batch {
    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Batch::Rows(batch) => batch.num_rows(),
            Batch::Wire(wire) => wire.ends.len(),
            Batch::Objects(objects) => objects.rows.num_rows(),
        }
    }

    /// The bytes it holds in memory.
    pub fn bytes(&self) -> usize {
        match self {
            Batch::Rows(batch) => batch.get_array_memory_size(),
            Batch::Wire(wire) => wire.bytes.len(),
            Batch::Objects(objects) => {
                objects.pieces.iter().map(|piece| piece.bytes.len()).sum::<usize>()
            }
        }
    }
}
