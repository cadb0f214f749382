//! Dates and times as text, over the whole range of their Arrow forms.
//!
//! The text is ISO 8601 with a space between date and time. Years have at least four digits and a
//! minus sign before the year 0 (astronomical numbering: 1 BC is 0000).

use std::fmt::Write;

use crate::logical::Unit;

const DAY: i64 = 86_400;

/// Appends `YYYY-MM-DD` for days since 1970-01-01.
pub(crate) fn write_date(days: i64, out: &mut String) {
    let (year, month, day) = civil_from_days(days);
    if year < 0 {
        out.push('-');
    }
    let _ = write!(out, "{:04}-{month:02}-{day:02}", year.unsigned_abs());
}

/// Appends `HH:MM:SS[.f]`, without trailing zeros in the fraction.
pub(crate) fn write_time(ticks: i64, unit: Unit, out: &mut String) {
    let (seconds, fraction) =
        (ticks.div_euclid(unit.per_second()), ticks.rem_euclid(unit.per_second()));
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    write_fraction(fraction, unit, out);
}

/// Appends date and time.
pub(crate) fn write_timestamp(ticks: i64, unit: Unit, out: &mut String) {
    let day = DAY * unit.per_second();
    write_date(ticks.div_euclid(day), out);
    out.push(' ');
    write_time(ticks.rem_euclid(day), unit, out);
}

/// Appends an ISO 8601 duration, such as `P1M2DT-3.5S`.
pub(crate) fn write_interval(months: i32, days: i32, nanos: i64, out: &mut String) {
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let _ = write!(out, "P{months}M{days}DT{sign}{}", nanos / 1_000_000_000);
    let fraction = i64::try_from(nanos % 1_000_000_000).expect("less than 10⁹");
    write_fraction(fraction, Unit::Nano, out);
    out.push('S');
}

/// Reads what [`write_date`] writes.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    if let Some(days) = parse_plain_date(text.as_bytes()) {
        return Some(days);
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut parts = digits.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() < 4 || month.len() != 2 || day.len() != 2 {
        return None;
    }
    let (year, month, day) = (sign * number(year)?, number(month)?, number(day)?);
    if year.abs() > 9_999_999 || !is_date(year, month, day) {
        return None;
    }
    Some(days_from_civil(year, month, day))
}

/// Reads `YYYY-MM-DD`; `None` leaves a text to the long way.
fn parse_plain_date(text: &[u8]) -> Option<i64> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else { return None };
    let read = |digits: &[&u8]| {
        digits.iter().try_fold(0, |sum, digit| {
            digit.is_ascii_digit().then(|| sum * 10 + i64::from(**digit - b'0'))
        })
    };
    let (year, month, day) = (read(&[y1, y2, y3, y4])?, read(&[m1, m2])?, read(&[d1, d2])?);
    is_date(year, month, day).then(|| days_from_civil(year, month, day))
}

fn is_date(year: i64, month: i64, day: i64) -> bool {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=length).contains(&day)
}

/// Reads `HH:MM[:SS[.f]]` to ticks; `None` when it is not a time of day or has more digits than
/// the unit holds.
pub(crate) fn parse_time(text: &str, unit: Unit) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes) = (parts.next()?, parts.next()?);
    let (seconds, fraction) = match parts.next().unwrap_or("00").split_once('.') {
        Some((seconds, fraction)) => (seconds, parse_fraction(fraction, unit)?),
        None => (text.splitn(3, ':').nth(2).unwrap_or("00"), 0),
    };
    if [hours, minutes, seconds].iter().any(|part| part.len() != 2) {
        return None;
    }
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    // The end of a day is a time of its own: ISO 8601 and PostgreSQL have it.
    let end_of_day = (hours, minutes, seconds, fraction) == (24, 0, 0, 0);
    if !end_of_day && (hours > 23 || minutes > 59 || seconds > 59) {
        return None;
    }
    Some((hours * 3600 + minutes * 60 + seconds) * unit.per_second() + fraction)
}

/// Reads a date and time; with `utc`, an offset (`Z`, `+02`, `+02:00`) is applied and one is
/// required; without, none is allowed.
pub(crate) fn parse_timestamp(text: &str, unit: Unit, utc: bool) -> Option<i64> {
    let split = text.get(1..)?.find([' ', 'T'])? + 1;
    let (date, rest) = (&text[..split], &text[split + 1..]);
    let (time, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => (&rest[..at], Some(parse_offset(&rest[at..])?)),
        None => (rest, None),
    };
    if offset.is_some() != utc {
        return None;
    }
    let day = DAY.checked_mul(unit.per_second())?;
    let time = parse_time(time, unit).filter(|time| *time < day)?;
    // In 128 bits, because the first day of the range starts below it.
    let ticks = i128::from(parse_date(date)?) * i128::from(day) + i128::from(time)
        - i128::from(offset.unwrap_or(0)) * i128::from(unit.per_second());
    i64::try_from(ticks).ok()
}

/// Reads what [`write_interval`] writes.
pub(crate) fn parse_interval(text: &str) -> Option<(i32, i32, i64)> {
    let rest = text.strip_prefix('P')?;
    let (months, rest) = rest.split_once('M')?;
    let (days, rest) = rest.split_once("DT")?;
    let seconds = rest.strip_suffix('S')?;
    let (negative, seconds) = match seconds.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, seconds),
    };
    let (whole, fraction) = match seconds.split_once('.') {
        Some((whole, fraction)) => (whole, parse_fraction(fraction, Unit::Nano)?),
        None => (seconds, 0),
    };
    let nanos = i128::from(number(whole)?) * 1_000_000_000 + i128::from(fraction);
    let nanos = i64::try_from(if negative { -nanos } else { nanos }).ok()?;
    Some((months.parse().ok()?, days.parse().ok()?, nanos))
}

fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits = text[1..].replace(':', "");
    if !matches!(digits.len(), 2 | 4 | 6) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).map_or(Some(0), number);
    let (hours, minutes, seconds) = (part(0)?, part(2)?, part(4)?);
    (hours <= 18 && minutes <= 59 && seconds <= 59)
        .then_some(sign * (hours * 3600 + minutes * 60 + seconds))
}

fn write_fraction(fraction: i64, unit: Unit, out: &mut String) {
    if fraction == 0 {
        return;
    }
    let digits = match unit {
        Unit::Micro => format!("{fraction:06}"),
        Unit::Nano => format!("{fraction:09}"),
    };
    out.push('.');
    out.push_str(digits.trim_end_matches('0'));
}

fn parse_fraction(text: &str, unit: Unit) -> Option<i64> {
    let width = match unit {
        Unit::Micro => 6,
        Unit::Nano => 9,
    };
    let significant = text.trim_end_matches('0');
    if text.is_empty() || significant.len() > width || text.bytes().any(|b| !b.is_ascii_digit()) {
        return None;
    }
    format!("{significant:0<width$}").parse().ok()
}

fn number(text: &str) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0i64, |sum, byte| match byte {
        b'0'..=b'9' => sum.checked_mul(10)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

/// Year, month and day of a day number (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_over_the_whole_range() {
        for days in
            [0, -1, 19_000, -719_528, -800_000, 4_760_000, i64::from(i32::MAX), i64::from(i32::MIN)]
        {
            let mut text = String::new();
            write_date(days, &mut text);
            assert_eq!(parse_date(&text), Some(days), "{text}");
        }
        for wrong in
            ["0000-00-00", "2020-00-10", "2023-02-29", "2023-2-09", "20230209", "", "-", "x"]
        {
            assert_eq!(parse_date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn timestamps() {
        let parse = |text| parse_timestamp(text, Unit::Micro, true);
        assert_eq!(parse("1970-01-01 01:00:00.5+01:00"), Some(500_000));
        assert_eq!(parse("1970-01-01T00:00Z"), Some(0));
        assert_eq!(parse("1970-01-01 00:00:00"), None);
        assert_eq!(parse("1970-01-01 00:00:00.1234567Z"), None);
        assert_eq!(parse("1970-01-01 24:00:00Z"), None);
        assert_eq!(parse_timestamp("é", Unit::Micro, false), None);
    }

    proptest! {
        #[test]
        fn only_days_of_the_calendar_are_dates(year in -50..2500i64, month in 0..14i64, day in 0..33i64) {
            let sign = if year < 0 { "-" } else { "" };
            let text = format!("{sign}{:04}-{month:02}-{day:02}", year.abs());
            let back = parse_date(&text).map(civil_from_days);
            let days = days_from_civil(year, month.clamp(1, 12), day);
            let there = civil_from_days(days) == (year, month, day);
            prop_assert_eq!(back, there.then_some((year, month, day)));
        }

        #[test]
        fn every_instant_comes_back(ticks: i64, nano: bool) {
            let unit = if nano { Unit::Nano } else { Unit::Micro };
            let mut text = String::new();
            write_timestamp(ticks, unit, &mut text);
            prop_assert_eq!(parse_timestamp(&text, unit, false), Some(ticks));
        }

        #[test]
        fn every_interval_comes_back(months: i32, days: i32, nanos: i64) {
            let mut text = String::new();
            write_interval(months, days, nanos, &mut text);
            prop_assert_eq!(parse_interval(&text), Some((months, days, nanos)));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = parse_timestamp(&text, Unit::Nano, true);
            let _ = parse_interval(&text);
            let _ = parse_date(&text);
        }
    }
}
