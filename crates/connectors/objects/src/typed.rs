//! Data files that tell the types of their columns, whatever their format.

use longshore_model::catalog::Table;
use longshore_model::{Code, Error, Result};

use crate::arrow::ArrowFile;
use crate::columns::{FileColumns, Group};
use crate::options::Format;
use crate::parquet::ParquetFile;
use crate::read::{Columns, Sink};
use crate::tree::Tree;

/// An open file.
pub(crate) enum TypedFile {
    Parquet(ParquetFile),
    Arrow(ArrowFile),
}

impl TypedFile {
    pub(crate) fn open(tree: &Tree, file: &str, format: Format) -> Result<Self> {
        match format {
            Format::Parquet => ParquetFile::open(tree, file).map(Self::Parquet),
            Format::Arrow => ArrowFile::open(tree, file).map(Self::Arrow),
            Format::Csv | Format::Jsonl => {
                Err(Error::new(Code::Internal, "a text file does not tell its types"))
            }
        }
    }

    pub(crate) fn columns(&self) -> &FileColumns {
        match self {
            Self::Parquet(file) => file.columns(),
            Self::Arrow(file) => file.columns(),
        }
    }

    /// The structure of the table that longshore wrote into the file, if it did.
    pub(crate) fn structure(&self) -> Option<Table> {
        match self {
            Self::Parquet(file) => file.structure(),
            Self::Arrow(file) => file.structure(),
        }
    }

    /// The parts at which the file can be cut.
    pub(crate) fn groups(&self) -> Result<Vec<Group>> {
        match self {
            Self::Parquet(file) => Ok(file.groups().collect()),
            Self::Arrow(file) => file.groups(),
        }
    }

    pub(crate) fn rows(&self) -> Result<u64> {
        Ok(self.groups()?.iter().map(|group| group.rows).sum())
    }

    /// Refuses values of some columns that no row can be read with; the plan finds them by it.
    pub(crate) fn check_values(&self, columns: &[&str]) -> Result<()> {
        match self {
            Self::Parquet(file) => file.check_values(columns),
            Self::Arrow(_) => Ok(()),
        }
    }

    /// Passes the rows of some groups, the first and the one after the last, to `sink`.
    pub(crate) fn read(
        &self,
        columns: &Columns,
        groups: Option<(usize, Option<usize>)>,
        batch_bytes: usize,
        sink: &mut Sink<'_>,
    ) -> Result<bool> {
        match self {
            Self::Parquet(file) => file.read(columns, groups, batch_bytes, sink),
            Self::Arrow(file) => file.read(columns, groups, batch_bytes, sink),
        }
    }
}
