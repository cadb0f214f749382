//! The text form of COPY.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use bytes::BufMut;
use longshore_model::Cell;

use super::encode::Refused;

/// Whether a NUL is among the bytes of an array's texts, or near them in the same buffer.
pub(super) fn may_hold_nul(array: &ArrayRef) -> bool {
    array
        .as_string_opt::<i32>()
        .is_some_and(|array| memchr::memchr(0, array.value_data()).is_some())
}

/// Whether a text holds a NUL, which no text of the server does.
pub(super) fn has_nul(text: &str) -> bool {
    memchr::memchr(0, text.as_bytes()).is_some()
}

/// Appends a value.
pub(super) fn write(
    cell: Cell<'_>,
    out: &mut Vec<u8>,
    scratch: &mut String,
) -> Result<(), Refused> {
    match cell {
        Cell::Null => out.put_slice(b"\\N"),
        Cell::Text(text) => {
            if has_nul(text) {
                return Err(Refused::Nul);
            }
            escape(text.as_bytes(), out);
        }
        Cell::Bytes(_) => {
            scratch.clear();
            cell.write_text(scratch);
            // The canonical text of bytes is `\x…`, as bytea's; COPY wants its backslash doubled.
            escape(scratch.as_bytes(), out);
        }
        Cell::Interval(months, days, nanos) => {
            if nanos % 1000 != 0 {
                return Err(Refused::Range);
            }
            let words = format!("{months} mons {days} days {} microseconds", nanos / 1000);
            out.put_slice(words.as_bytes());
        }
        Cell::Date(_) | Cell::Timestamp(..) => {
            scratch.clear();
            cell.write_text(scratch);
            out.put_slice(era(scratch).as_bytes());
        }
        cell => {
            scratch.clear();
            cell.write_text(scratch);
            escape(scratch.as_bytes(), out);
        }
    }
    Ok(())
}

/// A date or a timestamp with a year before 1, as the server writes it: year 0 is 1 BC.
fn era(text: &str) -> String {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (year, rest) = rest.split_once('-').unwrap_or((rest, ""));
    match year.parse::<i64>() {
        Ok(year) if sign * year < 1 => format!("{:04}-{rest} BC", 1 - sign * year),
        _ => format!("{year}-{rest}"),
    }
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\n' | b'\r' | b'\t'))
    {
        out.put_slice(&rest[..at]);
        out.put_slice(match rest[at] {
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            _ => b"\\t",
        });
        rest = &rest[at + 1..];
    }
    out.put_slice(rest);
}
