//! `numeric`: digits of base 10,000, a weight, a sign and the number of decimal places to show.

use bytes::{BufMut, BytesMut};

use super::decode::{Wide, take};

const POSITIVE: u16 = 0x0000;
const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xc000;
const INFINITY: u16 = 0xd000;
const MINUS_INFINITY: u16 = 0xf000;

/// A value times ten to the power of a scale.
#[derive(Debug, PartialEq)]
pub(super) enum Unscaled {
    Narrow(i128),
    Wide(Wide),
}

/// Why a value has no such form.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// The bytes are no `numeric`.
    Garbled,
    /// It is not finite, has more places than the scale, or more than 76 digits.
    Range,
}

/// Reads a value at a scale, exactly.
pub(super) fn decode(mut value: &[u8], scale: i8) -> Result<Unscaled, Unread> {
    let mut word = || take(&mut value).map(u16::from_be_bytes).ok_or(Unread::Garbled);
    let (count, weight, sign, _shown) = (word()?, word()?.cast_signed(), word()?, word()?);
    let negative = match sign {
        POSITIVE => false,
        NEGATIVE => true,
        NAN | INFINITY | MINUS_INFINITY => return Err(Unread::Range),
        _ => return Err(Unread::Garbled),
    };
    if value.len() != usize::from(count) * 2 {
        return Err(Unread::Garbled);
    }
    let digits = || value.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    if digits().any(|digit| digit > 9999) {
        return Err(Unread::Garbled);
    }
    // The last digit stands for its value times 10 to the power of `last`.
    let last = (i32::from(weight) - i32::from(count) + 1) * 4 + i32::from(scale);
    // 9 digits of base 10,000 and a shift of at most two decimal places stay below 10^38.
    if count <= 8 && (0..=4).contains(&last) || count <= 9 && (-3..0).contains(&last) {
        let magnitude = digits().fold(0i128, |sum, digit| sum * 10_000 + i128::from(digit));
        let unscaled = if last >= 0 {
            magnitude * 10i128.pow(last.unsigned_abs())
        } else {
            let divisor = 10i128.pow(last.unsigned_abs());
            if magnitude % divisor != 0 {
                return Err(Unread::Range);
            }
            magnitude / divisor
        };
        return Ok(Unscaled::Narrow(if negative { -unscaled } else { unscaled }));
    }
    decode_wide(digits(), last, negative)
}

fn decode_wide(
    digits: impl Iterator<Item = u16>,
    last: i32,
    negative: bool,
) -> Result<Unscaled, Unread> {
    let mut text = String::new();
    for digit in digits {
        use std::fmt::Write;
        let _ = write!(text, "{digit:04}");
    }
    let mut text = text.trim_start_matches('0').to_string();
    if text.is_empty() {
        return Ok(Unscaled::Narrow(0));
    }
    let places = usize::try_from(last.unsigned_abs()).map_err(|_| Unread::Range)?;
    if last >= 0 {
        if text.len() + places > 76 {
            return Err(Unread::Range);
        }
        text.extend(std::iter::repeat_n('0', places));
    } else {
        let kept = text.len().checked_sub(places).ok_or(Unread::Range)?;
        if text[kept..].bytes().any(|byte| byte != b'0') {
            return Err(Unread::Range);
        }
        text.truncate(kept);
    }
    if text.len() > 76 {
        return Err(Unread::Range);
    }
    let magnitude = Wide::from_string(&text).ok_or(Unread::Range)?;
    Ok(Unscaled::Wide(if negative { magnitude.wrapping_neg() } else { magnitude }))
}

/// Appends the binary form, with its length in front, of decimal text such as `-12.50` or `NaN`;
/// false, and nothing appended, when it is not text that the server would give back.
pub(super) fn encode(text: &str, out: &mut BytesMut) -> bool {
    let special = match text {
        "NaN" => Some(NAN),
        "Infinity" => Some(INFINITY),
        "-Infinity" => Some(MINUS_INFINITY),
        _ => None,
    };
    if let Some(sign) = special {
        out.put_i32(8);
        for word in [0, 0, sign, 0] {
            out.put_u16(word);
        }
        return true;
    }
    let (sign, number) = match text.strip_prefix('-') {
        Some(number) => (NEGATIVE, number),
        None => (POSITIVE, text),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let plain = whole == "0" || !whole.is_empty() && !whole.starts_with('0');
    if !plain || !all_digits(whole) || !all_digits(fraction) || number.ends_with('.') {
        return false;
    }
    let digits = [whole, fraction].concat();
    // A zero has no sign.
    if sign == NEGATIVE && digits.bytes().all(|digit| digit == b'0') {
        return false;
    }
    put(sign, &digits, fraction.len(), out)
}

/// `digits`, the last `places` of them after the point.
fn put(sign: u16, digits: &str, places: usize, out: &mut BytesMut) -> bool {
    // Zeros in front and behind, so that groups of four meet the point.
    let behind = (4 - places % 4) % 4;
    let groups_behind = places.div_ceil(4);
    let length = digits.len() + behind;
    let front = (4 - length % 4) % 4;
    let mut padded = Vec::with_capacity(length + front);
    padded.extend(std::iter::repeat_n(b'0', front));
    padded.extend_from_slice(digits.as_bytes());
    padded.extend(std::iter::repeat_n(b'0', behind));
    let group =
        |four: &[u8]| four.iter().fold(0u16, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let groups: Vec<u16> = padded.chunks_exact(4).map(group).collect();
    let Some(first) = groups.iter().position(|group| *group != 0) else {
        return header(out, 0, 0, POSITIVE, places);
    };
    let end = groups.iter().rposition(|group| *group != 0).map_or(0, |last| last + 1);
    let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let weight = signed(groups.len() - first) - 1 - signed(groups_behind);
    let significant = &groups[first..end];
    if !header(out, significant.len(), weight, sign, places) {
        return false;
    }
    for group in significant {
        out.put_u16(*group);
    }
    true
}

fn header(out: &mut BytesMut, count: usize, weight: i64, sign: u16, shown: usize) -> bool {
    let (Ok(count), Ok(weight), Ok(shown)) =
        (i16::try_from(count), i16::try_from(weight), i16::try_from(shown))
    else {
        return false;
    };
    // What the server takes at most: 16383 places after the point.
    if shown > 16_383 {
        return false;
    }
    out.put_i32(8 + 2 * i32::from(count));
    out.put_i16(count);
    out.put_i16(weight);
    out.put_u16(sign);
    out.put_i16(shown);
    true
}
