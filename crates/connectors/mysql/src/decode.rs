//! Values of the binary protocol into columns.

use longshore_model::{
    BatchBuilder, Cell, Code, ColumnBuilder, Error, LogicalType, Misfit, Result,
};
use mysql_async::{Row, Value};

/// Rows on their way into a batch.
pub(crate) struct Decoder {
    builder: BatchBuilder,
    columns: Vec<(String, LogicalType)>,
    bytes: usize,
    scratch: String,
}

impl Decoder {
    /// A decoder for columns of these types.
    pub(crate) fn new(columns: &[(String, LogicalType)]) -> Self {
        let builder = BatchBuilder::new(columns.iter().map(|(name, ty)| (name.as_str(), ty)));
        Self { builder, columns: columns.to_vec(), bytes: 0, scratch: String::new() }
    }

    /// The size of a row, about.
    pub(crate) fn size(row: &Row) -> usize {
        let size = |value: &Value| match value {
            Value::Bytes(bytes) => bytes.len() + 8,
            _ => 16,
        };
        (0..row.len()).filter_map(|place| row.as_ref(place)).map(size).sum()
    }

    /// Takes a row of a size.
    pub(crate) fn row(&mut self, row: &Row, size: usize) -> Result<()> {
        if row.len() != self.columns.len() && !self.columns.is_empty() {
            return Err(Error::new(Code::Internal, "a row has another number of columns"));
        }
        let targets = self.builder.columns();
        for (place, ((name, logical), column)) in self.columns.iter().zip(targets).enumerate() {
            let value = row
                .as_ref(place)
                .ok_or_else(|| Error::new(Code::Internal, "a row came without a value"))?;
            append(value, logical, column, &mut self.scratch).map_err(|misfit| {
                Error::new(Code::ValueInvalid, format!("a value {}", misfit.describe()))
                    .with("column", name.clone())
                    .with("type", logical.to_string())
                    .hint("The source may have changed since the plan was made: make a new one.")
            })?;
        }
        self.builder.end_row();
        self.bytes += size;
        Ok(())
    }

    /// The size of what was taken, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The rows that were taken.
    pub(crate) fn rows(&self) -> usize {
        self.builder.rows()
    }

    /// The batch; the decoder is empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<arrow_array::RecordBatch> {
        self.bytes = 0;
        self.builder.finish()
    }
}

fn append(
    value: &Value,
    logical: &LogicalType,
    column: &mut ColumnBuilder,
    scratch: &mut String,
) -> Result<(), Misfit> {
    match (value, logical) {
        (Value::NULL, _) => column.append(Cell::Null),
        (Value::Int(number), _) => column.append(Cell::Int(*number)),
        (Value::UInt(number), _) => column.append(Cell::UInt(*number)),
        (Value::Float(number), _) => column.append(Cell::Float(f64::from(*number))),
        (Value::Double(number), _) => column.append(Cell::Float(*number)),
        (Value::Bytes(bytes), LogicalType::Bytes) => column.append(Cell::Bytes(bytes)),
        (Value::Bytes(bytes), LogicalType::Bits { length }) => {
            bits(bytes, *length, scratch)?;
            column.append(Cell::Text(scratch))
        }
        (Value::Bytes(bytes), _) => {
            column.parse(std::str::from_utf8(bytes).map_err(|_| Misfit::Text)?)
        }
        (Value::Date(year, month, day, hour, minute, second, micros), logical) => {
            let date = Moment { year: *year, month: *month, day: *day };
            let clock = Clock { hour: *hour, minute: *minute, second: *second, micros: *micros };
            moment(date, clock, logical, column, scratch)
        }
        (Value::Time(negative, days, hours, minutes, seconds, micros), logical) => {
            let hours = u64::from(*days) * 24 + u64::from(*hours);
            let seconds = hours * 3600 + u64::from(*minutes) * 60 + u64::from(*seconds);
            let micros = i64::try_from(seconds * 1_000_000 + u64::from(*micros));
            let micros = micros.map_err(|_| Misfit::Range)?;
            span(if *negative { -micros } else { micros }, logical, column)
        }
    }
}

/// A bit string of a length, from the bytes of its number. Where its text is stored, it is that.
fn bits(bytes: &[u8], length: u32, out: &mut String) -> Result<(), Misfit> {
    out.clear();
    let length = usize::try_from(length).map_err(|_| Misfit::Range)?;
    if bytes.len() == length && bytes.iter().all(|byte| matches!(byte, b'0' | b'1')) {
        out.extend(bytes.iter().map(|byte| char::from(*byte)));
        return Ok(());
    }
    if bytes.len() != length.div_ceil(8) {
        return Err(Misfit::Text);
    }
    for place in (0..length).rev() {
        let byte = bytes[bytes.len() - 1 - place / 8];
        out.push(if byte >> (place % 8) & 1 == 1 { '1' } else { '0' });
    }
    Ok(())
}

struct Moment {
    year: u16,
    month: u8,
    day: u8,
}

struct Clock {
    hour: u8,
    minute: u8,
    second: u8,
    micros: u32,
}

fn moment(
    date: Moment,
    clock: Clock,
    logical: &LogicalType,
    column: &mut ColumnBuilder,
    scratch: &mut String,
) -> Result<(), Misfit> {
    use std::fmt::Write;
    let micros =
        (i64::from(clock.hour) * 3600 + i64::from(clock.minute) * 60 + i64::from(clock.second))
            * 1_000_000
            + i64::from(clock.micros);
    match logical {
        LogicalType::Date if micros == 0 => {
            let days = date.days().ok_or(Misfit::Text)?;
            column.append(Cell::Date(i32::try_from(days).map_err(|_| Misfit::Range)?))
        }
        LogicalType::Timestamp { utc, .. } => {
            let days = date.days().ok_or(Misfit::Text)?;
            let ticks = days * 86_400_000_000 + micros;
            column.append(Cell::Timestamp(ticks, longshore_model::Unit::Micro, *utc))
        }
        logical => {
            scratch.clear();
            // Writing to a String cannot fail.
            let _ = write!(scratch, "{:04}-{:02}-{:02}", date.year, date.month, date.day);
            if *logical != LogicalType::LooseDate {
                let Clock { hour, minute, second, micros } = clock;
                let _ = write!(scratch, " {hour:02}:{minute:02}:{second:02}");
                if micros > 0 {
                    let _ = write!(scratch, ".{micros:06}");
                }
            }
            column.parse(scratch)
        }
    }
}

impl Moment {
    /// Days since 1970-01-01; `None` for what is no day (Howard Hinnant, "chrono-compatible
    /// low-level date algorithms", `days_from_civil`).
    fn days(&self) -> Option<i64> {
        let (year, month, day) = (i64::from(self.year), i64::from(self.month), i64::from(self.day));
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let length = match month {
            2 => 28 + i64::from(leap),
            4 | 6 | 9 | 11 => 30,
            1..=12 => 31,
            _ => return None,
        };
        if !(1..=length).contains(&day) {
            return None;
        }
        let shifted = if month <= 2 { year - 1 } else { year };
        let era = shifted.div_euclid(400);
        let of_era = shifted - era * 400;
        let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
    }
}

fn span(micros: i64, logical: &LogicalType, column: &mut ColumnBuilder) -> Result<(), Misfit> {
    match logical {
        LogicalType::Time { .. } if (0..=86_400_000_000).contains(&micros) => {
            column.append(Cell::Time(micros, longshore_model::Unit::Micro))
        }
        LogicalType::Time { .. } => Err(Misfit::Range),
        _ => {
            let nanos = micros.checked_mul(1000).ok_or(Misfit::Range)?;
            column.append(Cell::Interval(0, 0, nanos))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, bits};

    #[test]
    fn days_are_counted_in_the_gregorian_calendar() {
        let days = |year, month, day| Moment { year, month, day }.days();
        assert_eq!(days(1970, 1, 1), Some(0));
        assert_eq!(days(1969, 12, 31), Some(-1));
        assert_eq!(days(2000, 2, 29), Some(11_016));
        assert_eq!(days(0, 3, 1), Some(-719_468));
        assert_eq!(days(9999, 12, 31), Some(2_932_896));
        for (year, month, day) in
            [(0, 0, 0), (2020, 0, 1), (2020, 1, 0), (1900, 2, 29), (2020, 13, 1)]
        {
            assert_eq!(days(year, month, day), None);
        }
    }

    #[test]
    fn bits_have_their_length() {
        let text = |bytes: &[u8], length| {
            let mut out = String::new();
            bits(bytes, length, &mut out).map(|()| out)
        };
        assert_eq!(text(&[5], 3).as_deref(), Ok("101"));
        assert_eq!(text(&[1, 255], 9).as_deref(), Ok("111111111"));
        assert_eq!(text(b"0101", 4).as_deref(), Ok("0101"));
        assert!(text(&[1, 2], 3).is_err());
    }
}
