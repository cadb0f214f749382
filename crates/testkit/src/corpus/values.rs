//! The values, as canonical text.

use longshore_model::{LogicalType, Unit};

use super::Value;

/// Every logical type, the parametrised ones at the limits of their parameters.
pub fn types() -> Vec<LogicalType> {
    let ints = [8, 16, 32, 64]
        .into_iter()
        .flat_map(|bits| [false, true].map(|unsigned| LogicalType::Int { bits, unsigned }));
    let decimals = [
        (1, 0),
        (5, -2),
        (10, 2),
        (18, 9),
        (20, 0),
        (38, 0),
        (38, 38),
        (39, 0),
        (60, -3),
        (76, 0),
        (76, 30),
        (76, 76),
    ];
    let units = [Unit::Micro, Unit::Nano];
    let mut types = vec![
        LogicalType::Boolean,
        LogicalType::Float { bits: 32 },
        LogicalType::FLOAT64,
        LogicalType::Number,
        LogicalType::Text,
        LogicalType::Bytes,
        LogicalType::Date,
        LogicalType::Interval,
        LogicalType::Uuid,
        LogicalType::LooseDate,
        LogicalType::Json,
        LogicalType::Variant,
        LogicalType::Opaque { system: "elsewhere".to_string(), name: "shape".to_string() },
    ];
    types.extend(ints);
    types.extend(decimals.map(|(precision, scale)| LogicalType::Decimal { precision, scale }));
    types.extend([1, 8, 64].map(|length| LogicalType::Bits { length }));
    types.extend([false, true].map(|utc| LogicalType::LooseTimestamp { utc }));
    types.extend(units.map(|unit| LogicalType::Time { unit }));
    types.extend(
        units
            .into_iter()
            .flat_map(|unit| [false, true].map(|utc| LogicalType::Timestamp { unit, utc })),
    );
    types
}

/// The values of a type: NULL, the extremes, and what is easily confused.
pub fn values(logical: &LogicalType) -> Vec<Value> {
    let mut texts: Vec<String> = match logical {
        LogicalType::Boolean => owned(&["true", "false"]),
        LogicalType::Int { bits, unsigned } => integers(*bits, *unsigned),
        LogicalType::Float { bits: 32 } => owned(FLOATS_32),
        LogicalType::Float { .. } => owned(FLOATS_64),
        LogicalType::Decimal { precision, scale } => decimals(*precision, *scale),
        LogicalType::Number => numbers(),
        LogicalType::Text => text(),
        LogicalType::Opaque { .. } => owned(&["", "'fat':1A 'rat':2", "{1,NULL,\"a b\"}", "\\"]),
        LogicalType::Bytes => bytes(),
        LogicalType::Date => owned(DATES),
        LogicalType::Time { unit } => times(*unit),
        LogicalType::Timestamp { unit, utc } => timestamps(*unit, *utc),
        LogicalType::Interval => owned(INTERVALS),
        LogicalType::Uuid => owned(UUIDS),
        LogicalType::Bits { length } => bits(*length),
        LogicalType::LooseDate => owned(LOOSE_DATES),
        LogicalType::LooseTimestamp { .. } => owned(LOOSE_TIMESTAMPS),
        LogicalType::Json => owned(JSON),
        LogicalType::Variant => owned(VARIANTS),
    };
    texts.dedup();
    let mut values = vec![Value::Null];
    values.extend(texts.into_iter().map(Value::Text));
    if let LogicalType::Float { bits: 64 } = logical {
        values.extend(NAN_BITS.map(Value::Bits));
    }
    values.push(Value::Null);
    values
}

/// All zeros, all ones, and one set at either end.
fn bits(length: u32) -> Vec<String> {
    let length = length as usize;
    let some = |first: &str, rest: &str| first.to_string() + &rest.repeat(length - 1);
    let last = "0".repeat(length - 1) + "1";
    vec![some("0", "0"), some("1", "1"), some("1", "0"), last]
}

const LOOSE_DATES: &[&str] =
    &["0000-00-00", "2020-00-00", "2020-05-00", "2023-02-31", "1970-01-01", "9999-12-31"];

const LOOSE_TIMESTAMPS: &[&str] = &[
    "0000-00-00 00:00:00",
    "2020-00-00 12:30:00",
    "2020-05-00 00:00:00.5",
    "1970-01-01 00:00:00",
    "2024-02-29 23:59:59.999999",
    "9999-12-31 23:59:59",
];

/// A signalling NaN, one with a payload, a negative one: all the same value.
const NAN_BITS: [u64; 3] = [0x7ff0_0000_0000_0001, 0x7ff8_dead_beef_0001, 0xfff8_0000_0000_0000];

const FLOATS_32: &[&str] = &[
    "0.0",
    "-0.0",
    "1.0",
    "-1.0",
    "0.10000000149011612",
    "16777216.0",
    "NaN",
    "Infinity",
    "-Infinity",
    "1.401298464324817e-45",
    "1.1754943508222875e-38",
    "3.4028234663852886e38",
    "-3.4028234663852886e38",
];

const FLOATS_64: &[&str] = &[
    "0.0",
    "-0.0",
    "1.0",
    "-1.0",
    "0.1",
    "0.30000000000000004",
    "1e16",
    "9007199254740992.0",
    "123456789.12345679",
    "1e300",
    "1e-7",
    "NaN",
    "Infinity",
    "-Infinity",
    "5e-324",
    "2.2250738585072014e-308",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "9.223372036854776e18",
    "1732147200000.0",
];

const DATES: &[&str] = &[
    "1970-01-01",
    "1969-12-31",
    "2024-02-29",
    "0001-01-01",
    "0000-02-29",
    "-0044-03-15",
    "9999-12-31",
    "15000-01-01",
    "5881580-07-11",
    "-5877641-06-23",
    "1582-10-10",
];

const INTERVALS: &[&str] = &[
    "P0M0DT0S",
    "P1M0DT0S",
    "P0M30DT0S",
    "P0M0DT3020399S",
    "P-1M2DT-0.5S",
    "P0M0DT0.000000001S",
    "P2147483647M2147483647DT9223372036.854775807S",
    "P-2147483648M-2147483648DT-9223372036.854775808S",
];

const UUIDS: &[&str] = &[
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "123e4567-e89b-12d3-a456-426614174000",
];

const JSON: &[&str] = &[
    "null",
    "1",
    "123",
    "1.0",
    "1e400",
    "\"\"",
    "\"\\u0000\"",
    "\"\\\\u0000\"",
    "{}",
    "[]",
    "{\"b\": 1, \"a\": 2}",
    "{\"a\":1,\"a\":2}",
    " [1, 2] ",
    "12345678901234567890123456789",
    "\"\u{1F600}\"",
    "{\"a\": \"x\\ny\"}",
    "true",
];

const VARIANTS: &[&str] = &[
    "0",
    "1",
    "1.0",
    "'1'",
    "'1.0'",
    "x'31'",
    "''",
    "x''",
    "'it''s'",
    "''''",
    "'NULL'",
    "'x''00'''",
    "9223372036854775807",
    "-9223372036854775808",
    "0.1",
    "1e300",
    "5e-324",
    "9e999",
    "-9e999",
    "'a\0b'",
    "x'00ff'",
    "'\u{1F600}'",
    "CAST(x'ff' AS TEXT)",
    "CAST(x'61c328' AS TEXT)",
    "9007199254740992.0",
    "1732147200000",
    "'1732147200000'",
    "' 1'",
];

const TEXT: &[&str] = &[
    "",
    " ",
    "  trailing  ",
    "a",
    "A",
    "a ",
    "\0",
    "a\0b",
    "\0\0",
    "'",
    "''",
    "\"",
    "\"\"",
    "a\"b",
    ",",
    "a,b",
    "\n",
    "a\nb",
    "a\r\nb",
    "\r",
    "\t",
    "\\",
    "\\N",
    "\\.",
    "\\n",
    "\\x00",
    "\\u0000",
    "NULL",
    "null",
    "None",
    "true",
    "0",
    "007",
    "+1",
    "1.0",
    "1.10",
    "1e5",
    "-0",
    "Infinity",
    "nan",
    "0000-00-00",
    "2024-01-01",
    "2024-01-01 00:00:00Z",
    "{\"a\":1}",
    "[1]",
    "ä",
    "a\u{308}",
    "ß",
    "\u{feff}bom",
    "\u{200b}",
    "\u{202e}rtl",
    "\u{2028}",
    "\u{85}",
    "\u{1F600}",
    "\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}",
    "\u{10ffff}",
    "\u{fffd}",
    "\u{7f}",
    "\u{1b}[0m",
    "=1+1",
    "--",
    ";",
    "$1",
    "%s",
    "`",
    "x'00'",
    "CAST(x'ff' AS TEXT)",
];

fn text() -> Vec<String> {
    let mut values = owned(TEXT);
    values.push("long ".repeat(14_000));
    values.push("\u{1F600}".repeat(20_000));
    values.push("\"\n,".repeat(3_000));
    values
}

fn bytes() -> Vec<String> {
    let mut values =
        owned(&["\\x", "\\x00", "\\x0000", "\\xff", "\\x00ff", "\\x31", "\\x5c78", "\\xc328"]);
    values.push(format!("\\x{}", (0..=255).map(|b| format!("{b:02x}")).collect::<String>()));
    values.push(format!("\\x{}", "deadbeef".repeat(20_000)));
    values
}

fn integers(bits: u8, unsigned: bool) -> Vec<String> {
    let (low, high) = match unsigned {
        true => (0, (1_i128 << bits) - 1),
        false => (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1),
    };
    let mut values = vec![low, low + 1, 0, 1, 5, 127, high / 2 + 1, high - 1, high];
    if bits == 64 {
        values.extend([1 << 53, (1 << 53) + 1, 1 << 62, 1_732_147_200_000]);
    }
    values.iter().map(ToString::to_string).collect()
}

fn decimals(precision: u8, scale: i8) -> Vec<String> {
    let nines = "9".repeat(usize::from(precision));
    let ones = "1".repeat(usize::from(precision));
    let mut values: Vec<String> = ["0", "1", "7", &nines, &ones]
        .into_iter()
        .map(|digits| decimal_text(digits, scale))
        .collect();
    let negative: Vec<_> = values[1..].iter().map(|value| format!("-{value}")).collect();
    values.extend(negative);
    values
}

/// The canonical text of unscaled digits.
pub(super) fn decimal_text(digits: &str, scale: i8) -> String {
    if digits == "0" && scale <= 0 {
        return digits.to_string();
    }
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        return format!("{digits}{}", "0".repeat(places));
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    format!("{whole}.{fraction}")
}

fn numbers() -> Vec<String> {
    let mut values =
        owned(&["0", "-0.00", "1234.56", "1.10", "1e400", "-1e-400", "NaN", "Infinity"]);
    values.push("9".repeat(1000));
    values.push(format!("-0.{}1", "0".repeat(999)));
    values
}

fn times(unit: Unit) -> Vec<String> {
    let mut values =
        owned(&["00:00:00", "00:00:00.000001", "12:34:56.5", "23:59:59.999999", "24:00:00"]);
    if unit == Unit::Nano {
        values.extend(owned(&["00:00:00.000000001", "23:59:59.999999999"]));
    }
    values
}

fn timestamps(unit: Unit, utc: bool) -> Vec<String> {
    let mut values = owned(&[
        "1970-01-01 00:00:00",
        "1969-12-31 23:59:59.999999",
        "2024-02-29 12:00:00.1",
        "2038-01-19 03:14:08",
    ]);
    values.extend(owned(match unit {
        Unit::Micro => &[
            "0001-01-01 00:00:00",
            "0000-01-01 00:00:00",
            "-0044-03-15 12:00:00",
            "9999-12-31 23:59:59.999999",
            "15000-01-01 00:00:00",
            "294247-01-10 04:00:54.775807",
            "-290308-12-21 19:59:05.224192",
        ],
        Unit::Nano => &[
            "1969-12-31 23:59:59.999999999",
            "2262-04-11 23:47:16.854775807",
            "1677-09-21 00:12:43.145224192",
        ],
    }));
    let zone = if utc { "Z" } else { "" };
    values.into_iter().map(|value| value + zone).collect()
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
