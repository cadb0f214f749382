//! Writing Arrow files.

use std::collections::HashMap;
use std::io::BufWriter;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions};
use arrow_schema::{ArrowError, Schema, SchemaRef};
use longshore_model::catalog::Table;
use longshore_model::{Code, Error, LogicalType, Result};

use crate::columns::TABLE_KEY;
use crate::new_file::NewFile;
use crate::options::Compression;

const BUFFER: usize = 256 << 10;
const ZSTD_LEVEL: i32 = 1;

/// A file under construction, in the IPC file format.
pub(crate) struct ArrowWriter {
    inner: FileWriter<BufWriter<NewFile>>,
    schema: SchemaRef,
}

impl ArrowWriter {
    pub(crate) fn new(
        file: NewFile,
        columns: &[(String, LogicalType)],
        structure: &Table,
        compression: Compression,
    ) -> Result<Self> {
        let fields: Vec<_> =
            columns.iter().map(|(name, logical)| logical.field(name, true)).collect();
        let table = serde_json::to_string(structure)
            .map_err(|e| Error::new(Code::Internal, "a table cannot be written").because(e))?;
        let metadata = HashMap::from([(TABLE_KEY.to_string(), table)]);
        let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
        let output = BufWriter::with_capacity(BUFFER, file);
        let options = options(compression).map_err(failed)?;
        let inner = FileWriter::try_new_with_options(output, &schema, options).map_err(failed)?;
        Ok(Self { inner, schema })
    }

    /// Writes a batch as one of the file's.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let stored = RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())
            .map_err(|e| Error::new(Code::Internal, "a batch does not fit its file").because(e))?;
        self.inner.write(&stored).map_err(failed)
    }

    /// Ends the file and gives it back, complete but not durable.
    pub(crate) fn finish(self) -> Result<NewFile> {
        let output = self.inner.into_inner().map_err(failed)?;
        output
            .into_inner()
            .map_err(|error| Error::io("write an Arrow file", "", error.into_error()))
    }
}

fn options(compression: Compression) -> std::result::Result<IpcWriteOptions, ArrowError> {
    let plain = IpcWriteOptions::default();
    match compression {
        Compression::Zstd => plain
            .try_with_compression(Some(CompressionType::ZSTD))?
            .try_with_compression_level(Some(ZSTD_LEVEL)),
        Compression::Lz4 => plain.try_with_compression(Some(CompressionType::LZ4_FRAME)),
        Compression::None | Compression::Snappy | Compression::Gzip => Ok(plain),
    }
}

/// A full disk stays recognisable under the library's own error.
fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("write an Arrow file", "", error),
        error => Error::new(Code::Io, "could not write an Arrow file").because(error),
    }
}
