//! The rules of a migration, applied to the catalog of its source.

use std::collections::HashMap;

use longshore_model::catalog::{Catalog, Column, ForeignKey, NotMoved, Table, TableName};
use longshore_model::spec::{ColumnRules, Move};
use longshore_model::{Code, Error, LogicalType, Result, pattern};

use super::names::Naming;
use super::{ColumnDraft, left_out};

/// A table that moves, with the rules applied, before its values are studied.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The source's table.
    pub table: Table,
    /// The columns whose values move.
    pub columns: Vec<ColumnDraft>,
    /// The condition that rows must meet.
    pub filter: Option<String>,
    /// The table as the target will have it; types follow after the study.
    pub structure: Table,
    /// What the rules leave behind.
    pub not_moved: Vec<NotMoved>,
    /// What was known of the two ends.
    pub ends: Ends,
}

impl Draft {
    /// Whether values will be decoded on the way to a target that takes these wire formats.
    pub(crate) fn decodes(&self, wires: &[&str]) -> bool {
        wires.is_empty() || self.columns.iter().any(ColumnDraft::converts)
    }
}

/// What the rules must know of the two ends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// Whether the target takes the native definitions of the source's catalog.
    pub same_dialect: bool,
    /// Whether the target has a dialect of its own, and another one. Files keep what they are told.
    pub other_dialect: bool,
    /// Whether the target's names of tables have a namespace.
    pub namespaces: bool,
}

/// Whether a move names a table.
pub(crate) fn selects(one: &Move, catalog: &Catalog, table: &Table) -> bool {
    pattern::selects(&one.tables, &catalog.called(&table.name))
}

/// Selects tables and applies every rule. A rule that matches nothing is an error. Where source and
/// target speak the same dialect, generated columns are computed by the target; else their values
/// move.
pub(crate) fn apply(
    one: &Move,
    catalog: &Catalog,
    ends: Ends,
    naming: &Naming,
) -> Result<(Vec<Draft>, Vec<String>)> {
    check_patterns(one, catalog)?;
    let selected: Vec<&Table> =
        catalog.tables.iter().filter(|table| selects(one, catalog, table)).collect();
    let with_rows = || selected.iter().filter(|table| !table.rows_elsewhere);
    if with_rows().next().is_none() {
        let error = Error::new(Code::SpecNoMatch, "no table is selected")
            .with("source", one_source(catalog));
        return Err(if catalog.tables.is_empty() {
            error.hint("The source holds no tables: check its address.")
        } else {
            error
        });
    }
    // A partitioned table is one in a target of the same dialect only.
    let there = |table: &&&Table| ends.same_dialect || !table.rows_elsewhere;
    let made: Vec<&Table> = selected.iter().filter(there).copied().collect();
    let settled = naming.settle(one, catalog, &made, ends)?;
    let places = Places::of(made.iter());
    let drafts = with_rows()
        .map(|table| draft(&settled.one, table, &places, catalog, ends))
        .collect::<Result<_>>()?;
    Ok((drafts, settled.notes))
}

fn draft(
    one: &Move,
    table: &Table,
    selected: &Places<'_>,
    catalog: &Catalog,
    ends: Ends,
) -> Result<Draft> {
    let name = table.name.to_string();
    let called = catalog.called(&table.name);
    let rules = rules_of(one, &called);
    let mut columns = Vec::new();
    for column in &table.columns {
        if !keeps(&rules, &column.name) || (column.generated.is_some() && ends.same_dialect) {
            continue;
        }
        let mask = rules.iter().find_map(|rules| rules.mask.get(&column.name)).copied();
        if mask.is_some() && column.generated.is_some() {
            return Err(Error::new(Code::Unsupported, "a generated column cannot be masked")
                .with("table", name)
                .with("column", column.name.clone())
                .hint("Mask the columns that it is computed from, or drop it."));
        }
        columns.push(ColumnDraft {
            source: column.name.clone(),
            target: renamed(&rules, &column.name),
            cast: cast(one, &called, &column.name),
            mask,
        });
    }
    let names = Names { one, catalog, ends };
    let (structure, not_moved) = structure(&names, table, &rules, selected);
    if columns.is_empty() && !table.columns.is_empty() {
        return Err(Error::new(Code::SpecInvalid, "no column of a table is left")
            .with("table", name)
            .hint("Leave the table out under `tables` instead."));
    }
    let mut filters = one
        .filter
        .iter()
        .filter(|(wanted, _)| pattern::matches_any(wanted, &called))
        .map(|(_, sql)| sql);
    let filter = filters.next().cloned();
    if filters.next().is_some() {
        return Err(Error::new(Code::SpecInvalid, "two conditions are given for one table")
            .with("table", name));
    }
    Ok(Draft { table: table.clone(), columns, filter, structure, not_moved, ends })
}

/// The table as the target will have it, and what that leaves out.
fn structure(
    names: &Names<'_>,
    table: &Table,
    rules: &[&ColumnRules],
    selected: &Places<'_>,
) -> (Table, Vec<NotMoved>) {
    let name = table.name.to_string();
    let mut not_moved = Vec::new();
    let mut columns: Vec<Column> = table
        .columns
        .iter()
        .filter(|column| keeps(rules, &column.name))
        .map(|column| Column { name: renamed(rules, &column.name), ..column.clone() })
        .collect();
    let untouched = columns.len() == table.columns.len()
        && columns.iter().zip(&table.columns).all(|(new, old)| new.name == old.name);
    // What another dialect can compute is known when the types are.
    if !untouched && !names.ends.other_dialect {
        // Expressions name the source's columns, which are no longer all there.
        let reason = "its table was changed by a rule, so its expression cannot be kept";
        for column in columns.iter_mut().filter(|column| column.generated.is_some()) {
            column.generated = None;
            not_moved.push(left_out("generated column", format!("{name}.{}", column.name), reason));
        }
    }
    let kept = |names: &[String]| names.iter().all(|column| keeps(rules, column));
    let rename = |names: &[String]| -> Vec<String> {
        names.iter().map(|column| renamed(rules, column)).collect()
    };
    let primary_key = if kept(&table.primary_key) {
        rename(&table.primary_key)
    } else {
        not_moved.push(left_out("primary key", name.clone(), "one of its columns does not move"));
        Vec::new()
    };
    let mut indexes = Vec::new();
    for index in &table.indexes {
        let simple = index.parts.iter().all(|part| part.column.is_some());
        let names: Vec<String> =
            index.parts.iter().filter_map(|part| part.column.clone()).collect();
        if !kept(&names) || (!untouched && (!simple || index.condition.is_some())) {
            not_moved.push(left_out(
                "index",
                index.name.clone(),
                "a column it needs does not move as it is",
            ));
            continue;
        }
        let mut index = index.clone();
        for part in &mut index.parts {
            part.column = part.column.as_ref().map(|column| renamed(rules, column));
        }
        if !untouched {
            index.native = None;
        }
        indexes.push(index);
    }
    let mut foreign_keys = Vec::new();
    for key in &table.foreign_keys {
        let referenced = selected.find(&key.references);
        match referenced {
            Some(other) if kept(&key.columns) => {
                let there: Vec<&ColumnRules> =
                    rules_of(names.one, &names.catalog.called(&other.name));
                foreign_keys.push(ForeignKey {
                    columns: rename(&key.columns),
                    references: names.target(&other.name),
                    referenced: key.referenced.iter().map(|c| renamed(&there, c)).collect(),
                    ..key.clone()
                });
            }
            _ => not_moved.push(left_out(
                "foreign key",
                format!("{name} → {}", key.references),
                "the table or a column it needs does not move",
            )),
        }
    }
    // Conditions name the source's columns, which a file would no longer know.
    let mut checks = table.checks.clone();
    if !untouched && !names.ends.same_dialect && !names.ends.other_dialect {
        not_moved.extend(checks.drain(..).map(|check| {
            left_out("check", format!("{name}.{}", check.name), "its table was changed by a rule")
        }));
    }
    let all_keys = foreign_keys.len() == table.foreign_keys.len();
    let structure = Table {
        name: names.target(&table.name),
        columns,
        primary_key,
        indexes,
        foreign_keys,
        checks,
        native: table.native.clone().filter(|_| untouched && all_keys),
        rows_elsewhere: false,
        comment: table.comment.clone(),
        attributes: table.attributes.clone(),
    };
    (structure, not_moved)
}

pub(super) fn rules_of<'a>(one: &'a Move, called: &[String]) -> Vec<&'a ColumnRules> {
    one.columns
        .iter()
        .filter(|(wanted, _)| pattern::matches_any(wanted, called))
        .map(|(_, rules)| rules)
        .collect()
}

/// The selected tables by their names, which are not case-sensitive in the foreign keys of every
/// system.
struct Places<'a>(HashMap<String, Vec<&'a Table>>);

impl<'a> Places<'a> {
    fn of<'b>(tables: impl Iterator<Item = &'b &'a Table>) -> Self
    where
        'a: 'b,
    {
        let mut places: HashMap<String, Vec<&Table>> = HashMap::new();
        for table in tables {
            places.entry(table.name.name.to_ascii_lowercase()).or_default().push(table);
        }
        Self(places)
    }

    /// The table of a name; one that is written the same wins.
    fn find(&self, name: &TableName) -> Option<&'a Table> {
        let tables = self.0.get(&name.name.to_ascii_lowercase())?;
        let fits =
            |table: &&&Table| name.namespace.is_none() || table.name.namespace == name.namespace;
        let same = tables.iter().find(|table| fits(table) && table.name.name == name.name);
        same.or_else(|| tables.iter().find(fits)).copied()
    }
}

/// What decides the names of tables in the target.
struct Names<'a> {
    one: &'a Move,
    catalog: &'a Catalog,
    ends: Ends,
}

impl Names<'_> {
    fn target(&self, name: &TableName) -> TableName {
        new_name(self.one, self.catalog, self.ends, name)
    }
}

/// The name of a table in the target: as `rename` says, else the same. Where the target has no
/// namespaces, other namespaces than the source's default one become part of the name.
pub(super) fn new_name(one: &Move, catalog: &Catalog, ends: Ends, name: &TableName) -> TableName {
    let new = catalog.called(name).iter().find_map(|called| one.rename.get(called));
    let own = new.unwrap_or(&name.name);
    match &name.namespace {
        Some(namespace) if ends.namespaces => {
            TableName { namespace: Some(namespace.clone()), name: own.clone() }
        }
        Some(namespace)
            if new.is_none() && catalog.default_namespace.as_ref() != Some(namespace) =>
        {
            TableName::plain(format!("{namespace}.{own}"))
        }
        _ => TableName::plain(own.clone()),
    }
}

pub(super) fn keeps(rules: &[&ColumnRules], column: &str) -> bool {
    rules.iter().all(|rules| {
        (rules.keep.is_empty() || rules.keep.iter().any(|kept| kept == column))
            && !rules.drop.iter().any(|dropped| dropped == column)
    })
}

pub(super) fn renamed(rules: &[&ColumnRules], column: &str) -> String {
    let new = rules.iter().find_map(|rules| rules.rename.get(column));
    new.cloned().unwrap_or_else(|| column.to_string())
}

fn cast(one: &Move, table: &[String], column: &str) -> Option<LogicalType> {
    let names = columns_called(table, column);
    one.types
        .iter()
        .filter(|(wanted, _)| pattern::matches_any(wanted, &names))
        // An exact name wins over a pattern.
        .max_by_key(|(wanted, _)| names.contains(wanted))
        .map(|(_, logical)| logical.clone())
}

fn columns_called(table: &[String], column: &str) -> Vec<String> {
    table.iter().map(|table| format!("{table}.{column}")).collect()
}

/// Refuses rules that match nothing.
fn check_patterns(one: &Move, catalog: &Catalog) -> Result<()> {
    let names: Vec<String> =
        catalog.tables.iter().flat_map(|table| catalog.called(&table.name)).collect();
    let refuse = |what: &str, rule: &str| {
        Error::new(Code::SpecNoMatch, format!("a rule under `{what}` matches nothing"))
            .with("rule", rule)
    };
    let any_table = |wanted: &str| pattern::matches_any(wanted, &names);
    for wanted in &one.tables {
        let plain = wanted.strip_prefix('!').unwrap_or(wanted);
        if !any_table(plain) && !plain.contains(['*', '?']) {
            return Err(refuse("tables", wanted));
        }
    }
    for name in one.rename.keys() {
        if !names.contains(name) {
            return Err(refuse("rename", name));
        }
    }
    if let Some(wanted) = one.filter.keys().find(|wanted| !any_table(wanted)) {
        return Err(refuse("where", wanted));
    }
    for wanted in one.types.keys() {
        let hit = catalog.tables.iter().any(|table| {
            let called = catalog.called(&table.name);
            let named = |column: &Column| columns_called(&called, &column.name);
            table.columns.iter().any(|column| pattern::matches_any(wanted, &named(column)))
        });
        if !hit {
            return Err(refuse("types", wanted));
        }
    }
    for (wanted, rules) in &one.columns {
        if !any_table(wanted) {
            return Err(refuse("columns", wanted));
        }
        let named = rules
            .keep
            .iter()
            .chain(&rules.drop)
            .chain(rules.rename.keys())
            .chain(rules.mask.keys());
        for column in named {
            let hit = catalog.tables.iter().any(|table| {
                pattern::matches_any(wanted, &catalog.called(&table.name))
                    && table.column(column).is_some()
            });
            if !hit {
                return Err(refuse("columns", &format!("{wanted}: {column}")));
            }
        }
    }
    Ok(())
}

fn one_source(catalog: &Catalog) -> String {
    format!("{} tables", catalog.tables.len())
}
