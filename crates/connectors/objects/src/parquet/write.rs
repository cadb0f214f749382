//! Writing Parquet files.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use longshore_model::catalog::Table;
use longshore_model::{Code, Error, LogicalType, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::store::{store, stored_field};
use crate::columns::TABLE_KEY;
use crate::new_file::NewFile;
use crate::options::Compression;

/// Row groups end at this many encoded bytes, whatever memory there is.
const LARGEST_GROUP: usize = 128 << 20;

/// What zstd holds for each column as long as a file is written, about.
const ZSTD_CONTEXT: usize = 256 << 10;

/// Rows are wide when fewer than this fit the memory of a writer.
const WIDE_ROWS: usize = 32;

/// A file under construction.
pub(crate) struct ParquetWriter {
    inner: ArrowWriter<NewFile>,
    schema: SchemaRef,
    types: Vec<LogicalType>,
    memory: usize,
}

impl ParquetWriter {
    /// A file of the given columns; `memory` bounds what is held before a row group is written.
    /// `row_bytes` is what a row takes on average.
    pub(crate) fn new(
        file: NewFile,
        columns: &[(String, LogicalType)],
        structure: &Table,
        compression: Compression,
        memory: usize,
        row_bytes: u64,
    ) -> Result<Self> {
        let fields: Vec<_> =
            columns.iter().map(|(name, logical)| stored_field(name, logical)).collect();
        let schema = Arc::new(Schema::new(fields));
        let table = serde_json::to_string(structure)
            .map_err(|e| Error::new(Code::Internal, "a table cannot be written").because(e))?;
        let page = (memory / 4 / columns.len().max(1)).clamp(16 << 10, 1 << 20);
        // Dictionary and statistics hold several values of each column. Of large ones they are of no
        // use to anybody.
        let wide = row_bytes > (memory / WIDE_ROWS) as u64;
        let statistics = if wide { EnabledStatistics::None } else { EnabledStatistics::Page };
        let properties = WriterProperties::builder()
            .set_dictionary_enabled(!wide)
            .set_statistics_enabled(statistics)
            .set_compression(codec(compression, memory / columns.len().max(1))?)
            .set_data_page_size_limit(page)
            .set_dictionary_page_size_limit(page.min(256 << 10))
            .set_max_row_group_row_count(None)
            .set_key_value_metadata(Some(vec![KeyValue::new(TABLE_KEY.to_string(), table)]))
            .set_created_by(format!("longshore {}", env!("CARGO_PKG_VERSION")))
            .build();
        let inner = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed)?;
        let types = columns.iter().map(|(_, logical)| logical.clone()).collect();
        Ok(Self { inner, schema, types, memory })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let arrays = self
            .types
            .iter()
            .zip(batch.columns())
            .map(|(logical, array)| store(logical, array))
            .collect::<Result<Vec<_>>>()?;
        let stored = RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|e| Error::new(Code::Internal, "a batch does not fit its file").because(e))?;
        self.inner.write(&stored).map_err(failed)?;
        if self.inner.memory_size() >= self.memory / 2
            || self.inner.in_progress_size() >= LARGEST_GROUP
        {
            self.inner.flush().map_err(failed)?;
        }
        Ok(())
    }

    /// Ends the file and gives it back, complete but not durable.
    pub(crate) fn finish(self) -> Result<NewFile> {
        self.inner.into_inner().map_err(failed)
    }
}

/// The codec, given what memory there is for each column.
fn codec(compression: Compression, memory: usize) -> Result<Codec> {
    Ok(match compression {
        Compression::Zstd if memory < ZSTD_CONTEXT => Codec::SNAPPY,
        Compression::Zstd => Codec::ZSTD(ZstdLevel::try_new(1).map_err(failed)?),
        Compression::Snappy => Codec::SNAPPY,
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Gzip | Compression::Lz4 => {
            return Err(Error::new(Code::Internal, "Parquet files are not written so"));
        }
    })
}

/// A full disk stays recognisable under the library's own error.
fn failed(error: ParquetError) -> Error {
    if let ParquetError::External(inner) = error {
        return match inner.downcast::<std::io::Error>() {
            Ok(io) => Error::io("write a Parquet file", "", *io),
            Err(inner) => Error::new(Code::Io, "could not write a Parquet file").because(inner),
        };
    }
    Error::new(Code::Io, "could not write a Parquet file").because(error)
}
