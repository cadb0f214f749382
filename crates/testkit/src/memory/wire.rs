//! A wire format of this process: a row is each value's canonical text, with its length before it.

use arrow_array::RecordBatch;
use bytes::Bytes;
use longshore_model::plan::TablePlan;
use longshore_model::{BatchBuilder, Cell, ColumnView, LogicalType, Result, WireBatch};

use super::defect;

/// The format's name. Tables with this attribute are offered in it.
pub const WIRE: &str = "memory-text";

const NULL: u32 = u32::MAX;

/// Rows in the wire format.
pub(crate) fn encode(batch: &RecordBatch, columns: &[(String, LogicalType)]) -> Result<WireBatch> {
    let views: Vec<ColumnView<'_>> = columns
        .iter()
        .zip(batch.columns())
        .map(|((_, logical), array)| ColumnView::new(logical, array))
        .collect::<Result<_>>()?;
    let mut bytes = Vec::new();
    let mut ends = Vec::with_capacity(batch.num_rows());
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        for view in &views {
            let cell = view.cell(row);
            if matches!(cell, Cell::Null) {
                bytes.extend_from_slice(&NULL.to_le_bytes());
                continue;
            }
            text.clear();
            cell.write_text(&mut text);
            let length = u32::try_from(text.len()).map_err(|_| defect("a value is too long"))?;
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        ends.push(bytes.len());
    }
    Ok(WireBatch { bytes: Bytes::from(bytes), ends })
}

/// The rows of a wire batch, as the plan's types have them.
pub(crate) fn decode(wire: &WireBatch, table: &TablePlan) -> Result<RecordBatch> {
    let names = table.columns.iter().map(|column| (column.target.as_str(), &column.to));
    let mut out = BatchBuilder::new(names);
    let mut rest = &wire.bytes[..];
    for _ in &wire.ends {
        for column in out.columns() {
            let (length, tail) = rest.split_at_checked(4).ok_or_else(|| defect("a short row"))?;
            let length = length.try_into().map_err(|_| defect("a short row"))?;
            rest = tail;
            match u32::from_le_bytes(length) {
                NULL => column.null(),
                length => {
                    let length = usize::try_from(length).map_err(|_| defect("a long value"))?;
                    let (value, tail) =
                        rest.split_at_checked(length).ok_or_else(|| defect("a short value"))?;
                    let text = std::str::from_utf8(value).map_err(|_| defect("no text"))?;
                    column.parse(text).map_err(|_| defect("a text that is no value"))?;
                    rest = tail;
                }
            }
        }
        out.end_row();
    }
    out.finish()
}
