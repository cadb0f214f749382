//! Folders whose names are values of columns, as Hive lays tables out: `year=2024/month=01`.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use longshore_model::{Code, ColumnBuilder, Error, LogicalType, Result};
use percent_encoding::percent_decode_str;

use crate::infer::is_integer;
use crate::listing::DataFile;
use crate::read::Columns;

/// The value that stands for NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// What an error says about the way out.
const HINT: &str = "With ?hive=false only the files directly in the folder of a table are read.";

/// A column with one value for all rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) name: String,
    /// `None` is NULL.
    pub(crate) value: Option<String>,
}

/// The columns of one file, those of its folders among them.
pub(crate) struct Partition<'a> {
    file: &'a DataFile,
    columns: &'a Columns,
}

impl Key {
    /// The key that the name of a folder is; `None` when it is an ordinary name.
    pub(crate) fn of_name(folder: &str) -> Result<Option<Self>> {
        let Some((name, value)) = folder.split_once('=') else { return Ok(None) };
        if name.is_empty() || name.starts_with('.') {
            return Ok(None);
        }
        let decoded = |text: &str| {
            percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| {
                Error::new(Code::SourceUnreadable, "the name of a folder is not UTF-8")
                    .with("folder", folder)
                    .hint(HINT)
            })
        };
        let value = if value == NULL { None } else { Some(decoded(value)?) };
        Ok(Some(Self { name: decoded(name)?, value }))
    }

    /// The keys of a folder in another, of which none is there twice.
    pub(crate) fn below(self, keys: &[Self], folder: &str) -> Result<Vec<Self>> {
        if keys.iter().any(|key| key.name == self.name) {
            return Err(Error::new(Code::SourceUnreadable, "two folders name the same column")
                .with("folder", folder)
                .with("column", self.name)
                .hint(HINT));
        }
        Ok(keys.iter().cloned().chain([self]).collect())
    }
}

/// The columns that the folders of a table's files name: integers, where every value is the text of
/// one, else text.
pub(crate) fn key_columns(files: &[DataFile]) -> Result<Vec<(String, LogicalType)>> {
    let Some(first) = files.first() else { return Ok(Vec::new()) };
    let names = |file: &DataFile| file.keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>();
    let known = names(first);
    if let Some(other) = files.iter().find(|file| names(file) != known) {
        return Err(Error::new(
            Code::SourceUnreadable,
            "two files of a table differ in the columns that their folders name",
        )
        .with("one", first.path.clone())
        .with("other", other.path.clone())
        .hint(HINT));
    }
    let of_place = |(place, name): (usize, String)| {
        let mut values = files.iter().filter_map(|file| file.keys[place].value.as_deref());
        let some = values.clone().next().is_some();
        let integers = some && values.all(is_integer);
        (name, if integers { LogicalType::INT64 } else { LogicalType::Text })
    };
    Ok(known.into_iter().enumerate().map(of_place).collect())
}

/// Refuses a column that a table's files hold and its folders name.
pub(crate) fn check_apart<'a>(
    keys: &[(String, LogicalType)],
    names: impl IntoIterator<Item = &'a str>,
    file: &str,
) -> Result<()> {
    match names.into_iter().find(|name| keys.iter().any(|(key, _)| key == name)) {
        None => Ok(()),
        Some(name) => {
            Err(Error::new(Code::SourceUnreadable, "a file holds a column that its folder names")
                .with("file", file)
                .with("column", name)
                .hint(HINT))
        }
    }
}

impl<'a> Partition<'a> {
    pub(crate) fn new(file: &'a DataFile, columns: &'a Columns) -> Self {
        Self { file, columns }
    }

    /// The columns that are in the file itself.
    pub(crate) fn own(&self) -> Vec<(String, LogicalType)> {
        self.columns.iter().filter(|(name, _)| self.key(name).is_none()).cloned().collect()
    }

    /// Rows of the file with the columns of its folders between.
    pub(crate) fn complete(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let mut own = batch.columns().iter();
        let missing = || Error::new(Code::Internal, "a batch lacks a column");
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (name, logical) in self.columns {
            arrays.push(match self.key(name) {
                None => own.next().ok_or_else(missing)?.clone(),
                Some(key) => self.constant(key, logical, batch.num_rows())?,
            });
            fields.push(logical.field(name, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
            .map_err(|error| missing().because(error))
    }

    fn key(&self, name: &str) -> Option<&Key> {
        self.file.keys.iter().find(|key| key.name == name)
    }

    fn constant(&self, key: &Key, logical: &LogicalType, rows: usize) -> Result<ArrayRef> {
        let mut builder = ColumnBuilder::new(logical);
        for _ in 0..rows {
            match &key.value {
                None => builder.null(),
                Some(value) => builder.parse(value).map_err(|misfit| {
                    let what = format!("the name of a folder {}", misfit.describe());
                    Error::new(Code::SourceChanged, what)
                        .with("file", self.file.path.clone())
                        .with("column", key.name.clone())
                })?,
            }
        }
        Ok(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::Key;

    #[test]
    fn names_of_folders_are_keys_and_values() {
        for (folder, expected) in [
            ("year=2024", Some(("year", Some("2024")))),
            ("_day=1", Some(("_day", Some("1")))),
            ("a=b=c", Some(("a", Some("b=c")))),
            ("city=S%C3%A3o%20Paulo%2F1", Some(("city", Some("São Paulo/1")))),
            ("a%3Db=c", Some(("a=b", Some("c")))),
            ("p=100%", Some(("p", Some("100%")))),
            ("empty=", Some(("empty", Some("")))),
            ("n=__HIVE_DEFAULT_PARTITION__", Some(("n", None))),
            ("=1", None),
            (".year=1", None),
            ("year", None),
        ] {
            let key = Key::of_name(folder).expect(folder);
            let found = key.as_ref().map(|key| (key.name.as_str(), key.value.as_deref()));
            assert_eq!(found, expected, "{folder}");
        }
        Key::of_name("a=%FF").expect_err("not UTF-8");
    }
}
