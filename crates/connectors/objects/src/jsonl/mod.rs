//! JSON Lines files: one object per line. Numbers are numbers, everything else is a string in its
//! canonical text; NULL is `null` or an absent key.

mod lines;
mod row;
mod write;

use std::collections::HashMap;

use longshore_model::{BatchBuilder, Code, Error, Result};

pub(crate) use write::JsonlWriter;

use crate::csv::misfit_at;
use crate::infer::{Inferred, JsonKinds};
use crate::listing::DataFile;
use crate::range::FileRange;
use crate::read::{Job, Sink};
use crate::study::{Cutter, Piece};
use crate::tree::Tree;
use lines::Lines;
use row::{Problem, append, for_each_pair};

/// Whether a file holds a row.
pub(crate) fn has_rows(tree: &Tree, file: &str) -> Result<bool> {
    Ok(Lines::new(tree.open(file)?)?.next()?.is_some())
}

/// What is done with a key.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Read(usize),
    Skip,
}

/// Passes the rows of a file, or a part of one, to `sink`.
pub(crate) fn read(job: &Job, range: &FileRange, sink: &mut Sink<'_>) -> Result<bool> {
    let mut lines = Lines::new(job.tree.open(&range.file)?)?;
    let mut end = None;
    if let Some((first, last)) = range.bytes {
        lines.seek(first, range.line.unwrap_or(1))?;
        end = last;
    }
    let mut slots: HashMap<&str, Slot> =
        job.text.known.iter().flatten().map(|name| (name.as_str(), Slot::Skip)).collect();
    for (index, (name, _)) in job.columns.iter().enumerate() {
        if slots.insert(name, Slot::Read(index)).is_none() && job.text.known.is_some() {
            return Err(Error::new(Code::SourceChanged, "a file lacks a column of its table")
                .with("file", range.file.clone())
                .with("column", name.clone()));
        }
    }
    let mut builder = BatchBuilder::new(job.columns.iter().map(|(name, ty)| (name.as_str(), ty)));
    let mut row = Row { seen: vec![false; job.columns.len()], scratch: String::new() };
    let mut bytes = 0;
    while end.is_none_or(|end| lines.offset() < end) {
        let Some((line, number)) = lines.next()? else { break };
        let size = line.len() + 32 * job.columns.len();
        if builder.rows() > 0 && bytes + size > job.batch_bytes {
            bytes = 0;
            if !sink(builder.finish()?)? {
                return Ok(false);
            }
        }
        bytes += size;
        row.read(job, &slots, line, &mut builder).map_err(|wrong| wrong(&range.file, number))?;
    }
    Ok(builder.rows() == 0 || sink(builder.finish()?)?)
}

/// What one row needs besides its line.
struct Row {
    seen: Vec<bool>,
    scratch: String,
}

type Located = Box<dyn FnOnce(&str, u64) -> Error>;

impl Row {
    /// Appends one line; an error is made once file and line are known.
    fn read(
        &mut self,
        job: &Job,
        slots: &HashMap<&str, Slot>,
        line: &str,
        builder: &mut BatchBuilder,
    ) -> Result<(), Located> {
        self.seen.fill(false);
        let mut misfit = None;
        let columns = builder.columns();
        let result = for_each_pair(line, &mut |key, token| {
            let index = match slots.get(key) {
                Some(Slot::Read(index)) => *index,
                Some(Slot::Skip) => return Ok(()),
                None if job.text.known.is_none() => return Ok(()),
                None => return Err(Problem::UnknownKey(key.to_string())),
            };
            if std::mem::replace(&mut self.seen[index], true) {
                return Err(Problem::DuplicateKey(key.to_string()));
            }
            if misfit.is_none() {
                misfit = append(&mut columns[index], token, job.text.own, &mut self.scratch)
                    .err()
                    .map(|misfit| (misfit, index));
            }
            Ok(())
        });
        if let Err(problem) = result {
            return Err(Box::new(move |file, line| problem.locate(file, line)));
        }
        if let Some((misfit, index)) = misfit {
            let column = job.columns[index].0.clone();
            return Err(Box::new(move |file, line| misfit_at(misfit, file, line, &column)));
        }
        for (column, seen) in columns.iter_mut().zip(&self.seen) {
            if !seen {
                column.null();
            }
        }
        builder.end_row();
        Ok(())
    }
}

/// Counts the rows of a file and finds where to cut it.
pub(crate) fn scan(tree: &Tree, file: &str, chunk_bytes: u64) -> Result<Vec<Piece>> {
    let mut lines = Lines::new(tree.open(file)?)?;
    let mut cutter = Cutter::new(lines.offset(), lines.line(), chunk_bytes);
    while lines.next()?.is_some() {
        cutter.row(lines.offset(), lines.line());
    }
    Ok(cutter.finish())
}

/// Finds the columns of a table by reading every row.
pub(crate) fn infer(tree: &Tree, files: &[DataFile]) -> Result<Inferred> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut found: Vec<(String, JsonKinds, u64)> = Vec::new();
    let mut row = 0;
    for file in files {
        let mut lines = Lines::new(tree.open(&file.path)?)?;
        while let Some((line, number)) = lines.next()? {
            row += 1;
            for_each_pair(line, &mut |key, token| {
                let place = match places.get(key) {
                    Some(place) => *place,
                    None => {
                        places.insert(key.to_string(), found.len());
                        found.push((key.to_string(), JsonKinds::default(), 0));
                        found.len() - 1
                    }
                };
                let (_, kinds, last) = &mut found[place];
                if std::mem::replace(last, row) == row {
                    return Err(Problem::DuplicateKey(key.to_string()));
                }
                kinds.see(token);
                Ok(())
            })
            .map_err(|problem| problem.locate(&file.path, number))?;
        }
    }
    if row > 0 && found.is_empty() {
        return Err(Error::new(Code::SourceUnreadable, "a table has rows without any key")
            .with("file", files.first().map(|file| file.path.clone()).unwrap_or_default()));
    }
    let columns = found.into_iter().map(|(name, kinds, _)| (name, kinds.logical())).collect();
    Ok(Inferred { columns })
}

#[cfg(test)]
mod tests;
