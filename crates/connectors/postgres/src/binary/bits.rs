//! Bit strings: their number of bits, then the bits from the first to the last, the last byte filled
//! with zeros.

use bytes::BufMut;

/// Appends the binary form of a text of 0 and 1, its length in front; false when it is no such text.
pub(super) fn encode(text: &str, out: &mut Vec<u8>) -> bool {
    let bytes = text.len().div_ceil(8);
    let (Ok(bits), Ok(length)) = (i32::try_from(text.len()), i32::try_from(4 + bytes)) else {
        return false;
    };
    if text.bytes().any(|byte| !matches!(byte, b'0' | b'1')) {
        return false;
    }
    out.put_i32(length);
    out.put_i32(bits);
    for eight in text.as_bytes().chunks(8) {
        let byte = eight.iter().fold(0, |sum, digit| sum << 1 | (digit & 1));
        out.put_u8(byte << (8 - eight.len()));
    }
    true
}

/// Appends the text of a binary form; false when it is none.
pub(super) fn decode(value: &[u8], out: &mut String) -> bool {
    let Some((bits, bytes)) = value.split_first_chunk() else { return false };
    let Ok(bits) = usize::try_from(i32::from_be_bytes(*bits)) else { return false };
    if bytes.len() != bits.div_ceil(8) {
        return false;
    }
    out.extend((0..bits).map(|at| match bytes[at / 8] >> (7 - at % 8) & 1 {
        0 => '0',
        _ => '1',
    }));
    true
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn bits_come_back() {
        for (text, bytes) in [
            ("", &[0, 0, 0, 4, 0, 0, 0, 0][..]),
            ("1", &[0, 0, 0, 5, 0, 0, 0, 1, 0b1000_0000]),
            ("00000001", &[0, 0, 0, 5, 0, 0, 0, 8, 1]),
            ("111111111", &[0, 0, 0, 6, 0, 0, 0, 9, 0xff, 0b1000_0000]),
        ] {
            let (mut out, mut back) = (Vec::new(), String::new());
            assert!(encode(text, &mut out), "{text}");
            assert_eq!(out, bytes, "{text}");
            assert!(decode(&out[4..], &mut back), "{text}");
            assert_eq!(back, text);
        }
    }

    #[test]
    fn what_is_no_bit_string_is_refused() {
        for text in ["2", "0101 ", "é"] {
            assert!(!encode(text, &mut Vec::new()), "{text}");
        }
        for bytes in [&[][..], &[0, 0, 0], &[0, 0, 0, 1], &[0, 0, 0, 1, 0, 0], &[255; 5]] {
            assert!(!decode(bytes, &mut String::new()), "{bytes:?}");
        }
    }
}
