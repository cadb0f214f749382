//! What a confined engine writes to its files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use futures_util::stream::{self, Stream, StreamExt};
use longshore_model::{Error, Result};

use super::{ERROR, OUT, POLL, state};
use crate::{Line, State};

/// A file that grows.
struct Tail {
    path: PathBuf,
    place: u64,
    rest: Vec<u8>,
    line: fn(String) -> Line,
}

pub(super) fn lines(folder: PathBuf, follow: bool) -> impl Stream<Item = Result<Line>> {
    let tail =
        |name: &str, line| Tail { path: folder.join(name), place: 0, rest: Vec::new(), line };
    let tails = [tail(OUT, Line::Out as fn(String) -> Line), tail(ERROR, Line::Error)];
    let begin = Some((tails, folder));
    stream::unfold(begin, move |going| async move {
        let (mut tails, folder) = going?;
        loop {
            // What was written before it ended is read after that is known.
            let is_over = match state(&folder) {
                Ok(state) => !follow || matches!(state, State::Ended { .. }),
                Err(error) => return Some((vec![Err(error)], None)),
            };
            let mut found = Vec::new();
            for tail in &mut tails {
                match tail.more(is_over) {
                    Ok(lines) => found.extend(lines.into_iter().map(Ok)),
                    Err(error) => return Some((vec![Err(error)], None)),
                }
            }
            if is_over {
                return Some((found, None));
            }
            if !found.is_empty() {
                return Some((found, Some((tails, folder))));
            }
            tokio::time::sleep(POLL).await;
        }
    })
    .flat_map(stream::iter)
}

impl Tail {
    fn more(&mut self, is_over: bool) -> Result<Vec<Line>> {
        let failed = |error| Error::io("read what the engine wrote", self.path.display(), error);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        file.seek(SeekFrom::Start(self.place)).map_err(failed)?;
        let length = file.read_to_end(&mut self.rest).map_err(failed)?;
        self.place += length as u64;
        let end = match is_over {
            true => self.rest.len(),
            false => self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1),
        };
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        Ok(String::from_utf8_lossy(&whole)
            .lines()
            .map(|one| (self.line)(one.to_string()))
            .collect())
    }
}
