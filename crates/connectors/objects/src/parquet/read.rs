//! Reading Parquet files.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use longshore_model::catalog::Table;
use longshore_model::{Code, Error, LogicalType, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;

use super::TABLE_KEY;
use super::convert::{Conversion, convert, describe, plain_schema};
use super::int96;
use crate::content::Content;
use crate::read::{Columns, Sink};
use crate::tree::Tree;

/// A column whose decoded size the footer does not tell is decoded in batches of so many rows.
const CAUTIOUS_ROWS: u64 = 1024;

/// An open file.
#[derive(Debug)]
pub(crate) struct ParquetFile {
    name: String,
    file: Content,
    metadata: ArrowReaderMetadata,
    columns: Vec<FileColumn>,
}

/// A column of a file.
#[derive(Debug, Clone)]
struct FileColumn {
    name: String,
    logical: LogicalType,
    conversion: Conversion,
}

impl ParquetFile {
    pub(crate) fn open(tree: &Tree, name: &str) -> Result<Self> {
        let file = tree.open(name)?;
        let damaged = |error| damaged(name, error);
        let metadata =
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(damaged)?;
        let plain = plain_schema(metadata.schema());
        let metadata = if plain == **metadata.schema() {
            metadata
        } else {
            let options = ArrowReaderOptions::new().with_schema(Arc::new(plain));
            ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(damaged)?
        };
        let columns: Vec<FileColumn> = metadata
            .schema()
            .fields()
            .iter()
            .map(|field| {
                let (logical, conversion) = describe(field);
                FileColumn { name: field.name().clone(), logical, conversion }
            })
            .collect();
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(Code::SourceUnreadable, "a file has two columns of one name")
                .with("file", name)
                .with("column", pair[0]));
        }
        Ok(Self { name: name.to_string(), file, metadata, columns })
    }

    /// Names and types of the columns, in the file's order.
    pub(crate) fn columns(&self) -> impl Iterator<Item = (&str, &LogicalType)> {
        self.columns.iter().map(|column| (column.name.as_str(), &column.logical))
    }

    /// The structure of the table that longshore wrote into the file, if it did.
    pub(crate) fn structure(&self) -> Option<Table> {
        let pairs = self.metadata.metadata().file_metadata().key_value_metadata()?;
        let text = pairs.iter().find(|pair| pair.key == TABLE_KEY)?.value.as_deref()?;
        serde_json::from_str(text).ok()
    }

    pub(crate) fn rows(&self) -> u64 {
        self.groups().map(|group| group.rows).sum()
    }

    /// Rows and bytes before compression of each row group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group> {
        self.metadata.metadata().row_groups().iter().map(|group| Group {
            rows: unsigned(group.num_rows()),
            bytes: unsigned(group.total_byte_size()),
        })
    }

    /// The column of a name, if a value of it can be read.
    pub(crate) fn check_readable(&self, name: &str) -> Result<&LogicalType> {
        let column = self.columns.iter().find(|column| column.name == name);
        let column = column.ok_or_else(|| self.missing(name))?;
        if column.conversion == Conversion::Refuse {
            return Err(Error::new(
                Code::TypeUnsupported,
                "a column has a type that cannot be moved",
            )
            .with("file", self.name.clone())
            .with("column", name)
            .with("type", column.logical.to_string()));
        }
        Ok(&column.logical)
    }

    /// Passes the rows of some row groups to `sink`.
    pub(crate) fn read(
        &self,
        columns: &Columns,
        groups: Option<(usize, Option<usize>)>,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let picked = self.pick(columns)?;
        let count = self.metadata.metadata().num_row_groups();
        let (first, end) = groups.map_or((0, count), |(first, end)| (first, end.unwrap_or(count)));
        if first > end || end > count {
            return Err(Error::new(
                Code::SourceChanged,
                "a file has fewer row groups than planned",
            )
            .with("file", self.name.clone()));
        }
        for group in first..end {
            if !self.read_group(columns, &picked, group, batch_bytes, sink)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn read_group(
        &self,
        columns: &Columns,
        picked: &[usize],
        group: usize,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        self.check_times(picked, group)?;
        let rows = self.rows_per_batch(picked, group, batch_bytes);
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), picked.iter().copied());
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.file.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![group])
        .with_projection(mask)
        .with_batch_size(rows)
        .build()
        .map_err(|error| damaged(&self.name, error))?;
        for batch in reader {
            let batch = batch.map_err(|error| damaged(&self.name, error))?;
            if batch.num_rows() > 0 && !sink(self.arrange(columns, picked, &batch)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Refuses timestamps of 96 bits that do not fit their type.
    fn check_times(&self, picked: &[usize], group: usize) -> Result<()> {
        let row_group = self.metadata.metadata().row_group(group);
        let leaves: Vec<usize> = picked
            .iter()
            .flat_map(|index| self.leaves(*index))
            .filter(|leaf| row_group.column(*leaf).column_type() == parquet::basic::Type::INT96)
            .collect();
        if leaves.is_empty() {
            return Ok(());
        }
        match int96::all_fit(self.file.clone(), group, &leaves) {
            Ok(true) => Ok(()),
            Ok(false) => Err(int96::out_of_range(&self.name)),
            Err(error) => Err(damaged(&self.name, error)),
        }
    }

    /// Refuses values of some columns that no row can be read with; the plan finds them by it.
    pub(crate) fn check_values(&self, columns: &[&str]) -> Result<()> {
        let picked: Vec<usize> = (0..self.columns.len())
            .filter(|index| columns.contains(&self.columns[*index].name.as_str()))
            .collect();
        (0..self.metadata.metadata().num_row_groups())
            .try_for_each(|group| self.check_times(&picked, group))
    }

    /// The file's index of each column that is asked for.
    fn pick(&self, columns: &Columns) -> Result<Vec<usize>> {
        columns
            .iter()
            .map(|(name, logical)| {
                let found = self.check_readable(name)?;
                if found != logical {
                    return Err(Error::new(
                        Code::SourceChanged,
                        "a column has another type than planned",
                    )
                    .with("file", self.name.clone())
                    .with("column", name.clone())
                    .with("planned", logical.to_string())
                    .with("found", found.to_string()));
                }
                self.columns
                    .iter()
                    .position(|column| column.name == *name)
                    .ok_or_else(|| self.missing(name))
            })
            .collect()
    }

    /// A decoded batch with the columns in the order and the form of the request.
    fn arrange(
        &self,
        columns: &Columns,
        picked: &[usize],
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for ((name, logical), index) in columns.iter().zip(picked) {
            // The reader gives the picked columns in the file's order.
            let place = picked.iter().filter(|other| *other < index).count();
            let array = batch.column(place);
            arrays.push(convert(array, self.columns[*index].conversion, logical).map_err(
                |error| error.with("file", self.name.clone()).with("column", name.clone()),
            )?);
            fields.push(logical.field(name, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| damaged(&self.name, error))
    }

    fn rows_per_batch(&self, picked: &[usize], group: usize, batch_bytes: usize) -> usize {
        let group = self.metadata.metadata().row_group(group);
        let rows = unsigned(group.num_rows()).max(1);
        let mut bytes = 0;
        let mut certain = true;
        for index in picked {
            for leaf in self.leaves(*index) {
                let (size, known) = decoded_size(group, leaf);
                bytes += size;
                certain &= known;
            }
        }
        let width = (bytes / rows).max(1);
        let fitting = (batch_bytes as u64 / width).clamp(1, 1 << 20);
        let fitting = if certain { fitting } else { fitting.min(CAUTIOUS_ROWS) };
        usize::try_from(fitting).unwrap_or(usize::MAX)
    }

    fn leaves(&self, root: usize) -> Range<usize> {
        let schema = self.metadata.parquet_schema();
        let count = schema.num_columns();
        let of_root = |leaf: &usize| schema.get_column_root_idx(*leaf) == root;
        let first = (0..count).find(of_root).unwrap_or(count);
        first..(first..count).find(|leaf| !of_root(leaf)).unwrap_or(count)
    }

    fn missing(&self, column: &str) -> Error {
        Error::new(Code::SourceChanged, "a file lacks a column of its table")
            .with("file", self.name.clone())
            .with("column", column)
    }
}

/// The size of a row group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// The bytes of one column in memory, and whether the footer tells them.
fn decoded_size(group: &RowGroupMetaData, leaf: usize) -> (u64, bool) {
    use parquet::basic::Type;
    let column = group.column(leaf);
    let rows = unsigned(group.num_rows());
    let encoded = unsigned(column.uncompressed_size());
    match column.column_type() {
        Type::BYTE_ARRAY => match column.unencoded_byte_array_data_bytes() {
            Some(bytes) => (unsigned(bytes) + rows * 5, true),
            None => (encoded + rows * 5, column.dictionary_page_offset().is_none()),
        },
        Type::FIXED_LEN_BYTE_ARRAY => {
            let length = unsigned(i64::from(column.column_descr().type_length()));
            (rows * length.max(32), true)
        }
        _ => (rows * 16, true),
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn damaged(name: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Code::SourceUnreadable, "a Parquet file cannot be read")
        .with("file", name)
        .because(error)
}
