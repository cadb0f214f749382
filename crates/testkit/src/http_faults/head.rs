//! The head of a request or an answer: its first line and its headers.

use std::io::{BufRead, Error, ErrorKind, Read, Result, Write};

/// Lines without their ends, the first of which is no header.
#[derive(Debug)]
pub(crate) struct Head {
    lines: Vec<String>,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Bytes(u64),
    Chunks,
}

impl Head {
    /// Reads up to the empty line.
    pub(crate) fn read(from: &mut impl BufRead) -> Result<Self> {
        let mut lines = Vec::new();
        loop {
            let line = line(from)?;
            if line.is_empty() && !lines.is_empty() {
                return Ok(Self { lines });
            }
            lines.push(line);
        }
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> &str {
        self.lines[0].split(' ').next().unwrap_or("")
    }

    /// Path and query of a request.
    pub(crate) fn target(&self) -> &str {
        self.lines[0].split(' ').nth(1).unwrap_or("")
    }

    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| value(line, name))
    }

    /// All headers: names in lower case, and values.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (String, &str)> {
        let headers = self.lines.iter().skip(1).filter_map(|line| line.split_once(':'));
        headers.map(|(name, value)| (name.trim().to_lowercase(), value.trim()))
    }

    /// Takes a header out, by its name in lower case.
    pub(crate) fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.lines.iter().skip(1).position(|line| value(line, name).is_some())? + 1;
        value(&self.lines.remove(at), name).map(str::to_string)
    }

    /// The length of a request's body.
    pub(crate) fn length(&self) -> Length {
        if self.header("transfer-encoding").is_some() {
            return Length::Chunks;
        }
        let length = self.header("content-length").and_then(|length| length.parse().ok());
        Length::Bytes(length.unwrap_or(0))
    }

    /// The head as it is sent on, saying that the connection ends with this request.
    pub(crate) fn closing(&mut self) -> String {
        for name in ["connection", "keep-alive"] {
            while self.remove(name).is_some() {}
        }
        format!("{}\r\nConnection: close\r\n\r\n", self.lines.join("\r\n"))
    }
}

/// The value of a header, where it is of this name, in lower case.
fn value<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (known, value) = line.split_once(':')?;
    known.eq_ignore_ascii_case(name).then(|| value.trim())
}

fn line(from: &mut impl BufRead) -> Result<String> {
    let mut bytes = Vec::new();
    if from.read_until(b'\n', &mut bytes)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let text =
        String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_string())
}

/// Passes a body that comes in chunks, as it is.
pub(crate) fn chunks(from: &mut impl BufRead, to: &mut impl Write) -> Result<()> {
    loop {
        let size = line(from)?;
        write!(to, "{size}\r\n")?;
        let size = u64::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16);
        let size = size.map_err(|error| Error::new(ErrorKind::InvalidData, error))?;
        if size > 0 {
            std::io::copy(&mut from.take(size + 2), to)?;
            continue;
        }
        // After the last chunk come headers, mostly none, and an empty line.
        loop {
            let trailer = line(from)?;
            write!(to, "{trailer}\r\n")?;
            if trailer.is_empty() {
                return Ok(());
            }
        }
    }
}
