use proptest::prelude::*;

use super::*;
use crate::builder::BatchBuilder;
use crate::cell::Cell;
use crate::logical::Unit;

fn rows(values: &[[Option<&str>; 2]]) -> Fingerprint {
    let mut builder = BatchBuilder::new([("a", &LogicalType::Text), ("b", &LogicalType::Text)]);
    for row in values {
        for (column, value) in builder.columns().iter_mut().zip(row) {
            column.append(value.map_or(Cell::Null, Cell::Text)).expect("text");
        }
        builder.end_row();
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_batch(&Batch::Rows(builder.finish().expect("a batch"))).expect("hashable");
    fingerprint
}

#[test]
fn what_other_tools_confuse_differs() {
    let different = [
        rows(&[[Some("x0"), Some("y")]]),
        rows(&[[Some("x"), Some("0y")]]),
        rows(&[[Some(""), None]]),
        rows(&[[None, Some("")]]),
        rows(&[[Some(""), Some("")]]),
        rows(&[[Some("a"), Some("b")]]),
        rows(&[[Some("A"), Some("b")]]),
        rows(&[[Some("a "), Some("b")]]),
        rows(&[[Some("a"), Some("b")], [Some("a"), Some("b")]]),
        // Four rows wrong in the same way must not cancel out.
        rows(&[[Some("a"), Some("c")]; 4]),
        rows(&[[Some("a"), Some("b")]; 4]),
        rows(&[]),
    ];
    for (index, one) in different.iter().enumerate() {
        for other in &different[index + 1..] {
            assert_ne!(one, other);
        }
    }
}

#[test]
fn order_does_not_count_and_parts_add_up() {
    let (one, two) = ([Some("a"), None], [Some("b"), Some("c")]);
    assert_eq!(rows(&[one, two]), rows(&[two, one]));
    assert_eq!(rows(&[one]).plus(rows(&[two])), rows(&[one, two]));
    // The definition is a promise: a ledger of today must verify tomorrow.
    assert_eq!(rows(&[one, two]).to_string(), GOLDEN);
}

const GOLDEN: &str = "2:b2f5dc673e25bc1c7bb583c9df4e46a4";

/// The definition in the module's documentation, a value at a time.
fn canonical_by_definition(cell: Cell<'_>) -> Vec<u8> {
    let framed =
        |tag: u8, bytes: &[u8]| [&[tag][..], &(bytes.len() as u64).to_le_bytes(), bytes].concat();
    let unit = |unit| match unit {
        Unit::Micro => 6,
        Unit::Nano => 9,
    };
    match cell {
        Cell::Null => vec![0],
        Cell::Bool(value) => vec![1, u8::from(value)],
        Cell::Int(value) => [&[2][..], &value.to_le_bytes()].concat(),
        Cell::UInt(value) => {
            let tag = if value > i64::MAX as u64 { 3 } else { 2 };
            [&[tag][..], &value.to_le_bytes()].concat()
        }
        Cell::Float(value) => {
            let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
            [&[4][..], &bits.to_le_bytes()].concat()
        }
        Cell::Decimal(value, scale) => {
            let wide = arrow_buffer::i256::from_i128(value);
            [&[5][..], &wide.to_le_bytes(), &scale.to_le_bytes()].concat()
        }
        Cell::WideDecimal(value, scale) => {
            [&[5][..], &value.to_le_bytes(), &scale.to_le_bytes()].concat()
        }
        Cell::Text(value) => framed(6, value.as_bytes()),
        Cell::Bytes(value) => framed(7, value),
        Cell::Date(value) => [&[8][..], &value.to_le_bytes()].concat(),
        Cell::Time(value, u) => [&[9][..], &value.to_le_bytes(), &[unit(u)]].concat(),
        Cell::Timestamp(value, u, _) => [&[10][..], &value.to_le_bytes(), &[unit(u)]].concat(),
        Cell::Interval(months, days, nanos) => {
            [&[11][..], &months.to_le_bytes(), &days.to_le_bytes(), &nanos.to_le_bytes()].concat()
        }
        Cell::Uuid(value) => [&[12][..], value].concat(),
    }
}

const TEXTS: &[(&str, &[&str])] = &[
    ("boolean", &["true", "false"]),
    ("int8", &["-128", "7"]),
    ("int16", &["-32768", "7"]),
    ("int32", &["-2147483648", "7"]),
    ("int64", &["-9223372036854775808", "7"]),
    ("uint8", &["255"]),
    ("uint16", &["65535"]),
    ("uint32", &["4294967295"]),
    ("uint64", &["18446744073709551615", "7"]),
    ("float32", &["NaN", "-0.0", "0.5"]),
    ("float64", &["NaN", "-0.0", "0.1", "-Infinity"]),
    ("decimal(10,2)", &["-0.01", "12345678.90"]),
    ("decimal(60,3)", &["-0.001", "1.000"]),
    ("text", &["", "ä\0b"]),
    ("bytes", &["\\x", "\\x00ff"]),
    ("date", &["-0044-03-15"]),
    ("time(us)", &["23:59:59.999999"]),
    ("time(ns)", &["00:00:00.000000001"]),
    ("timestamp(us)", &["1969-12-31 23:59:59"]),
    ("timestamptz(ns)", &["1970-01-01 00:00:00.000000001Z"]),
    ("interval", &["P-1M2DT-0.5S"]),
    ("uuid", &["123e4567-e89b-12d3-a456-426614174000"]),
];

proptest! {
    /// More rows than one block, NULLs anywhere, every type, in any order of columns.
    #[test]
    fn rows_are_hashed_as_the_definition_says(
        choices in prop::collection::vec(0..TEXTS.len(), 1..6),
        picks in prop::collection::vec(any::<u8>(), 1..1500),
    ) {
        let types: Vec<LogicalType> =
            choices.iter().map(|c| TEXTS[*c].0.parse().expect("a type")).collect();
        let names: Vec<String> = (0..types.len()).map(|index| format!("c{index}")).collect();
        let mut builder = BatchBuilder::new(names.iter().map(String::as_str).zip(&types));
        for (row, pick) in picks.iter().enumerate() {
            for (column, choice) in builder.columns().iter_mut().zip(&choices) {
                let texts = TEXTS[*choice].1;
                match usize::from(*pick) % 4 {
                    0 => column.null(),
                    _ => column.parse(texts[(row + usize::from(*pick)) % texts.len()]).expect("a value"),
                }
            }
            builder.end_row();
        }
        let batch = builder.finish().expect("a batch");
        let views: Vec<_> = types
            .iter()
            .zip(batch.columns())
            .map(|(logical, array)| ColumnView::new(logical, array).expect("a view"))
            .collect();
        let expected: Vec<u128> = (0..batch.num_rows())
            .map(|row| {
                let cells = views.iter().map(|view| canonical_by_definition(view.cell(row)));
                xxh3_128(&cells.collect::<Vec<_>>().concat())
            })
            .collect();
        prop_assert_eq!(row_hashes(&batch, None).expect("hashable"), expected);
    }
}
