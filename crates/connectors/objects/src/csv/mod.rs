//! CSV files: RFC 4180 with PostgreSQL's rule for NULL. An unquoted empty field is NULL, `""` is the
//! empty text. In a table of one column a NULL is an empty line.

mod records;
mod write;

use longshore_model::{BatchBuilder, Code, Error, Misfit, Result};

pub(crate) use write::CsvWriter;

use crate::infer::{Inferred, TextKinds};
use crate::listing::DataFile;
use crate::options::CsvStyle;
use crate::range::FileRange;
use crate::read::{Job, Sink};
use crate::study::{Cutter, Piece};
use crate::tree::Tree;
use records::Records;

/// The names of a file's columns.
pub(crate) fn names(tree: &Tree, file: &str, style: &CsvStyle) -> Result<Vec<String>> {
    open(tree, file, style).map(|(names, _)| names)
}

/// Whether a file holds a record.
pub(crate) fn has_rows(tree: &Tree, file: &str, style: &CsvStyle) -> Result<bool> {
    let (_, mut records) = open(tree, file, style)?;
    Ok(records.next()?.is_some())
}

/// Passes the records of a file, or a part of one, to `sink`.
pub(crate) fn read(job: &Job, range: &FileRange, sink: &mut Sink<'_>) -> Result<bool> {
    let (names, mut records) = open(&job.tree, &range.file, &job.text.csv)?;
    let wanted: Vec<&str> = job.columns.iter().map(|(name, _)| name.as_str()).collect();
    let places = places(&names, &wanted, &range.file)?;
    let mut end = None;
    if let Some((first, last)) = range.bytes {
        records.seek(first, range.line.unwrap_or(1))?;
        end = last;
    }
    let mut builder = BatchBuilder::new(job.columns.iter().map(|(name, ty)| (name.as_str(), ty)));
    // A fixed width fits every type but text and bytes, whose length the record itself bounds.
    let fixed = 32 * places.len();
    let mut bytes = 0;
    let mut scratch = String::new();
    while end.is_none_or(|end| records.offset() < end) {
        let Some(record) = records.next()? else { break };
        record.check_width(names.len(), &range.file)?;
        let size = record.bytes() + fixed;
        if builder.rows() > 0 && bytes + size > job.batch_bytes {
            bytes = 0;
            if !sink(builder.finish()?)? {
                return Ok(false);
            }
        }
        bytes += size;
        for (index, place) in places.iter().enumerate() {
            let text = record.text(*place, &range.file, &mut scratch)?;
            let column = &mut builder.columns()[index];
            match text {
                None => column.null(),
                Some(text) => column.parse(text).map_err(|misfit| {
                    misfit_at(misfit, &range.file, record.line(), &job.columns[index].0)
                })?,
            }
        }
        builder.end_row();
    }
    Ok(builder.rows() == 0 || sink(builder.finish()?)?)
}

/// Counts the records of a file, finds where to cut it, and shows every value of the wanted columns
/// to `kinds`.
pub(crate) fn scan(
    tree: &Tree,
    file: &str,
    style: &CsvStyle,
    wanted: &[&str],
    mut kinds: Option<&mut [TextKinds]>,
    chunk_bytes: u64,
) -> Result<Vec<Piece>> {
    let (names, mut records) = open(tree, file, style)?;
    let places = places(&names, wanted, file)?;
    let mut cutter = Cutter::new(records.offset(), records.line(), chunk_bytes);
    let mut scratch = String::new();
    while let Some(record) = records.next()? {
        record.check_width(names.len(), file)?;
        for (index, place) in places.iter().enumerate() {
            let text = record.text(*place, file, &mut scratch)?;
            if let (Some(kinds), Some(text)) = (&mut kinds, text) {
                kinds[index].see(text);
            }
        }
        cutter.row(records.offset(), records.line());
    }
    Ok(cutter.finish())
}

/// Finds the types of all columns of a table by reading every row.
pub(crate) fn infer(tree: &Tree, files: &[DataFile], style: &CsvStyle) -> Result<Inferred> {
    let Some(first) = files.first() else { return Ok(Inferred::default()) };
    let names = names(tree, &first.path, style)?;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut kinds: Vec<TextKinds> = names.iter().map(|_| TextKinds::default()).collect();
    for file in files {
        scan(tree, &file.path, style, &wanted, Some(&mut kinds), u64::MAX)?;
    }
    let types = kinds.iter().map(TextKinds::logical);
    Ok(Inferred { columns: names.iter().cloned().zip(types).collect() })
}

fn open(tree: &Tree, file: &str, style: &CsvStyle) -> Result<(Vec<String>, Records)> {
    let mut records = Records::new(tree.open(file)?, style)?;
    let (start, line) = (records.offset(), records.line());
    let no_columns = || {
        Error::new(Code::SourceUnreadable, "a CSV file is empty: it has no columns")
            .with("file", file)
    };
    let first = records.next()?.ok_or_else(no_columns)?;
    if !style.header {
        let names = (1..=first.width()).map(|number| format!("c{number}")).collect();
        records.seek(start, line)?;
        return Ok((names, records));
    }
    let mut scratch = String::new();
    let mut names = Vec::with_capacity(first.width());
    for place in 0..first.width() {
        // An unquoted empty name is a name as well.
        let name = first.text(place, file, &mut scratch)?.unwrap_or_default().to_string();
        if names.contains(&name) {
            return Err(Error::new(Code::SourceUnreadable, "a file has two columns of one name")
                .with("file", file)
                .with("column", name));
        }
        names.push(name);
    }
    Ok((names, records))
}

fn places(names: &[String], wanted: &[&str], file: &str) -> Result<Vec<usize>> {
    wanted
        .iter()
        .map(|wanted| {
            names.iter().position(|name| name == wanted).ok_or_else(|| {
                Error::new(Code::SourceChanged, "a file lacks a column of its table")
                    .with("file", file)
                    .with("column", *wanted)
            })
        })
        .collect()
}

/// A value of a text file that does not fit its column.
pub(crate) fn misfit_at(misfit: Misfit, file: &str, line: u64, column: &str) -> Error {
    Error::new(Code::ValueInvalid, format!("a value {}", misfit.describe()))
        .with("file", file)
        .with("line", line.to_string())
        .with("column", column)
}

#[cfg(test)]
mod tests;
