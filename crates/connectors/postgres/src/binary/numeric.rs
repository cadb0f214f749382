//! `numeric`: digits of base 10,000, a weight, a sign and the number of decimal places to show.

use bytes::BufMut;

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
    let signed = |magnitude: i128| Unscaled::Narrow(if negative { -magnitude } else { magnitude });
    // 4 digits of base 10,000 and a shift of at most three decimal places stay below 10^19. Division
    // in 64 bits is many times faster.
    if count <= 4 && (-4..=3).contains(&last) {
        let magnitude = digits().fold(0u64, |sum, digit| sum * 10_000 + u64::from(digit));
        let factor = 10u64.pow(last.unsigned_abs());
        if last >= 0 {
            return Ok(signed((magnitude * factor).into()));
        }
        let exact = magnitude % factor == 0;
        return exact.then(|| signed((magnitude / factor).into())).ok_or(Unread::Range);
    }
    // 9 digits of base 10,000 and a shift of at most two decimal places stay below 10^38.
    if count <= 8 && (0..=4).contains(&last) || count <= 9 && (-3..0).contains(&last) {
        let magnitude = digits().fold(0i128, |sum, digit| sum * 10_000 + i128::from(digit));
        let factor = 10i128.pow(last.unsigned_abs());
        if last >= 0 {
            return Ok(signed(magnitude * factor));
        }
        let exact = magnitude % factor == 0;
        return exact.then(|| signed(magnitude / factor)).ok_or(Unread::Range);
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

/// Appends the binary form, with its length in front, of `unscaled × 10⁻ˢᶜᵃˡᵉ`; false, and nothing
/// appended, when it is too long for this way.
pub(super) fn encode_scaled(unscaled: i128, scale: i8, out: &mut Vec<u8>) -> bool {
    let Ok(places) = u32::try_from(scale) else { return false };
    // Zeros behind, so that groups of four meet the point.
    let behind = (4 - places % 4) % 4;
    let Some(mut rest) = unscaled.unsigned_abs().checked_mul(10u128.pow(behind)) else {
        return false;
    };
    let mut groups = [0u16; LONGEST];
    let mut first = LONGEST;
    while rest > u128::from(u64::MAX) {
        first -= 1;
        groups[first] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    let mut rest = rest as u64;
    while rest > 0 {
        first -= 1;
        groups[first] = (rest % 10_000) as u16;
        rest /= 10_000;
    }
    let sign = if unscaled < 0 { NEGATIVE } else { POSITIVE };
    let groups_behind = i64::from(places.div_ceil(4));
    put_groups(sign, &groups[first..], groups_behind, places as usize, out)
}

/// Groups of four digits in the longest number of 128 bits.
const LONGEST: usize = 10;

/// Appends the binary form, with its length in front, of decimal text such as `-12.50` or `NaN`;
/// false, and nothing appended, when it is not text that the server would give back.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) -> bool {
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
fn put(sign: u16, digits: &str, places: usize, out: &mut Vec<u8>) -> bool {
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
    let groups_behind = i64::try_from(groups_behind).unwrap_or(i64::MAX);
    put_groups(sign, &groups, groups_behind, places, out)
}

/// Appends a number of groups of four digits, of which so many stand behind the point.
fn put_groups(sign: u16, groups: &[u16], behind: i64, places: usize, out: &mut Vec<u8>) -> bool {
    let Some(first) = groups.iter().position(|group| *group != 0) else {
        return header(out, 0, 0, POSITIVE, places);
    };
    let end = groups.iter().rposition(|group| *group != 0).map_or(0, |last| last + 1);
    let weight = i64::try_from(groups.len() - first).unwrap_or(i64::MAX) - 1 - behind;
    let significant = &groups[first..end];
    if !header(out, significant.len(), weight, sign, places) {
        return false;
    }
    out.extend(significant.iter().flat_map(|group| group.to_be_bytes()));
    true
}

fn header(out: &mut Vec<u8>, count: usize, weight: i64, sign: u16, shown: usize) -> bool {
    let (Ok(count), Ok(weight), Ok(shown)) =
        (i16::try_from(count), i16::try_from(weight), i16::try_from(shown))
    else {
        return false;
    };
    // What the server takes at most: 16383 places after the point.
    if shown > 16_383 {
        return false;
    }
    let mut words = [0; 12];
    words[..4].copy_from_slice(&(8 + 2 * i32::from(count)).to_be_bytes());
    words[4..6].copy_from_slice(&count.to_be_bytes());
    words[6..8].copy_from_slice(&weight.to_be_bytes());
    words[8..10].copy_from_slice(&sign.to_be_bytes());
    words[10..].copy_from_slice(&shown.to_be_bytes());
    out.extend_from_slice(&words);
    true
}

#[cfg(test)]
mod tests {
    use longshore_model::Cell;
    use proptest::prelude::*;

    use super::{Unread, Unscaled, decode, encode, encode_scaled};

    fn from_text(unscaled: i128, scale: i8) -> Vec<u8> {
        let (mut text, mut out) = (String::new(), Vec::new());
        Cell::Decimal(unscaled, scale).write_text(&mut text);
        assert!(encode(&text, &mut out), "{text}");
        out
    }

    proptest! {
        #[test]
        fn both_ways_to_write_a_number_agree(
            digits in any::<i128>(),
            cut in 0..128u32,
            scale in 0..=38i8,
        ) {
            let unscaled = digits >> cut;
            let expected = from_text(unscaled, scale);
            let mut out = Vec::new();
            if encode_scaled(unscaled, scale, &mut out) {
                prop_assert_eq!(&out, &expected);
            } else {
                prop_assert!(unscaled.unsigned_abs() > u128::MAX / 1000 && out.is_empty());
            }
        }

        #[test]
        fn any_number_comes_back(digits in any::<i128>(), cut in 2..128u32, scale in 0..=38i8) {
            let unscaled = digits >> cut;
            let written = from_text(unscaled, scale);
            let wide = match decode(&written[4..], scale) {
                Ok(Unscaled::Narrow(value)) => super::Wide::from_i128(value),
                Ok(Unscaled::Wide(value)) => value,
                Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
            };
            prop_assert_eq!(wide, super::Wide::from_i128(unscaled));
            // A place that is not zero and does not fit is refused, not rounded.
            if scale > 0 && unscaled % 10 != 0 {
                prop_assert_eq!(decode(&written[4..], scale - 1), Err(Unread::Range));
            }
        }
    }
}
