//! Logical types: what a value means, whatever system it comes from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{Code, Error, Result};

/// The key under which an Arrow field carries its logical type.
pub const TYPE_KEY: &str = "longshore.type";

/// The meaning of a column's values. Each has exactly one Arrow form ([`LogicalType::arrow`]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LogicalType {
    /// True or false.
    Boolean,
    /// An integer of 8, 16, 32 or 64 bits.
    Int { bits: u8, unsigned: bool },
    /// An IEEE 754 number of 32 or 64 bits; every bit pattern counts, NaN is one value.
    Float { bits: u8 },
    /// A decimal of at most 76 digits.
    Decimal { precision: u8, scale: i8 },
    /// A decimal without bounds, as its exact text.
    Number,
    /// Unicode text.
    Text,
    /// Bytes.
    Bytes,
    /// A day of the proleptic Gregorian calendar.
    Date,
    /// A time of day.
    Time { unit: Unit },
    /// A date and time; `utc` says whether it is an instant or a wall clock without a zone.
    Timestamp { unit: Unit, utc: bool },
    /// Months, days and nanoseconds.
    Interval,
    /// A UUID, 16 bytes.
    Uuid,
    /// A bit string of a fixed length, as its text of 0 and 1.
    Bits { length: u32 },
    /// A day whose month or day may be zero, or that the calendar does not have, as its exact text:
    /// `0000-00-00`, `2020-05-00`.
    LooseDate,
    /// A date and time whose date is like that of [`LogicalType::LooseDate`], as its exact text
    /// `YYYY-MM-DD HH:MM:SS[.f]`. With `utc` it is an instant in UTC, and the text is the same.
    LooseTimestamp { utc: bool },
    /// JSON, as its text.
    Json,
    /// A value whose kind differs from row to row, as a SQL literal: `42`, `1.5`, `'text'`, `x'00ff'`.
    Variant,
    /// A type that only its own system knows, as its exact text.
    Opaque { system: String, name: String },
}

/// The resolution of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// 10⁻⁶ s.
    Micro,
    /// 10⁻⁹ s.
    Nano,
}

impl LogicalType {
    /// A signed 64-bit integer.
    pub const INT64: LogicalType = LogicalType::Int { bits: 64, unsigned: false };
    /// A 64-bit float.
    pub const FLOAT64: LogicalType = LogicalType::Float { bits: 64 };

    /// The Arrow form.
    pub fn arrow(&self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Int { bits: 8, unsigned: false } => DataType::Int8,
            Self::Int { bits: 16, unsigned: false } => DataType::Int16,
            Self::Int { bits: 32, unsigned: false } => DataType::Int32,
            Self::Int { unsigned: false, .. } => DataType::Int64,
            Self::Int { bits: 8, .. } => DataType::UInt8,
            Self::Int { bits: 16, .. } => DataType::UInt16,
            Self::Int { bits: 32, .. } => DataType::UInt32,
            Self::Int { .. } => DataType::UInt64,
            Self::Float { bits: 32 } => DataType::Float32,
            Self::Float { .. } => DataType::Float64,
            Self::Decimal { precision, scale } if *precision <= 38 => {
                DataType::Decimal128(*precision, *scale)
            }
            Self::Decimal { precision, scale } => DataType::Decimal256(*precision, *scale),
            Self::Number
            | Self::Text
            | Self::Bits { .. }
            | Self::LooseDate
            | Self::LooseTimestamp { .. }
            | Self::Json
            | Self::Variant
            | Self::Opaque { .. } => DataType::Utf8,
            Self::Bytes => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Time { unit } => DataType::Time64(unit.arrow()),
            Self::Timestamp { unit, utc } => {
                DataType::Timestamp(unit.arrow(), utc.then(|| Arc::from("UTC")))
            }
            Self::Interval => DataType::Interval(IntervalUnit::MonthDayNano),
            Self::Uuid => DataType::FixedSizeBinary(16),
        }
    }

    /// The Arrow field of a column of this type, with the type in its metadata.
    pub fn field(&self, name: &str, nullable: bool) -> Field {
        Field::new(name, self.arrow(), nullable)
            .with_metadata([(TYPE_KEY.to_string(), self.to_string())])
    }

    /// The logical type of an Arrow field: from its metadata, else from its Arrow type.
    /// `None` for Arrow types that no logical type stands for (nested ones, foreign units).
    pub fn of_field(field: &Field) -> Option<LogicalType> {
        if let Some(text) = field.metadata().get(TYPE_KEY)
            && let Ok(logical) = text.parse::<LogicalType>()
            && logical.arrow() == *field.data_type()
        {
            return Some(logical);
        }
        Some(match field.data_type() {
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::Int { bits: 8, unsigned: false },
            DataType::Int16 => Self::Int { bits: 16, unsigned: false },
            DataType::Int32 => Self::Int { bits: 32, unsigned: false },
            DataType::Int64 => Self::INT64,
            DataType::UInt8 => Self::Int { bits: 8, unsigned: true },
            DataType::UInt16 => Self::Int { bits: 16, unsigned: true },
            DataType::UInt32 => Self::Int { bits: 32, unsigned: true },
            DataType::UInt64 => Self::Int { bits: 64, unsigned: true },
            DataType::Float32 => Self::Float { bits: 32 },
            DataType::Float64 => Self::FLOAT64,
            DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
                let logical = Self::Decimal { precision: *precision, scale: *scale };
                return (logical.arrow() == *field.data_type()).then_some(logical);
            }
            DataType::Utf8 => Self::Text,
            DataType::Binary => Self::Bytes,
            DataType::Date32 => Self::Date,
            DataType::Time64(unit) => Self::Time { unit: Unit::of(*unit)? },
            DataType::Timestamp(unit, zone) => {
                let logical = Self::Timestamp { unit: Unit::of(*unit)?, utc: zone.is_some() };
                return (logical.arrow() == *field.data_type()).then_some(logical);
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => Self::Interval,
            DataType::FixedSizeBinary(16) => Self::Uuid,
            _ => return None,
        })
    }

    /// The type of the calendar that a loose one becomes; `None` for every other type.
    pub fn strict(&self) -> Option<LogicalType> {
        match self {
            Self::LooseDate => Some(Self::Date),
            Self::LooseTimestamp { utc } => Some(Self::Timestamp { unit: Unit::Micro, utc: *utc }),
            _ => None,
        }
    }

    /// Whether the Arrow form is UTF-8 text.
    pub fn is_textual(&self) -> bool {
        self.arrow() == DataType::Utf8
    }
}

impl Unit {
    /// Arrow's name for it.
    pub fn arrow(self) -> TimeUnit {
        match self {
            Unit::Micro => TimeUnit::Microsecond,
            Unit::Nano => TimeUnit::Nanosecond,
        }
    }

    /// Ticks in a second.
    pub fn per_second(self) -> i64 {
        match self {
            Unit::Micro => 1_000_000,
            Unit::Nano => 1_000_000_000,
        }
    }

    fn of(unit: TimeUnit) -> Option<Unit> {
        match unit {
            TimeUnit::Microsecond => Some(Unit::Micro),
            TimeUnit::Nanosecond => Some(Unit::Nano),
            _ => None,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Micro => "us",
            Unit::Nano => "ns",
        })
    }
}

impl fmt::Display for LogicalType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int { bits, unsigned } => {
                write!(f, "{}int{bits}", if *unsigned { "u" } else { "" })
            }
            Self::Float { bits } => write!(f, "float{bits}"),
            Self::Decimal { precision, scale } => write!(f, "decimal({precision},{scale})"),
            Self::Number => f.write_str("number"),
            Self::Text => f.write_str("text"),
            Self::Bytes => f.write_str("bytes"),
            Self::Date => f.write_str("date"),
            Self::Time { unit } => write!(f, "time({unit})"),
            Self::Timestamp { unit, utc } => {
                write!(f, "timestamp{}({unit})", if *utc { "tz" } else { "" })
            }
            Self::Interval => f.write_str("interval"),
            Self::Uuid => f.write_str("uuid"),
            Self::Bits { length } => write!(f, "bits({length})"),
            Self::LooseDate => f.write_str("loose-date"),
            Self::LooseTimestamp { utc: false } => f.write_str("loose-timestamp"),
            Self::LooseTimestamp { utc: true } => f.write_str("loose-timestamptz"),
            Self::Json => f.write_str("json"),
            Self::Variant => f.write_str("variant"),
            Self::Opaque { system, name } => write!(f, "opaque({system}:{name})"),
        }
    }
}

impl FromStr for LogicalType {
    type Err = Error;

    /// Reads the form that `Display` writes, and the common SQL names for it.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let wrong = || {
            Error::new(Code::SpecInvalid, format!("{text:?} is not a type")).hint(
                "Types are boolean, int8…int64, uint8…uint64, float32, float64, decimal(p,s), number, \
                 text, bytes, date, time, timestamp, timestamptz, interval, uuid, bits(n), \
                 json, variant, loose-date, loose-timestamp, loose-timestamptz.",
            )
        };
        let (name, argument) = match text.split_once('(') {
            Some((name, rest)) => (name.trim(), Some(rest.strip_suffix(')').ok_or_else(wrong)?)),
            None => (text, None),
        };
        let unit = || match argument.map(str::trim) {
            None | Some("us" | "6") => Ok(Unit::Micro),
            Some("ns" | "9") => Ok(Unit::Nano),
            Some(_) => Err(wrong()),
        };
        let signed = |bits| Self::Int { bits, unsigned: false };
        let unsigned = |bits| Self::Int { bits, unsigned: true };
        let lower = name.to_ascii_lowercase();
        let takes_argument = matches!(
            lower.as_str(),
            "decimal" | "numeric" | "time" | "timestamp" | "timestamptz" | "bits" | "opaque"
        );
        if argument.is_some() && !takes_argument {
            return Err(wrong());
        }
        Ok(match lower.as_str() {
            "boolean" | "bool" => Self::Boolean,
            "int8" => signed(8),
            "int16" | "smallint" => signed(16),
            "int32" | "int" => signed(32),
            "int64" | "integer" | "bigint" => signed(64),
            "uint8" => unsigned(8),
            "uint16" => unsigned(16),
            "uint32" => unsigned(32),
            "uint64" => unsigned(64),
            "float32" | "real" => Self::Float { bits: 32 },
            "float64" | "double" => Self::FLOAT64,
            "decimal" | "numeric" => {
                let (precision, scale) =
                    argument.and_then(|a| a.split_once(',')).ok_or_else(wrong)?;
                let precision: u8 = precision.trim().parse().map_err(|_| wrong())?;
                let scale: i8 = scale.trim().parse().map_err(|_| wrong())?;
                if !(1..=76).contains(&precision) || scale.unsigned_abs() > precision {
                    return Err(wrong());
                }
                Self::Decimal { precision, scale }
            }
            "number" => Self::Number,
            "text" | "varchar" | "string" => Self::Text,
            "bytes" | "blob" | "bytea" => Self::Bytes,
            "date" => Self::Date,
            "time" => Self::Time { unit: unit()? },
            "timestamp" | "datetime" => Self::Timestamp { unit: unit()?, utc: false },
            "timestamptz" => Self::Timestamp { unit: unit()?, utc: true },
            "interval" => Self::Interval,
            "uuid" => Self::Uuid,
            "bits" => {
                let length: u32 = argument.and_then(|a| a.trim().parse().ok()).ok_or_else(wrong)?;
                Self::Bits { length: Some(length).filter(|n| *n > 0).ok_or_else(wrong)? }
            }
            "loose-date" => Self::LooseDate,
            "loose-timestamp" => Self::LooseTimestamp { utc: false },
            "loose-timestamptz" => Self::LooseTimestamp { utc: true },
            "json" => Self::Json,
            "variant" => Self::Variant,
            "opaque" => {
                let (system, name) = argument.and_then(|a| a.split_once(':')).ok_or_else(wrong)?;
                Self::Opaque { system: system.to_string(), name: name.to_string() }
            }
            _ => return Err(wrong()),
        })
    }
}

impl Serialize for LogicalType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LogicalType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: Error| serde::de::Error::custom(error.message()))
    }
}

#[cfg(test)]
mod tests {
    use super::LogicalType;

    #[test]
    fn text_form_and_arrow_field_come_back_the_same() {
        for text in [
            "boolean",
            "int8",
            "uint64",
            "float32",
            "decimal(10,2)",
            "decimal(60,-3)",
            "number",
            "text",
            "bytes",
            "date",
            "time(ns)",
            "timestamp(us)",
            "timestamptz(ns)",
            "interval",
            "uuid",
            "bits(64)",
            "loose-date",
            "loose-timestamp",
            "loose-timestamptz",
            "json",
            "variant",
            "opaque(postgres:tsvector)",
        ] {
            let logical: LogicalType = text.parse().expect(text);
            assert_eq!(logical.to_string(), text);
            assert_eq!(LogicalType::of_field(&logical.field("c", true)), Some(logical));
        }
        for text in [
            "",
            "int7",
            "decimal",
            "decimal(0,0)",
            "decimal(80,2)",
            "text(5)",
            "time(ms)",
            "bits",
            "bits(0)",
            "bits(x)",
            "loose-date(6)",
        ] {
            assert!(text.parse::<LogicalType>().is_err(), "{text}");
        }
    }
}
