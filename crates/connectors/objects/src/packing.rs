//! Text files that are compressed as a whole: known by their names, unpacked while they are read and
//! packed while they are written.

use std::io::{self, BufReader, ErrorKind, Read, Write};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use longshore_model::{Code, Error, Result};

use crate::content::{Content, Reading};
use crate::new_file::NewFile;

/// Packed bytes that are read together.
const BUFFER: usize = 128 << 10;

/// The level of zstd; higher ones cost more time than they save of what text takes.
const ZSTD_LEVEL: i32 = 1;

/// How a file of text is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// The text of a file from a place of it.
pub(crate) struct Text {
    content: Content,
    input: Input,
}

/// A file that text is written into, packed.
pub(crate) enum Packer {
    None(NewFile),
    Gzip(GzEncoder<NewFile>),
    Zstd(zstd::Encoder<'static, NewFile>),
}

enum Input {
    None(Reading),
    Gzip(Box<MultiGzDecoder<BufReader<Reading>>>),
    Zstd(zstd::Decoder<'static, BufReader<Reading>>),
}

impl Packing {
    /// What a file's name says, and the name without that.
    pub(crate) fn of_name(name: &str) -> (Self, &str) {
        match name.rsplit_once('.') {
            Some((rest, end)) if end.eq_ignore_ascii_case("gz") => (Self::Gzip, rest),
            Some((rest, end)) if end.eq_ignore_ascii_case("zst") => (Self::Zstd, rest),
            _ => (Self::None, name),
        }
    }

    /// What is put behind a file's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

impl Text {
    /// The text from an offset in it on. Of a packed file everything before is unpacked as well.
    pub(crate) fn open(content: &Content, offset: u64) -> Result<Self> {
        let (packing, _) = Packing::of_name(content.name());
        let start = if packing == Packing::None { offset } else { 0 };
        let reading = content.reader(start);
        let packed = |reading| BufReader::with_capacity(BUFFER, reading);
        let input = match packing {
            Packing::None => Input::None(reading),
            Packing::Gzip => Input::Gzip(Box::new(MultiGzDecoder::new(packed(reading)))),
            Packing::Zstd => Input::Zstd(
                zstd::Decoder::with_buffer(packed(reading)).map_err(|e| content.failed(e))?,
            ),
        };
        let mut text = Self { content: content.clone(), input };
        let skipped = io::copy(&mut text.by_ref().take(offset - start), &mut io::sink());
        skipped.map_err(|error| text.failed(error))?;
        Ok(text)
    }

    /// What is told of a failure to read it: the place in the packed file, when that is damaged.
    pub(crate) fn failed(&self, error: io::Error) -> Error {
        let packed = match &self.input {
            Input::None(_) => return self.content.failed(error),
            Input::Gzip(decoder) => decoder.get_ref(),
            Input::Zstd(decoder) => decoder.get_ref(),
        };
        if packed.get_ref().failed() {
            return self.content.failed(error);
        }
        let what = match error.kind() {
            ErrorKind::UnexpectedEof => "a compressed file ends too early",
            _ => "a compressed file is damaged",
        };
        let place = packed.get_ref().offset() - packed.buffer().len() as u64;
        Error::new(Code::SourceUnreadable, what)
            .with("file", self.content.name())
            .with("byte", place.to_string())
            .because(error)
    }
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.input {
            Input::None(reading) => reading.read(buffer),
            Input::Gzip(decoder) => decoder.read(buffer),
            Input::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl Packer {
    pub(crate) fn new(file: NewFile, packing: Packing) -> io::Result<Self> {
        Ok(match packing {
            Packing::None => Self::None(file),
            Packing::Gzip => Self::Gzip(GzEncoder::new(file, flate2::Compression::default())),
            Packing::Zstd => {
                let mut encoder = zstd::Encoder::new(file, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Self::Zstd(encoder)
            }
        })
    }

    /// Ends what is packed and gives the file back, complete but not durable.
    pub(crate) fn finish(self) -> io::Result<NewFile> {
        match self {
            Self::None(file) => Ok(file),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
        }
    }
}

impl Write for Packer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(file) => file.write(buffer),
            Self::Gzip(encoder) => encoder.write(buffer),
            Self::Zstd(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
