//! What operators may be used on.

use longshore_model::LogicalType;

use crate::{Result, refuse};

/// The most digits that every system reckons with, before and after the point together, and after it.
const DIGITS: u32 = 65;
const SCALE: u32 = 30;

/// The most digits with which a number that is kept as a text is told from every other by its float.
const FLOAT_DIGITS: u32 = 15;

/// The kind of a value, as far as operators care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Truth,
    /// A number without error: its digits before and after the point.
    Exact { whole: u32, scale: u32 },
    /// The same, which the target keeps as a text.
    Digits { whole: u32, scale: u32 },
    /// A float.
    Float,
    /// Texts that are equal where every byte is.
    Text,
    /// Texts that the source takes for equal by other rules, so that they are not compared; why.
    Folded(String),
    /// Texts that stand in the SQL itself.
    Word,
    /// A day.
    Date,
    /// A date and time without a zone.
    Timestamp,
    /// A moment.
    Instant,
    /// Values that are equal or not, and in no order that every system has.
    Mark,
    /// What the system enforces no type for: it is looked at again when the values are known.
    Loose,
    /// Nothing is known but whether it is NULL; why, as in "and *its type has no equal*".
    Opaque(String),
    /// NULL itself.
    Nothing,
}

impl Kind {
    /// The kind of values of a type.
    pub fn of(logical: &LogicalType) -> Self {
        match logical {
            LogicalType::Boolean => Self::Truth,
            LogicalType::Int { bits, .. } => Self::Exact {
                whole: match bits {
                    8 => 3,
                    16 => 5,
                    32 => 10,
                    _ => 20,
                },
                scale: 0,
            },
            LogicalType::Decimal { precision, scale } => match u32::try_from(*scale) {
                Ok(scale) => {
                    Self::Exact { whole: u32::from(*precision).saturating_sub(scale), scale }
                }
                Err(_) => Self::Exact { whole: DIGITS, scale: 0 },
            },
            LogicalType::Number => Self::Exact { whole: DIGITS, scale: DIGITS },
            LogicalType::Float { .. } => Self::Float,
            LogicalType::Text => Self::Text,
            LogicalType::Date => Self::Date,
            LogicalType::Timestamp { utc: false, .. } => Self::Timestamp,
            LogicalType::Timestamp { utc: true, .. } => Self::Instant,
            LogicalType::Uuid => Self::Mark,
            other => Self::Opaque(format!("its type, {other}, is not the same everywhere")),
        }
    }

    /// Whether values of two kinds are the same ones: what a rule has made of another kind has
    /// another meaning.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Loose, _) => true,
            (
                Self::Exact { .. } | Self::Digits { .. },
                Self::Exact { .. } | Self::Digits { .. },
            ) => true,
            (Self::Opaque(_), Self::Opaque(_)) => true,
            (Self::Date | Self::Timestamp | Self::Instant, Self::Mark) => true,
            (one, other) => one == other,
        }
    }

    /// Whether a float tells every number of so many digits from every other.
    pub(crate) fn fits_a_float(&self) -> bool {
        matches!(self, Self::Exact { whole, scale } if whole + scale <= FLOAT_DIGITS)
    }

    /// What people call it.
    fn title(&self) -> &'static str {
        match self {
            Self::Truth => "a truth value",
            Self::Exact { .. } | Self::Digits { .. } => "a number",
            Self::Float => "a float",
            Self::Text | Self::Folded(_) | Self::Word => "a text",
            Self::Date => "a day",
            Self::Timestamp => "a date and time",
            Self::Instant => "a moment",
            Self::Mark | Self::Loose | Self::Opaque(_) => "a value of another type",
            Self::Nothing => "NULL",
        }
    }
}

/// Whether two values are compared the same everywhere; `ordered` for more than equality.
pub(crate) fn comparable(left: &Kind, right: &Kind, ordered: bool) -> Result<()> {
    match (left, right) {
        (Kind::Opaque(reason) | Kind::Folded(reason), _)
        | (_, Kind::Opaque(reason) | Kind::Folded(reason)) => refuse(reason),
        (Kind::Nothing | Kind::Loose, _) | (_, Kind::Nothing | Kind::Loose) => Ok(()),
        (Kind::Text | Kind::Word, Kind::Text | Kind::Word) if ordered => {
            refuse("it orders texts, and each system has an order of its own")
        }
        (Kind::Word, Kind::Word) => refuse("it compares texts that stand in no column"),
        (Kind::Text | Kind::Word, Kind::Text | Kind::Word) => Ok(()),
        (Kind::Mark, Kind::Mark) if ordered => {
            refuse("it orders values of a type that has no order everywhere")
        }
        (Kind::Truth, Kind::Truth) if ordered => refuse("it orders truth values"),
        (Kind::Exact { .. }, Kind::Exact { .. }) => Ok(()),
        (
            Kind::Exact { whole, scale } | Kind::Digits { whole, scale },
            Kind::Exact { whole: more, scale: finer } | Kind::Digits { whole: more, scale: finer },
        ) => match whole + scale <= FLOAT_DIGITS && more + finer <= FLOAT_DIGITS {
            true => Ok(()),
            false => refuse(format!(
                "it compares numbers of more than {FLOAT_DIGITS} digits, which are kept as texts"
            )),
        },
        (one, other) if one == other => Ok(()),
        (one, other) => refuse(format!("it compares {} with {}", one.title(), other.title())),
    }
}

/// The kind of a value that is one or the other.
pub(crate) fn either(left: Kind, right: Kind) -> Result<Kind> {
    Ok(match (left, right) {
        (Kind::Opaque(reason), _) | (_, Kind::Opaque(reason)) => return refuse(reason),
        (Kind::Nothing, other) | (other, Kind::Nothing) => other,
        (Kind::Loose, _) | (_, Kind::Loose) => Kind::Loose,
        (Kind::Exact { whole, scale }, Kind::Exact { whole: more, scale: finer }) => {
            Kind::Exact { whole: whole.max(more), scale: scale.max(finer) }
        }
        (Kind::Digits { .. }, _) | (_, Kind::Digits { .. }) => return digits(),
        (Kind::Text, Kind::Word) | (Kind::Word, Kind::Text) => Kind::Text,
        (Kind::Folded(reason), Kind::Text | Kind::Word | Kind::Folded(_))
        | (Kind::Text | Kind::Word, Kind::Folded(reason)) => Kind::Folded(reason),
        (one, other) if one == other => one,
        (one, other) => {
            return refuse(format!("it gives {} or {}", one.title(), other.title()));
        }
    })
}

/// The kind of a number that is reckoned from others: `product` for a product, else a sum.
pub(crate) fn reckoned(left: &Kind, right: &Kind, product: bool) -> Result<Kind> {
    match (left, right) {
        (Kind::Opaque(reason), _) | (_, Kind::Opaque(reason)) => refuse(reason),
        (Kind::Loose, _) | (_, Kind::Loose) => Ok(Kind::Loose),
        (Kind::Exact { whole, scale }, Kind::Exact { whole: more, scale: finer }) => {
            let (whole, scale) = match product {
                true => (whole + more, scale + finer),
                false => (whole.max(more) + 1, *scale.max(finer)),
            };
            match whole + scale <= DIGITS && scale <= SCALE {
                true => Ok(Kind::Exact { whole, scale }),
                false => refuse(format!(
                    "it reckons with more than {DIGITS} digits, or {SCALE} after the point"
                )),
            }
        }
        (Kind::Digits { .. }, _) | (_, Kind::Digits { .. }) => digits(),
        (Kind::Float, _) | (_, Kind::Float) => {
            refuse("it reckons with floats, and systems round them differently")
        }
        (one, other) => refuse(format!("it reckons with {} and {}", one.title(), other.title())),
    }
}

fn digits<T>() -> Result<T> {
    refuse("it reckons with decimals, which are kept as texts")
}

/// Whether the kind is a text, or may be one.
pub(crate) fn textual(kind: &Kind) -> Result<()> {
    match kind {
        Kind::Text | Kind::Folded(_) | Kind::Word | Kind::Loose | Kind::Nothing => Ok(()),
        Kind::Opaque(reason) => refuse(reason),
        other => refuse(format!("it takes {} for a text", other.title())),
    }
}
