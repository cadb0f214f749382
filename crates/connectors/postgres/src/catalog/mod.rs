//! What a database holds: tables with their definitions, and everything that stands beside them.

mod queries;
mod table;
mod things;

use std::collections::{BTreeMap, HashMap};

use longshore_model::catalog::{Catalog, NotMoved, Program, Table, TableName};
use longshore_model::{Error, Result};
use tokio_postgres::{Client, Row};

use crate::DIALECT;
use crate::failure::failure;
use crate::sql;
use crate::types::NativeType;
use table::{Column, Constraint, Facts, Index, Sequence};

/// The attribute of a table that must be made after those it inherits from: how many stand above it.
pub(crate) const DEPTH: &str = "depth";
/// Sequences that are asked at a time.
const SEQUENCES: usize = 500;
/// The attribute of a table that holds the rows of a partitioned one: its topmost parents.
pub(crate) const PARENTS: &str = "parents";

/// Reads the structure of a database.
pub(crate) async fn read(client: &Client) -> Result<Catalog> {
    let mut reading = Reading { client, names: HashMap::new() };
    let facts = reading.tables().await?;
    let mut columns = reading.grouped(queries::COLUMNS, table::column).await?;
    let mut constraints = reading.grouped(queries::CONSTRAINTS, table::constraint).await?;
    let views = reading.rows(queries::VIEWS, view).await?;
    for view in &views {
        reading.names.insert(view.oid, view.name.clone());
    }
    let indexes = reading.rows(queries::INDEXES, table::index).await?;
    let sequences = reading.sequences().await?;

    let mut programs = reading.things().await?;
    programs.extend(sequences.iter().filter(|sequence| !sequence.identity).map(|sequence| {
        let table = sequence.table.and_then(|oid| reading.names.get(&oid));
        let bound = table.map(key).unwrap_or_default();
        program("sequence".into(), sequence.name.clone(), bound, sequence.create())
    }));
    let depths = depths(&facts);
    let mut tables = Vec::with_capacity(facts.len());
    for one in &facts {
        let columns = columns.remove(&one.oid).unwrap_or_default();
        let constraints = constraints.remove(&one.oid).unwrap_or_default();
        let parts = Parts {
            facts: one,
            columns: &columns,
            constraints: &constraints,
            indexes: indexes.iter().filter(|index| index.table == one.oid).collect(),
            sequences: &sequences,
        };
        let mut made = reading.table(&parts);
        made.attributes
            .insert(DEPTH.into(), depths.get(&one.oid).copied().unwrap_or(0).to_string());
        let parents: Vec<String> = reading.above(one, &facts);
        if !parents.is_empty() {
            made.attributes.insert(PARENTS.into(), parents.join("\n"));
        }
        programs.extend(reading.constraints(&parts));
        tables.push(made);
    }
    programs.extend(reading.indexes(&indexes));
    for sequence in &sequences {
        let table = sequence.table.and_then(|oid| reading.names.get(&oid));
        let bound = table.map(key).unwrap_or_default();
        programs.extend(sequence.finish(table, &bound));
    }
    programs.extend(reading.views(views));
    programs.extend(
        reading
            .rows(queries::HANGING, |row| {
                let (oid, name): (u32, String) = (row.try_get(0)?, row.try_get(2)?);
                Ok((oid, row.try_get::<_, String>(1)?, name, row.try_get::<_, String>(3)?))
            })
            .await?
            .into_iter()
            .filter_map(|(oid, kind, name, native)| {
                Some(program(kind, name, key(reading.names.get(&oid)?), native))
            }),
    );
    programs.extend(
        reading
            .rows(queries::COMMENTS, |row| {
                Ok((row.try_get::<_, Option<u32>>(0)?, row.try_get::<_, String>(1)?))
            })
            .await?
            .into_iter()
            .filter_map(|(oid, native)| {
                let bound =
                    oid.map_or(Some(String::new()), |oid| reading.names.get(&oid).map(key))?;
                Some(program("comment".into(), bound.clone(), bound, native))
            }),
    );
    let not_moved = reading
        .rows(queries::LEFT, |row| {
            Ok(NotMoved { kind: row.try_get(0)?, name: row.try_get(1)?, reason: row.try_get(2)? })
        })
        .await?;
    Ok(Catalog {
        dialect: DIALECT.into(),
        default_namespace: Some("public".into()),
        tables,
        programs,
        not_moved,
    })
}

/// The columns of a table, given in SQL, with their types.
pub(crate) async fn columns_of(client: &Client, table: &str) -> Result<Vec<(String, NativeType)>> {
    let told = |error| failure("read a table's columns", error).with("table", table);
    let rows = client.query(queries::COLUMNS_OF, &[&table]).await.map_err(told)?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, table::native(row, 1)?)))
        .collect::<Result<_, _>>()
        .map_err(told)
}

/// A table's name where programs refer to it.
pub(crate) fn key(name: &TableName) -> String {
    sql::table(name, "public")
}

struct Reading<'a> {
    client: &'a Client,
    /// The relations that programs may belong to.
    names: HashMap<u32, TableName>,
}

/// A table with what belongs to it.
struct Parts<'a> {
    facts: &'a Facts,
    columns: &'a [Column],
    constraints: &'a [Constraint],
    indexes: Vec<&'a Index>,
    sequences: &'a [Sequence],
}

struct View {
    oid: u32,
    name: TableName,
    materialized: bool,
    definition: String,
    populated: bool,
    options: Option<String>,
    needs: Vec<u32>,
}

type Got<T> = std::result::Result<T, tokio_postgres::Error>;

fn told(error: tokio_postgres::Error) -> Error {
    failure("read the catalog", error)
}

impl Reading<'_> {
    async fn rows<T>(&self, query: &str, of: impl Fn(&Row) -> Got<T>) -> Result<Vec<T>> {
        let rows = self.client.query(query, &[]).await.map_err(told)?;
        rows.iter().map(of).collect::<Got<_>>().map_err(told)
    }

    async fn grouped<T>(
        &self,
        query: &str,
        of: impl Fn(&Row) -> Got<T>,
    ) -> Result<HashMap<u32, Vec<T>>> {
        let rows = self.rows(query, |row| Ok((row.try_get::<_, u32>(0)?, of(row)?))).await?;
        let mut groups: HashMap<u32, Vec<T>> = HashMap::new();
        for (oid, one) in rows {
            groups.entry(oid).or_default().push(one);
        }
        Ok(groups)
    }

    async fn tables(&mut self) -> Result<Vec<Facts>> {
        let facts = self.rows(queries::TABLES, table::facts).await?;
        self.names.extend(facts.iter().map(|one| (one.oid, one.name.clone())));
        Ok(facts)
    }

    /// Sequences. Those that gave no number yet may still begin with another than they were made
    /// with, which only they themselves say.
    async fn sequences(&self) -> Result<Vec<Sequence>> {
        let mut sequences = self.rows(queries::SEQUENCES, table::sequence).await?;
        let mut fresh: Vec<&mut Sequence> =
            sequences.iter_mut().filter(|one| one.readable && one.next.is_none()).collect();
        for some in fresh.chunks_mut(SEQUENCES) {
            let selects: Vec<String> = some
                .iter()
                .enumerate()
                .map(|(at, one)| format!("SELECT {at}, last_value, is_called FROM {}", one.name))
                .collect();
            let query = selects.join(" UNION ALL ");
            let next =
                |row: &Row| Ok((row.try_get::<_, i32>(0)?, row.try_get(1)?, row.try_get(2)?));
            for (at, last, called) in self.rows(&query, next).await? {
                if let Some(one) = usize::try_from(at).ok().and_then(|at| some.get_mut(at)) {
                    one.next = Some((last, called));
                }
            }
        }
        Ok(sequences)
    }

    /// What is neither a relation nor hangs on one, in the order in which it was made.
    async fn things(&self) -> Result<Vec<Program>> {
        let mut things = Vec::new();
        for query in [
            queries::NEEDED,
            things::TEXT_SEARCH,
            things::AGGREGATES,
            things::OPERATORS,
            things::CASTS,
        ] {
            let rows = self.rows(query, |row| {
                let (name, native) = (row.try_get::<_, String>(1)?, row.try_get(2)?);
                let made: i64 = row.try_get(3)?;
                Ok((made, program(row.try_get(0)?, name, String::new(), native)))
            });
            things.extend(rows.await?);
        }
        things.sort_by_key(|(made, _)| *made);
        Ok(things.into_iter().map(|(_, program)| program).collect())
    }

    /// The table with its own definition.
    fn table(&self, parts: &Parts<'_>) -> Table {
        let Parts { facts, columns, constraints, indexes, sequences } = parts;
        let parents: Vec<String> =
            facts.parents.iter().filter_map(|oid| self.names.get(oid)).map(key).collect();
        let names_of = |kind: &'static str| constraints.iter().filter(move |one| one.kind == kind);
        Table {
            name: facts.name.clone(),
            columns: columns.iter().map(Column::model).collect(),
            primary_key: names_of("p").next().map(|one| one.columns.clone()).unwrap_or_default(),
            indexes: indexes.iter().filter_map(|index| index.model(constraints)).collect(),
            foreign_keys: names_of("f")
                .filter(|one| one.own)
                .filter_map(|one| one.foreign_key(self.names.get(&one.references?)?))
                .collect(),
            rows_elsewhere: facts.partitioned,
            native: Some(facts.create(columns, constraints, sequences, &parents)),
            attributes: BTreeMap::new(),
        }
    }

    /// Keys and foreign keys, which follow the load.
    fn constraints(&self, parts: &Parts<'_>) -> Vec<Program> {
        let bound = key(&parts.facts.name);
        let mut programs = Vec::new();
        for one in parts.constraints {
            let (kind, only) = match one.kind.as_str() {
                "p" | "u" | "x" => ("key", "ONLY "),
                "f" if one.own => {
                    ("foreign key", if parts.facts.partitioned { "" } else { "ONLY " })
                }
                "c" | "n" if one.is_late() && one.local => ("check", ""),
                _ => continue,
            };
            let native = format!(
                "ALTER TABLE {only}{bound} ADD CONSTRAINT {} {}",
                sql::quote(&one.name),
                one.definition
            );
            let mut made = program(kind.into(), one.name.clone(), bound.clone(), native);
            if kind == "foreign key" {
                made.needs = one
                    .references
                    .and_then(|oid| self.names.get(&oid))
                    .map(key)
                    .into_iter()
                    .collect();
            }
            programs.push(made);
        }
        programs
    }

    fn indexes(&self, indexes: &[Index]) -> Vec<Program> {
        let mut programs = Vec::new();
        for index in indexes {
            let Some(table) = self.names.get(&index.table) else { continue };
            let bound = key(table);
            let one = |kind: &str, native| {
                program(kind.into(), index.name.clone(), bound.clone(), native)
            };
            if !index.constraint {
                let kind = if index.valid { "index" } else { "invalid index" };
                programs.push(one(kind, index.definition.clone()));
            }
            let parent = index.parent.and_then(|oid| indexes.iter().find(|other| other.oid == oid));
            if let Some(parent) = parent {
                let sql = format!(
                    "ALTER INDEX {} ATTACH PARTITION {}",
                    parent.qualified, index.qualified
                );
                programs.push(one("index of a partition", sql));
            }
            let mark =
                |words: &str| format!("ALTER TABLE {bound} {words} {}", sql::quote(&index.name));
            if index.clustered {
                programs.push(one("mark", mark("CLUSTER ON")));
            }
            if index.identifies {
                programs.push(one("mark", mark("REPLICA IDENTITY USING INDEX")));
            }
        }
        programs
    }

    /// Views in an order in which they can be made.
    fn views(&self, views: Vec<View>) -> Vec<Program> {
        let mut waiting: Vec<View> = views;
        let mut programs = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let pending: Vec<u32> = waiting.iter().map(|view| view.oid).collect();
            let (ready, rest): (Vec<View>, Vec<View>) = waiting
                .into_iter()
                .partition(|view| !view.needs.iter().any(|oid| pending.contains(oid)));
            // Views that need each other do not exist; were it so, the server would say it.
            let (ready, rest) = if ready.is_empty() { (rest, ready) } else { (ready, rest) };
            programs.extend(ready.iter().map(|view| self.view(view)));
            waiting = rest;
        }
        programs
    }

    fn view(&self, view: &View) -> Program {
        let bound = key(&view.name);
        let options =
            view.options.as_ref().map(|text| format!(" WITH ({text})")).unwrap_or_default();
        let definition = view.definition.trim_end_matches(';');
        let (kind, native) = if view.materialized {
            let data = if view.populated { "" } else { "\n WITH NO DATA" };
            (
                "materialized view",
                format!("CREATE MATERIALIZED VIEW {bound}{options} AS{definition}{data}"),
            )
        } else {
            ("view", format!("CREATE VIEW {bound}{options} AS{definition}"))
        };
        let mut made = program(kind.into(), view.name.to_string(), bound, native);
        made.needs = view.needs.iter().filter_map(|oid| self.names.get(oid)).map(key).collect();
        made
    }

    /// The partitioned tables above a table.
    fn above(&self, one: &Facts, facts: &[Facts]) -> Vec<String> {
        let mut found = Vec::new();
        let mut oids = one.parents.clone();
        while let Some(oid) = oids.pop() {
            let Some(parent) = facts.iter().find(|other| other.oid == oid) else { continue };
            if parent.partitioned {
                found.push(key(&parent.name));
            }
            oids.extend(&parent.parents);
        }
        found
    }
}

/// How many tables stand above each.
fn depths(facts: &[Facts]) -> HashMap<u32, usize> {
    let mut depths: HashMap<u32, usize> = HashMap::new();
    let mut changed = true;
    while changed {
        changed = false;
        for one in facts {
            let above = one.parents.iter().filter_map(|oid| depths.get(oid)).max();
            let depth = if one.parents.is_empty() { 0 } else { above.map_or(1, |depth| depth + 1) };
            changed |= depths.insert(one.oid, depth) != Some(depth);
        }
    }
    depths
}

fn view(row: &Row) -> Got<View> {
    Ok(View {
        oid: row.try_get(0)?,
        name: TableName { namespace: Some(row.try_get(1)?), name: row.try_get(2)? },
        materialized: row.try_get(3)?,
        definition: row.try_get(4)?,
        populated: row.try_get(5)?,
        options: row.try_get(6)?,
        needs: row.try_get(7)?,
    })
}

/// `table` is what it belongs to, and empty for a thing that stands alone.
fn program(kind: String, name: String, table: String, native: String) -> Program {
    let described = match kind.as_str() {
        "index" | "index of a partition" | "foreign key" | "mark" => true,
        "owner of a sequence" => true,
        "sequence" | "sequence value" => !table.is_empty(),
        "key" => !native.contains(" EXCLUDE "),
        _ => false,
    };
    Program { kind, name, table, native, needs: Vec::new(), described }
}
