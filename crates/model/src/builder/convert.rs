//! Values from texts and from other types: converted exactly, or not at all.

use arrow_buffer::{IntervalMonthDayNano, i256};

use super::{ColumnBuilder, Misfit, Values};
use crate::calendar;
use crate::cell::{Cell, Literal, parse_hex};
use crate::logical::{LogicalType, Unit};

impl ColumnBuilder {
    /// Appends a value read from its canonical text ([`Cell::write_text`]).
    pub fn parse(&mut self, text: &str) -> Result<(), Misfit> {
        self.bytes += 8;
        match &mut self.values {
            Values::Text(v) => {
                self.bytes += text.len();
                v.append_value(text);
            }
            Values::Variant(v, _) => {
                Literal::parse(text).ok_or(Misfit::Text)?;
                self.bytes += text.len();
                v.append_value(text);
            }
            Values::Bytes(v) => {
                let bytes = text.strip_prefix("\\x").and_then(parse_hex).ok_or(Misfit::Text)?;
                self.bytes += bytes.len();
                v.append_value(bytes);
            }
            Values::Bool(v) => v.append_value(match text {
                "true" | "t" | "1" => true,
                "false" | "f" | "0" => false,
                _ => return Err(Misfit::Text),
            }),
            Values::F32(v) => {
                let value = parse_float(text)?;
                let narrow: f32 = if value.is_nan() {
                    f32::NAN
                } else {
                    text.parse().map_err(|_| Misfit::Text)?
                };
                if narrow.is_infinite() && !value.is_infinite() {
                    return Err(Misfit::Range);
                }
                v.append_value(narrow);
            }
            Values::F64(v) => v.append_value(parse_float(text)?),
            Values::Decimal(v, precision, scale) => {
                v.append_value(match short_decimal(text, *precision, *scale) {
                    Some(value) => value,
                    None => {
                        parse_decimal(text, *precision, *scale)?.to_i128().ok_or(Misfit::Range)?
                    }
                });
            }
            Values::WideDecimal(v, precision, scale) => {
                v.append_value(parse_decimal(text, *precision, *scale)?);
            }
            Values::Date(v) => {
                let days = calendar::parse_date(text).ok_or(Misfit::Text)?;
                v.append_value(i32::try_from(days).map_err(|_| Misfit::Range)?);
            }
            Values::TimeMicro(v) => {
                v.append_value(calendar::parse_time(text, Unit::Micro).ok_or(Misfit::Text)?);
            }
            Values::TimeNano(v) => {
                v.append_value(calendar::parse_time(text, Unit::Nano).ok_or(Misfit::Text)?);
            }
            Values::StampMicro(v, utc) => v.append_value(
                calendar::parse_timestamp(text, Unit::Micro, *utc).ok_or(Misfit::Text)?,
            ),
            Values::StampNano(v, utc) => v.append_value(
                calendar::parse_timestamp(text, Unit::Nano, *utc).ok_or(Misfit::Text)?,
            ),
            Values::Interval(v) => {
                let (months, days, nanos) = calendar::parse_interval(text).ok_or(Misfit::Text)?;
                v.append_value(IntervalMonthDayNano::new(months, days, nanos));
            }
            Values::Uuid(v) => {
                v.append_value(parse_uuid(text).ok_or(Misfit::Text)?).map_err(|_| Misfit::Range)?;
            }
            Values::I8(_)
            | Values::I16(_)
            | Values::I32(_)
            | Values::I64(_)
            | Values::U8(_)
            | Values::U16(_)
            | Values::U32(_)
            | Values::U64(_) => {
                let cell = match text.parse::<i64>() {
                    Ok(value) => Cell::Int(value),
                    Err(_) => Cell::UInt(text.parse().map_err(|_| Misfit::Text)?),
                };
                self.append_integer(cell)?;
            }
        }
        Ok(())
    }

    /// Appends a value converted to the column's type, as `types` in a migration asks for. The
    /// conversion must be exact: `1.0` becomes the integer 1, `1.5` is a misfit.
    pub fn cast(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        let mut text = String::new();
        match (&self.values, cell) {
            (_, Cell::Null) => {
                self.null();
                Ok(())
            }
            (Values::Variant(..), _) => self.append(cell),
            (Values::Bytes(_), Cell::Text(value)) => self.append(Cell::Bytes(value.as_bytes())),
            (Values::Text(_), Cell::Bytes(value)) => {
                self.append(Cell::Text(std::str::from_utf8(value).map_err(|_| Misfit::Text)?))
            }
            (Values::Uuid(_), Cell::Bytes(value)) => {
                self.append(Cell::Uuid(value.try_into().map_err(|_| Misfit::Range)?))
            }
            (Values::Text(_), cell) => {
                cell.write_text(&mut text);
                self.parse(in_form(&self.logical, &text).ok_or(Misfit::Text)?)
            }
            (Values::F32(_) | Values::F64(_), Cell::Int(value)) => {
                #[expect(clippy::cast_precision_loss, reason = "checked on the next line")]
                let float = value as f64;
                #[expect(clippy::cast_possible_truncation, reason = "compared in 128 bits")]
                if float as i128 != i128::from(value) {
                    return Err(Misfit::Range);
                }
                self.append(Cell::Float(float))
            }
            (
                Values::I8(_)
                | Values::I16(_)
                | Values::I32(_)
                | Values::I64(_)
                | Values::U8(_)
                | Values::U16(_)
                | Values::U32(_)
                | Values::U64(_)
                | Values::Bool(_),
                Cell::Float(value),
            ) => {
                #[expect(clippy::cast_possible_truncation, reason = "checked on the next line")]
                let integer = value as i64;
                #[expect(clippy::cast_precision_loss, reason = "compared with the original")]
                if integer as f64 != value || integer == i64::MAX {
                    return Err(Misfit::Range);
                }
                self.append(Cell::Int(integer))
            }
            (_, Cell::Text(value)) => self.parse(value.trim()),
            (Values::Date(_), Cell::Timestamp(value, unit, _)) => {
                let day = 86_400 * unit.per_second();
                if value.rem_euclid(day) != 0 {
                    return Err(Misfit::Range);
                }
                let days = value.div_euclid(day);
                self.append(Cell::Date(i32::try_from(days).map_err(|_| Misfit::Range)?))
            }
            (
                Values::Decimal(..) | Values::WideDecimal(..),
                Cell::Int(_) | Cell::UInt(_) | Cell::Float(_),
            ) => {
                cell.write_text(&mut text);
                self.parse(&text)
            }
            (Values::StampMicro(_, utc), Cell::Timestamp(value, unit, _)) => {
                let cell = Cell::Timestamp(value, unit, *utc);
                self.append(cell)
            }
            (Values::StampNano(_, utc), Cell::Timestamp(value, unit, _)) => {
                let cell = Cell::Timestamp(value, unit, *utc);
                self.append(cell)
            }
            _ => self.append(cell),
        }
    }
}

impl ColumnBuilder {
    /// Appends a number to a column of decimals, rounded half away from zero to the digits that the
    /// column keeps.
    pub fn round(&mut self, cell: Cell<'_>) -> Result<(), Misfit> {
        let mut text = String::new();
        cell.write_text(&mut text);
        let (precision, scale) = match &self.values {
            Values::Decimal(_, precision, scale) | Values::WideDecimal(_, precision, scale) => {
                (*precision, *scale)
            }
            _ => return Err(Misfit::Kind(cell.kind())),
        };
        let read = read_decimal(text.trim())?;
        let rounded = read.signed(round(read.value, read.scale, precision, scale)?);
        match &mut self.values {
            Values::Decimal(v, ..) => v.append_value(rounded.to_i128().ok_or(Misfit::Range)?),
            Values::WideDecimal(v, ..) => v.append_value(rounded),
            _ => return Err(Misfit::Kind(cell.kind())),
        }
        self.bytes += 16;
        Ok(())
    }
}

/// The text of a value as a textual type has it; `None` when the type has no such value.
fn in_form<'a>(logical: &LogicalType, text: &'a str) -> Option<&'a str> {
    match logical {
        LogicalType::Bits { length } => {
            let fits = usize::try_from(*length).is_ok_and(|length| text.len() == length);
            (fits && text.bytes().all(|byte| matches!(byte, b'0' | b'1'))).then_some(text)
        }
        LogicalType::LooseTimestamp { .. } => Some(text.trim_end_matches('Z')),
        _ => Some(text),
    }
}

/// The powers of ten that 128 bits hold, by their exponents.
pub(super) const POWERS_OF_TEN: [u128; 39] = {
    let mut powers = [1; 39];
    let mut exponent = 1;
    while exponent < powers.len() {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

pub(super) fn rescale(value: i256, from: i32, precision: u8, to: i8) -> Result<i256, Misfit> {
    let mut value = value;
    let ten = i256::from_i128(10);
    let steps = i32::from(to).saturating_sub(from);
    for _ in 0..steps.unsigned_abs() {
        if steps > 0 {
            value = value.checked_mul(ten).ok_or(Misfit::Range)?;
        } else {
            if value.checked_rem(ten) != Some(i256::ZERO) {
                return Err(Misfit::Range);
            }
            value = value.checked_div(ten).ok_or(Misfit::Range)?;
        }
    }
    within(value, precision)
}

/// A value of at least zero at another scale, half of a unit rounded up.
fn round(value: i256, from: i32, precision: u8, to: i8) -> Result<i256, Misfit> {
    let ten = i256::from_i128(10);
    let dropped = u32::try_from(from.saturating_sub(i32::from(to))).unwrap_or(0);
    if dropped == 0 {
        return rescale(value, from, precision, to);
    }
    // What has more digits to drop than a number holds is less than half of a unit.
    let Some(half) =
        ten.checked_pow(dropped - 1).and_then(|unit| unit.checked_mul(i256::from_i128(5)))
    else {
        return Ok(i256::ZERO);
    };
    let unit = half.checked_mul(i256::from_i128(2)).ok_or(Misfit::Range)?;
    let rounded = value.checked_add(half).and_then(|sum| sum.checked_div(unit));
    within(rounded.ok_or(Misfit::Range)?, precision)
}

fn within(value: i256, precision: u8) -> Result<i256, Misfit> {
    let limit = i256::from_i128(10).checked_pow(u32::from(precision)).ok_or(Misfit::Range)?;
    let magnitude = value.checked_abs().ok_or(Misfit::Range)?;
    if magnitude < limit { Ok(value) } else { Err(Misfit::Range) }
}

/// The number of a text, apart from its sign: `value × 10⁻ˢᶜᵃˡᵉ`.
struct Number {
    negative: bool,
    value: i256,
    scale: i32,
}

impl Number {
    fn signed(&self, value: i256) -> i256 {
        if self.negative { value.wrapping_neg() } else { value }
    }
}

fn parse_decimal(text: &str, precision: u8, scale: i8) -> Result<i256, Misfit> {
    let number = read_decimal(text)?;
    if number.value == i256::ZERO {
        return Ok(i256::ZERO);
    }
    Ok(number.signed(rescale(number.value, number.scale, precision, scale)?))
}

/// Reads `[-]digits[.digits][e±n]` exactly. Zeros at either end count for nothing, however many
/// there are: the canonical text of a decimal of negative scale has more than 256 bits hold.
fn read_decimal(text: &str) -> Result<Number, Misfit> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().map_err(|_| Misfit::Text)?)
        }
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty()
        || [whole, fraction].iter().any(|part| part.bytes().any(|b| !b.is_ascii_digit()))
    {
        return Err(Misfit::Text);
    }
    let fraction = fraction.trim_end_matches('0');
    let (whole, zeros) = if fraction.is_empty() {
        let trimmed = whole.trim_end_matches('0');
        (trimmed, whole.len() - trimmed.len())
    } else {
        (whole, 0)
    };
    let ten = i256::from_i128(10);
    let mut value = i256::ZERO;
    for digit in whole.bytes().chain(fraction.bytes()) {
        value = value
            .checked_mul(ten)
            .and_then(|value| value.checked_add(i256::from_i128(i128::from(digit - b'0'))))
            .ok_or(Misfit::Range)?;
    }
    let count = |length: usize| i32::try_from(length).map_err(|_| Misfit::Range);
    let scale = count(fraction.len())?.saturating_sub(count(zeros)?).saturating_sub(exponent);
    Ok(Number { negative, value, scale })
}

/// The unscaled value of `[-]digits[.digits]` with at most 18 digits; `None` leaves a text to the
/// long way.
fn short_decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let bytes = text.as_bytes();
    let negative = bytes.first() == Some(&b'-');
    let digits = &bytes[usize::from(negative)..];
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let (mut value, mut point) = (0u64, None);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() && digits.len() > 1 => point = Some(at),
            _ => return None,
        }
    }
    if point.is_none() && digits.len() > 18 {
        return None;
    }
    let places = point.map_or(0, |at| digits.len() - 1 - at);
    let missing = usize::try_from(scale).ok()?.checked_sub(places)?;
    // At most 10¹⁸ times 10¹⁹ fits 128 bits.
    let unscaled = u128::from(value) * POWERS_OF_TEN.get(missing).filter(|_| missing < 20)?;
    let fits = precision > 38 || unscaled < POWERS_OF_TEN[usize::from(precision)];
    let unscaled = fits.then_some(unscaled)?.cast_signed();
    Some(if negative { -unscaled } else { unscaled })
}

fn parse_float(text: &str) -> Result<f64, Misfit> {
    match text {
        "NaN" | "nan" => Ok(f64::NAN),
        "Infinity" | "inf" => Ok(f64::INFINITY),
        "-Infinity" | "-inf" => Ok(f64::NEG_INFINITY),
        _ => {
            let value: f64 = text.parse().map_err(|_| Misfit::Text)?;
            if value.is_finite() { Ok(value) } else { Err(Misfit::Range) }
        }
    }
}

fn parse_uuid(text: &str) -> Option<Vec<u8>> {
    let plain = text.replace('-', "");
    (plain.len() == 32 && matches!(text.len(), 32 | 36)).then(|| parse_hex(&plain)).flatten()
}

pub(super) fn convert_ticks(value: i64, from: Unit, to: Unit) -> Result<i64, Misfit> {
    match (from, to) {
        (Unit::Micro, Unit::Nano) => value.checked_mul(1000).ok_or(Misfit::Range),
        (Unit::Nano, Unit::Micro) if value % 1000 == 0 => Ok(value / 1000),
        (Unit::Nano, Unit::Micro) => Err(Misfit::Range),
        _ => Ok(value),
    }
}
