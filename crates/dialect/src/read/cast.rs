//! Casts, most of which servers show where nobody wrote one.

use sqlparser::ast::{ArrayElemTypeDef, CastKind, DataType, Expr, TypedString, Value};

use super::Reader;
use crate::dialect::Cast;
use crate::term::{Made, Term};
use crate::{Result, refuse};

impl Reader<'_> {
    /// A cast: of a literal it is read at once, of anything else it waits for the types.
    pub(super) fn cast(&self, kind: &CastKind, of: &Expr, data_type: &DataType) -> Result<Term> {
        let name = data_type.to_string().to_ascii_lowercase();
        if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) || self.dialect.casts.is_empty()
        {
            return refuse(format!("it casts to {name}"));
        }
        let known = self.dialect.casts.iter().find(|(known, _)| *known == name);
        let made = known.map_or(Made::Named(data_type.to_string()), |(_, cast)| Made::Known(*cast));
        Ok(match (self.term(of)?, made) {
            (Term::Text(text), Made::Known(Cast::Date)) => moment(text, false)?,
            (Term::Text(text), Made::Known(Cast::Timestamp)) => moment(text, true)?,
            (Term::Text(text), Made::Known(Cast::Whole | Cast::Exact | Cast::Float)) => {
                match text.strip_prefix('-') {
                    Some(digits) => Term::Minus(Term::Number(super::number(digits)?).boxed()),
                    None => Term::Number(super::number(&text)?),
                }
            }
            (of @ (Term::Number(_) | Term::Minus(_)), Made::Known(Cast::Exact | Cast::Float))
                if of.is_number() =>
            {
                of
            }
            (of @ Term::Text(_), Made::Known(Cast::Text)) => of,
            (Term::Null, _) => Term::Null,
            (of, made) => Term::Cast(of.boxed(), made),
        })
    }

    /// The values of an array that stands for a list.
    pub(super) fn array(&self, expression: &Expr) -> Result<Vec<Term>> {
        match expression {
            Expr::Nested(inner) => self.array(inner),
            Expr::Cast { expr, data_type: DataType::Array(element), .. } => {
                let inner = match element {
                    ArrayElemTypeDef::SquareBracket(inner, None)
                    | ArrayElemTypeDef::AngleBracket(inner) => inner,
                    _ => return refuse("it has an array, which is not the same everywhere"),
                };
                let name = inner.to_string().to_ascii_lowercase();
                let known = self.dialect.casts.iter().find(|(known, _)| *known == name);
                match known {
                    Some((_, Cast::Text)) => self.array(expr),
                    _ => refuse(format!("it casts to {name}[]")),
                }
            }
            Expr::Array(array) if !array.elem.is_empty() => self.terms(&array.elem),
            _ => refuse("it has an array, which is not the same everywhere"),
        }
    }
}

/// `DATE '2000-01-01'`.
pub(super) fn typed(typed: &TypedString) -> Result<Term> {
    match (&typed.data_type, &typed.value.value) {
        (DataType::Date, Value::SingleQuotedString(text)) => moment(text.clone(), false),
        (DataType::Timestamp(None, _), Value::SingleQuotedString(text)) => {
            moment(text.clone(), true)
        }
        _ => refuse("it has a literal that is not the same everywhere"),
    }
}

/// A day, or a date and time, of the years that every system has and writes in the same way.
pub(crate) fn moment(text: String, clock: bool) -> Result<Term> {
    let is = |text: &str, form: &str| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(byte, sign)| match sign {
                b'9' => byte.is_ascii_digit(),
                sign => byte == sign,
            })
    };
    let (day, time) = text.split_once(' ').unwrap_or((&text, ""));
    let (second, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let fine = is(day, "9999-99-99")
        && day.get(..4) > Some("0999")
        && clock != time.is_empty()
        && (!clock || is(second, "99:99:99") && (1..=6).contains(&fraction.len()))
        && fraction.bytes().all(|byte| byte.is_ascii_digit());
    match fine {
        true => Ok(Term::Moment { text, clock }),
        false => refuse("it has a date that is not the same everywhere"),
    }
}
