//! Reject files: the rows that a chunk leaves out, as JSON Lines, each with its cause and its place.
//!
//! A chunk has one file or none. The file is whole and durable before the chunk is, and a chunk that
//! is copied again replaces it: so the files of a run hold just the rows that its ledger counts.

use std::fs::{self, File};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use longshore_model::ledger::Header;
use longshore_model::plan::digest;
use longshore_model::{Error, Result};
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::transform::Transform;

/// The folder for the rejects of one move of a run.
pub(crate) fn folder(all: &Path, header: &Header) -> PathBuf {
    all.join(&header.run).join(format!("move-{}", header.move_index + 1))
}

/// The rejects of one chunk.
pub(crate) struct Rejects<'a> {
    folder: &'a Path,
    table: String,
    chunk: usize,
    transform: &'a Transform,
    /// The file under its temporary name, from the first row on.
    file: Option<BufWriter<File>>,
    /// Rows so far.
    pub rows: u64,
}

/// One line of a reject file.
#[derive(serde::Serialize)]
struct Line<'a> {
    table: &'a str,
    chunk: usize,
    /// The row's place in its chunk, from 1.
    row: u64,
    cause: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    values: Values<'a>,
}

struct Values<'a>(&'a [(&'a str, Option<String>)]);

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, text) in self.0 {
            map.serialize_entry(name, text)?;
        }
        map.end()
    }
}

impl<'a> Rejects<'a> {
    /// The rejects of a chunk, none so far.
    pub(crate) fn of(
        folder: &'a Path,
        table: &str,
        chunk: usize,
        transform: &'a Transform,
    ) -> Self {
        Self { folder, table: table.to_string(), chunk, transform, file: None, rows: 0 }
    }

    /// Adds a row of the source. `place` is where it stands in its chunk, from 1.
    pub(crate) fn add(
        &mut self,
        (rows, row): (&RecordBatch, usize),
        place: u64,
        cause: &str,
        column: Option<&str>,
    ) -> Result<()> {
        let texts = self.transform.texts(rows, row)?;
        let line = Line {
            table: &self.table,
            chunk: self.chunk,
            row: place,
            cause,
            column,
            values: Values(&texts),
        };
        let path = self.temporary();
        let told = |error: std::io::Error| Error::io("write a reject file", path.display(), error);
        if self.file.is_none() {
            fs::create_dir_all(self.folder).map_err(told)?;
            self.file = Some(BufWriter::new(create_private(&path).map_err(told)?));
        }
        if let Some(file) = &mut self.file {
            serde_json::to_writer(&mut *file, &line).map_err(|error| told(error.into()))?;
            file.write_all(b"\n").map_err(told)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Makes the file durable under its name; where there are no rejects, removes one that an earlier
    /// try left.
    pub(crate) fn publish(mut self) -> Result<()> {
        let path = self.path();
        let told = |error: std::io::Error| Error::io("write a reject file", path.display(), error);
        let Some(file) = self.file.take() else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(told(error)),
                _ => Ok(()),
            };
        };
        let file = file.into_inner().map_err(|error| told(error.into_error()))?;
        file.sync_all().map_err(told)?;
        fs::rename(self.temporary(), &path).map_err(told)?;
        File::open(self.folder).and_then(|folder| folder.sync_all()).map_err(told)
    }

    fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.{}.jsonl", file_name(&self.table), self.chunk))
    }

    fn temporary(&self) -> PathBuf {
        self.path().with_extension("jsonl.part")
    }
}

impl Drop for Rejects<'_> {
    fn drop(&mut self) {
        if self.file.is_some() {
            // What stays is replaced by the chunk's next try.
            let _ = fs::remove_file(self.temporary());
        }
    }
}

/// A file that only its owner may read: it holds values of rows.
fn create_private(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The name of a table as part of a file's name, which has at most 255 bytes.
fn file_name(table: &str) -> String {
    const LONGEST: usize = 200;
    let mut name = String::new();
    for byte in table.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => name.push(byte.into()),
            b'.' if !name.is_empty() => name.push('.'),
            _ => name.push_str(&format!("%{byte:02X}")),
        }
    }
    if name.len() > LONGEST {
        let hash = digest(table.as_bytes());
        name.truncate(LONGEST - 17);
        name = format!("{name}-{}", &hash[hash.len() - 16..]);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::file_name;

    #[test]
    fn names_of_files_are_harmless_and_differ() {
        for (table, expected) in [
            ("public.orders", "public.orders"),
            ("../../etc", "%2E.%2F..%2Fetc"),
            ("a b", "a%20b"),
            ("ä", "%C3%A4"),
        ] {
            assert_eq!(file_name(table), expected);
        }
        let (one, other) = (file_name(&"ä".repeat(64)), file_name(&("ä".repeat(63) + "ö")));
        assert!(one.len() <= 200 && one != other, "{one} {other}");
    }
}
