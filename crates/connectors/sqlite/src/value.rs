//! Values: between SQLite's storage classes and columns of a batch.

use longshore_model::{Cell, ColumnBuilder, Literal, LogicalType, Misfit};
use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// The longest value that has a literal: its hexadecimal form must fit a column of a batch.
const LONGEST_LITERAL: usize = 1 << 29;

/// Appends a stored value to a column.
#[inline]
pub(crate) fn append(column: &mut ColumnBuilder, value: ValueRef<'_>) -> Result<(), Misfit> {
    match value {
        ValueRef::Null => column.append(Cell::Null),
        ValueRef::Integer(value) => column.append(Cell::Int(value)),
        ValueRef::Real(value) => column.append(Cell::Float(value)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(_) if *column.logical() == LogicalType::Boolean => Err(Misfit::Kind("text")),
            Ok(text) => {
                if *column.logical() == LogicalType::Variant && text.len() > LONGEST_LITERAL {
                    return Err(Misfit::Range);
                }
                column.append(Cell::Text(text))
            }
            Err(_) if *column.logical() == LogicalType::Variant => {
                if bytes.len() > LONGEST_LITERAL {
                    return Err(Misfit::Range);
                }
                let mut literal = String::new();
                Literal::write_invalid_text(bytes, &mut literal);
                column.parse(&literal)
            }
            Err(_) => Err(Misfit::Text),
        },
        ValueRef::Blob(bytes) => {
            if *column.logical() == LogicalType::Variant && bytes.len() > LONGEST_LITERAL {
                return Err(Misfit::Range);
            }
            column.append(Cell::Bytes(bytes))
        }
    }
}

/// Appends a stored value to a column of floats whose table keeps whole ones as integers.
#[inline]
pub(crate) fn append_number(column: &mut ColumnBuilder, value: ValueRef<'_>) -> Result<(), Misfit> {
    match value {
        ValueRef::Integer(whole) => {
            column.append(Cell::Float(exact_float(whole).ok_or(Misfit::Range)?))
        }
        value => append(column, value),
    }
}

/// The float that equals an integer.
#[inline]
pub(crate) fn exact_float(whole: i64) -> Option<f64> {
    let float = whole as f64;
    (float as i128 == i128::from(whole)).then_some(float)
}

/// What a cell is stored as.
#[derive(Debug)]
pub(crate) enum Stored<'a> {
    Ref(ValueRef<'a>),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Stored<'_> {
    /// The value.
    pub(crate) fn value(&self) -> ValueRef<'_> {
        match self {
            Stored::Ref(value) => *value,
            Stored::Text(bytes) => ValueRef::Text(bytes),
            Stored::Bytes(bytes) => ValueRef::Blob(bytes),
        }
    }
}

impl ToSql for Stored<'_> {
    #[inline]
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(self.value()))
    }
}

/// Finds what a cell of a column is stored as.
#[inline]
pub(crate) fn store<'a>(logical: &LogicalType, cell: Cell<'a>) -> Result<Stored<'a>, Misfit> {
    Ok(Stored::Ref(match cell {
        Cell::Null => ValueRef::Null,
        Cell::Bool(value) => ValueRef::Integer(i64::from(value)),
        Cell::Int(value) => ValueRef::Integer(value),
        Cell::UInt(value) => ValueRef::Integer(i64::try_from(value).map_err(|_| Misfit::Range)?),
        // SQLite would store NULL.
        Cell::Float(value) if value.is_nan() => return Err(Misfit::Range),
        Cell::Float(value) => ValueRef::Real(value),
        Cell::Text(text) if *logical == LogicalType::Variant => return variant(text),
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::Bytes(bytes) => ValueRef::Blob(bytes),
        Cell::Decimal(..)
        | Cell::WideDecimal(..)
        | Cell::Date(_)
        | Cell::Time(..)
        | Cell::Timestamp(..)
        | Cell::Interval(..)
        | Cell::Uuid(_) => {
            let mut text = String::new();
            cell.write_text(&mut text);
            return Ok(Stored::Text(text.into_bytes()));
        }
    }))
}

fn variant(literal: &str) -> Result<Stored<'_>, Misfit> {
    if let Some(inner) = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''))
        && !inner.contains('\'')
    {
        return Ok(Stored::Ref(ValueRef::Text(inner.as_bytes())));
    }
    Ok(match Literal::parse(literal).ok_or(Misfit::Text)? {
        Literal::Int(value) => Stored::Ref(ValueRef::Integer(value)),
        Literal::Float(value) if value.is_nan() => return Err(Misfit::Range),
        Literal::Float(value) => Stored::Ref(ValueRef::Real(value)),
        Literal::Text(bytes) => Stored::Text(bytes),
        Literal::Bytes(bytes) => Stored::Bytes(bytes),
    })
}
