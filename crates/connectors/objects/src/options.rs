//! The options of an address.

use std::fmt;

use longshore_model::{Code, Endpoint, Error, Result};
use serde::{Deserialize, Serialize};

/// The format of a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Parquet,
    Csv,
    Jsonl,
}

/// How Parquet pages are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Zstd,
    Snappy,
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
    const ALL: [Format; 3] = [Format::Parquet, Format::Csv, Format::Jsonl];

    /// The extension of files that are written.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
            Format::Jsonl => "jsonl",
        }
    }

    /// The format that a file's extension stands for.
    pub(crate) fn of_name(name: &str) -> Option<Format> {
        let (stem, extension) = name.rsplit_once('.')?;
        if stem.is_empty() {
            return None;
        }
        Some(match extension.to_ascii_lowercase().as_str() {
            "parquet" => Format::Parquet,
            "csv" => Format::Csv,
            "jsonl" | "ndjson" => Format::Jsonl,
            _ => return None,
        })
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
        endpoint.allow_options(&["format", "compression", "header", "delimiter", "null"])?;
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
        Ok(Self { format: Format::parse(endpoint)?, csv })
    }
}

impl WriteOptions {
    pub(crate) fn parse(endpoint: &Endpoint) -> Result<Self> {
        endpoint.allow_options(&["format", "compression"])?;
        let format = Format::parse(endpoint)?.unwrap_or(Format::Parquet);
        let compression = Compression::parse(endpoint)?;
        if format != Format::Parquet && compression.is_some_and(|c| c != Compression::None) {
            return Err(Error::new(Code::Unsupported, "only Parquet files are written compressed")
                .with("format", format.to_string())
                .hint("Leave the option compression out, or write Parquet."));
        }
        Ok(Self { format, compression: compression.unwrap_or(Compression::Zstd) })
    }
}

impl Compression {
    fn parse(endpoint: &Endpoint) -> Result<Option<Self>> {
        choice(
            endpoint,
            "compression",
            &[("zstd", Self::Zstd), ("snappy", Self::Snappy), ("none", Self::None)],
        )
    }
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
