//! Comparing values with literals and with each other.

use std::cmp::Ordering;

use longshore_model::{Cell, ColumnBuilder, ColumnView, LogicalType, Unit};

use crate::digits::Digits;

/// A literal as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Literal {
    Null,
    Boolean(bool),
    Number(String),
    Text(String),
}

/// How two values must stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    NotEqual,
    Less,
    NotLess,
    Greater,
    NotGreater,
}

/// A literal as a value of the column that it is compared with.
#[derive(Debug, Clone)]
pub(super) enum Constant {
    Boolean(bool),
    Integer(i128),
    Float(f64),
    Number(Digits),
    Text(String),
    Bytes(Vec<u8>),
    Uuid([u8; 16]),
    /// A date, time or timestamp, in the column's own ticks.
    Ticks(i64),
}

/// A pattern of LIKE.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Exactly(char),
}

impl Operator {
    pub(super) fn takes(self, order: Ordering) -> bool {
        match self {
            Operator::Equal => order.is_eq(),
            Operator::NotEqual => order.is_ne(),
            Operator::Less => order.is_lt(),
            Operator::NotLess => order.is_ge(),
            Operator::Greater => order.is_gt(),
            Operator::NotGreater => order.is_le(),
        }
    }

    /// The same with the sides exchanged.
    pub(super) fn turned(self) -> Self {
        match self {
            Operator::Less => Operator::Greater,
            Operator::Greater => Operator::Less,
            Operator::NotLess => Operator::NotGreater,
            Operator::NotGreater => Operator::NotLess,
            same => same,
        }
    }
}

impl Constant {
    /// Whether values of a type have an order.
    pub(super) fn comparable(logical: &LogicalType) -> bool {
        !matches!(logical, LogicalType::Interval | LogicalType::Variant | LogicalType::Number)
    }

    /// The literal as a value to compare with a column of this type; `None` when the type has no
    /// such value.
    pub(super) fn new(logical: &LogicalType, literal: &Literal) -> Option<Self> {
        let text = match literal {
            Literal::Null => return None,
            Literal::Boolean(value) => {
                return (*logical == LogicalType::Boolean).then_some(Self::Boolean(*value));
            }
            Literal::Number(text) | Literal::Text(text) => text,
        };
        let is_number = matches!(literal, Literal::Number(_));
        match logical {
            LogicalType::Int { .. } => match text.parse() {
                Ok(value) => Some(Self::Integer(value)),
                Err(_) => Digits::parse(text).map(Self::Number),
            },
            LogicalType::Float { .. } => {
                Digits::parse(text)?;
                text.parse().ok().map(Self::Float)
            }
            LogicalType::Decimal { .. } | LogicalType::Number => {
                Digits::parse(text).map(Self::Number)
            }
            LogicalType::Boolean => match text.as_str() {
                "true" | "1" => Some(Self::Boolean(true)),
                "false" | "0" => Some(Self::Boolean(false)),
                _ => None,
            },
            _ if is_number => None,
            LogicalType::Text
            | LogicalType::Bits { .. }
            | LogicalType::LooseDate
            | LogicalType::LooseTimestamp { .. }
            | LogicalType::Json
            | LogicalType::Opaque { .. } => Some(Self::Text(text.clone())),
            LogicalType::Interval | LogicalType::Variant => None,
            LogicalType::Timestamp { utc, .. } => Self::timestamp(logical, text, *utc),
            LogicalType::Bytes
            | LogicalType::Date
            | LogicalType::Time { .. }
            | LogicalType::Uuid => Self::parsed(logical, text),
        }
    }

    /// A date alone is its midnight; without an offset, an instant is meant in UTC.
    fn timestamp(logical: &LogicalType, text: &str, utc: bool) -> Option<Self> {
        let zone = if utc { "Z" } else { "" };
        [text.to_string(), format!("{text}{zone}"), format!("{text} 00:00:00{zone}")]
            .iter()
            .find_map(|text| Self::parsed(logical, text))
    }

    fn parsed(logical: &LogicalType, text: &str) -> Option<Self> {
        let mut builder = ColumnBuilder::new(logical);
        builder.parse(text).ok()?;
        let array = builder.finish();
        Some(match ColumnView::new(logical, &array).ok()?.cell(0) {
            Cell::Bytes(bytes) => Self::Bytes(bytes.to_vec()),
            Cell::Uuid(bytes) => Self::Uuid(*bytes),
            Cell::Date(days) => Self::Ticks(days.into()),
            Cell::Time(ticks, _) | Cell::Timestamp(ticks, ..) => Self::Ticks(ticks),
            _ => return None,
        })
    }

    /// How a value stands to it; unknown for NULL.
    pub(super) fn compare(&self, cell: Cell<'_>) -> Option<Ordering> {
        match (self, cell) {
            (_, Cell::Null) => None,
            (Self::Boolean(constant), Cell::Bool(value)) => Some(value.cmp(constant)),
            (Self::Integer(constant), Cell::Int(value)) => Some(i128::from(value).cmp(constant)),
            (Self::Integer(constant), Cell::UInt(value)) => Some(i128::from(value).cmp(constant)),
            (Self::Float(constant), Cell::Float(value)) => Some(compare_floats(value, *constant)),
            (Self::Number(constant), cell) => {
                let mut text = String::new();
                cell.write_text(&mut text);
                Digits::parse(&text).map(|value| value.compare(constant))
            }
            (Self::Text(constant), Cell::Text(value)) => Some(value.cmp(constant)),
            (Self::Bytes(constant), Cell::Bytes(value)) => Some(value.cmp(constant.as_slice())),
            (Self::Uuid(constant), Cell::Uuid(value)) => Some(value.cmp(constant)),
            (Self::Ticks(constant), Cell::Date(value)) => Some(i64::from(value).cmp(constant)),
            (Self::Ticks(constant), Cell::Time(value, _) | Cell::Timestamp(value, ..)) => {
                Some(value.cmp(constant))
            }
            _ => None,
        }
    }
}

/// How two values of one type stand to each other; unknown when one is NULL.
pub(super) fn compare_cells(left: Cell<'_>, right: Cell<'_>) -> Option<Ordering> {
    fn ticks(value: i64, unit: Unit) -> i128 {
        i128::from(value) * i128::from(1_000_000_000 / unit.per_second())
    }
    Some(match (left, right) {
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(&b),
        (Cell::Int(a), Cell::Int(b)) => a.cmp(&b),
        (Cell::UInt(a), Cell::UInt(b)) => a.cmp(&b),
        (Cell::Float(a), Cell::Float(b)) => compare_floats(a, b),
        (Cell::Decimal(a, one), Cell::Decimal(b, other)) if one == other => a.cmp(&b),
        (Cell::WideDecimal(a, one), Cell::WideDecimal(b, other)) if one == other => a.cmp(&b),
        (Cell::Text(a), Cell::Text(b)) => a.cmp(b),
        (Cell::Bytes(a), Cell::Bytes(b)) => a.cmp(b),
        (Cell::Uuid(a), Cell::Uuid(b)) => a.cmp(b),
        (Cell::Date(a), Cell::Date(b)) => a.cmp(&b),
        (Cell::Time(a, one), Cell::Time(b, other)) => ticks(a, one).cmp(&ticks(b, other)),
        (Cell::Timestamp(a, one, _), Cell::Timestamp(b, other, _)) => {
            ticks(a, one).cmp(&ticks(b, other))
        }
        _ => return None,
    })
}

/// PostgreSQL's order: NaN equals itself and is above everything, −0 equals 0.
fn compare_floats(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

impl Pattern {
    /// Reads a pattern; `None` when it ends in the escape character.
    pub(super) fn parse(text: &str, escape: Option<char>) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pieces.push(match character {
                _ if Some(character) == escape => Piece::Exactly(characters.next()?),
                '%' => Piece::Any,
                '_' => Piece::One,
                _ => Piece::Exactly(character),
            });
        }
        Some(Self(pieces))
    }

    /// Whether a text is one of the pattern's, upper and lower case told apart.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut piece = 0;
        // Where to go on when the pieces after the last `%` do not fit here.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            match self.0.get(piece) {
                Some(Piece::Any) => {
                    piece += 1;
                    retry = Some((piece, rest.clone()));
                    continue;
                }
                Some(wanted) => {
                    let found = rest.next();
                    let fits = match wanted {
                        Piece::Exactly(character) => found == Some(*character),
                        _ => found.is_some(),
                    };
                    if fits {
                        piece += 1;
                        continue;
                    }
                }
                None if rest.as_str().is_empty() => return true,
                None => {}
            }
            let Some((again, mut from)) = retry.take() else { return false };
            if from.next().is_none() {
                return false;
            }
            (piece, rest) = (again, from.clone());
            retry = Some((again, from));
        }
    }
}
