//! Rows of a target that hold values of other kinds than were planned, such as a text in a column
//! of integers: read value by value, as variants, and compared with the source's rows as literals.

use arrow_array::RecordBatch;
use longshore_model::connector::{Part, ReadRequest};
use longshore_model::plan::TablePlan;
use longshore_model::{
    BatchBuilder, Cell, Code, ColumnBuilder, ColumnView, Error, Literal, LogicalType, Misfit,
    Result,
};

use super::{Check, target_request};

/// Marks a literal that the planned type cannot hold, so that it equals no value of the source.
const MISFIT: char = '!';

/// The request for a part of a table of the target, every column as variant.
pub(crate) fn request(check: &Check, table: &TablePlan, part: &Part) -> ReadRequest {
    let mut request = target_request(check, table, part);
    request.wire = None;
    for (_, logical) in &mut request.columns {
        *logical = LogicalType::Variant;
    }
    request
}

/// Rows of the planned types as literals.
pub(crate) fn of_planned(table: &TablePlan, rows: &RecordBatch) -> Result<RecordBatch> {
    let views = table
        .columns
        .iter()
        .zip(rows.columns())
        .map(|(column, array)| ColumnView::new(&column.to, array))
        .collect::<Result<Vec<_>>>()?;
    literals(table, rows.num_rows(), |row, column, out| {
        write(&table.columns[column].to, views[column].cell(row), out);
    })
}

/// Variants as the literals that values of the planned types have.
pub(crate) fn of_variants(table: &TablePlan, rows: &RecordBatch) -> Result<RecordBatch> {
    let views = rows
        .columns()
        .iter()
        .map(|array| ColumnView::new(&LogicalType::Variant, array))
        .collect::<Result<Vec<_>>>()?;
    literals(table, rows.num_rows(), |row, column, out| {
        let Cell::Text(literal) = views[column].cell(row) else { return };
        if write_planned(&table.columns[column].to, literal, out).is_err() {
            out.clear();
            out.push(MISFIT);
            out.push_str(literal);
        }
    })
}

/// A batch of texts; an empty text is NULL.
fn literals(
    table: &TablePlan,
    rows: usize,
    write: impl Fn(usize, usize, &mut String),
) -> Result<RecordBatch> {
    let text = LogicalType::Text;
    let mut builder =
        BatchBuilder::new(table.columns.iter().map(|column| (column.target.as_str(), &text)));
    let mut literal = String::new();
    for row in 0..rows {
        for (index, column) in builder.columns().iter_mut().enumerate() {
            literal.clear();
            write(row, index, &mut literal);
            let cell = if literal.is_empty() { Cell::Null } else { Cell::Text(&literal) };
            column.append(cell).map_err(|_| Error::new(Code::Internal, "a literal is no text"))?;
        }
        builder.end_row();
    }
    builder.finish()
}

fn write(logical: &LogicalType, cell: Cell<'_>, out: &mut String) {
    match cell {
        Cell::Null => {}
        Cell::Text(literal) if *logical == LogicalType::Variant => out.push_str(literal),
        cell => cell.write_literal(out),
    }
}

fn write_planned(logical: &LogicalType, literal: &str, out: &mut String) -> Result<(), Misfit> {
    let mut builder = ColumnBuilder::new(logical);
    if *logical == LogicalType::Variant {
        builder.parse(literal)?;
    } else {
        match Literal::parse(literal).ok_or(Misfit::Text)? {
            Literal::Int(value) => builder.append(Cell::Int(value))?,
            Literal::Float(value) => builder.append(Cell::Float(value))?,
            Literal::Bytes(bytes) => builder.append(Cell::Bytes(&bytes))?,
            Literal::Text(bytes) => {
                let text = std::str::from_utf8(&bytes).map_err(|_| Misfit::Text)?;
                builder.append(Cell::Text(text))?;
            }
        }
    }
    let array = builder.finish();
    let view = ColumnView::new(logical, &array).map_err(|_| Misfit::Text)?;
    write(logical, view.cell(0), out);
    Ok(())
}
