//! Names that the target would take for others, or that are too long for it: refused, or numbered
//! where the policy `duplicate-name` says so.

use std::collections::HashMap;

use longshore_model::catalog::{Catalog, Table};
use longshore_model::loss::{Action, LossKind, OnReject};
use longshore_model::names::{Case, Longest, Names};
use longshore_model::spec::{Move, Spec};
use longshore_model::{Code, Error, Result};

use super::rules::{Ends, new_name, renamed, rules_of};

/// What the target's names ask of a migration.
pub(crate) struct Naming {
    names: Names,
    numbers: bool,
}

/// The move with the names that it needs, and what was renamed, for people.
pub(crate) struct Settled {
    pub one: Move,
    pub notes: Vec<String>,
}

impl Naming {
    /// The target's names under the migration's policy.
    pub(crate) fn of(names: Names, spec: &Spec) -> Self {
        let action = spec.policies.action(LossKind::DuplicateName, OnReject::Fail);
        Self { names, numbers: action == Action::Rename }
    }

    /// Gives new names, as if the migration had asked for them. Names that the migration gives come
    /// first, then the others in their order.
    pub(crate) fn settle(
        &self,
        one: &Move,
        catalog: &Catalog,
        selected: &[&Table],
        ends: Ends,
    ) -> Result<Settled> {
        let mut settled = Settled { one: one.clone(), notes: Vec::new() };
        let mut known = HashMap::new();
        let given = |table: &Table| {
            catalog.called(&table.name).iter().any(|name| one.rename.contains_key(name))
        };
        let (given, others): (Vec<&Table>, Vec<&Table>) =
            selected.iter().copied().partition(|table| given(table));
        for (tables, is_given) in [(given, true), (others, false)] {
            for table in tables {
                let target = new_name(one, catalog, ends, &table.name);
                let space = target.namespace.clone().unwrap_or_default();
                let at = Place { what: "table", of: &space, case: self.names.table_case };
                let name = table.name.to_string();
                if let Some(new) =
                    self.settle_one(&at, &target.name, &name, is_given, &mut known)?
                {
                    settled.notes.push(format!("table {name} becomes {new}"));
                    settled.one.rename.insert(name, new);
                }
            }
        }
        for table in selected {
            self.settle_columns(one, catalog, table, &mut settled)?;
        }
        Ok(settled)
    }

    fn settle_columns(
        &self,
        one: &Move,
        catalog: &Catalog,
        table: &Table,
        settled: &mut Settled,
    ) -> Result<()> {
        let rules = rules_of(one, &catalog.called(&table.name));
        let name = table.name.to_string();
        let at = Place { what: "column", of: &name, case: self.names.column_case };
        let mut known = HashMap::new();
        let given = |column: &str| rules.iter().any(|rules| rules.rename.contains_key(column));
        let moves = table.columns.iter().filter(|column| super::rules::keeps(&rules, &column.name));
        let (first, second): (Vec<_>, Vec<_>) = moves.partition(|column| given(&column.name));
        for (columns, is_given) in [(first, true), (second, false)] {
            for column in columns {
                let target = renamed(&rules, &column.name);
                let new = self.settle_one(&at, &target, &column.name, is_given, &mut known)?;
                let Some(new) = new else { continue };
                settled.notes.push(format!("column {name}.{} becomes {new}", column.name));
                let rules = settled.one.columns.entry(name.clone()).or_default();
                rules.rename.insert(column.name.clone(), new);
            }
        }
        Ok(())
    }

    /// The new name that a thing needs; `None` when it keeps the one that it has.
    fn settle_one(
        &self,
        at: &Place<'_>,
        target: &str,
        source: &str,
        is_given: bool,
        known: &mut HashMap<(String, String), String>,
    ) -> Result<Option<String>> {
        let longest = self.names.longest;
        let place = |name: &str| (at.of.to_string(), at.case.fold(name));
        let is_long = longest.cut(target, 0) != target;
        let other = known.get(&place(target));
        if !is_long && other.is_none() {
            known.insert(place(target), source.to_string());
            return Ok(None);
        }
        if !self.numbers || is_given {
            return Err(at.refusal(target, source, other, longest));
        }
        let name = (2..).map(|number| {
            let suffix = format!("_{number}");
            format!("{}{suffix}", longest.cut(target, suffix.len()))
        });
        // What is only too long is cut, and numbered where that is another's name.
        let cut = std::iter::once(longest.cut(target, 0).to_string());
        let mut candidates = cut.chain(name);
        let new = candidates.find(|name| !known.contains_key(&place(name)));
        let new = new.expect("there are more numbers than names");
        known.insert(place(&new), source.to_string());
        Ok(Some(new))
    }
}

/// Where names must differ.
struct Place<'a> {
    what: &'static str,
    /// The namespace of a table, or the table of a column.
    of: &'a str,
    case: Case,
}

impl Place<'_> {
    fn refusal(
        &self,
        target: &str,
        source: &str,
        other: Option<&String>,
        longest: Longest,
    ) -> Error {
        let what = self.what;
        let error = match (other, longest) {
            (Some(other), _) => Error::new(
                Code::SpecInvalid,
                format!("two {what}s get the same name in the target"),
            )
            .with("one", other.clone())
            .with("other", source),
            (None, Longest::Bytes(most)) => {
                Error::new(Code::SpecInvalid, format!("a name is longer than {most} bytes"))
            }
            (None, Longest::Characters(most)) => {
                Error::new(Code::SpecInvalid, format!("a name is longer than {most} characters"))
            }
            (None, Longest::Unbounded) => {
                Error::new(Code::Internal, "a name without bound is too long")
            }
        };
        let error = if self.of.is_empty() { error } else { error.with("in", self.of) };
        error.with(what, target).hint(
            "Give one of them another name under `rename`, or set `policies: { duplicate-name: \
             rename }`, which puts a number behind it.",
        )
    }
}
