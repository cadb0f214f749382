//! Values as people read them, safe to stand in HTML.

use std::fmt::Write;

/// The text with everything that HTML would read as markup replaced, and control characters made
/// visible.
pub(in crate::report) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push('\u{2424}'),
            '\u{0}'..='\u{1f}' => {
                safe.extend(char::from_u32(u32::from(character) + 0x2400));
            }
            '\u{7f}' => safe.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => safe.push(char::REPLACEMENT_CHARACTER),
            _ => safe.push(character),
        }
    }
    safe
}

/// A name from a system: whatever direction it is written in, it disturbs nothing around it.
pub(super) fn name(text: &str) -> String {
    format!("<bdi class=\"name\">{}</bdi>", escape(text))
}

/// An address, a digest, a position.
pub(super) fn code(text: &str) -> String {
    format!("<code><bdi>{}</bdi></code>", escape(text))
}

/// `1,234,567`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 table`, `13 tables`.
pub(super) fn counted(number: u64, noun: &str) -> String {
    format!("{}\u{a0}{noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `12.4 MiB`.
pub(super) fn bytes(number: f64) -> String {
    scaled(number, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// `12.4 MiB/s`.
pub(super) fn byte_rate(number: f64) -> String {
    scaled(number, 1024.0, &["B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s"])
}

/// `12.4 k/s`.
pub(super) fn row_rate(number: f64) -> String {
    scaled(number, 1000.0, &["/s", "k/s", "M/s", "G/s"])
}

/// `0.412 s`, `12.3 s`, `3 min 05 s`, `2 h 04 min`.
pub(super) fn seconds(number: f64) -> String {
    match number {
        ..0.9995 => format!("{number:.3}\u{a0}s"),
        ..9.995 => format!("{number:.2}\u{a0}s"),
        ..59.95 => format!("{number:.1}\u{a0}s"),
        ..3599.5 => {
            let whole = number.round();
            format!("{:.0}\u{a0}min {:02.0}\u{a0}s", (whole / 60.0).floor(), whole % 60.0)
        }
        _ => {
            let minutes = (number / 60.0).round();
            format!("{:.0}\u{a0}h {:02.0}\u{a0}min", (minutes / 60.0).floor(), minutes % 60.0)
        }
    }
}

/// `part` of `whole` in percent, 0 when there is no whole.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { (100.0 * part / whole).clamp(0.0, 100.0) } else { 0.0 }
}

/// A number for drawing and for speeds, where the last digits do not count.
#[expect(clippy::cast_precision_loss, reason = "only for shares, speeds and sizes in words")]
pub(super) fn about(number: u64) -> f64 {
    number as f64
}

/// `2026-11-22 14:46:19 UTC`, when it is RFC 3339.
pub(super) fn moment(text: &str) -> String {
    let mut shown = escape(text).replacen('T', " ", 1);
    if let Some(instant) = shown.strip_suffix('Z') {
        shown = format!("{} UTC", instant.split('.').next().unwrap_or(instant));
    }
    let mut html = String::new();
    let _ = write!(html, "<time datetime=\"{}\">{shown}</time>", escape(text));
    html
}

fn scaled(number: f64, base: f64, units: &[&str]) -> String {
    let mut number = number;
    let mut unit = 0;
    while number >= 999.5 && unit + 1 < units.len() {
        number /= base;
        unit += 1;
    }
    let digits = match number {
        _ if unit == 0 && number.fract() == 0.0 => 0,
        ..9.95 => 2,
        ..99.5 => 1,
        _ => 0,
    };
    let text = format!("{number:.digits$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}\u{a0}{}", units[unit])
}
