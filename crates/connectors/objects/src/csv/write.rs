//! Writing CSV.

use std::io::Write;

use arrow_array::RecordBatch;
use longshore_model::{Cell, ColumnView, Error, LogicalType, Result};

use crate::new_file::NewFile;
use crate::packing::Packer;

const FLUSH: usize = 256 << 10;

/// A file under construction. It begins with a line of names.
pub(crate) struct CsvWriter {
    file: Packer,
    types: Vec<LogicalType>,
    out: String,
}

impl CsvWriter {
    pub(crate) fn new(file: Packer, columns: &[(String, LogicalType)]) -> Self {
        let mut out = String::new();
        for (index, (name, _)) in columns.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_text(name, &mut out);
        }
        out.push('\n');
        let types = columns.iter().map(|(_, logical)| logical.clone()).collect();
        Self { file, types, out }
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let views: Vec<ColumnView<'_>> = self
            .types
            .iter()
            .zip(batch.columns())
            .map(|(logical, array)| ColumnView::new(logical, array))
            .collect::<Result<_>>()?;
        for row in 0..batch.num_rows() {
            for (index, view) in views.iter().enumerate() {
                if index > 0 {
                    self.out.push(',');
                }
                match view.cell(row) {
                    Cell::Text(text) => write_text(text, &mut self.out),
                    // The text of every other type is never empty and needs no quotes.
                    cell => cell.write_text(&mut self.out),
                }
            }
            self.out.push('\n');
            if self.out.len() >= FLUSH {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Ends the file and gives it back, complete but not durable.
    pub(crate) fn finish(mut self) -> Result<NewFile> {
        self.flush()?;
        self.file.finish().map_err(|error| Error::io("write a CSV file", "", error))
    }

    fn flush(&mut self) -> Result<()> {
        self.file
            .write_all(self.out.as_bytes())
            .map_err(|error| Error::io("write a CSV file", "", error))?;
        self.out.clear();
        Ok(())
    }
}

/// Quotes what would not be read back the same: a byte order mark too, which a reader takes away at
/// the beginning of a file.
fn write_text(text: &str, out: &mut String) {
    if !text.is_empty()
        && !text.as_bytes().iter().any(|byte| b",\"\n\r".contains(byte))
        && !text.starts_with('\u{feff}')
    {
        out.push_str(text);
        return;
    }
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        out.push_str(&rest[..=at]);
        out.push('"');
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
