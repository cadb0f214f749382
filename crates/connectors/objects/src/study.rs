//! Studying a table: rows, exact types, chunks.

use longshore_model::connector::{Study, StudyRequest};
use longshore_model::plan::Chunk;
use longshore_model::{Code, Error, LogicalType, Result};

use crate::filter::Filter;
use crate::infer::TextKinds;
use crate::listing::{DataFile, Listed, Listing};
use crate::options::Format;
use crate::range::FileRange;
use crate::read::Job;
use crate::source::Shared;
use crate::typed::TypedFile;
use crate::{csv, describe, jsonl};

/// The size of a batch while rows are counted.
const STUDY_BATCH: usize = 1 << 20;

/// Packed files above this are worth a note.
const LARGE_PACKED: u64 = 1 << 30;

/// A run of whole records in a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) offset: u64,
    pub(crate) line: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// Cuts a text file into pieces of about one size.
#[derive(Debug)]
pub(crate) struct Cutter {
    pieces: Vec<Piece>,
    open: Piece,
    chunk_bytes: u64,
}

impl Cutter {
    /// Begins at the first record.
    pub(crate) fn new(offset: u64, line: u64, chunk_bytes: u64) -> Self {
        let open = Piece { offset, line, rows: 0, bytes: 0 };
        Self { pieces: Vec::new(), open, chunk_bytes: chunk_bytes.max(1) }
    }

    /// Counts a record, given where the next one begins.
    pub(crate) fn row(&mut self, next: u64, line: u64) {
        self.open.rows += 1;
        self.open.bytes = next - self.open.offset;
        if self.open.bytes >= self.chunk_bytes {
            let begun = Piece { offset: next, line, rows: 0, bytes: 0 };
            self.pieces.push(std::mem::replace(&mut self.open, begun));
        }
    }

    /// The pieces, at least one.
    pub(crate) fn finish(mut self) -> Vec<Piece> {
        if self.open.rows > 0 || self.pieces.is_empty() {
            self.pieces.push(self.open);
        }
        self.pieces
    }
}

/// Studies one table.
pub(crate) fn study(shared: &Shared, request: &StudyRequest<'_>) -> Result<Study> {
    let listing = shared.listing()?;
    if listing.unfinished {
        return Err(Error::new(
            Code::SourceUnreadable,
            "the folder holds a load that has not ended: its tables are not complete",
        )
        .hint("Run the migration that fills the folder again; it goes on from where it stopped."));
    }
    let listed = listing.table(&request.table.name)?;
    check_complete(listed)?;
    let mut work = Work::new(shared, listed, request)?;
    for file in &listed.files {
        match file.format {
            Format::Parquet | Format::Arrow => work.typed(file)?,
            Format::Csv => work.csv(file)?,
            Format::Jsonl => work.jsonl(file)?,
        }
    }
    let mut study = work.finish()?;
    if let Some(condition) = request.filter {
        count_selected(shared, listing, listed, condition, &mut study.chunks)?;
    }
    Ok(study)
}

/// Replaces the rows of every chunk by those that meet the condition.
fn count_selected(
    shared: &Shared,
    listing: &Listing,
    listed: &Listed,
    condition: &str,
    chunks: &mut [Chunk],
) -> Result<()> {
    let filter = Filter::parse(condition, &describe::column_types(shared, listed)?)?;
    for chunk in chunks {
        let range = FileRange::parse(&chunk.range)?;
        let file = listed.files.iter().find(|file| file.path == range.file);
        let mut job = Job {
            tree: shared.tree.clone(),
            parts: file.map(|file| (range, file.clone())).into_iter().collect(),
            columns: Vec::new(),
            batch_bytes: STUDY_BATCH,
            text: shared.text_rules(listing, Some(listed))?,
            filter: None,
        };
        job.select(filter.clone());
        let mut rows = 0;
        job.run(&mut |batch| {
            rows += batch.num_rows() as u64;
            Ok(true)
        })?;
        chunk.bytes = scaled(chunk.bytes, rows, chunk.rows);
        chunk.rows = rows;
    }
    Ok(())
}

fn scaled(bytes: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(bytes)
}

/// Refuses a table of which a file is gone.
pub(crate) fn check_complete(listed: &Listed) -> Result<()> {
    let Some(described) = &listed.described else { return Ok(()) };
    for file in &described.files {
        let path = format!("{}/{}", described.folder, file.name);
        if !listed.files.iter().any(|present| present.path == path) {
            return Err(Error::new(
                Code::SourceUnreadable,
                "a file that the manifest names is gone",
            )
            .with("table", listed.name.to_string())
            .with("file", path));
        }
    }
    Ok(())
}

/// A study under way.
struct Work<'a> {
    shared: &'a Shared,
    listed: &'a Listed,
    wanted: Vec<&'a str>,
    /// Those of them that the files themselves hold.
    columns: Vec<&'a str>,
    chunk_bytes: u64,
    /// The types that are known, and where from.
    types: Option<(Vec<LogicalType>, String)>,
    /// The sorted names of the first file, where no manifest tells them.
    names: Option<(Vec<String>, String)>,
    kinds: Option<Vec<TextKinds>>,
    chunks: Vec<Chunk>,
    notes: Vec<String>,
}

impl<'a> Work<'a> {
    fn new(shared: &'a Shared, listed: &'a Listed, request: &StudyRequest<'a>) -> Result<Self> {
        let wanted: Vec<&str> = request.columns.iter().map(String::as_str).collect();
        let is_key = |name: &&str| listed.keys.iter().any(|(key, _)| key == name);
        let columns: Vec<&str> = wanted.iter().copied().filter(|name| !is_key(name)).collect();
        let mut notes = Vec::new();
        let types = match &listed.described {
            None => None,
            Some(described) => {
                let extra = listed.files.len().saturating_sub(described.files.len());
                if extra > 0 {
                    notes.push(format!(
                        "{} files are not in the folder's manifest; they are read as well",
                        extra
                    ));
                }
                let of_column = |name: &&str| {
                    let column = described.structure.column(name);
                    column.map(|column| column.logical.clone()).ok_or_else(|| missing(listed, name))
                };
                let types = columns.iter().map(of_column).collect::<Result<_>>()?;
                Some((types, crate::manifest::NAME.to_string()))
            }
        };
        let chunk_bytes = request.chunk_bytes.max(1);
        Ok(Self {
            shared,
            listed,
            wanted,
            columns,
            chunk_bytes,
            types,
            names: None,
            kinds: None,
            chunks: Vec::new(),
            notes,
        })
    }

    fn typed(&mut self, file: &DataFile) -> Result<()> {
        let open = TypedFile::open(&self.shared.tree, &file.path, file.format)?;
        if self.listed.described.is_none() {
            self.same_names(
                file,
                open.columns().iter().map(|(name, _)| name.to_string()).collect(),
            )?;
        }
        let readable = |name: &&str| open.columns().check_readable(name).cloned();
        let types = self.columns.iter().map(readable).collect::<Result<Vec<_>>>()?;
        self.agree(types, &file.path)?;
        open.check_values(&self.columns)?;
        let mut pieces: Vec<(usize, u64, u64)> = Vec::new();
        for (index, group) in open.groups()?.iter().enumerate() {
            match pieces.last_mut() {
                Some((_, rows, bytes)) if *bytes + group.bytes <= self.chunk_bytes => {
                    *rows += group.rows;
                    *bytes += group.bytes;
                }
                _ => pieces.push((index, group.rows, group.bytes)),
            }
        }
        if pieces.len() <= 1 {
            let (rows, bytes) = pieces.first().map_or((0, 0), |(_, rows, bytes)| (*rows, *bytes));
            self.push(FileRange::whole(file.path.clone()), rows, bytes);
            return Ok(());
        }
        for (place, (first, rows, bytes)) in pieces.iter().enumerate() {
            let end = pieces.get(place + 1).map(|(next, ..)| *next);
            let mut range = FileRange::whole(file.path.clone());
            range.groups = Some((*first, end));
            self.push(range, *rows, *bytes);
        }
        Ok(())
    }

    fn csv(&mut self, file: &DataFile) -> Result<()> {
        if self.counted(file) {
            return Ok(());
        }
        let (shared, chunk_bytes) = (self.shared, self.piece_bytes(file));
        if self.types.is_none() && self.kinds.is_none() {
            self.kinds = Some(self.columns.iter().map(|_| TextKinds::default()).collect());
        }
        let style = &shared.options.csv;
        if self.types.is_none() {
            let names = csv::names(&shared.tree, &file.path, style)?;
            self.same_names(file, names)?;
        }
        let kinds = self.kinds.as_deref_mut();
        let pieces = csv::scan(&shared.tree, &file.path, style, &self.columns, kinds, chunk_bytes)?;
        self.push_pieces(file, &pieces);
        Ok(())
    }

    fn jsonl(&mut self, file: &DataFile) -> Result<()> {
        if self.counted(file) {
            return Ok(());
        }
        if self.types.is_none() {
            let inferred = describe::inferred(self.shared, self.listed)?;
            let of_column = |name: &&str| {
                let column = inferred.columns.iter().find(|(column, _)| column == name);
                column.map(|(_, ty)| ty.clone()).ok_or_else(|| missing(self.listed, name))
            };
            let types = self.columns.iter().map(of_column).collect::<Result<_>>()?;
            self.types = Some((types, file.path.clone()));
        }
        let pieces = jsonl::scan(&self.shared.tree, &file.path, self.piece_bytes(file))?;
        self.push_pieces(file, &pieces);
        Ok(())
    }

    /// How large the pieces of a text file are: what is packed stays whole.
    fn piece_bytes(&mut self, file: &DataFile) -> u64 {
        if !file.is_packed() {
            return self.chunk_bytes;
        }
        if file.stamp.size > LARGE_PACKED {
            self.notes.push(format!(
                "{} is compressed as a whole: one worker reads all of it, and begins anew when it is \
                 interrupted",
                file.path
            ));
        }
        u64::MAX
    }

    /// Takes the manifest's word for a file that still has the size it had: one chunk, no scan.
    fn counted(&mut self, file: &DataFile) -> bool {
        let Some(described) = &self.listed.described else { return false };
        let name = file.path.rsplit('/').next().unwrap_or_default();
        let known = described.files.iter().find(|known| known.name == name);
        let Some(fingerprint) = known.and_then(|known| known.fingerprint) else { return false };
        if known.is_none_or(|known| known.bytes != file.stamp.size) {
            return false;
        }
        self.push(FileRange::whole(file.path.clone()), fingerprint.rows, file.stamp.size);
        true
    }

    /// All files of a table have the same columns.
    fn agree(&mut self, types: Vec<LogicalType>, file: &str) -> Result<()> {
        let Some((known, first)) = &self.types else {
            self.types = Some((types, file.to_string()));
            return Ok(());
        };
        match known.iter().zip(&types).position(|(a, b)| a != b) {
            None => Ok(()),
            Some(place) => {
                Err(Error::new(Code::SourceUnreadable, "two files of a table differ in a type")
                    .with("one", first.clone())
                    .with("type", known[place].to_string())
                    .with("other", file)
                    .with("type", types[place].to_string())
                    .with("column", self.columns[place]))
            }
        }
    }

    /// Files without manifest must have the same names, so that no column of a later file is lost.
    fn same_names(&mut self, file: &DataFile, mut names: Vec<String>) -> Result<()> {
        names.sort();
        let Some((known, first)) = &self.names else {
            self.names = Some((names, file.path.clone()));
            return Ok(());
        };
        if *known == names {
            return Ok(());
        }
        Err(Error::new(Code::SourceUnreadable, "two files of a table differ in their columns")
            .with("one", first.clone())
            .with("other", file.path.clone()))
    }

    fn push_pieces(&mut self, file: &DataFile, pieces: &[Piece]) {
        for (place, piece) in pieces.iter().enumerate() {
            let mut range = FileRange::whole(file.path.clone());
            if pieces.len() > 1 {
                range.bytes = Some((piece.offset, pieces.get(place + 1).map(|next| next.offset)));
                range.line = Some(piece.line);
            }
            self.push(range, piece.rows, piece.bytes);
        }
    }

    fn push(&mut self, range: FileRange, rows: u64, bytes: u64) {
        self.chunks.push(Chunk { range: range.to_json(), rows, bytes });
    }

    fn finish(mut self) -> Result<Study> {
        if self.chunks.is_empty() {
            self.push(FileRange::whole(""), 0, 0);
        }
        let types = match (self.types, self.kinds) {
            (Some((types, _)), _) => types,
            (None, Some(kinds)) => kinds.iter().map(TextKinds::logical).collect(),
            (None, None) => vec![LogicalType::Text; self.columns.len()],
        };
        let mut of_files = types.into_iter();
        let keys = &self.listed.keys;
        let of_column = |name: &&str| match keys.iter().find(|(key, _)| key == name) {
            Some((_, logical)) => Some(logical.clone()),
            None => of_files.next(),
        };
        let types = self.wanted.iter().filter_map(of_column).collect();
        Ok(Study { types, chunks: self.chunks, wires: Vec::new(), notes: self.notes })
    }
}

fn missing(listed: &Listed, column: &str) -> Error {
    Error::new(Code::SourceChanged, "a table lacks a column")
        .with("table", listed.name.to_string())
        .with("column", column)
}
