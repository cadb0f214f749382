//! One line as keys and values, without a tree between.

use std::borrow::Cow;

use longshore_model::{Cell, Code, ColumnBuilder, Error, LogicalType, Misfit};
use serde::Deserializer;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Why a line is not a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is not one JSON object; the column of the line where that shows.
    NotAnObject(usize),
    UnknownKey(String),
    DuplicateKey(String),
}

impl Problem {
    pub(super) fn locate(self, file: &str, line: u64) -> Error {
        let (what, key, value) = match self {
            Problem::NotAnObject(at) => {
                ("a line is not one JSON object", "character", at.to_string())
            }
            Problem::UnknownKey(key) => ("a row has a key that its table has not", "key", key),
            Problem::DuplicateKey(key) => ("a row has a key twice", "key", key),
        };
        Error::new(Code::SourceUnreadable, what)
            .with("file", file)
            .with("line", line.to_string())
            .with(key, value)
    }
}

type Each<'a> = dyn FnMut(&str, &str) -> Result<(), Problem> + 'a;

/// Calls `each` with every key and the JSON text of its value.
pub(super) fn for_each_pair(line: &str, each: &mut Each<'_>) -> Result<(), Problem> {
    let mut problem = None;
    let mut deserializer = serde_json::Deserializer::from_str(line);
    let result = deserializer
        .deserialize_map(Pairs { each, problem: &mut problem })
        .and_then(|()| deserializer.end());
    match (problem, result) {
        (Some(problem), _) => Err(problem),
        (None, Err(error)) => Err(Problem::NotAnObject(error.column())),
        (None, Ok(())) => Ok(()),
    }
}

struct Pairs<'a, 'b> {
    each: &'a mut Each<'b>,
    problem: &'a mut Option<Problem>,
}

impl<'de> Visitor<'de> for Pairs<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            let value: &RawValue = map.next_value()?;
            if let Err(problem) = (self.each)(&key, value.get()) {
                *self.problem = Some(problem);
                return Err(A::Error::custom("a row is refused"));
            }
        }
        Ok(())
    }
}

/// A key, borrowed where it has no escapes.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Appends the value that a JSON text stands for. In files that longshore wrote, JSON and variants
/// are strings in their canonical text; in others they are the JSON itself.
pub(super) fn append(
    column: &mut ColumnBuilder,
    token: &str,
    own: bool,
    scratch: &mut String,
) -> Result<(), Misfit> {
    let json = *column.logical() == LogicalType::Json;
    let variant = *column.logical() == LogicalType::Variant;
    match token.as_bytes().first() {
        Some(b'n') => {
            column.null();
            Ok(())
        }
        _ if json && !(own && token.starts_with('"')) => column.parse(token),
        Some(b'"') => {
            let text = decode(token, scratch)?;
            if variant && !own { column.append(Cell::Text(text)) } else { column.parse(text) }
        }
        Some(b't') => column.append(Cell::Bool(true)),
        Some(b'f') => column.append(Cell::Bool(false)),
        Some(b'{' | b'[') | None => Err(Misfit::Kind("nested")),
        Some(_) if variant => column.append(number(token)?),
        Some(_) => match column.logical() {
            LogicalType::Int { .. }
            | LogicalType::Float { .. }
            | LogicalType::Decimal { .. }
            | LogicalType::Number => column.parse(token),
            _ => Err(Misfit::Kind("number")),
        },
    }
}

fn number(token: &str) -> Result<Cell<'static>, Misfit> {
    match token.parse::<i64>() {
        Ok(value) if token != "-0" => Ok(Cell::Int(value)),
        _ => token.parse().map(Cell::Float).map_err(|_| Misfit::Text),
    }
}

fn decode<'a>(token: &'a str, scratch: &'a mut String) -> Result<&'a str, Misfit> {
    match token.get(1..token.len() - 1) {
        Some(plain) if !plain.contains('\\') => Ok(plain),
        _ => {
            *scratch = serde_json::from_str(token).map_err(|_| Misfit::Text)?;
            Ok(scratch)
        }
    }
}
