//! Columns whose values name objects, found in the plans of the moves.

use longshore_model::catalog::Catalog;
use longshore_model::plan::{ColumnPlan, MovePlan, ReferencePlan, TablePlan};
use longshore_model::spec::{Reference, Spec};
use longshore_model::{Code, Error, LogicalType, Result, object, pattern};

/// The references from the rows of one move, given by its index.
pub(super) fn from_rows(
    spec: &Spec,
    rows: usize,
    catalog: &Catalog,
    tables: &[TablePlan],
) -> Result<Vec<ReferencePlan>> {
    let mut found = Vec::new();
    if catalog.dialect == object::DIALECT {
        return Ok(found);
    }
    for reference in &spec.references {
        let Some((wanted, column)) = reference.parts() else { continue };
        let objects = spec.moves.iter().position(|one| one.from == reference.objects);
        let named =
            |table: &TablePlan| pattern::matches_any(wanted, &catalog.called(&table.source));
        for (table, plan) in tables.iter().enumerate().filter(|(_, table)| named(table)) {
            let made = ReferencePlan {
                rows,
                table,
                column: column_of(plan, column).map_err(|error| about(reference, error))?,
                objects: objects.unwrap_or_default(),
                prefix: reference.prefix.clone(),
                missing: reference.missing,
                forecast: None,
            };
            if made.objects <= rows {
                return Err(about(reference, before(spec, rows)));
            }
            found.push(made);
        }
    }
    Ok(found)
}

/// Refuses a reference that matches nothing, and one to what are no objects.
pub(super) fn check(spec: &Spec, moves: &[MovePlan], found: &[ReferencePlan]) -> Result<()> {
    for reference in &spec.references {
        let matches = |plan: &&ReferencePlan| {
            let table = &moves[plan.rows].tables[plan.table];
            let names = [table.source.to_string(), table.source.name.clone()];
            reference.parts().is_some_and(|(wanted, column)| {
                pattern::matches_any(wanted, &names) && table.columns[plan.column].source == column
            })
        };
        let Some(plan) = found.iter().find(matches) else {
            return Err(Error::new(Code::SpecNoMatch, "a reference matches no table that moves")
                .with("reference", reference.column.clone()));
        };
        let wire = moves[plan.objects].tables.first().and_then(|table| table.wire.as_deref());
        if wire != Some(object::WIRE) {
            return Err(about(
                reference,
                Error::new(Code::SpecInvalid, "a reference is to what are no objects")
                    .with("objects", moves[plan.objects].from.clone())
                    .hint("Move them as they are: ?format=objects in the addresses of their move."),
            ));
        }
    }
    Ok(())
}

fn column_of(table: &TablePlan, name: &str) -> Result<usize> {
    let found = table.columns.iter().enumerate().find(|(_, column)| column.source == name);
    let Some((index, column)) = found else {
        return Err(Error::new(Code::SpecNoMatch, "the column of a reference does not move"));
    };
    let ColumnPlan { mask, to, .. } = column;
    if mask.is_some() {
        return Err(Error::new(Code::SpecInvalid, "the column of a reference is masked")
            .hint("Names of objects must arrive as they are."));
    }
    if *to != LogicalType::Text {
        return Err(Error::new(Code::SpecInvalid, "the column of a reference holds no texts")
            .with("type", to.to_string())
            .hint("Ask for text under `types`."));
    }
    Ok(index)
}

fn before(spec: &Spec, rows: usize) -> Error {
    Error::new(Code::SpecInvalid, "objects move before the rows that name them")
        .with("move of the rows", spec.moves[rows].to.clone())
        .hint(
            "Put the move of the rows first: objects that are listed after the rows were read hold \
             all that the rows name.",
        )
}

fn about(reference: &Reference, error: Error) -> Error {
    error.with("reference", reference.column.clone())
}
