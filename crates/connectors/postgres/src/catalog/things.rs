//! Everything that is made in an order of its own: what has no rows, tables, and views.

use std::collections::{BTreeMap, HashMap, HashSet};

use longshore_dialect::{Refusal, read_views};
use longshore_model::Result;
use longshore_model::catalog::{Common, Program, Table, TableName};
use tokio_postgres::Row;

use super::order::{self, Id, Node};
use super::sequence::Sequence;
use super::{Got, INHERITS, PLACE, Reading, key, program, queries, told};
use crate::dialect::{self, SQL};
use crate::sql;

/// The number of the server's class of relations.
const RELATIONS: u32 = 1259;

/// Something without rows.
struct Thing {
    id: Id,
    kind: String,
    program: Program,
}

pub(super) struct View {
    pub(super) oid: u32,
    pub(super) name: TableName,
    materialized: bool,
    definition: String,
    populated: bool,
    options: Option<String>,
    settings: Vec<String>,
}

pub(super) fn view(row: &Row) -> Got<View> {
    Ok(View {
        oid: row.try_get(0)?,
        name: TableName { namespace: Some(row.try_get(1)?), name: row.try_get(2)? },
        materialized: row.try_get(3)?,
        definition: row.try_get(4)?,
        populated: row.try_get(5)?,
        options: row.try_get(6)?,
        settings: row.try_get(7)?,
    })
}

/// How a kind is named where others need it.
pub(crate) fn identity(program: &Program) -> String {
    let kind = program.kind.trim_start_matches("late ").trim_start_matches("early ");
    match kind.ends_with("view") {
        true => program.table.clone(),
        false => format!("{kind} {}", program.name),
    }
}

/// Views for other systems, by the names that programs have for them. A table with heirs shows their
/// rows too, which no table elsewhere does.
pub(super) fn common(views: &[View], tables: &BTreeMap<u32, Table>) -> HashMap<String, Common> {
    let lines = |table: &Table| {
        let parents = table.attributes.get(INHERITS).cloned().unwrap_or_default();
        parents.split('\n').map(str::to_string).collect::<Vec<_>>()
    };
    let above: HashSet<String> = tables.values().flat_map(lines).collect();
    let alone = tables.values().filter(|table| !above.contains(&key(&table.name)));
    let readable: Vec<longshore_dialect::View> = views.iter().map(View::readable).collect();
    let read = read_views(&SQL, alone.map(dialect::source).collect(), &readable);
    views.iter().map(|view| key(&view.name)).zip(read).collect()
}

fn thing(kind: &str, row: &Row) -> Got<Thing> {
    let kind = if row.len() > 4 { row.try_get(4)? } else { kind.to_string() };
    let name: String = row.try_get(2)?;
    let native: String = row.try_get(3)?;
    let program = program(&kind, &name, "", native);
    Ok(Thing { id: (row.try_get(0)?, row.try_get(1)?), kind, program })
}

/// Gives the definition of a table, without the defaults and checks that follow it.
type Make<'a> = dyn Fn(u32, &dyn Fn(u32) -> bool) -> Option<String> + Sync + 'a;

impl Reading<'_> {
    /// Everything without rows, in the order of its kinds.
    async fn things(&self, sequences: &[Sequence], views: &[View]) -> Result<Vec<Thing>> {
        let mut things = Vec::new();
        for (kind, query) in [
            ("schema", queries::SCHEMAS),
            ("extension", queries::EXTENSIONS),
            ("collation", queries::COLLATIONS),
            ("type", queries::TYPES),
            ("function", queries::FUNCTIONS),
            ("aggregate", queries::AGGREGATES),
            ("operator", queries::OPERATORS),
            ("cast", queries::CASTS),
            ("text search", queries::TEXT_SEARCH),
        ] {
            things.extend(self.rows(query, |row| thing(kind, row)).await?);
        }
        for one in things.iter_mut().filter(|one| one.kind == "schema") {
            one.program.native = sql::create_schema(&one.program.name);
        }
        things.extend(sequences.iter().filter(|one| !one.identity).map(|one| {
            let bound = one.table.and_then(|oid| self.names.get(&oid)).map(key);
            let bound = bound.unwrap_or_default();
            Thing {
                id: (RELATIONS, one.oid),
                kind: "sequence".to_string(),
                program: program("sequence", &one.name, &bound, one.create()),
            }
        }));
        things.extend(views.iter().map(|view| Thing {
            id: (RELATIONS, view.oid),
            kind: "view".to_string(),
            program: view.program(),
        }));
        Ok(things)
    }

    /// The programs of everything that is no table, in an order in which they can be made; tables
    /// get the place at which they stand between them. `make` gives the definition of a table without
    /// the defaults and checks that follow, whose numbers are returned.
    pub(super) async fn ordered(
        &self,
        sequences: &[Sequence],
        views: &[View],
        tables: &mut BTreeMap<u32, Table>,
        make: &Make<'_>,
    ) -> Result<(Vec<Program>, HashSet<u32>)> {
        let things = self.things(sequences, views).await?;
        // Catalogs that were never analysed look small, and thousands of tables would be compared
        // with each other one by one.
        self.client.batch_execute("SET LOCAL enable_nestloop = off").await.map_err(told)?;
        let edges = self.rows(queries::EDGES, order::edge).await?;
        self.client.batch_execute("SET LOCAL enable_nestloop = on").await.map_err(told)?;
        let mut by_name: Vec<(&TableName, u32)> =
            tables.iter().map(|(oid, table)| (&table.name, *oid)).collect();
        by_name.sort_unstable();
        let numbers: Vec<u32> = by_name.into_iter().map(|(_, oid)| oid).collect();
        let mut nodes: Vec<Node> = things.iter().map(Thing::node).collect();
        nodes.extend(numbers.iter().map(|oid| Node {
            id: (RELATIONS, *oid),
            rank: 11,
            table: true,
            view: false,
        }));
        let order = order::order(&nodes, &edges);
        let later = |part: u32| order.later.contains(&part);
        let names: Vec<String> = things
            .iter()
            .map(|one| identity(&one.program))
            .chain(numbers.iter().filter_map(|oid| self.names.get(oid)).map(key))
            .collect();
        let mut things: HashMap<usize, Thing> = things.into_iter().enumerate().collect();
        let first_table = nodes.len() - numbers.len();
        let mut programs = Vec::with_capacity(things.len());
        for (number, at) in order.early.iter().chain(&order.late).enumerate() {
            let Some(Thing { mut program, .. }) = things.remove(at) else {
                let oid = numbers[at - first_table];
                if let Some(table) = tables.get_mut(&oid) {
                    let place = format!("{} {number}", programs.len());
                    table.attributes.insert(PLACE.to_string(), place);
                    table.native = make(oid, &later);
                }
                continue;
            };
            let early = number < order.early.len();
            if early && nodes[*at].view {
                program.kind = format!("early {}", program.kind);
            } else if !early && !nodes[*at].view {
                program.kind = format!("late {}", program.kind);
            }
            let needed = order.needs[*at].iter().map(|need| names[*need].clone());
            program.needs = needed.filter(|name| !name.starts_with("extension ")).collect();
            programs.push(program);
        }
        Ok((programs, order.later))
    }
}

impl Thing {
    fn node(&self) -> Node {
        let rank = match self.kind.as_str() {
            "schema" => 0,
            "extension" => 1,
            "collation" => 2,
            "type" => 3,
            "cast" => 5,
            "function" | "procedure" => 4,
            "aggregate" => 6,
            "operator" => 7,
            "text search dictionary" => 8,
            "text search configuration" => 9,
            "sequence" => 10,
            _ => 12,
        };
        Node { id: self.id, rank, table: false, view: self.kind == "view" }
    }
}

impl View {
    /// What is read of it for other systems.
    fn readable(&self) -> longshore_dialect::View {
        let because = |reason: &str| Err(Refusal::Because(reason.to_string()));
        let text = match &self.options {
            _ if self.materialized => because("its rows are kept (a materialized view)"),
            Some(_) => because("it has options of its own"),
            None if !self.settings.is_empty() => because("its columns have defaults"),
            None => Ok(self.definition.clone()),
        };
        longshore_dialect::View { name: self.name.clone(), text }
    }

    fn program(&self) -> Program {
        let bound = key(&self.name);
        let options =
            self.options.as_ref().map(|text| format!(" WITH ({text})")).unwrap_or_default();
        let definition = self.definition.trim_end_matches(';');
        let (kind, mut native) = if self.materialized {
            let data = if self.populated { "" } else { "\n WITH NO DATA" };
            let sql = format!("CREATE MATERIALIZED VIEW {bound}{options} AS{definition}{data}");
            ("materialized view", sql)
        } else {
            ("view", format!("CREATE VIEW {bound}{options} AS{definition}"))
        };
        for words in &self.settings {
            let what = if self.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
            native += &format!(";\nALTER {what} {bound} {words}");
        }
        program(kind, &self.name.to_string(), &bound, native)
    }
}
