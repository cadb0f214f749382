//! Names of tables and columns, as systems tell them apart.

use serde::Serialize;

/// Which names of tables and columns a system tells apart, and how long they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Names of tables that differ in case.
    pub table_case: Case,
    /// Names of columns that differ in case.
    pub column_case: Case,
    /// The longest name.
    pub longest: Longest,
}

/// What the case of letters means in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Case {
    /// Names that differ in it are two.
    Told,
    /// Names that differ in the case of ASCII letters are one.
    FoldedAscii,
    /// Names that differ in the case of any letters are one.
    Folded,
}

/// The length of the longest name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Longest {
    /// There is no bound.
    Unbounded,
    /// In bytes of UTF-8.
    Bytes(usize),
    /// In characters.
    Characters(usize),
}

impl Names {
    /// A system that tells all names apart.
    pub const EXACT: Names =
        Names { table_case: Case::Told, column_case: Case::Told, longest: Longest::Unbounded };
}

impl Case {
    /// What is equal for equal names.
    pub fn fold(self, name: &str) -> String {
        match self {
            Case::Told => name.to_string(),
            Case::FoldedAscii => name.to_ascii_lowercase(),
            Case::Folded => name.to_lowercase(),
        }
    }
}

impl Longest {
    /// The part of a name that fits with `more` bytes or characters behind it.
    pub fn cut(self, name: &str, more: usize) -> &str {
        let end = match self {
            Longest::Unbounded => name.len(),
            Longest::Bytes(most) => name.floor_char_boundary(most.saturating_sub(more)),
            Longest::Characters(most) => {
                let end = name.char_indices().nth(most.saturating_sub(more));
                end.map_or(name.len(), |(at, _)| at)
            }
        };
        &name[..end]
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, Longest};

    #[test]
    fn names_are_folded_and_cut_as_a_system_does() {
        assert_eq!(Case::FoldedAscii.fold("Ä-A"), "Ä-a");
        assert_eq!(Case::Folded.fold("Ä-A"), "ä-a");
        for (longest, name, more, expected) in [
            (Longest::Unbounded, "abc", 9, "abc"),
            (Longest::Bytes(4), "aää", 0, "aä"),
            (Longest::Bytes(4), "aää", 2, "a"),
            (Longest::Characters(3), "äöüß", 0, "äöü"),
            (Longest::Characters(3), "äöü", 0, "äöü"),
            (Longest::Characters(3), "äöü", 2, "ä"),
        ] {
            assert_eq!(longest.cut(name, more), expected);
        }
    }
}
