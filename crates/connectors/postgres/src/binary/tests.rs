//! Bytes that no server sends, and rows that come back.

use longshore_model::LogicalType;
use longshore_testkit::corpus;
use proptest::prelude::*;

use super::{Decoder, Encoder};
use crate::types::{self, NativeType};
use crate::wire::Wire;

type Column = (String, NativeType, LogicalType);

/// A column of each type that has a binary form.
fn columns() -> Vec<Column> {
    [
        "bool",
        "int2",
        "int4",
        "int8",
        "oid",
        "float4",
        "float8",
        "numeric",
        "text",
        "jsonb",
        "json",
        "bytea",
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "uuid",
        "bit",
    ]
    .into_iter()
    .flat_map(|base| {
        let native = |modifier| NativeType {
            name: base.to_string(),
            base: base.to_string(),
            builtin: true,
            portable: false,
            modifier,
        };
        let modifiers = match base {
            "numeric" => vec![-1, (38 << 16 | 5) + 4, (76 << 16 | 70) + 4],
            "bit" => vec![1, 64],
            _ => vec![-1],
        };
        modifiers.into_iter().map(move |modifier| {
            let native = native(modifier);
            let logical = types::logical(&native);
            (format!("{base}{modifier}"), native, logical)
        })
    })
    .collect()
}

/// A row with one column.
fn row(value: &[u8]) -> Vec<u8> {
    let length = i32::try_from(value.len()).expect("a short value").to_be_bytes();
    [&1i16.to_be_bytes()[..], &length, value].concat()
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(
        which in 0..22usize,
        value in proptest::collection::vec(any::<u8>(), 0..40),
        cut in 0..60usize,
    ) {
        let all = columns();
        let column = all[which % all.len()].clone();
        let mut decoder = Decoder::new(std::slice::from_ref(&column)).expect("a decoder");
        let whole = row(&value);
        let _refused_or_taken = decoder.row(&whole);
        let mut decoder = Decoder::new(&[column]).expect("a decoder");
        if cut < whole.len() {
            prop_assert!(decoder.row(&whole[..cut]).is_err(), "a row that was cut");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded(which in 0..22usize, seed in any::<u64>()) {
        let all = columns();
        let column = all[which % all.len()].clone();
        if types::read_form(&column.1, &column.2).is_none() {
            return Ok(());
        }
        let named = [("v".to_string(), column.2.clone())];
        let values = corpus::values(&column.2);
        let start = usize::try_from(seed % values.len() as u64).expect("an index");
        let batch = corpus::build(&named, values[start..].iter().map(|value| vec![value.clone()]));
        for number in 0..batch.num_rows() {
            let one = batch.slice(number, 1);
            let encoder = Encoder::new(std::slice::from_ref(&column)).expect("an encoder");
            prop_assert_eq!(encoder.wire(), Wire::Binary);
            // What the server lacks is refused.
            let Ok(Some(out)) = encoder.rows(&one).expect("rows").message(1) else { continue };
            let mut decoder = Decoder::new(std::slice::from_ref(&column)).expect("a decoder");
            decoder.row(&out).expect("a row");
            let found = decoder.finish().expect("a batch");
            prop_assert_eq!(corpus::texts(&found).expect("text"), corpus::texts(&one).expect("text"));
        }
    }
}
