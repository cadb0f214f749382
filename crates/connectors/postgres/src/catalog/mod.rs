//! What a database holds: tables with their definitions, and everything that stands beside them.

mod column;
mod constraint;
mod index;
mod order;
mod queries;
mod sequence;
mod table;
mod things;

use std::collections::{BTreeMap, HashMap, HashSet};

use longshore_dialect::read_generated;
use longshore_model::catalog::{Catalog, NotMoved, Program, Table, TableName};
use longshore_model::{Error, Result};
use tokio_postgres::{Client, Row};

use crate::dialect::SQL;
use crate::failure::failure;
use crate::types::NativeType;
use crate::{DIALECT, dialect, session, sql};
use column::{Column, NotNull};
use constraint::Constraint;
use index::Index;
use sequence::Sequence;
use table::{Facts, Parts};

pub(crate) use things::identity;

/// The attribute of a table that says when it is made: how many of the catalog's programs stand
/// before it, and its number among everything.
pub(crate) const PLACE: &str = "place";
/// The attribute of a table that names the partitioned tables above it, the nearest first.
pub(crate) const PARENTS: &str = "parents";
/// The attribute of a table that names the tables that it inherits from or is a partition of.
pub(crate) const INHERITS: &str = "inherits";

/// Reads the structure of a database.
pub(crate) async fn read(client: &Client) -> Result<Catalog> {
    let version = session::version(client).await?;
    let mut reading = Reading { client, version, names: HashMap::new() };
    let facts = reading.rows(queries::TABLES, table::facts).await?;
    reading.names.extend(facts.iter().map(|one| (one.oid, one.name.clone())));
    let views = reading.rows(queries::VIEWS, things::view).await?;
    reading.names.extend(views.iter().map(|one| (one.oid, one.name.clone())));
    let all = All::read(&reading, facts).await?;
    let mut tables = all.tables(&reading);
    let identities = all.identities();
    let make =
        |oid: u32, later: &dyn Fn(u32) -> bool| all.native(&reading, &identities, oid, later);
    let (mut programs, later) = reading.ordered(&all.sequences, &views, &mut tables, &make).await?;
    programs.extend(all.constraints(&reading, &later));
    programs.extend(all.indexes(&reading));
    for sequence in &all.sequences {
        let table = sequence.table.and_then(|oid| reading.names.get(&oid));
        programs.extend(sequence.finish(&table.map(key).unwrap_or_default()));
    }
    programs.extend(reading.hanging().await?);
    let not_moved = |row: &Row| {
        Ok(NotMoved { kind: row.try_get(0)?, name: row.try_get(1)?, reason: row.try_get(2)? })
    };
    let not_moved = reading.rows(queries::LEFT, not_moved).await?;
    let mut common = things::common(&views, &tables);
    for program in programs.iter_mut().filter(|program| program.kind.ends_with("view")) {
        program.common = common.remove(&program.table);
    }
    let mut tables: Vec<Table> = tables.into_values().collect();
    tables.sort_by(|a, b| a.name.cmp(&b.name));
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
    let told = |error: Error| error.with("table", table);
    let all = columns_of_all(client, &[table.to_string()]).await.map_err(told)?;
    Ok(all.into_values().next().unwrap_or_default())
}

/// The columns of tables, given in SQL, with their types, by the tables' numbers.
pub(crate) async fn columns_of_all(
    client: &Client,
    tables: &[String],
) -> Result<HashMap<u32, Vec<(String, NativeType)>>> {
    let told = |error| failure("read the columns of tables", error);
    let rows = client.query(queries::COLUMNS_OF, &[&tables]).await.map_err(told)?;
    let mut columns: HashMap<u32, Vec<(String, NativeType)>> = HashMap::new();
    for row in rows {
        let of = |row: &Row| Ok((row.try_get(6)?, row.try_get(0)?, column::native(row, 1)?));
        let (table, name, native) = of(&row).map_err(told)?;
        columns.entry(table).or_default().push((name, native));
    }
    Ok(columns)
}

/// A table's name where programs refer to it.
pub(crate) fn key(name: &TableName) -> String {
    sql::table(name, "public")
}

struct Reading<'a> {
    client: &'a Client,
    version: u32,
    /// The relations that programs may belong to.
    names: HashMap<u32, TableName>,
}

/// The tables with what belongs to them.
struct All {
    facts: HashMap<u32, Facts>,
    columns: HashMap<u32, Vec<Column>>,
    constraints: HashMap<u32, Vec<Constraint>>,
    not_nulls: HashMap<u32, Vec<NotNull>>,
    indexes: Vec<Index>,
    sequences: Vec<Sequence>,
}

type Got<T> = std::result::Result<T, tokio_postgres::Error>;

fn told(error: tokio_postgres::Error) -> Error {
    failure("read the catalog", error)
}

impl Reading<'_> {
    async fn rows<T>(&self, query: &str, of: impl Fn(&Row) -> Got<T>) -> Result<Vec<T>> {
        let query = queries::for_version(query, self.version);
        let rows = self.client.query(&query, &[]).await.map_err(told)?;
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

    /// Triggers, rules, policies and comments.
    async fn hanging(&self) -> Result<Vec<Program>> {
        let named = |oid: Option<u32>| match oid {
            None => Some(String::new()),
            Some(oid) => self.names.get(&oid).map(key),
        };
        let checks = self
            .rows(queries::DOMAIN_CHECKS, |row| {
                let (name, native): (String, String) = (row.try_get(2)?, row.try_get(3)?);
                Ok(Some(program("check", &name, "", native)))
            })
            .await?;
        let hanging = self
            .rows(queries::HANGING, |row| {
                let Some(bound) = named(Some(row.try_get(0)?)) else { return Ok(None) };
                let (kind, name): (String, String) = (row.try_get(1)?, row.try_get(2)?);
                Ok(Some(program(&kind, &name, &bound, row.try_get(3)?)))
            })
            .await?;
        let comments = self
            .rows(queries::COMMENTS, |row| {
                let Some(bound) = named(row.try_get(0)?) else { return Ok(None) };
                let one = program("comment", &bound, &bound, row.try_get(1)?);
                Ok(Some(Program { described: row.try_get(2)?, ..one }))
            })
            .await?;
        Ok(checks.into_iter().chain(hanging).chain(comments).flatten().collect())
    }
}

impl All {
    async fn read(reading: &Reading<'_>, facts: Vec<Facts>) -> Result<Self> {
        let mut sequences = reading.rows(queries::SEQUENCES, sequence::sequence).await?;
        sequence::places(reading.client, reading.version, &mut sequences).await?;
        Ok(Self {
            facts: facts.into_iter().map(|one| (one.oid, one)).collect(),
            columns: reading.grouped(queries::COLUMNS, column::column).await?,
            constraints: reading.grouped(queries::CONSTRAINTS, constraint::constraint).await?,
            not_nulls: match reading.version >= 180_000 {
                true => reading.grouped(queries::NOT_NULLS, column::not_null).await?,
                false => HashMap::new(),
            },
            indexes: reading.rows(queries::INDEXES, index::index).await?,
            sequences,
        })
    }

    fn identities(&self) -> HashMap<(u32, &str), &Sequence> {
        let owned = self.sequences.iter().filter(|one| one.identity);
        owned.filter_map(|one| Some(((one.table?, one.column.as_deref()?), one))).collect()
    }

    /// The tables, without their own definitions.
    fn tables(&self, reading: &Reading<'_>) -> BTreeMap<u32, Table> {
        let mut indexes: HashMap<u32, Vec<&Index>> = HashMap::new();
        for index in &self.indexes {
            indexes.entry(index.table).or_default().push(index);
        }
        let of = |facts: &Facts| self.table(reading, facts, indexes.get(&facts.oid));
        self.facts.iter().map(|(oid, facts)| (*oid, of(facts))).collect()
    }

    fn table(&self, reading: &Reading<'_>, facts: &Facts, indexes: Option<&Vec<&Index>>) -> Table {
        let constraints = of(&self.constraints, facts.oid);
        let not_nulls = of(&self.not_nulls, facts.oid);
        let not_null = |column: &Column| not_nulls.iter().find(|one| one.column == column.name);
        let kind = |kind: &'static str| constraints.iter().filter(move |one| one.kind == kind);
        let lines = |names: Vec<String>| Some(names.join("\n")).filter(|text| !text.is_empty());
        let attributes = [
            (PARENTS, lines(self.above(reading, facts))),
            (INHERITS, lines(self.parents(reading, facts))),
        ];
        let attributes =
            attributes.into_iter().filter_map(|(name, text)| Some((name.into(), text?)));
        let mut table = Table {
            name: facts.name.clone(),
            columns: of(&self.columns, facts.oid)
                .iter()
                .map(|column| column.model(not_null(column)))
                .collect(),
            primary_key: kind("p").next().map(|one| one.columns.clone()).unwrap_or_default(),
            indexes: Vec::new(),
            foreign_keys: kind("f")
                .filter(|one| one.own)
                .filter_map(|one| Some(one.foreign_key(reading.names.get(&one.references?)?)))
                .collect(),
            checks: Vec::new(),
            rows_elsewhere: facts.partitioned,
            comment: facts.comment.clone(),
            native: None,
            attributes: attributes.collect(),
        };
        let relation = dialect::source(&table);
        read_generated(&SQL, &relation, &mut table.columns);
        let indexes = indexes.into_iter().flatten();
        table.indexes = indexes.filter_map(|one| one.model(constraints, &relation)).collect();
        table.checks = kind("c").map(|one| one.check(&relation)).collect();
        table
    }

    fn parents(&self, reading: &Reading<'_>, facts: &Facts) -> Vec<String> {
        facts.parents.iter().filter_map(|oid| reading.names.get(oid)).map(key).collect()
    }

    /// The partitioned tables above a table, the nearest first.
    fn above(&self, reading: &Reading<'_>, facts: &Facts) -> Vec<String> {
        let mut found = Vec::new();
        let mut next = facts.partition().then(|| facts.parents.first()).flatten();
        while let Some(parent) = next.and_then(|oid| self.facts.get(oid)) {
            found.extend(reading.names.get(&parent.oid).map(key));
            next = parent.partition().then(|| parent.parents.first()).flatten();
        }
        found
    }

    /// The definition of a table; defaults and checks for which `later` holds are left out.
    fn native(
        &self,
        reading: &Reading<'_>,
        identities: &HashMap<(u32, &str), &Sequence>,
        oid: u32,
        later: &dyn Fn(u32) -> bool,
    ) -> Option<String> {
        let facts = self.facts.get(&oid)?;
        let required_above = |name: &str| {
            let parents = facts.parents.iter().flat_map(|oid| of(&self.columns, *oid));
            parents.into_iter().any(|column| column.name == name && column.required)
        };
        let parts = Parts {
            facts,
            columns: of(&self.columns, oid),
            constraints: of(&self.constraints, oid),
            not_nulls: of(&self.not_nulls, oid),
            required_above: &required_above,
            identities,
            parents: self.parents(reading, facts),
            later,
        };
        Some(parts.create())
    }

    /// Keys, foreign keys, and what else follows the load.
    fn constraints(&self, reading: &Reading<'_>, later: &HashSet<u32>) -> Vec<Program> {
        let mut programs = Vec::new();
        for (facts, one) in self
            .by_name()
            .flat_map(|facts| of(&self.constraints, facts.oid).iter().map(move |one| (facts, one)))
        {
            let bound = key(&facts.name);
            let (kind, only) = match one.kind.as_str() {
                "p" | "u" | "x" => ("key", "ONLY "),
                "f" if one.own => ("foreign key", if facts.partitioned { "" } else { "ONLY " }),
                "c" if one.local && (!one.valid || later.contains(&one.oid)) => ("check", ""),
                _ => continue,
            };
            let add = format!("ALTER TABLE {only}{bound} ADD CONSTRAINT {}", sql::quote(&one.name));
            // Over an index, a primary key makes the NOT NULL that an heir has from above its own.
            let heir = one.kind == "p" && !facts.parents.is_empty();
            if kind == "key"
                && !facts.partitioned
                && !heir
                && let Some(made) = self.key_over_index(facts.oid, one, &bound, &add)
            {
                programs.extend(made);
                continue;
            }
            let mut made = program(kind, &one.name, &bound, format!("{add} {}", one.definition));
            // Other systems have the checks of tables from their descriptions.
            made.described |= kind == "check";
            if kind == "foreign key" {
                let references = one.references.and_then(|oid| reading.names.get(&oid));
                made.needs = references.map(key).into_iter().collect();
                let whole = |oid| self.facts.get(&oid).is_some_and(|other| !other.partitioned);
                if !facts.partitioned && one.valid_later() && one.references.is_some_and(whole) {
                    made.native += " NOT VALID";
                    let name = sql::quote(&one.name);
                    let native = format!("ALTER TABLE ONLY {bound} VALIDATE CONSTRAINT {name}");
                    let check = program("check of a foreign key", &one.name, &bound, native);
                    programs.push(Program { needs: made.needs.clone(), ..check });
                }
            }
            programs.push(made);
        }
        for facts in self.by_name() {
            let bound = key(&facts.name);
            for one in of(&self.not_nulls, facts.oid) {
                let native = one.late(&bound);
                programs.extend(native.map(|sql| program("check", &one.column, &bound, sql)));
            }
            let defaults = of(&self.columns, facts.oid).iter().filter(|column| {
                column.default_number.is_some_and(|number| later.contains(&number))
            });
            programs.extend(defaults.filter_map(|column| {
                let (name, default) = (sql::quote(&column.name), column.default.as_ref()?);
                let sql =
                    format!("ALTER TABLE ONLY {bound} ALTER COLUMN {name} SET DEFAULT {default}");
                Some(program("default", &column.name, &bound, sql))
            }));
        }
        programs
    }

    /// A key in two parts: its index, which is built beside others of the table, and then the key over
    /// it, which locks the table for a moment only. `None` where the server does not take that.
    fn key_over_index(
        &self,
        oid: u32,
        one: &Constraint,
        bound: &str,
        add: &str,
    ) -> Option<[Program; 2]> {
        let over = one.over_index()?;
        let indexes = self.indexes.iter().filter(|index| index.table == oid && index.constraint);
        let index = indexes.into_iter().find(|index| index.name == one.name && index.valid)?;
        let kind = if one.kind == "p" { PRIMARY_KEY_INDEX } else { UNIQUE_KEY_INDEX };
        Some([
            program(kind, &one.name, bound, index.create()),
            program("key", &one.name, bound, format!("{add} {over}")),
        ])
    }

    fn by_name(&self) -> impl Iterator<Item = &Facts> {
        let mut facts: Vec<&Facts> = self.facts.values().collect();
        facts.sort_by(|a, b| a.name.cmp(&b.name));
        facts.into_iter()
    }

    fn indexes(&self, reading: &Reading<'_>) -> Vec<Program> {
        let qualified: HashMap<u32, &str> =
            self.indexes.iter().map(|index| (index.oid, index.qualified.as_str())).collect();
        let mut programs = Vec::new();
        for index in &self.indexes {
            let Some(table) = reading.names.get(&index.table) else { continue };
            let bound = key(table);
            let one = |kind: &str, native| program(kind, &index.name, &bound, native);
            if !index.constraint {
                let kind = if index.valid { "index" } else { "invalid index" };
                programs.push(one(kind, index.create()));
            }
            if let Some(parent) = index.parent.and_then(|oid| qualified.get(&oid)) {
                let sql = format!("ALTER INDEX {parent} ATTACH PARTITION {}", index.qualified);
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
}

/// What belongs to a table.
fn of<T>(all: &HashMap<u32, Vec<T>>, oid: u32) -> &[T] {
    all.get(&oid).map(Vec::as_slice).unwrap_or_default()
}

/// The kinds of indexes that keys are made over.
pub(crate) const PRIMARY_KEY_INDEX: &str = "index of a primary key";
pub(crate) const UNIQUE_KEY_INDEX: &str = "index of a unique key";

fn program(kind: &str, name: &str, table: &str, native: String) -> Program {
    let (kind, name, table) = (kind.to_string(), name.to_string(), table.to_string());
    let described = match kind.as_str() {
        "index" | "index of a partition" | "foreign key" | "check of a foreign key" | "mark" => {
            true
        }
        PRIMARY_KEY_INDEX | UNIQUE_KEY_INDEX => true,
        "owner of a sequence" => true,
        "sequence" | "sequence value" => !table.is_empty(),
        "key" => !native.contains(" EXCLUDE "),
        _ => false,
    };
    Program { kind, name, table, native, common: None, needs: Vec::new(), described }
}
