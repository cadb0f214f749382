use proptest::prelude::*;

use super::{ColumnBuilder, Misfit};
use crate::cell::{Cell, ColumnView};
use crate::logical::LogicalType;

fn logical(text: &str) -> LogicalType {
    text.parse().expect("a type")
}

/// The text of what a column holds after `fill`.
fn text_of(
    logical: &LogicalType,
    fill: impl FnOnce(&mut ColumnBuilder) -> Result<(), Misfit>,
) -> Result<String, Misfit> {
    let mut builder = ColumnBuilder::new(logical);
    fill(&mut builder)?;
    let array = builder.finish();
    let mut text = String::new();
    ColumnView::new(logical, &array).expect("a view").cell(0).write_text(&mut text);
    Ok(text)
}

#[test]
fn the_extremes_of_every_type_come_back_from_their_text() {
    for (name, values) in [
        ("boolean", &["true", "false"][..]),
        ("int8", &["-128", "127"]),
        ("int16", &["-32768", "32767"]),
        ("int32", &["-2147483648", "2147483647"]),
        ("int64", &["-9223372036854775808", "9223372036854775807"]),
        ("uint8", &["0", "255"]),
        ("uint64", &["18446744073709551615"]),
        (
            "float32",
            &["1.401298464324817e-45", "3.4028234663852886e38", "NaN", "-Infinity", "-0.0"],
        ),
        ("float64", &["5e-324", "1.7976931348623157e308", "NaN", "Infinity", "-0.0", "0.1"]),
        ("decimal(38,0)", &["-99999999999999999999999999999999999999"]),
        ("decimal(10,2)", &["99999999.99", "-0.01", "0.00"]),
        (
            "decimal(76,76)",
            &["0.0000000000000000000000000000000000000000000000000000000000000000000000000001"],
        ),
        ("decimal(5,-2)", &["1200", "0"]),
        ("decimal(75,-54)", &[&format!("-{}{}", "9".repeat(75), "0".repeat(54)), "0"]),
        ("decimal(76,-76)", &[&format!("1{}", "0".repeat(151))]),
        (
            "number",
            &[
                "1234.560000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
            ],
        ),
        ("text", &["", "a\0b", "ä\u{1F600}", "'"]),
        ("bytes", &["\\x", "\\x00ff"]),
        ("date", &["0001-01-01", "9999-12-31", "-0044-03-15", "15000-01-01"]),
        ("time(us)", &["00:00:00", "23:59:59.999999"]),
        ("time(ns)", &["23:59:59.999999999"]),
        ("timestamp(us)", &["0001-01-01 00:00:00", "1969-12-31 23:59:59.999999"]),
        ("timestamptz(ns)", &["2262-04-11 23:47:16.854775807Z", "1677-09-21 00:12:43.145224192Z"]),
        ("interval", &["P-1M2DT-0.5S"]),
        ("uuid", &["123e4567-e89b-12d3-a456-426614174000"]),
        ("json", &["{\"a\": \"\\u0000\"}"]),
        ("variant", &["1", "1.0", "'a''b'", "x'00'"]),
        ("opaque(postgres:tsvector)", &["'fat':1"]),
    ] {
        let logical = logical(name);
        for value in values {
            let back = text_of(&logical, |builder| builder.parse(value));
            assert_eq!(back.as_deref(), Ok(*value), "{name}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (name, text, misfit) in [
        ("int8", "128", Misfit::Range),
        ("uint64", "-1", Misfit::Range),
        ("int64", "1.0", Misfit::Text),
        ("int64", "", Misfit::Text),
        ("decimal(4,2)", "100.00", Misfit::Range),
        ("decimal(4,2)", "1.001", Misfit::Range),
        ("decimal(4,2)", "1e400", Misfit::Range),
        ("decimal(4,2)", "1e-2147483648", Misfit::Range),
        ("decimal(4,2)", "1e2147483647", Misfit::Range),
        ("decimal(4,2)", ".", Misfit::Text),
        ("float64", "1e400", Misfit::Range),
        ("float32", "1e39", Misfit::Range),
        ("date", "0000-00-00", Misfit::Text),
        ("uuid", "123", Misfit::Text),
        ("bytes", "00", Misfit::Text),
        ("variant", "text", Misfit::Text),
        ("boolean", "2", Misfit::Text),
    ] {
        let back = text_of(&logical(name), |builder| builder.parse(text));
        assert_eq!(back, Err(misfit), "{name} {text}");
    }
    let append = |name: &str, cell| text_of(&logical(name), |builder| builder.append(cell));
    assert_eq!(append("int64", Cell::Text("1")), Err(Misfit::Kind("text")));
    assert_eq!(append("text", Cell::Int(1)), Err(Misfit::Kind("integer")));
    assert_eq!(append("float32", Cell::Float(0.1)), Err(Misfit::Range));
    assert_eq!(append("time(us)", Cell::Time(1, crate::Unit::Nano)), Err(Misfit::Range));
}

#[test]
fn casts_are_exact() {
    let cast = |name: &str, cell| text_of(&logical(name), |builder| builder.cast(cell));
    for (name, cell, expected) in [
        ("boolean", Cell::Int(1), Ok("true")),
        ("boolean", Cell::Int(5), Err(Misfit::Kind("integer"))),
        ("int64", Cell::Text(" 12 "), Ok("12")),
        ("int64", Cell::Float(3.0), Ok("3")),
        ("int64", Cell::Float(3.5), Err(Misfit::Range)),
        ("int64", Cell::Float(9.3e18), Err(Misfit::Range)),
        ("float64", Cell::Int(1 << 53), Ok("9007199254740992.0")),
        ("float64", Cell::Int((1 << 53) + 1), Err(Misfit::Range)),
        ("decimal(10,2)", Cell::Float(0.1), Ok("0.10")),
        ("decimal(10,2)", Cell::Float(0.125), Err(Misfit::Range)),
        ("decimal(10,2)", Cell::Int(7), Ok("7.00")),
        ("date", Cell::Text("2024-02-29"), Ok("2024-02-29")),
        ("date", Cell::Timestamp(86_400_000_000, crate::Unit::Micro, false), Ok("1970-01-02")),
        ("text", Cell::Int(5), Ok("5")),
        ("bytes", Cell::Text("a"), Ok("\\x61")),
        ("text", Cell::Bytes(b"\xff"), Err(Misfit::Text)),
        ("bits(3)", Cell::Text("010"), Ok("010")),
        ("bits(3)", Cell::Text("01"), Err(Misfit::Text)),
        ("bits(3)", Cell::Text("012"), Err(Misfit::Text)),
        ("bits(1)", Cell::Int(1), Ok("1")),
        ("loose-date", Cell::Date(0), Ok("1970-01-01")),
        (
            "loose-timestamptz",
            Cell::Timestamp(1_500_000, crate::Unit::Micro, true),
            Ok("1970-01-01 00:00:01.5"),
        ),
    ] {
        assert_eq!(cast(name, cell), expected.map(str::to_string), "{name} {cell:?}");
    }
}

proptest! {
    #[test]
    fn any_float_and_integer_comes_back(bits: u64, integer: i64) {
        let value = f64::from_bits(bits);
        let mut text = String::new();
        Cell::Float(value).write_text(&mut text);
        prop_assert_eq!(text_of(&LogicalType::FLOAT64, |b| b.parse(&text)), Ok(text));
        prop_assert_eq!(text_of(&LogicalType::INT64, |b| b.append(Cell::Int(integer))), Ok(integer.to_string()));
    }

    #[test]
    fn any_decimal_comes_back(digits: i128, cut in 2..128u32, scale in 0..=38i8) {
        let unscaled = digits >> cut;
        let logical = LogicalType::Decimal { precision: 38, scale };
        let mut text = String::new();
        Cell::Decimal(unscaled, scale).write_text(&mut text);
        let fits = unscaled.unsigned_abs() < 10u128.pow(38);
        let expected = if fits { Ok(text.clone()) } else { Err(Misfit::Range) };
        prop_assert_eq!(text_of(&logical, |b| b.parse(&text)), expected.clone());
        prop_assert_eq!(text_of(&logical, |b| b.append(Cell::Decimal(unscaled, scale))), expected);
    }
}
