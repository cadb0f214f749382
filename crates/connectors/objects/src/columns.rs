//! The columns of data files that tell their types.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use longshore_model::{Code, Error, LogicalType, Result};

use crate::convert::{Conversion, convert, describe};
use crate::read::Columns;

/// The key under which a file carries the structure of its table as JSON.
pub(crate) const TABLE_KEY: &str = "longshore.table";

/// The columns of one file.
#[derive(Debug)]
pub(crate) struct FileColumns {
    file: String,
    columns: Vec<FileColumn>,
}

#[derive(Debug)]
struct FileColumn {
    name: String,
    logical: LogicalType,
    conversion: Conversion,
}

/// The size of a part of a file that is read as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Group {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl FileColumns {
    /// The columns of a schema, in which every type is a plain one.
    pub(crate) fn of(file: &str, schema: &Schema) -> Result<Self> {
        let column = |field: &Arc<arrow_schema::Field>| {
            let (logical, conversion) = describe(field);
            FileColumn { name: field.name().clone(), logical, conversion }
        };
        let columns: Vec<FileColumn> = schema.fields().iter().map(column).collect();
        let mut names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::new(Code::SourceUnreadable, "a file has two columns of one name")
                .with("file", file)
                .with("column", pair[0]));
        }
        Ok(Self { file: file.to_string(), columns })
    }

    /// Names and types, in the file's order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &LogicalType)> {
        self.columns.iter().map(|column| (column.name.as_str(), &column.logical))
    }

    /// The type of a column, if a value of it can be read.
    pub(crate) fn check_readable(&self, name: &str) -> Result<&LogicalType> {
        let column = &self.columns[self.place(name)?];
        if column.conversion == Conversion::Refuse {
            return Err(Error::new(
                Code::TypeUnsupported,
                "a column has a type that cannot be moved",
            )
            .with("file", self.file.clone())
            .with("column", name)
            .with("type", column.logical.to_string()));
        }
        Ok(&column.logical)
    }

    /// The file's index of each column that is asked for.
    pub(crate) fn pick(&self, columns: &Columns) -> Result<Vec<usize>> {
        columns
            .iter()
            .map(|(name, logical)| {
                let found = self.check_readable(name)?;
                if found != logical {
                    return Err(Error::new(
                        Code::SourceChanged,
                        "a column has another type than planned",
                    )
                    .with("file", self.file.clone())
                    .with("column", name.clone())
                    .with("planned", logical.to_string())
                    .with("found", found.to_string()));
                }
                self.place(name)
            })
            .collect()
    }

    /// A batch of the picked columns, which it has in the file's order, in the order and the form of
    /// the request.
    pub(crate) fn arrange(
        &self,
        columns: &Columns,
        picked: &[usize],
        batch: &RecordBatch,
    ) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for ((name, logical), index) in columns.iter().zip(picked) {
            let place = picked.iter().filter(|other| *other < index).count();
            let array = batch.column(place);
            arrays.push(convert(array, self.columns[*index].conversion, logical).map_err(
                |error| error.with("file", self.file.clone()).with("column", name.clone()),
            )?);
            fields.push(logical.field(name, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(
            |error| {
                Error::new(Code::SourceUnreadable, "a file's values do not have its types")
                    .with("file", self.file.clone())
                    .because(error)
            },
        )
    }

    fn place(&self, name: &str) -> Result<usize> {
        self.columns.iter().position(|column| column.name == name).ok_or_else(|| {
            Error::new(Code::SourceChanged, "a file lacks a column of its table")
                .with("file", self.file.clone())
                .with("column", name)
        })
    }
}
