//! Strategies for arbitrary values, columns and batches.

use arrow_array::RecordBatch;
use longshore_model::{Cell, LogicalType, Unit};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::values::decimal_text;
use super::{Value, build, types, values};

/// Any logical type.
pub fn any_logical() -> BoxedStrategy<LogicalType> {
    prop_oneof![
        4 => select(types()),
        1 => (1_u8..=76).prop_flat_map(|precision| {
            let limit = i8::try_from(precision).expect("at most 76");
            (-limit..=limit).prop_map(move |scale| LogicalType::Decimal { precision, scale })
        }),
    ]
    .boxed()
}

/// Any value of a type: NULL, one of the corpus, or one from its whole range.
pub fn any_value(logical: &LogicalType) -> BoxedStrategy<Value> {
    prop_oneof![
        1 => Just(Value::Null),
        3 => select(values(logical)),
        6 => arbitrary(logical),
    ]
    .boxed()
}

/// A batch of one to six columns of any types, and up to 24 rows.
pub fn any_batch() -> BoxedStrategy<RecordBatch> {
    vec(any_logical(), 1..=6)
        .prop_flat_map(|types| {
            let columns = types.into_iter().enumerate();
            batch_of(columns.map(|(index, logical)| (format!("c{index}"), logical)).collect(), 24)
        })
        .boxed()
}

/// A batch of the given columns and at most `rows` rows.
pub fn batch_of(columns: Vec<(String, LogicalType)>, rows: usize) -> BoxedStrategy<RecordBatch> {
    let row: Vec<_> = columns.iter().map(|(_, logical)| any_value(logical)).collect();
    vec(row, 0..=rows).prop_map(move |rows| build(&columns, rows)).boxed()
}

fn arbitrary(logical: &LogicalType) -> BoxedStrategy<Value> {
    match logical {
        LogicalType::Boolean => any::<bool>().prop_map(|v| text(Cell::Bool(v))).boxed(),
        LogicalType::Int { bits, unsigned } => integer(*bits, *unsigned),
        LogicalType::Float { bits: 32 } => {
            any::<u32>().prop_map(|bits| text(Cell::Float(f64::from(f32::from_bits(bits))))).boxed()
        }
        LogicalType::Float { .. } => any::<u64>().prop_map(Value::Bits).boxed(),
        LogicalType::Decimal { precision, scale } => decimal(*precision, *scale),
        LogicalType::Number => (any::<bool>(), "[1-9][0-9]{0,99}", 0_i8..=90)
            .prop_map(|(negative, digits, scale)| signed(negative, decimal_text(&digits, scale)))
            .boxed(),
        LogicalType::Text | LogicalType::Opaque { .. } => any_text().prop_map(Value::Text).boxed(),
        LogicalType::Bits { length } => vec(any::<bool>(), *length as usize).prop_map(bits).boxed(),
        LogicalType::LooseDate => loose_date().prop_map(Value::Text).boxed(),
        LogicalType::LooseTimestamp { .. } => (loose_date(), 0..86_400_000_000_i64)
            .prop_map(|(date, ticks)| {
                let mut text = date + " ";
                Cell::Time(ticks, Unit::Micro).write_text(&mut text);
                Value::Text(text)
            })
            .boxed(),
        LogicalType::Json => any_text()
            .prop_map(|text| Value::Text(serde_json::Value::String(text).to_string()))
            .boxed(),
        LogicalType::Bytes => any_bytes().prop_map(|v| text(Cell::Bytes(&v))).boxed(),
        LogicalType::Date => any::<i32>().prop_map(|days| text(Cell::Date(days))).boxed(),
        LogicalType::Time { unit } => time(*unit),
        LogicalType::Timestamp { unit, utc } => {
            let (unit, utc) = (*unit, *utc);
            any::<i64>().prop_map(move |ticks| text(Cell::Timestamp(ticks, unit, utc))).boxed()
        }
        LogicalType::Interval => any::<(i32, i32, i64)>()
            .prop_map(|(months, days, nanos)| text(Cell::Interval(months, days, nanos)))
            .boxed(),
        LogicalType::Uuid => any::<[u8; 16]>().prop_map(|v| text(Cell::Uuid(&v))).boxed(),
        LogicalType::Variant => variant(),
    }
}

fn integer(bits: u8, unsigned: bool) -> BoxedStrategy<Value> {
    any::<u64>()
        .prop_map(move |wide| {
            let shift = 64 - bits;
            text(if unsigned {
                Cell::UInt(wide >> shift)
            } else {
                Cell::Int(wide.cast_signed() >> shift)
            })
        })
        .boxed()
}

fn decimal(precision: u8, scale: i8) -> BoxedStrategy<Value> {
    let digits = format!("[1-9][0-9]{{0,{}}}", precision - 1);
    let digits = proptest::string::string_regex(&digits).expect("a regular expression");
    (any::<bool>(), digits)
        .prop_map(move |(negative, digits)| signed(negative, decimal_text(&digits, scale)))
        .boxed()
}

fn time(unit: Unit) -> BoxedStrategy<Value> {
    (0..86_400 * unit.per_second()).prop_map(move |ticks| text(Cell::Time(ticks, unit))).boxed()
}

/// Neither −0.0 nor NaN: whether a variant keeps the sign of the one, and takes the other, is up to
/// the system that stores it.
fn variant() -> BoxedStrategy<Value> {
    let literal = |cell: Cell<'_>| {
        let mut out = String::new();
        cell.write_literal(&mut out);
        Value::Text(out)
    };
    prop_oneof![
        any::<i64>().prop_map(move |v| literal(Cell::Int(v))),
        any::<f64>().prop_map(move |v| literal(Cell::Float(if v == 0.0 || v.is_nan() {
            0.0
        } else {
            v
        }))),
        any_text().prop_map(move |v| literal(Cell::Text(&v))),
        any_bytes().prop_map(move |v| literal(Cell::Bytes(&v))),
    ]
    .boxed()
}

fn bits(bits: Vec<bool>) -> Value {
    Value::Text(bits.into_iter().map(|bit| if bit { '1' } else { '0' }).collect())
}

/// A text that may be no day of the calendar.
fn loose_date() -> impl Strategy<Value = String> {
    (0..10_000_u16, 0..=12_u8, 0..=31_u8)
        .prop_map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}"))
}

fn any_text() -> impl Strategy<Value = String> {
    vec(any::<char>(), 0..40).prop_map(String::from_iter)
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..64)
}

fn signed(negative: bool, digits: String) -> Value {
    Value::Text(if negative { format!("-{digits}") } else { digits })
}

fn text(cell: Cell<'_>) -> Value {
    let mut out = String::new();
    cell.write_text(&mut out);
    Value::Text(out)
}
