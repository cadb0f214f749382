//! Splitting CSV into records, with memory for one record at a time.

use std::io::Read;

use longshore_model::{Code, Error, Result};
use memchr::{memchr, memchr_iter, memchr3};

/// A field longer than this is searched for its end with wide registers, which cost more to set up.
const SHORT_FIELD: usize = 24;

use crate::content::Content;
use crate::options::CsvStyle;
use crate::packing::Text;

const FIRST_BUFFER: usize = 256 << 10;

/// The records of a file, one after the other.
pub(super) struct Records {
    content: Content,
    input: Text,
    delimiter: u8,
    null: Vec<u8>,
    buffer: Vec<u8>,
    /// The part of the buffer that is filled and not used yet.
    start: usize,
    end: usize,
    at_end: bool,
    /// The place in the file of `start`, and its line.
    offset: u64,
    line: u64,
    fields: Vec<Field>,
}

/// One field: where it is in its record.
#[derive(Debug, Clone, Copy)]
struct Field {
    start: usize,
    end: usize,
    quoted: bool,
    /// Whether `""` stands for a quote in it.
    escaped: bool,
}

/// One record, borrowed from the buffer.
#[derive(Debug)]
pub(super) struct Record<'a> {
    bytes: &'a [u8],
    /// The same, where all of it is UTF-8.
    text: Option<&'a str>,
    fields: &'a [Field],
    null: &'a [u8],
    line: u64,
}

enum Parsed {
    /// A record of so many bytes, its end of line included.
    Record(usize),
    /// The record does not end in the bytes that are there.
    Incomplete,
    /// What is wrong, and where.
    Wrong(&'static str, usize),
}

impl Records {
    pub(super) fn new(content: Content, style: &CsvStyle) -> Result<Self> {
        let mut records = Self {
            input: Text::open(&content, 0)?,
            content,
            delimiter: style.delimiter,
            null: style.null.clone().into_bytes(),
            buffer: vec![0; FIRST_BUFFER],
            start: 0,
            end: 0,
            at_end: false,
            offset: 0,
            line: 1,
            fields: Vec::new(),
        };
        while records.end < 3 && !records.at_end {
            records.fill()?;
        }
        if records.buffer[..records.end].starts_with(b"\xef\xbb\xbf") {
            records.start = 3;
            records.offset = 3;
        }
        Ok(records)
    }

    /// The place in the file at which the next record begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The line at which the next record begins.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Goes to the beginning of a record.
    pub(super) fn seek(&mut self, offset: u64, line: u64) -> Result<()> {
        self.input = Text::open(&self.content, offset)?;
        (self.start, self.end, self.at_end) = (0, 0, false);
        (self.offset, self.line) = (offset, line);
        Ok(())
    }

    /// The next record; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>> {
        let length = loop {
            let data = &self.buffer[self.start..self.end];
            if data.is_empty() && self.at_end {
                return Ok(None);
            }
            match parse(data, self.at_end, self.delimiter, &mut self.fields) {
                Parsed::Record(length) => break length,
                Parsed::Incomplete => self.fill()?,
                Parsed::Wrong(what, at) => {
                    let line = self.line + lines(&data[..at]);
                    return Err(Error::new(Code::SourceUnreadable, what)
                        .with("file", self.content.name())
                        .with("line", line.to_string()));
                }
            }
        };
        let bytes = &self.buffer[self.start..self.start + length];
        let line = self.line;
        self.start += length;
        self.offset += length as u64;
        // A line ends inside of a record only where a field is quoted.
        let quoted = self.fields.iter().filter(|field| field.quoted);
        self.line += 1 + quoted.map(|field| lines(&bytes[field.start..field.end])).sum::<u64>();
        let text = std::str::from_utf8(bytes).ok();
        Ok(Some(Record { bytes, text, fields: &self.fields, null: &self.null, line }))
    }

    /// Reads more, into a larger buffer when one record fills it.
    fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        } else if self.buffer.len() > FIRST_BUFFER && self.end < FIRST_BUFFER / 2 {
            self.buffer.truncate(FIRST_BUFFER);
            self.buffer.shrink_to_fit();
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.input.failed(error)),
            }
            return Ok(());
        }
    }
}

impl Record<'_> {
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn width(&self) -> usize {
        self.fields.len()
    }

    /// The size of the record in the file.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn check_width(&self, expected: usize, file: &str) -> Result<()> {
        if self.fields.len() == expected {
            return Ok(());
        }
        Err(Error::new(Code::SourceUnreadable, "a line has another number of fields")
            .with("file", file)
            .with("line", self.line.to_string())
            .with("expected", expected.to_string())
            .with("found", self.fields.len().to_string()))
    }

    /// The text of a field; `None` when it is NULL.
    pub(super) fn text<'a>(
        &'a self,
        place: usize,
        file: &str,
        scratch: &'a mut String,
    ) -> Result<Option<&'a str>> {
        let field = self.fields[place];
        let bytes = &self.bytes[field.start..field.end];
        if !field.quoted && bytes.len() == self.null.len() && bytes == self.null {
            return Ok(None);
        }
        let text = match self.text.and_then(|text| text.get(field.start..field.end)) {
            Some(text) => text,
            None => std::str::from_utf8(bytes).map_err(|error| {
                let line = self.line + lines(&self.bytes[..field.start + error.valid_up_to()]);
                Error::new(Code::SourceUnreadable, "a file holds text that is not UTF-8")
                    .with("file", file)
                    .with("line", line.to_string())
            })?,
        };
        if !field.escaped {
            return Ok(Some(text));
        }
        scratch.clear();
        let mut rest = text;
        while let Some(at) = rest.find('"') {
            scratch.push_str(&rest[..=at]);
            rest = &rest[at + 2..];
        }
        scratch.push_str(rest);
        Ok(Some(scratch))
    }
}

fn lines(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
}

/// Finds the first record of `data`; `at_end` says that nothing follows it.
fn parse(data: &[u8], at_end: bool, delimiter: u8, fields: &mut Vec<Field>) -> Parsed {
    fields.clear();
    let mut at = 0;
    loop {
        if data.get(at) == Some(&b'"') {
            let (end, escaped) = match closing_quote(data, at + 1, at_end) {
                Ok(found) => found,
                Err(parsed) => return parsed,
            };
            fields.push(Field { start: at + 1, end, quoted: true, escaped });
            at = end + 1;
            match (data.get(at), data.get(at + 1)) {
                (None, _) => return Parsed::Record(at),
                (Some(&byte), _) if byte == delimiter => at += 1,
                (Some(b'\n'), _) => return Parsed::Record(at + 1),
                (Some(b'\r'), Some(b'\n')) => return Parsed::Record(at + 2),
                (Some(b'\r'), None) if !at_end => return Parsed::Incomplete,
                (Some(b'\r'), None) => return Parsed::Record(at + 1),
                _ => return Parsed::Wrong("a quoted field is followed by other text", at),
            }
            continue;
        }
        let rest = data.get(at..).unwrap_or_default();
        let mut field = Field { start: at, end: data.len(), quoted: false, escaped: false };
        let Some(length) = field_length(rest, delimiter) else {
            if !at_end {
                return Parsed::Incomplete;
            }
            if rest.last() == Some(&b'\r') {
                field.end -= 1;
            }
            fields.push(field);
            return Parsed::Record(data.len());
        };
        field.end = at + length;
        if rest[length] == delimiter {
            fields.push(field);
            at += length + 1;
        } else if rest[length] == b'\n' {
            let next = at + length + 1;
            if rest[..length].last() == Some(&b'\r') {
                field.end -= 1;
            }
            fields.push(field);
            return Parsed::Record(next);
        } else {
            return Parsed::Wrong("a quote stands inside an unquoted field", at + length);
        }
    }
}

/// The length of an unquoted field, by what ends it; `None` when the end is not there.
#[inline]
fn field_length(rest: &[u8], delimiter: u8) -> Option<usize> {
    let mut at = 0;
    while at < SHORT_FIELD
        && let Some((eight, _)) = rest[at..].split_first_chunk()
    {
        let eight = u64::from_le_bytes(*eight);
        let ends = places(eight, delimiter) | places(eight, b'\n') | places(eight, b'"');
        if ends != 0 {
            return Some(at + ends.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    Some(at + memchr3(delimiter, b'\n', b'"', &rest[at..])?)
}

/// The high bit of the first byte of eight, in little-endian order, that is `byte`; bits behind it mean
/// nothing (Henry S. Warren, "Hacker's Delight", 6-1).
#[inline]
fn places(eight: u64, byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero = eight ^ (ONES * u64::from(byte));
    zero.wrapping_sub(ONES) & !zero & (ONES << 7)
}

/// The place of the quote that closes a field whose text begins at `from`, and whether the text has
/// doubled quotes in it.
fn closing_quote(data: &[u8], from: usize, at_end: bool) -> Result<(usize, bool), Parsed> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let Some(found) = memchr(b'"', &data[at..]) else {
            return Err(if at_end {
                Parsed::Wrong("a quoted field does not end", from - 1)
            } else {
                Parsed::Incomplete
            });
        };
        let quote = at + found;
        match data.get(quote + 1) {
            Some(b'"') => {
                escaped = true;
                at = quote + 2;
            }
            None if !at_end => return Err(Parsed::Incomplete),
            _ => return Ok((quote, escaped)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::field_length;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_end_where_a_search_by_bytes_ends_them(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), Just(b','), Just(b'-'), Just(b'"'), Just(b'\n'), Just(b'\x0b')],
                0..60,
            ),
            delimiter in prop_oneof![Just(b','), Just(b'\t'), Just(b';')],
        ) {
            let ends = |byte: &u8| *byte == delimiter || matches!(byte, b'\n' | b'"');
            prop_assert_eq!(field_length(&bytes, delimiter), bytes.iter().position(ends));
        }
    }
}
