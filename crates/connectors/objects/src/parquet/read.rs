//! Reading Parquet files.

use std::ops::Range;
use std::sync::Arc;

use longshore_model::catalog::Table;
use longshore_model::{Code, Error, Result};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;

use super::int96;
use crate::columns::{FileColumns, Group, TABLE_KEY};
use crate::content::Content;
use crate::convert::plain_schema;
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
    columns: FileColumns,
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
        let columns = FileColumns::of(name, metadata.schema())?;
        Ok(Self { name: name.to_string(), file, metadata, columns })
    }

    pub(crate) fn columns(&self) -> &FileColumns {
        &self.columns
    }

    /// The structure of the table that longshore wrote into the file, if it did.
    pub(crate) fn structure(&self) -> Option<Table> {
        let pairs = self.metadata.metadata().file_metadata().key_value_metadata()?;
        let text = pairs.iter().find(|pair| pair.key == TABLE_KEY)?.value.as_deref()?;
        serde_json::from_str(text).ok()
    }

    /// Rows and bytes before compression of each row group.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Group> {
        self.metadata.metadata().row_groups().iter().map(|group| Group {
            rows: unsigned(group.num_rows()),
            bytes: unsigned(group.total_byte_size()),
        })
    }

    /// Passes the rows of some row groups to `sink`.
    pub(crate) fn read(
        &self,
        columns: &Columns,
        groups: Option<(usize, Option<usize>)>,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        let picked = self.columns.pick(columns)?;
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
            if batch.num_rows() > 0 && !sink(self.columns.arrange(columns, picked, &batch)?)? {
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
        let names = self.columns.iter().enumerate();
        let picked: Vec<usize> =
            names.filter(|(_, (name, _))| columns.contains(name)).map(|(index, _)| index).collect();
        (0..self.metadata.metadata().num_row_groups())
            .try_for_each(|group| self.check_times(&picked, group))
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
