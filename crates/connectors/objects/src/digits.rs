//! Decimal numbers of any length, compared exactly.

use std::cmp::Ordering;

/// `±digits × 10^exponent`, without leading and trailing zeros; zero has no digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digits {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Digits {
    /// Reads `[-]digits[.digits][e±n]`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (text, 0),
        };
        let (negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_start_matches('0');
        let digits = significant.trim_end_matches('0');
        let cut = i64::try_from(significant.len() - digits.len()).ok()?;
        let scale = i64::try_from(fraction.len()).ok()?;
        let exponent =
            if digits.is_empty() { 0 } else { exponent.checked_sub(scale)?.checked_add(cut)? };
        Some(Self { negative, digits: digits.to_string(), exponent })
    }

    /// Compares two numbers; −0 equals 0.
    pub(crate) fn compare(&self, other: &Self) -> Ordering {
        match (self.sign(), other.sign()) {
            (0, 0) => Ordering::Equal,
            (a, b) if a != b => a.cmp(&b),
            (1, _) => self.magnitude().cmp(&other.magnitude()),
            _ => other.magnitude().cmp(&self.magnitude()),
        }
    }

    fn sign(&self) -> i8 {
        match (self.digits.is_empty(), self.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        }
    }

    /// Where the first digit stands, then the digits: ordered as the absolute values are.
    fn magnitude(&self) -> (i128, &str) {
        (i128::from(self.exponent) + self.digits.len() as i128, &self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::Digits;

    #[test]
    fn numbers_are_ordered_exactly() {
        let sorted =
            ["-1e30", "-12", "-1.2", "-1.19", "0", "1e-9", "0.9", "1", "1.05", "1.5", "12"];
        let parsed = sorted.map(|text| Digits::parse(text).expect(text));
        for (i, a) in parsed.iter().enumerate() {
            for (j, b) in parsed.iter().enumerate() {
                assert_eq!(a.compare(b), i.cmp(&j), "{} {}", sorted[i], sorted[j]);
            }
        }
        for (a, b) in [("1.50", "1.5"), ("100", "1e2"), ("-0.0", "0")] {
            let (a, b) = (Digits::parse(a).expect(a), Digits::parse(b).expect(b));
            assert!(a.compare(&b).is_eq());
        }
        for wrong in ["", "-", ".", "1.2.3", "abc", "1e", "0x1"] {
            assert_eq!(Digits::parse(wrong), None, "{wrong}");
        }
    }
}
