//! The way of one column: what is read, what is written, and what is checked in between.

use longshore_model::catalog::Column;
use longshore_model::connector::Target;
use longshore_model::loss::LossKind;
use longshore_model::plan::{ColumnPlan, Guard};
use longshore_model::spec::{Mask, Spec};
use longshore_model::{Code, Error, LogicalType, Result};

use super::ColumnDraft;
use super::rules::Draft;
use crate::transform::tightens;

/// The plan of one column, after its type was studied.
pub(super) fn column_plan(
    draft: &Draft,
    column: &ColumnDraft,
    from: LogicalType,
    target: &dyn Target,
    spec: &Spec,
) -> Result<ColumnPlan> {
    let original = draft.table.column(&column.source).ok_or_else(|| {
        Error::new(Code::Internal, "a planned column is not in its table")
            .with("column", column.source.clone())
    })?;
    let keeps_native = draft.ends.same_dialect && !column.converts();
    let native = if keeps_native { original.native.clone() } else { String::new() };
    // Who does not declare as the source does has the days of the calendar only.
    let unasked = from.strict().filter(|_| native.is_empty()).unwrap_or_else(|| from.clone());
    let logical = match column.mask {
        Some(Mask::Sha256 | Mask::Redact) => LogicalType::Text,
        Some(Mask::Null) => unasked,
        None => column.cast.clone().unwrap_or(unasked),
    };
    // What is converted may be longer than what the column has.
    let length = original.length.filter(|_| !column.converts());
    let mapped = Column { logical, native, length, ..original.clone() };
    let mapping = target.map_column(&mapped).map_err(|error| {
        error.with("table", draft.table.name.to_string()).with("column", column.source.clone())
    })?;
    let mut kinds = mapping.guards;
    if column.mask.is_none() {
        kinds.extend(losses_of_casts(&from, column.cast.as_ref(), &mapping.logical));
    }
    Ok(ColumnPlan {
        source: column.source.clone(),
        target: column.target.clone(),
        from,
        to: mapping.logical,
        native: mapping.native,
        declared: original.native.clone(),
        mask: column.mask,
        guards: kinds
            .into_iter()
            .map(|kind| Guard { kind, action: spec.policies.action(kind, spec.on_reject) })
            .collect(),
        computed: false,
    })
}

/// What a conversion may lose, beside what the target lacks.
fn losses_of_casts(
    from: &LogicalType,
    asked: Option<&LogicalType>,
    to: &LogicalType,
) -> impl Iterator<Item = LossKind> {
    let zero_date = tightens(from, to).then_some(LossKind::ZeroDate);
    let asked = asked.filter(|asked| *asked != from);
    let nearest = asked.and_then(|asked| match asked {
        LogicalType::Decimal { .. } => Some(LossKind::NumericScale),
        LogicalType::Text if matches!(from, LogicalType::Bytes | LogicalType::Variant) => {
            Some(LossKind::InvalidUtf8)
        }
        _ => None,
    });
    zero_date.into_iter().chain(asked.map(|_| LossKind::InvalidCast)).chain(nearest)
}
