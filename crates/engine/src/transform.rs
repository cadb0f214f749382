//! What the plan says of a table's columns, applied to batches: names, types, masks, guards.

mod guard;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use longshore_model::loss::{Action, LossCounts, LossKind};
use longshore_model::plan::{ColumnPlan, TablePlan, digest};
use longshore_model::spec::Mask;
use longshore_model::{
    Batch, Cell, Code, ColumnBuilder, ColumnView, Error, Literal, LogicalType, Misfit, Result,
};

use guard::suspects;

/// The values lost, by the source's column.
pub(crate) type Losses = BTreeMap<String, LossCounts>;

/// A table's columns on their way from source to target.
pub(crate) struct Transform {
    table: String,
    columns: Vec<ColumnPlan>,
    schema: SchemaRef,
    on_fail: OnFail,
}

/// What a value does whose policy is to fail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFail {
    /// It ends the copy.
    Stop,
    /// It is counted: the plan asks how many there are.
    Count,
}

impl Transform {
    /// The transform of a table; batches come with the source's names and types.
    pub(crate) fn new(table: &TablePlan, on_fail: OnFail) -> Self {
        Self::of_columns(table, table.columns.clone(), on_fail)
    }

    /// The transform of some of a table's columns.
    pub(crate) fn of_columns(table: &TablePlan, columns: Vec<ColumnPlan>, on_fail: OnFail) -> Self {
        let fields: Vec<_> =
            columns.iter().map(|column| column.to.field(&column.target, true)).collect();
        Self {
            table: table.source.to_string(),
            columns,
            schema: Arc::new(Schema::new(fields)),
            on_fail,
        }
    }

    /// The columns to read from the source.
    pub(crate) fn reads(&self) -> Vec<(String, LogicalType)> {
        self.columns.iter().map(|column| (column.source.clone(), column.from.clone())).collect()
    }

    /// Converts a batch and adds what was lost. Wire batches pass untouched: the plan asks for them
    /// only where nothing is to be done.
    pub(crate) fn apply(&self, batch: Batch, losses: &mut Losses) -> Result<Batch> {
        let Batch::Rows(rows) = batch else { return Ok(batch) };
        if rows.num_columns() != self.columns.len() {
            return Err(Error::new(
                Code::Internal,
                "a batch has other columns than were asked for",
            )
            .with("table", self.table.clone()));
        }
        let arrays = self
            .columns
            .iter()
            .zip(rows.columns())
            .map(|(column, array)| self.convert(column, array, losses))
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)
            .map_err(|error| {
                Error::new(Code::Internal, "a batch does not fit the plan")
                    .with("table", self.table.clone())
                    .because(error)
            })?;
        Ok(Batch::Rows(rows))
    }

    fn convert(
        &self,
        column: &ColumnPlan,
        array: &ArrayRef,
        losses: &mut Losses,
    ) -> Result<ArrayRef> {
        let array = match column.mask {
            Some(mask) => return masked(column, mask, array),
            None if column.from == column.to => array.clone(),
            None => self.cast(column, array, losses)?,
        };
        if suspects(column, &array) { self.guard(column, &array, losses) } else { Ok(array) }
    }

    fn cast(&self, column: &ColumnPlan, array: &ArrayRef, losses: &mut Losses) -> Result<ArrayRef> {
        let one = Cast { column, from: &column.from, to: &column.to, kind: LossKind::InvalidCast };
        let strict = column.from.strict().filter(|_| tightens(&column.from, &column.to));
        let Some(strict) = strict else { return self.cast_by(&one, array, take, losses) };
        let tighten = Cast { to: &strict, kind: LossKind::ZeroDate, ..one };
        let days = self.cast_by(&tighten, array, take_loose, losses)?;
        if strict == column.to {
            return Ok(days);
        }
        self.cast_by(&Cast { from: &strict, ..one }, &days, take, losses)
    }

    fn cast_by(
        &self,
        cast: &Cast<'_>,
        array: &ArrayRef,
        take: Take,
        losses: &mut Losses,
    ) -> Result<ArrayRef> {
        let view = ColumnView::new(cast.from, array)?;
        let mut builder = ColumnBuilder::new(cast.to);
        for row in 0..array.len() {
            if let Err(misfit) = take(&mut builder, view.cell(row), cast.from) {
                self.lose(cast.column, cast.kind, losses)
                    .map_err(|error| error.because(format!("the value {}", misfit.describe())))?;
                builder.null();
            }
        }
        Ok(builder.finish())
    }

    fn guard(
        &self,
        column: &ColumnPlan,
        array: &ArrayRef,
        losses: &mut Losses,
    ) -> Result<ArrayRef> {
        let view = ColumnView::new(&column.to, array)?;
        let mut builder = ColumnBuilder::new(&column.to);
        for row in 0..array.len() {
            let cell = view.cell(row);
            let caught = column.guards.iter().find(|guard| guard.kind.catches(cell));
            let replaced = match caught {
                None => builder.append(cell),
                Some(guard) => {
                    self.lose(column, guard.kind, losses)?;
                    match (guard.action, cell) {
                        (Action::Zero, _) => builder.append(Cell::Float(0.0)),
                        (Action::Strip, Cell::Text(text)) => {
                            builder.append(Cell::Text(&text.replace('\0', "")))
                        }
                        _ => builder.append(Cell::Null),
                    }
                }
            };
            replaced
                .map_err(|_| Error::new(Code::Internal, "a value does not fit its own type"))?;
        }
        Ok(builder.finish())
    }

    fn lose(&self, column: &ColumnPlan, kind: LossKind, losses: &mut Losses) -> Result<()> {
        let action = column
            .guards
            .iter()
            .find(|guard| guard.kind == kind)
            .map_or(Action::Fail, |guard| guard.action);
        if action == Action::Fail && self.on_fail == OnFail::Stop {
            let word = |action: &Action| match action {
                // Without quotes YAML takes it for no value.
                Action::Null => "\"null\"".to_string(),
                other => other.to_string(),
            };
            let actions: Vec<_> = kind.actions()[1..].iter().map(word).collect();
            let or_text = match kind {
                LossKind::ZeroDate => " Or ask for the column as text under `types`.",
                _ => "",
            };
            return Err(Error::new(Code::ValueRefused, format!("a value is {}", kind.describe()))
                .with("table", self.table.clone())
                .with("column", column.source.clone())
                .hint(format!(
                    "Set `policies: {{ {kind}: {} }}` if the loss is acceptable, and make a new plan.{or_text}",
                    actions.join(" | ")
                )));
        }
        *losses.entry(column.source.clone()).or_default().entry(kind).or_default() += 1;
        Ok(())
    }
}

/// Whether texts that may be no days of the calendar become such days.
pub(crate) fn tightens(from: &LogicalType, to: &LogicalType) -> bool {
    from.strict().is_some() && !to.is_textual()
}

/// A conversion, and what a value is lost as that has no place in it.
#[derive(Clone, Copy)]
struct Cast<'a> {
    column: &'a ColumnPlan,
    from: &'a LogicalType,
    to: &'a LogicalType,
    kind: LossKind,
}

/// How a builder takes a value of a type.
type Take = fn(&mut ColumnBuilder, Cell<'_>, &LogicalType) -> Result<(), Misfit>;

fn take(builder: &mut ColumnBuilder, cell: Cell<'_>, from: &LogicalType) -> Result<(), Misfit> {
    let (LogicalType::Variant, Cell::Text(text)) = (from, cell) else { return builder.cast(cell) };
    match Literal::parse(text).ok_or(Misfit::Text)? {
        Literal::Int(value) => builder.cast(Cell::Int(value)),
        Literal::Float(value) => builder.cast(Cell::Float(value)),
        Literal::Text(bytes) => {
            builder.cast(Cell::Text(std::str::from_utf8(&bytes).map_err(|_| Misfit::Text)?))
        }
        Literal::Bytes(bytes) => builder.cast(Cell::Bytes(&bytes)),
    }
}

/// A loose text does not say that it is of UTC, as the text of an instant must.
fn take_loose(
    builder: &mut ColumnBuilder,
    cell: Cell<'_>,
    from: &LogicalType,
) -> Result<(), Misfit> {
    match (cell, from) {
        (Cell::Text(text), LogicalType::LooseTimestamp { utc: true }) => {
            builder.parse(&format!("{text}Z"))
        }
        (cell, _) => builder.cast(cell),
    }
}

fn masked(column: &ColumnPlan, mask: Mask, array: &ArrayRef) -> Result<ArrayRef> {
    let view = ColumnView::new(&column.from, array)?;
    let mut builder = ColumnBuilder::new(&column.to);
    let mut text = String::new();
    for row in 0..array.len() {
        let cell = view.cell(row);
        let result = match (mask, cell) {
            (Mask::Null, _) | (_, Cell::Null) => builder.append(Cell::Null),
            (Mask::Redact, _) => builder.append(Cell::Text("***")),
            (Mask::Sha256, cell) => {
                text.clear();
                cell.write_text(&mut text);
                let hash = digest(text.as_bytes());
                builder.append(Cell::Text(hash.trim_start_matches("sha256:")))
            }
        };
        result.map_err(|_| {
            Error::new(Code::Internal, "a mask does not fit its column")
                .with("column", column.source.clone())
        })?;
    }
    Ok(builder.finish())
}

#[cfg(test)]
mod tests;
