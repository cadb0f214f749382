//! What tells one system's SQL from another's.

/// How a system reads and writes what common SQL says. Its connector describes it.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The grammar by the name that the parser has for it.
    pub grammar: &'static str,
    /// Writes a name in quotes.
    pub quote: fn(&str) -> String,
    /// Writes a text in quotes.
    pub literal: fn(&str) -> String,
    /// Functions by their names in lower case; the first name of each is written. A function that
    /// means something else than ours is not here, whatever its name.
    pub functions: &'static [(&'static str, Function)],
    /// The types of casts that may say nothing, in lower case.
    pub casts: &'static [(&'static str, Cast)],
    /// Whether `||` joins texts. Else CONCAT does, and is NULL where one of its texts is.
    pub joins: bool,
    /// Whether conditions have a type of their own. Else they are the numbers 1 and 0.
    pub truth: bool,
    /// How two values are said to be the same, NULL among them.
    pub same: Same,
    /// Whether LIKE tells upper case from lower. Else GLOB does, and LIKE does not for ASCII.
    pub like: bool,
    /// Whether NULL comes last in an ascending order where nothing is said.
    pub nulls_last: bool,
    /// Whether an order can say where NULL comes.
    pub nulls_said: bool,
    /// Whether a literal with a fraction is an exact number.
    pub decimals: bool,
    /// The type in which whole numbers are reckoned with, where their own would overflow earlier than
    /// elsewhere.
    pub wide: Option<&'static str>,
    /// Whether a name in double quotes that no column has is a text.
    pub misquoted: bool,
}

/// A function that means the same everywhere, whatever it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// The first that is not NULL.
    Coalesce,
    /// NULL where both are equal, else the first.
    NullIf,
    /// The number without its sign.
    Absolute,
    /// How many characters a text has.
    Characters,
    /// The text without spaces at both ends.
    Trim,
    /// The text without spaces at its start.
    TrimStart,
    /// The text without spaces at its end.
    TrimEnd,
    /// A part of a text, from a place, and so many characters.
    Substring,
    /// Texts one after the other; NULL where one of them is.
    Concat,
    /// The text in lower case. Systems differ beyond ASCII, so it is for searching only.
    Lower,
    /// The text in upper case, for searching only.
    Upper,
    /// The second value where the first is true, else the third.
    If,
    /// Whether a value is NULL.
    IsNull,
    /// How many rows, or values that are not NULL.
    Count,
    /// The sum.
    Sum,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// What a cast makes; it says nothing where that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A whole number.
    Whole,
    /// An exact number.
    Exact,
    /// A float of 64 bits.
    Float,
    /// A text without a bound.
    Text,
    /// A day.
    Date,
    /// A date and time without a zone.
    Timestamp,
}

/// How two values are said to be the same, NULL among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Same {
    /// `a IS NOT DISTINCT FROM b`.
    Words,
    /// `a <=> b`.
    Arrow,
    /// `a IS b`.
    Is,
}

/// The words of common SQL.
pub(crate) const COMMON: Dialect = Dialect {
    grammar: "ansi",
    quote: |name| format!("\"{}\"", name.replace('"', "\"\"")),
    literal: |text| format!("'{}'", text.replace('\'', "''")),
    functions: &[
        ("coalesce", Function::Coalesce),
        ("nullif", Function::NullIf),
        ("abs", Function::Absolute),
        ("char_length", Function::Characters),
        ("trim", Function::Trim),
        ("ltrim", Function::TrimStart),
        ("rtrim", Function::TrimEnd),
        ("substr", Function::Substring),
        ("lower", Function::Lower),
        ("upper", Function::Upper),
        ("count", Function::Count),
        ("sum", Function::Sum),
        ("min", Function::Min),
        ("max", Function::Max),
    ],
    casts: &[],
    joins: true,
    truth: true,
    same: Same::Words,
    like: true,
    nulls_last: true,
    nulls_said: true,
    decimals: true,
    wide: None,
    misquoted: false,
};

impl Dialect {
    /// The name under which a function is written.
    pub(crate) fn name_of(&self, function: Function) -> &'static str {
        let found = self.functions.iter().find(|(_, known)| *known == function);
        found.map_or("coalesce", |(name, _)| name)
    }

    /// Whether the system has a function.
    pub(crate) fn has(&self, function: Function) -> bool {
        self.functions.iter().any(|(_, known)| *known == function)
    }
}
