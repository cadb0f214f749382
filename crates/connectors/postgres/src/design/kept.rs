//! What moves as it is, by the names that programs refer to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use longshore_model::catalog::{Catalog, NotMoved, Table};
use longshore_model::plan::TablePlan;

use crate::catalog::{INHERITS, PARENTS, PLACE, key};
use crate::sql;

/// What keeps its own definition.
#[derive(Default)]
pub(super) struct Kept {
    /// Tables of the plan, by number.
    pub(super) verbatim: BTreeSet<usize>,
    /// The same, and the partitioned tables above them.
    pub(super) names: BTreeMap<String, Option<usize>>,
    /// Tables that move with another structure.
    pub(super) changed: BTreeSet<String>,
}

/// A table of the plan, or a partitioned one, which has no rows of its own.
enum One<'a> {
    Planned(usize, &'a TablePlan),
    Partitioned(&'a Table),
}

impl Kept {
    /// Everything whose definition, and that of what it stands on, is the source's.
    pub(super) fn of(
        tables: &[TablePlan],
        catalog: &Catalog,
        schema: &str,
        not_moved: &mut Vec<NotMoved>,
    ) -> Self {
        let mut kept = Self::default();
        let own = |table: &TablePlan| {
            table.structure.native.is_some()
                && key(&table.source) == sql::table(&table.target, schema)
        };
        // A partitioned table without one of its partitions would show fewer rows.
        let torn: BTreeSet<&str> = tables
            .iter()
            .filter(|table| !own(table))
            .flat_map(|table| lines(&table.structure, PARENTS))
            .collect();
        let planned = tables
            .iter()
            .enumerate()
            .map(|(number, table)| (place(&table.structure).1, One::Planned(number, table)));
        let partitioned = catalog.tables.iter().filter(|table| table.rows_elsewhere);
        let partitioned = partitioned.map(|table| (place(table).1, One::Partitioned(table)));
        let mut all: Vec<(usize, One<'_>)> = planned.chain(partitioned).collect();
        all.sort_by_key(|(place, _)| *place);
        for (_, one) in all {
            match one {
                One::Planned(number, table) => {
                    let name = key(&table.source);
                    if own(table) && kept.stands(&table.structure) {
                        kept.verbatim.insert(number);
                        kept.names.insert(name, Some(number));
                    } else {
                        kept.changed.insert(name);
                    }
                }
                One::Partitioned(table) => {
                    let name = key(&table.name);
                    if !torn.contains(name.as_str()) && kept.stands(table) {
                        kept.names.insert(name, None);
                    } else {
                        not_moved.push(NotMoved {
                            kind: "partitioned table".to_string(),
                            name: table.name.to_string(),
                            reason: "one of its partitions does not move as it is".to_string(),
                        });
                        kept.changed.insert(name);
                    }
                }
            }
        }
        kept
    }

    /// Whether what a table inherits from, or is a partition of, is kept.
    fn stands(&self, table: &Table) -> bool {
        lines(table, INHERITS).all(|name| self.names.contains_key(name))
    }
}

/// How many programs of the catalog stand before a table, and its number among everything.
pub(super) fn place(table: &Table) -> (usize, usize) {
    let text = table.attributes.get(PLACE).map_or("0 0", String::as_str);
    let (before, number) = text.split_once(' ').unwrap_or((text, "0"));
    (before.parse().unwrap_or(0), number.parse().unwrap_or(0))
}

/// How many partitioned tables stand above each table.
pub(super) fn depths(catalog: &Catalog) -> HashMap<String, u32> {
    let depth = |table: &Table| u32::try_from(lines(table, PARENTS).count()).unwrap_or(u32::MAX);
    catalog.tables.iter().map(|table| (key(&table.name), depth(table))).collect()
}

fn lines<'a>(table: &'a Table, attribute: &str) -> impl Iterator<Item = &'a str> {
    table.attributes.get(attribute).into_iter().flat_map(|text| text.split('\n'))
}
