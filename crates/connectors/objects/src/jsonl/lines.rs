//! Splitting a file into lines, with memory for one line at a time.

use std::io::{BufRead, BufReader};

use longshore_model::{Code, Error, Result};

use crate::content::Content;
use crate::packing::Text;

const BUFFER: usize = 256 << 10;

/// The lines of a file that are not blank.
pub(super) struct Lines {
    content: Content,
    input: BufReader<Text>,
    line: Vec<u8>,
    offset: u64,
    number: u64,
}

impl Lines {
    pub(super) fn new(content: Content) -> Result<Self> {
        let mut lines = Self {
            input: BufReader::with_capacity(BUFFER, Text::open(&content, 0)?),
            content,
            line: Vec::new(),
            offset: 0,
            number: 1,
        };
        let begun = lines.input.fill_buf().map(|bytes| bytes.starts_with(b"\xef\xbb\xbf"));
        if begun.map_err(|error| lines.input.get_ref().failed(error))? {
            lines.input.consume(3);
            lines.offset = 3;
        }
        Ok(lines)
    }

    /// The place in the file at which the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The number of the next line.
    pub(super) fn line(&self) -> u64 {
        self.number
    }

    /// Goes to the beginning of a line.
    pub(super) fn seek(&mut self, offset: u64, number: u64) -> Result<()> {
        self.input = BufReader::with_capacity(BUFFER, Text::open(&self.content, offset)?);
        (self.offset, self.number) = (offset, number);
        Ok(())
    }

    /// The next line that is not blank, and its number.
    pub(super) fn next(&mut self) -> Result<Option<(&str, u64)>> {
        loop {
            self.line.clear();
            self.line.shrink_to(4 * BUFFER);
            let read = self.input.read_until(b'\n', &mut self.line);
            let read = read.map_err(|error| self.input.get_ref().failed(error))?;
            if read == 0 {
                return Ok(None);
            }
            let number = self.number;
            self.number += 1;
            self.offset += read as u64;
            if self.line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let text = std::str::from_utf8(&self.line).map_err(|_| {
                Error::new(Code::SourceUnreadable, "a file holds text that is not UTF-8")
                    .with("file", self.content.name())
                    .with("line", number.to_string())
            })?;
            return Ok(Some((text, number)));
        }
    }
}
