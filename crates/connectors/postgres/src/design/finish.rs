//! What follows the load, of things that move as they are.

use std::collections::HashMap;

use longshore_model::catalog::{Catalog, Program};
use longshore_model::connector::Design;

use super::kept::{Kept, depths};
use super::prepare::Made;
use super::{Turns, not_moved, statement, step};
use crate::catalog::{PRIMARY_KEY_INDEX, UNIQUE_KEY_INDEX, identity};

/// Views and late functions, then what hangs on tables and views.
pub(super) fn finish(
    catalog: &Catalog,
    kept: &Kept,
    mut made: Made,
    turns: &mut Turns,
    design: &mut Design,
) {
    views(catalog, kept, &mut made, design);
    let depths = depths(catalog);
    for program in &catalog.programs {
        let Some(step) = step_of(program, kept, &depths) else { continue };
        if program.table.is_empty() {
            design.finish.push(statement(program, None, step));
        } else if made.contains(&program.table) {
            match program.needs.iter().find(|need| !made.contains(*need)) {
                None => {
                    let mut step = step;
                    if step == step::FOREIGN_KEYS {
                        let needs = program.needs.iter().map(String::as_str);
                        let tables: Vec<&str> = needs.chain([program.table.as_str()]).collect();
                        step = turns.next(&tables);
                    }
                    let table = kept.names.get(&program.table).copied().flatten();
                    design.finish.push(statement(program, table, step));
                }
                // The foreign key itself is named.
                Some(_) if program.kind == "check of a foreign key" => {}
                Some(missing) => design.not_moved.push(not_moved(
                    program,
                    &format!("{missing}, which it refers to, does not move as it is"),
                )),
            }
        } else if kept.changed.contains(&program.table) && !is_portable(program) {
            // What belongs to a table that was not selected is not named.
            let reason = format!("{} does not move as it is", program.table);
            design.not_moved.push(not_moved(program, &reason));
        }
    }
    for program in catalog.programs.iter().filter(|program| program.kind == "invalid index") {
        design.not_moved.push(not_moved(program, "it is invalid in the source: reindex it there"));
    }
}

/// Views and what needs them, each a step after what it needs.
fn views(catalog: &Catalog, kept: &Kept, made: &mut Made, design: &mut Design) {
    let mut levels: HashMap<String, u32> = HashMap::new();
    let late = |program: &&Program| {
        matches!(program.kind.as_str(), "view" | "materialized view")
            || program.kind.starts_with("late ")
    };
    for program in catalog.programs.iter().filter(late) {
        let own = identity(program);
        let missing = program.needs.iter().find(|need| !made.contains(*need));
        if let Some(missing) = missing {
            let reason = format!("{missing}, which it needs, does not move as it is");
            design.not_moved.push(not_moved(program, &reason));
            continue;
        }
        let above = program.needs.iter().filter_map(|need| levels.get(need)).max();
        let level = above.map_or(0, |level| level + 1);
        let table = kept.names.get(&own).copied().flatten();
        design.finish.push(statement(program, table, step::VIEWS + level));
        levels.insert(own.clone(), level);
        made.insert(own);
    }
}

/// Whether [`super::portable`] makes it, or says that it cannot.
fn is_portable(program: &Program) -> bool {
    let of_table = program.kind == "check" && program.described;
    of_table
        || matches!(
            program.kind.as_str(),
            "key"
                | "index"
                | PRIMARY_KEY_INDEX
                | UNIQUE_KEY_INDEX
                | "foreign key"
                | "check of a foreign key"
                | "sequence value"
                | "owner of a sequence"
                | "mark"
        )
}

fn step_of(program: &Program, kept: &Kept, depths: &HashMap<String, u32>) -> Option<u32> {
    let of_table = kept.names.contains_key(&program.table);
    Some(match program.kind.as_str() {
        "index" if !of_table => step::VIEW_INDEXES,
        "mark" if !of_table => step::VIEW_MARKS,
        "index" | PRIMARY_KEY_INDEX | UNIQUE_KEY_INDEX => step::INDEXES,
        "key" => step::KEYS,
        // The deepest first: an index is valid when its partitions are.
        "index of a partition" => {
            let depth = depths.get(&program.table).copied().unwrap_or(0);
            step::PARTITIONS + step::DEEPEST.saturating_sub(depth)
        }
        "mark" | "owner of a sequence" | "sequence value" | "check" | "default" => step::MARKS,
        "foreign key" => step::FOREIGN_KEYS,
        "check of a foreign key" => step::FOREIGN_KEY_CHECKS,
        "statistics" if of_table => step::EXTENDED_STATISTICS,
        "trigger" | "rule" | "statistics" | "policy" => step::TRIGGERS,
        "trigger of a partition" => step::PARTS_OF_TRIGGERS,
        "comment" => step::COMMENTS,
        _ => return None,
    })
}
