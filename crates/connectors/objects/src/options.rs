//! The options of an address.

use std::fmt;

use longshore_model::{Code, Endpoint, Error, Result};
use serde::{Deserialize, Serialize};

use crate::packing::Packing;

/// The format of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Parquet,
    Csv,
    Jsonl,
    Arrow,
}

/// How what is written is compressed: the pages of Parquet files, the buffers
/// of Arrow files, text files as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Zstd,
    Snappy,
    Gzip,
    Lz4,
    None,
}

/// What CSV files look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CsvStyle {
    pub(crate) header: bool,
    pub(crate) delimiter: u8,
    /// The unquoted text that means NULL.
    pub(crate) null: String,
}

/// How a folder is read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReadOptions {
    /// Only files of this format; `None` for every known one.
    pub(crate) format: Option<Format>,
    pub(crate) csv: CsvStyle,
    /// Folders like `year=2024` are not columns.
    pub(crate) flat: bool,
}

/// How a folder is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteOptions {
    pub(crate) format: Format,
    pub(crate) compression: Compression,
}

impl Default for CsvStyle {
    fn default() -> Self {
        Self { header: true, delimiter: b',', null: String::new() }
    }
}

impl Format {
    const ALL: [Format; 4] = [Format::Parquet, Format::Csv, Format::Jsonl, Format::Arrow];

    /// The extension of files that are written.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
            Format::Arrow => "arrow",
        }
    }

    /// The format that a file's extension stands for. Text may be packed; other formats have their
    /// own compression inside.
    pub(crate) fn of_name(name: &str) -> Option<Format> {
        let (packing, name) = Packing::of_name(name);
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        let format = match extension.to_ascii_lowercase().as_str() {
            "parquet" => Format::Parquet,
            "csv" => Format::Csv,
            "jsonl" | "ndjson" => Format::Jsonl,
            "arrow" | "arrows" | "feather" => Format::Arrow,
            _ => return None,
        };
        (packing == Packing::None || format.is_text()).then_some(format)
    }

    /// Whether a file says nothing of its types.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Format::Csv | Format::Jsonl)
    }

    /// How files can be written, the default first.
    fn compressions(self) -> &'static [Compression] {
        match self {
            Format::Parquet => &[Compression::Zstd, Compression::Snappy, Compression::None],
            Format::Arrow => &[Compression::Zstd, Compression::Lz4, Compression::None],
            Format::Csv | Format::Jsonl => {
                &[Compression::None, Compression::Gzip, Compression::Zstd]
            }
        }
    }

    fn parse(endpoint: &Endpoint) -> Result<Option<Format>> {
        choice(endpoint, "format", &Self::ALL.map(|format| (format.extension(), format)))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.extension())
    }
}

impl ReadOptions {
    pub(crate) fn parse(endpoint: &Endpoint) -> Result<Self> {
        // A target is opened as a source to be verified: what only a writer uses is let pass.
        Compression::parse(endpoint)?;
        let mut csv = CsvStyle::default();
        if let Some(header) = choice(endpoint, "header", &[("true", true), ("false", false)])? {
            csv.header = header;
        }
        if let Some(text) = endpoint.options().get("delimiter") {
            csv.delimiter = match (text.as_str(), text.as_bytes()) {
                ("tab" | "\\t", _) => b'\t',
                (_, &[byte]) if byte.is_ascii() && !b"\"\r\n".contains(&byte) => byte,
                _ => return Err(refused("delimiter", "one ASCII character, or tab")),
            };
        }
        if let Some(text) = endpoint.options().get("null") {
            csv.null.clone_from(text);
        }
        let flat = choice(endpoint, "hive", &[("true", false), ("false", true)])?;
        Ok(Self { format: Format::parse(endpoint)?, csv, flat: flat.unwrap_or_default() })
    }
}

impl WriteOptions {
    pub(crate) fn parse(endpoint: &Endpoint) -> Result<Self> {
        let format = Format::parse(endpoint)?.unwrap_or(Format::Parquet);
        let allowed = format.compressions();
        let compression = Compression::parse(endpoint)?.unwrap_or(allowed[0]);
        if !allowed.contains(&compression) {
            let names: Vec<_> = allowed.iter().map(|one| one.name()).collect();
            return Err(Error::new(Code::Unsupported, "a format is not written compressed so")
                .with("format", format.to_string())
                .with("compression", compression.name())
                .hint(format!("It can be: {}.", names.join(", "))));
        }
        Ok(Self { format, compression })
    }

    /// How the files are packed as a whole.
    pub(crate) fn packing(&self) -> Packing {
        match self.compression {
            Compression::Gzip => Packing::Gzip,
            Compression::Zstd if self.format.is_text() => Packing::Zstd,
            _ => Packing::None,
        }
    }

    /// The extension of the files.
    pub(crate) fn extension(&self) -> String {
        format!("{}{}", self.format.extension(), self.packing().suffix())
    }
}

impl Compression {
    const ALL: [Compression; 5] = [Self::Zstd, Self::Snappy, Self::Gzip, Self::Lz4, Self::None];

    fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Snappy => "snappy",
            Self::Gzip => "gzip",
            Self::Lz4 => "lz4",
            Self::None => "none",
        }
    }

    fn parse(endpoint: &Endpoint) -> Result<Option<Self>> {
        choice(endpoint, "compression", &Self::ALL.map(|one| (one.name(), one)))
    }
}

/// A file's name without what tells its format.
pub(crate) fn stem_of(name: &str) -> &str {
    let (_, name) = Packing::of_name(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn choice<T: Copy>(
    endpoint: &Endpoint,
    option: &'static str,
    values: &[(&str, T)],
) -> Result<Option<T>> {
    let Some(text) = endpoint.options().get(option) else { return Ok(None) };
    match values.iter().find(|(name, _)| name == text) {
        Some((_, value)) => Ok(Some(*value)),
        None => {
            let names: Vec<_> = values.iter().map(|(name, _)| *name).collect();
            Err(refused(option, &names.join(", ")))
        }
    }
}

fn refused(option: &'static str, allowed: &str) -> Error {
    Error::new(Code::UrlInvalid, "an option of an address has a wrong value")
        .with("option", option)
        .hint(format!("It can be: {allowed}."))
}
