//! What the plan says of a table's columns, applied to batches: names, types, masks, guards.

mod guard;
mod losses;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use longshore_model::loss::{Action, LossKind};
use longshore_model::plan::{ColumnPlan, TablePlan};
use longshore_model::spec::{Keys, Mask};
use longshore_model::{
    Batch, Cell, Code, ColumnBuilder, ColumnView, Error, Literal, LogicalType, Misfit, Result,
};

use guard::suspects;
pub(crate) use losses::{Diverted, Losses};

use crate::key;

/// A table's columns on their way from source to target.
pub(crate) struct Transform {
    table: String,
    columns: Vec<ColumnPlan>,
    schema: SchemaRef,
    on_fail: OnFail,
    /// The places of the key's columns; `None` where there is no key, or not all of it is here.
    key: Option<Vec<usize>>,
    keys: Keys,
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
        let place = |name: &String| columns.iter().position(|column| column.target == *name);
        let key = table.key.iter().map(place).collect::<Option<Vec<_>>>();
        Self {
            table: table.source.to_string(),
            key: key.filter(|key| !key.is_empty()),
            columns,
            schema: Arc::new(Schema::new(fields)),
            on_fail,
            keys: Keys::default(),
        }
    }

    /// The same, with another way to show keys.
    pub(crate) fn with_keys(self, keys: Keys) -> Self {
        Self { keys, ..self }
    }

    /// The columns to read from the source.
    pub(crate) fn reads(&self) -> Vec<(String, LogicalType)> {
        self.columns.iter().map(|column| (column.source.clone(), column.from.clone())).collect()
    }

    /// Converts a batch, adds what was lost and takes out the rows that a policy diverts, all of them
    /// perhaps. Wire batches pass untouched: the plan asks for them only where nothing is to be done.
    pub(crate) fn apply(&self, batch: Batch, losses: &mut Losses) -> Result<Batch> {
        losses.begin(batch.rows());
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
        losses.sample(&self.columns, self.key.as_deref(), self.keys, &rows)?;
        Ok(Batch::Rows(losses.divert(rows)?))
    }

    /// A row of the source for people to look at: the names and texts of its values, masked where the
    /// plan says so.
    pub(crate) fn texts(
        &self,
        rows: &RecordBatch,
        row: usize,
    ) -> Result<Vec<(&str, Option<String>)>> {
        let columns = self.columns.iter().zip(rows.columns());
        let text = |(column, array): (&ColumnPlan, &ArrayRef)| {
            let cell = ColumnView::new(&column.from, array)?.cell(row);
            let text = match (column.mask, cell) {
                (Some(mask), cell) => mask_of(mask, cell),
                (None, Cell::Null) => None,
                (None, cell) => {
                    let mut text = String::new();
                    cell.write_text(&mut text);
                    Some(text)
                }
            };
            Ok(text)
        };
        let names = self.columns.iter().map(|column| column.source.as_str());
        let texts = columns.map(text).collect::<Result<Vec<_>>>()?;
        Ok(names.zip(texts).collect())
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
            let cell = view.cell(row);
            if let Err(misfit) = take(&mut builder, cell, cast.from) {
                let kind = nearest(&mut ColumnBuilder::new(cast.to), cell, cast);
                let action = self
                    .lose(cast.column, kind.unwrap_or(cast.kind), row, losses)
                    .map_err(|error| error.because(format!("the value {}", misfit.describe())))?;
                match action {
                    Action::Round | Action::Replace => {
                        nearest(&mut builder, cell, cast).map_err(|_| unfit())?;
                    }
                    _ => builder.null(),
                }
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
                    self.lose(column, guard.kind, row, losses)?;
                    match (guard.action, cell) {
                        (Action::Zero, _) => builder.append(Cell::Float(0.0)),
                        (Action::Strip, Cell::Text(text)) => {
                            builder.append(Cell::Text(&text.replace('\0', "")))
                        }
                        _ => builder.append(Cell::Null),
                    }
                }
            };
            replaced.map_err(|_| unfit())?;
        }
        Ok(builder.finish())
    }

    /// Counts a value and says what becomes of it.
    fn lose(
        &self,
        column: &ColumnPlan,
        kind: LossKind,
        row: usize,
        losses: &mut Losses,
    ) -> Result<Action> {
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
        let lost = Diverted { row, column: column.source.clone(), kind };
        if action == Action::Divert {
            losses.diverted.push(lost.clone());
        }
        losses.count(lost);
        Ok(action)
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
    resolved(cell, from, |cell| builder.cast(cell))
}

/// Appends what is nearest to a value without exact form, where there is such a thing, and says what
/// is lost by it.
fn nearest(
    builder: &mut ColumnBuilder,
    cell: Cell<'_>,
    cast: &Cast<'_>,
) -> Result<LossKind, Misfit> {
    if cast.kind != LossKind::InvalidCast {
        return Err(Misfit::Kind(cell.kind()));
    }
    resolved(cell, cast.from, |cell| match (cast.to, cell) {
        (LogicalType::Decimal { .. }, cell) => builder.round(cell).map(|()| LossKind::NumericScale),
        (LogicalType::Text, Cell::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(bytes);
            builder.append(Cell::Text(&text)).map(|()| LossKind::InvalidUtf8)
        }
        _ => Err(Misfit::Kind(cell.kind())),
    })
}

/// Hands on the value of a variant's literal, and any other value as it is.
fn resolved<T>(
    cell: Cell<'_>,
    from: &LogicalType,
    hand_on: impl FnOnce(Cell<'_>) -> Result<T, Misfit>,
) -> Result<T, Misfit> {
    let (LogicalType::Variant, Cell::Text(text)) = (from, cell) else { return hand_on(cell) };
    match Literal::parse(text).ok_or(Misfit::Text)? {
        Literal::Int(value) => hand_on(Cell::Int(value)),
        Literal::Float(value) => hand_on(Cell::Float(value)),
        Literal::Bytes(bytes) => hand_on(Cell::Bytes(&bytes)),
        Literal::Text(bytes) => match std::str::from_utf8(&bytes) {
            Ok(text) => hand_on(Cell::Text(text)),
            Err(_) => hand_on(Cell::Bytes(&bytes)),
        },
    }
}

fn unfit() -> Error {
    Error::new(Code::Internal, "a value does not fit its own type")
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
    for row in 0..array.len() {
        let text = mask_of(mask, view.cell(row));
        builder.append(text.as_deref().map_or(Cell::Null, Cell::Text)).map_err(|_| {
            Error::new(Code::Internal, "a mask does not fit its column")
                .with("column", column.source.clone())
        })?;
    }
    Ok(builder.finish())
}

/// What stands for a value; `None` is NULL.
fn mask_of(mask: Mask, cell: Cell<'_>) -> Option<String> {
    match (mask, cell) {
        (Mask::Null, _) | (_, Cell::Null) => None,
        (Mask::Redact, _) => Some("***".to_string()),
        (Mask::Sha256, cell) => Some(key::hashed(cell)),
    }
}

#[cfg(test)]
mod tests;
