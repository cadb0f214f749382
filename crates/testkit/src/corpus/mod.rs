//! The value corpus: for every logical type the values that broke other tools, and strategies for
//! arbitrary ones.

mod strategy;
mod values;

use arrow_array::RecordBatch;
use longshore_model::{
    BatchBuilder, Cell, ColumnBuilder, ColumnView, Error, LogicalType, Misfit, Result,
};

pub use strategy::{any_batch, any_logical, any_value, batch_of};
pub use values::{types, values};

/// One value, before it is in a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// The canonical text of a value.
    Text(String),
    /// A float by its bits, which tell NaNs apart.
    Bits(u64),
}

impl Value {
    /// Appends it to a column of its type.
    pub fn append(&self, column: &mut ColumnBuilder) -> Result<(), Misfit> {
        match self {
            Value::Null => column.null(),
            Value::Text(text) => column.parse(text)?,
            Value::Bits(bits) => column.append(Cell::Float(f64::from_bits(*bits)))?,
        }
        Ok(())
    }
}

/// Every value of the corpus of one type, for columns named `n` (the row's number) and `v`.
pub fn batch(logical: &LogicalType) -> RecordBatch {
    let columns = vec![("n".to_string(), LogicalType::INT64), ("v".to_string(), logical.clone())];
    let rows = values(logical).into_iter().enumerate();
    build(&columns, rows.map(|(n, value)| vec![Value::Text(n.to_string()), value]))
}

/// A batch of the given columns and rows.
///
/// # Panics
/// When a value is not one of its column's type.
pub fn build(
    columns: &[(String, LogicalType)],
    rows: impl IntoIterator<Item = Vec<Value>>,
) -> RecordBatch {
    let mut builder = BatchBuilder::new(columns.iter().map(|(name, logical)| (&**name, logical)));
    for row in rows {
        for ((value, column), (_, logical)) in row.iter().zip(builder.columns()).zip(columns) {
            if let Err(misfit) = value.append(column) {
                panic!("{value:?} {} ({logical})", misfit.describe());
            }
        }
        builder.end_row();
    }
    builder.finish().expect("as many columns as the schema has")
}

/// The canonical text of every cell, by row. NULL is `None`, and so differs from empty text.
pub fn texts(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>> {
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns());
    let views = columns
        .map(|(field, array)| {
            let unknown = || Error::new(longshore_model::Code::Internal, "a column without type");
            ColumnView::new(&LogicalType::of_field(field).ok_or_else(unknown)?, array)
        })
        .collect::<Result<Vec<_>>>()?;
    let text = |view: &ColumnView<'_>, row| match view.cell(row) {
        Cell::Null => None,
        cell => {
            let mut text = String::new();
            cell.write_text(&mut text);
            Some(text)
        }
    };
    Ok((0..batch.num_rows())
        .map(|row| views.iter().map(|view| text(view, row)).collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use longshore_model::{Batch, Fingerprint};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_value_of_the_corpus_is_one_of_its_type_and_comes_back_from_its_text() {
        for logical in types() {
            let batch = batch(&logical);
            let expected = values(&logical).into_iter();
            for (row, value) in texts(&batch).expect("text").into_iter().zip(expected) {
                match value {
                    Value::Null => assert_eq!(row[1], None),
                    Value::Text(text) => assert_eq!(row[1].as_ref(), Some(&text), "{logical}"),
                    Value::Bits(_) => assert!(row[1].is_some()),
                }
            }
        }
    }

    #[test]
    fn every_type_has_an_entry() {
        let names: Vec<_> = types().iter().map(ToString::to_string).collect();
        for family in [
            "boolean",
            "int8",
            "uint64",
            "float32",
            "decimal(",
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
            "opaque(",
        ] {
            assert!(names.iter().any(|name| name.starts_with(family)), "{family}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_batches_come_back_from_their_text(batch in any_batch()) {
            let columns: Vec<_> = batch.schema().fields().iter().map(|field| {
                (field.name().clone(), LogicalType::of_field(field).expect("a logical type"))
            }).collect();
            let text = |cell: Option<String>| cell.map_or(Value::Null, Value::Text);
            let rows = texts(&batch).expect("text").into_iter();
            let again = build(&columns, rows.map(|row| row.into_iter().map(text).collect()));
            let fingerprint = |batch: RecordBatch| {
                let mut fingerprint = Fingerprint::default();
                fingerprint.add_batch(&Batch::Rows(batch)).expect("hashable");
                fingerprint
            };
            prop_assert_eq!(fingerprint(again), fingerprint(batch));
        }
    }
}
