//! Parts of a table, in the words that plans and ledgers keep.

use longshore_model::plan::Range;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

/// One data file, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRange {
    /// The file, relative to the root.
    pub(crate) file: String,
    /// Row groups of a Parquet file, batches of an Arrow file: the first, and the one after the last when the part ends
    /// before the file does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) groups: Option<(usize, Option<usize>)>,
    /// Bytes of a text file, in the same way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<(u64, Option<u64>)>,
    /// The line at which the bytes begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) line: Option<u64>,
}

impl FileRange {
    pub(crate) fn whole(file: impl Into<String>) -> Self {
        Self { file: file.into(), groups: None, bytes: None, line: None }
    }

    pub(crate) fn parse(range: &Range) -> Result<Self> {
        Self::deserialize(range).map_err(|error| {
            Error::new(Code::SpecInvalid, "a part of a table is not one of files").because(error)
        })
    }

    pub(crate) fn to_json(&self) -> Range {
        serde_json::to_value(self).expect("a range of strings and numbers is JSON")
    }
}
