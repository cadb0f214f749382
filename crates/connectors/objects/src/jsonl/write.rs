//! Writing JSON Lines.

use std::io::Write;

use arrow_array::RecordBatch;
use longshore_model::{Cell, Code, ColumnView, Error, LogicalType, Result};

use crate::new_file::NewFile;
use crate::packing::Packer;

const FLUSH: usize = 256 << 10;

/// A file under construction.
pub(crate) struct JsonlWriter {
    file: Packer,
    types: Vec<LogicalType>,
    /// What stands before each value: a brace or a comma, the name, a colon.
    heads: Vec<Vec<u8>>,
    out: Vec<u8>,
    scratch: String,
}

impl JsonlWriter {
    pub(crate) fn new(file: Packer, columns: &[(String, LogicalType)]) -> Result<Self> {
        let mut heads = Vec::with_capacity(columns.len());
        for (index, (name, _)) in columns.iter().enumerate() {
            let mut head = vec![if index == 0 { b'{' } else { b',' }];
            write_string(name, &mut head)?;
            head.push(b':');
            heads.push(head);
        }
        let types = columns.iter().map(|(_, logical)| logical.clone()).collect();
        Ok(Self { file, types, heads, out: Vec::new(), scratch: String::new() })
    }

    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let types = std::mem::take(&mut self.types);
        let views: Vec<ColumnView<'_>> = types
            .iter()
            .zip(batch.columns())
            .map(|(logical, array)| ColumnView::new(logical, array))
            .collect::<Result<_>>()?;
        for row in 0..batch.num_rows() {
            for (index, view) in views.iter().enumerate() {
                self.out.extend_from_slice(&self.heads[index]);
                self.value(view.cell(row))?;
            }
            self.out.extend_from_slice(b"}\n");
            if self.out.len() >= FLUSH {
                self.flush()?;
            }
        }
        drop(views);
        self.types = types;
        Ok(())
    }

    /// Ends the file and gives it back, complete but not durable.
    pub(crate) fn finish(mut self) -> Result<NewFile> {
        self.flush()?;
        self.file.finish().map_err(|error| Error::io("write a JSON Lines file", "", error))
    }

    fn value(&mut self, cell: Cell<'_>) -> Result<()> {
        self.scratch.clear();
        match cell {
            Cell::Null => self.out.extend_from_slice(b"null"),
            Cell::Text(text) => write_string(text, &mut self.out)?,
            Cell::Bool(_) | Cell::Int(_) | Cell::UInt(_) => {
                cell.write_text(&mut self.scratch);
                self.out.extend_from_slice(self.scratch.as_bytes());
            }
            Cell::Float(value) if value.is_finite() => {
                cell.write_text(&mut self.scratch);
                self.out.extend_from_slice(self.scratch.as_bytes());
            }
            cell => {
                cell.write_text(&mut self.scratch);
                write_string(&self.scratch, &mut self.out)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        self.file
            .write_all(&self.out)
            .map_err(|error| Error::io("write a JSON Lines file", "", error))?;
        self.out.clear();
        Ok(())
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(out, text)
        .map_err(|e| Error::new(Code::Internal, "a text cannot be written as JSON").because(e))
}
