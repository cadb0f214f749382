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

const GOLDEN: &str = "2:ab9cb6e29c373f95490d82836a4b828b";

/// What the module's documentation says of one value: tag, slot, bytes behind.
fn by_definition(cell: Cell<'_>, logical: &LogicalType) -> (u8, Vec<u8>, Vec<u8>) {
    let length = |bytes: &[u8]| (bytes.len() as u32).to_le_bytes().to_vec();
    let alone = |tag: u8, slot: &[u8]| (tag, slot.to_vec(), Vec::new());
    let by_unit = |unit, micro: u8| if unit == Unit::Micro { micro } else { micro + 1 };
    let scaled = |scale: i8, value: &[u8]| [&scale.to_le_bytes()[..], value].concat();
    match cell {
        Cell::Null => alone(0, &vec![0; slot_of(logical)]),
        Cell::Bool(value) => alone(1, &[u8::from(value)]),
        Cell::Int(value) => alone(2, &value.to_le_bytes()),
        Cell::UInt(value) if value > i64::MAX as u64 => alone(3, &value.to_le_bytes()),
        Cell::UInt(value) => alone(2, &value.to_le_bytes()),
        Cell::Float(value) if value.is_nan() => alone(4, &0x7ff8_0000_0000_0000_u64.to_le_bytes()),
        Cell::Float(value) => alone(4, &value.to_bits().to_le_bytes()),
        Cell::Decimal(value, scale) => alone(5, &scaled(scale, &value.to_le_bytes())),
        Cell::WideDecimal(value, scale) => alone(15, &scaled(scale, &value.to_le_bytes())),
        Cell::Text(value) => (6, length(value.as_bytes()), value.as_bytes().to_vec()),
        Cell::Bytes(value) => (7, length(value), value.to_vec()),
        Cell::Date(value) => alone(8, &value.to_le_bytes()),
        Cell::Time(value, unit) => alone(by_unit(unit, 9), &value.to_le_bytes()),
        Cell::Timestamp(value, unit, _) => alone(by_unit(unit, 11), &value.to_le_bytes()),
        Cell::Interval(months, days, nanos) => {
            let parts = [&months.to_le_bytes()[..], &days.to_le_bytes(), &nanos.to_le_bytes()];
            alone(13, &parts.concat())
        }
        Cell::Uuid(value) => alone(14, value),
    }
}

fn slot_of(logical: &LogicalType) -> usize {
    match logical {
        LogicalType::Boolean => 1,
        LogicalType::Date | LogicalType::Text | LogicalType::Bytes => 4,
        LogicalType::Decimal { precision: 39.., .. } => 33,
        LogicalType::Decimal { .. } => 17,
        LogicalType::Interval | LogicalType::Uuid => 16,
        _ => 8,
    }
}

fn row_by_definition(cells: &[(Cell<'_>, &LogicalType)]) -> Vec<u8> {
    let parts: Vec<_> = cells.iter().map(|(cell, logical)| by_definition(*cell, logical)).collect();
    let tags = parts.iter().map(|(tag, ..)| tag);
    let slots = parts.iter().flat_map(|(_, slot, _)| slot);
    let tails = parts.iter().flat_map(|(.., tail)| tail);
    tags.chain(slots).chain(tails).copied().collect()
}

#[test]
fn long_values_are_hashed_as_the_definition_says() {
    let long = "x".repeat(300_000);
    let medium = "y".repeat(5_000);
    let row = ["a", &long, &medium, &long, "z"];
    let types = [LogicalType::Text, LogicalType::Text, LogicalType::Text, LogicalType::Text];
    for values in row.windows(4) {
        let mut builder = BatchBuilder::new(["a", "b", "c", "d"].into_iter().zip(&types));
        for (column, value) in builder.columns().iter_mut().zip(values) {
            column.append(Cell::Text(value)).expect("text");
        }
        builder.end_row();
        let cells: Vec<_> = values
            .iter()
            .zip(&types)
            .map(|(value, logical)| (Cell::Text(value), logical))
            .collect();
        let hashes = row_hashes(&builder.finish().expect("a batch"), None).expect("hashable");
        assert_eq!(hashes, [xxh3_128(&row_by_definition(&cells))]);
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
    ("text", &["", "ä\0b", "exactly 16 bytes", "a text of more than sixteen bytes"]),
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
                let cells: Vec<_> =
                    views.iter().zip(&types).map(|(view, logical)| (view.cell(row), logical)).collect();
                xxh3_128(&row_by_definition(&cells))
            })
            .collect();
        prop_assert_eq!(row_hashes(&batch, None).expect("hashable"), expected);
    }
}
