//! Generated columns of another dialect: computed by the target where it computes the same, else plain
//! columns with the source's values.

use longshore_model::catalog::NotMoved;
use longshore_model::connector::Target;
use longshore_model::loss::Action;
use longshore_model::plan::{Guard, TablePlan};
use longshore_model::spec::Existing;

use super::left_out;

/// Decides for every generated column; returns those that become plain ones.
pub(crate) fn settle(
    tables: &mut [TablePlan],
    target: &dyn Target,
    existing: Existing,
) -> Vec<NotMoved> {
    let mut not_moved = Vec::new();
    for table in tables {
        let generated: Vec<String> = table
            .structure
            .columns
            .iter()
            .filter(|column| column.generated.is_some())
            .map(|column| column.name.clone())
            .collect();
        for name in generated {
            let Err(reason) = computed(table, &name, target, existing) else { continue };
            for column in table.structure.columns.iter_mut().filter(|column| column.name == name) {
                column.generated = None;
            }
            let name = format!("{}.{name}", table.source);
            let reason = format!("its values move as they are: {reason}");
            not_moved.push(left_out("generated column", name, reason));
        }
    }
    not_moved
}

fn computed(
    table: &mut TablePlan,
    name: &str,
    target: &dyn Target,
    existing: Existing,
) -> Result<(), String> {
    if !matches!(existing, Existing::Refuse | Existing::Replace) {
        return Err("the table may be there already, with a plain column".to_string());
    }
    let place = table.columns.iter().position(|column| column.target == name);
    let place = place.ok_or("its values do not move")?;
    // What a policy changes in a row would be computed anew.
    let changes = |guard: &Guard| !matches!(guard.action, Action::Fail | Action::Divert);
    if table.columns.iter().flat_map(|column| &column.guards).any(changes) {
        return Err("a policy may change values that it is computed from".to_string());
    }
    target.computes(table, name)?;
    table.columns[place].computed = true;
    Ok(())
}
