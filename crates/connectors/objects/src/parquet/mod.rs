//! Parquet files.

mod int96;
mod read;
mod store;
mod write;

pub(crate) use read::ParquetFile;
pub(crate) use write::ParquetWriter;
