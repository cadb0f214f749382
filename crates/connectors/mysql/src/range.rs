//! Parts of a table: between two keys in the order of an index, or by the places of rows in the
//! table's own order where it has no key.

use longshore_model::plan::Range;
use longshore_model::{Code, Error, Result};
use serde::{Deserialize, Serialize};

use crate::sql::quote;

/// A part of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Part {
    /// Rows whose key is above one and up to another, both as SQL literals.
    Key {
        /// The index.
        index: String,
        /// Its columns.
        columns: Vec<String>,
        /// The key below the first; `None` from the beginning.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Vec<String>>,
        /// The last key; `None` to the end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Vec<String>>,
    },
    /// Rows in the order in which a scan of the whole table finds them.
    Rows {
        /// How many rows are before.
        offset: u64,
        /// How many there are; `None` for all that follow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
    },
}

impl Part {
    /// From a plan; `None` for the whole table.
    pub(crate) fn of(range: &Range) -> Result<Option<Part>> {
        if range.is_null() {
            return Ok(None);
        }
        serde_json::from_value(range.clone()).map(Some).map_err(|error| {
            Error::new(Code::SpecInvalid, "a plan has a range that is none of this system")
                .hint("Make a new plan.")
                .because(error)
        })
    }

    /// For plans and ledgers.
    pub(crate) fn to_range(&self) -> Result<Range> {
        serde_json::to_value(self)
            .map_err(|error| Error::new(Code::Internal, "a range cannot be written").because(error))
    }

    /// The condition that rows of the part meet, where it is one of keys.
    pub(crate) fn condition(&self) -> Option<String> {
        let Part::Key { columns, after, to, .. } = self else { return None };
        let after = after.as_ref().map(|key| above(columns, key, ">", ">"));
        let to = to.as_ref().map(|key| above(columns, key, "<", "<="));
        let both: Vec<String> = after.into_iter().chain(to).collect();
        (!both.is_empty()).then(|| both.join(" AND "))
    }
}

/// The rows beyond a key, by the first column that differs. Servers find rows by an index for this
/// form, and not for a comparison of tuples.
fn above(columns: &[String], key: &[String], sign: &str, last_sign: &str) -> String {
    let last = columns.len().min(key.len()).saturating_sub(1);
    let ways: Vec<String> = (0..=last)
        .map(|place| {
            let sign = if place == last { last_sign } else { sign };
            let equal = (0..place).map(|at| format!("{} = {}", quote(&columns[at]), key[at]));
            let beyond = format!("{} {sign} {}", quote(&columns[place]), key[place]);
            equal.chain([beyond]).collect::<Vec<_>>().join(" AND ")
        })
        .collect();
    match ways.len() {
        1 => ways.concat(),
        _ => format!("(({}))", ways.join(") OR (")),
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    fn key(after: Option<&[&str]>, to: Option<&[&str]>) -> Part {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Part::Key {
            index: "PRIMARY".to_string(),
            columns: texts(&["a", "b"]),
            after: after.map(texts),
            to: to.map(texts),
        }
    }

    #[test]
    fn conditions_compare_column_by_column() {
        for (part, expected) in [
            (key(None, None), None),
            (key(Some(&["1", "'x'"]), None), Some("((`a` > 1) OR (`a` = 1 AND `b` > 'x'))")),
            (key(None, Some(&["1", "'x'"])), Some("((`a` < 1) OR (`a` = 1 AND `b` <= 'x'))")),
            (Part::Rows { offset: 1, limit: None }, None),
        ] {
            assert_eq!(part.condition().as_deref(), expected);
            let range = part.to_range().expect("a range");
            assert_eq!(Part::of(&range).expect("a part"), Some(part));
        }
    }
}
