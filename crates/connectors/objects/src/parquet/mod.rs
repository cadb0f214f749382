//! Parquet files.

mod convert;
mod int96;
mod read;
mod write;

pub(crate) use read::ParquetFile;
pub(crate) use write::ParquetWriter;

/// The key under which a file carries the structure of its table as JSON.
const TABLE_KEY: &str = "longshore.table";
