//! Queries: what every clause can see, and what comes out.

use super::{Found, Seen, Settler, missing};
use crate::dialect::Dialect;
use crate::kind::{Kind, comparable, either};
use crate::query::{Body, From, Item, Join, On, Order, Select};
use crate::relation::{Column, Relation};
use crate::term::{Comparison, Term};
use crate::{Result, refuse};

/// Settles the query of a view and gives its columns.
pub(crate) fn body(
    dialect: &Dialect,
    reading: bool,
    known: &[Relation],
    body: &mut Body,
) -> Result<Vec<Column>> {
    let mut outputs: Option<Vec<Column>> = None;
    let unites = !body.keeps.iter().all(|keeps| *keeps);
    for select in &mut body.selects {
        let columns = select_of(dialect, reading, known, select)?;
        if unites {
            columns.iter().try_for_each(told_apart)?;
        }
        outputs = Some(match outputs {
            None => columns,
            Some(before) => united(before, columns)?,
        });
    }
    let columns = outputs.unwrap_or_default();
    different_names(&columns)?;
    let one = match body.selects.as_slice() {
        [one] => Some(one),
        _ => None,
    };
    for order in &mut body.order {
        order_of(dialect, reading, known, one, &columns, order)?;
    }
    if (body.limit.is_some() || body.offset.is_some()) && body.order.is_empty() {
        return refuse("it limits its rows without an order, and gives any of them");
    }
    if body.limit.is_none() && body.offset.is_some() {
        return refuse("it has OFFSET without LIMIT");
    }
    Ok(columns)
}

fn select_of(
    dialect: &Dialect,
    reading: bool,
    known: &[Relation],
    select: &mut Select,
) -> Result<Vec<Column>> {
    if select.from.is_empty() {
        return refuse("it selects from no table");
    }
    let mut scope: Vec<Seen<'_>> = Vec::new();
    for from in &mut select.from {
        join(dialect, reading, known, from, &mut scope)?;
    }
    expand(&scope, select)?;
    let settler = Settler::new(dialect, &scope, reading);
    if let Some(condition) = &mut select.condition {
        settler.condition(condition)?;
    }
    for group in &mut select.groups {
        aliased(group, &select.items, &settler)?;
        let found = settler.kind(group)?;
        apart(&found.kind)?;
    }
    let settler = Settler { aggregates: true, ..settler };
    let mut columns = Vec::with_capacity(select.items.len());
    for item in &mut select.items {
        columns.push(output(&settler, item)?);
    }
    if let Some(having) = &mut select.having {
        settler.condition(having)?;
    }
    let terms = || select.items.iter().filter_map(term_of).chain(&select.having);
    let aggregates = terms().any(has_aggregate);
    if aggregates || !select.groups.is_empty() {
        terms().try_for_each(|term| grouped(term, &select.groups))?;
    } else if select.having.is_some() {
        return refuse("it has HAVING without groups");
    }
    if select.distinct {
        columns.iter().try_for_each(told_apart)?;
    }
    Ok(columns)
}

/// Adds a relation to what can be seen.
fn join<'a>(
    dialect: &Dialect,
    reading: bool,
    known: &'a [Relation],
    from: &mut From,
    scope: &mut Vec<Seen<'a>>,
) -> Result<()> {
    let same = known.iter().find(|relation| relation.name == from.name);
    let found = same.or_else(|| {
        let written = from.name.to_string();
        known.iter().find(|relation| relation.name.to_string().eq_ignore_ascii_case(&written))
    });
    let Some(relation) = found else { return missing(&from.name) };
    from.written = relation.written.clone();
    if scope.iter().any(|seen| seen.alias.as_deref() == Some(from.alias.as_str())) {
        return refuse("it calls two tables the same");
    }
    let alias = Some(from.alias.clone());
    let outer = matches!(from.join, Join::Left(_));
    let merged = match &from.join {
        Join::Inner(On::Using(names)) | Join::Left(On::Using(names)) => names.clone(),
        _ => Vec::new(),
    };
    // Inside its own condition the relation has its rows.
    scope.push(Seen { alias, relation, outer: false, merged });
    if let Join::Inner(on) | Join::Left(on) = &mut from.join {
        if let On::Using(names) = on {
            *on = On::Term(Term::All(
                names.iter().map(|name| equal(name, &from.alias, scope)).collect::<Result<_>>()?,
            ));
        }
        if let On::Term(term) = on {
            Settler::new(dialect, scope, reading).condition(term)?;
        }
    }
    if let Some(last) = scope.last_mut() {
        last.outer = outer;
    }
    Ok(())
}

/// The columns of one name of the relation that is joined and of the first before it that has one.
fn equal(name: &str, alias: &str, scope: &[Seen<'_>]) -> Result<Term> {
    let has = |seen: &&Seen<'_>| seen.relation.column(name).is_some();
    let before = scope[..scope.len() - 1].iter().find(has).and_then(|seen| seen.alias.clone());
    let Some(before) = before else { return refuse(format!("it joins by {name}, which is none")) };
    let column = |relation: &str| Term::Column {
        relation: Some(relation.to_string()),
        name: name.to_string(),
        quoted: false,
    };
    Ok(Term::Compare(column(&before).boxed(), Comparison::Equal, column(alias).boxed()))
}

/// Puts columns in the place of `*`.
fn expand(scope: &[Seen<'_>], select: &mut Select) -> Result<()> {
    let mut items = Vec::with_capacity(select.items.len());
    for item in std::mem::take(&mut select.items) {
        let Item::Every(wanted) = item else {
            items.push(item);
            continue;
        };
        for seen in scope {
            let alias = seen.alias.clone().unwrap_or_default();
            if wanted.as_ref().is_some_and(|wanted| !alias.eq_ignore_ascii_case(wanted)) {
                continue;
            }
            if wanted.is_none() && !seen.merged.is_empty() {
                return refuse("it has a * over a join by USING");
            }
            items.extend(seen.relation.columns.iter().map(|column| Item::Term {
                term: Term::Column {
                    relation: Some(alias.clone()),
                    name: column.name.clone(),
                    quoted: false,
                },
                name: Some(column.name.clone()),
            }));
        }
    }
    select.items = items;
    match select.items.is_empty() {
        true => refuse("it has no columns"),
        false => Ok(()),
    }
}

/// A group that is called by the name or the number of a column of the select.
fn aliased(group: &mut Term, items: &[Item], settler: &Settler<'_>) -> Result<()> {
    let named = match &*group {
        Term::Number(number) => {
            let place = number.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            Some(place.and_then(|place| items.get(place)))
        }
        Term::Column { relation: None, .. } if settler.kind(&mut group.clone()).is_err() => {
            let Term::Column { name: wanted, .. } = &*group else { return Ok(()) };
            let is = |item: &&Item| {
                let Item::Term { name, .. } = item else { return false };
                name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(wanted))
            };
            Some(items.iter().find(is))
        }
        _ => None,
    };
    match named {
        None => Ok(()),
        Some(Some(Item::Term { term, .. })) => {
            *group = term.clone();
            Ok(())
        }
        Some(_) => refuse("it groups by something that is none of its columns"),
    }
}

/// A column of the select.
fn output(settler: &Settler<'_>, item: &mut Item) -> Result<Column> {
    let Item::Term { term, name } = item else { return refuse("it has a *") };
    let own = match &*term {
        Term::Column { name, .. } => Some(name.clone()),
        _ => None,
    };
    let Found { kind, nullable } = settler.kind(term)?;
    match (&kind, &*term) {
        (_, Term::Column { .. }) => {}
        (Kind::Opaque(reason), _) => return refuse(reason),
        (Kind::Truth, _) if settler.counts() => {
            return refuse("a condition is one of its columns, which is a number in some systems");
        }
        (Kind::Nothing, _) => return refuse("one of its columns is NULL alone"),
        _ => {}
    }
    let called = name.clone().or(own);
    let Some(called) = called else {
        return refuse("one of its columns has no name (give it one with AS)");
    };
    *name = Some(called.clone());
    Ok(Column { name: called.clone(), written: called, kind, nullable, named: None })
}

fn united(before: Vec<Column>, columns: Vec<Column>) -> Result<Vec<Column>> {
    if before.len() != columns.len() {
        return refuse("the parts of its UNION have different numbers of columns");
    }
    let both = before.into_iter().zip(columns);
    both.map(|(one, two)| {
        let kind = match one.kind == two.kind {
            true => one.kind,
            false => either(one.kind, two.kind)?,
        };
        Ok(Column { kind, nullable: one.nullable || two.nullable, ..one })
    })
    .collect()
}

fn different_names(columns: &[Column]) -> Result<()> {
    let mut names: Vec<String> = columns.iter().map(|one| one.name.to_lowercase()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => refuse(format!("two of its columns are called {}", pair[0])),
        None => Ok(()),
    }
}

/// Whether values of a column are told apart the same everywhere.
fn told_apart(column: &Column) -> Result<()> {
    apart(&column.kind)
}

fn apart(kind: &Kind) -> Result<()> {
    match kind {
        // What is kept as a text has one text for each number.
        Kind::Digits { .. } => Ok(()),
        other => comparable(other, other, false),
    }
}

fn order_of(
    dialect: &Dialect,
    reading: bool,
    known: &[Relation],
    select: Option<&Select>,
    columns: &[Column],
    order: &mut Order,
) -> Result<()> {
    order.item = match &order.term {
        Term::Number(number) => {
            let place = number.parse::<usize>().ok().and_then(|place| place.checked_sub(1));
            place.filter(|place| *place < columns.len())
        }
        Term::Column { relation: None, name, .. } => {
            columns.iter().position(|column| column.name.eq_ignore_ascii_case(name))
        }
        _ => None,
    };
    let found = match (order.item, select) {
        (Some(place), _) => {
            let Column { kind, nullable, .. } = columns[place].clone();
            Found { kind, nullable }
        }
        (None, Some(select)) => {
            let mut scope = Vec::new();
            for from in &select.from {
                seen_again(known, from, &mut scope)?;
            }
            let settler = Settler { aggregates: true, ..Settler::new(dialect, &scope, reading) };
            let found = settler.kind(&mut order.term)?;
            let same = |item: &Item| term_of(item) == Some(&order.term);
            order.item = select.items.iter().position(same);
            if order.item.is_none() && select.distinct {
                return refuse("it orders by something that is none of its columns");
            }
            if !select.groups.is_empty()
                || select.items.iter().any(|one| term_of(one).is_some_and(has_aggregate))
            {
                grouped(&order.term, &select.groups)?;
            }
            found
        }
        (None, None) => return refuse("it orders by something that is none of its columns"),
    };
    if matches!(found.kind, Kind::Digits { .. }) {
        return refuse("it orders numbers that are kept as texts");
    }
    comparable(&found.kind, &found.kind, true)?;
    order.nulls_first = match (order.nulls_first, found.nullable) {
        (Some(first), _) => Some(first),
        (None, true) => Some(order.descending == dialect.nulls_last),
        (None, false) => None,
    };
    let usual = order.descending == dialect.nulls_last;
    if !dialect.nulls_said && select.is_none() && order.nulls_first.is_some_and(|one| one != usual)
    {
        return refuse("it orders a UNION with NULL at the other end");
    }
    Ok(())
}

/// A relation for the order, after the select is settled.
fn seen_again<'a>(known: &'a [Relation], from: &From, scope: &mut Vec<Seen<'a>>) -> Result<()> {
    let found = known.iter().find(|relation| relation.written == from.written);
    let Some(relation) = found else { return missing(&from.name) };
    let outer = matches!(from.join, Join::Left(_));
    scope.push(Seen { alias: Some(from.alias.clone()), relation, outer, merged: Vec::new() });
    Ok(())
}

fn term_of(item: &Item) -> Option<&Term> {
    match item {
        Item::Term { term, .. } => Some(term),
        Item::Every(_) => None,
    }
}

fn has_aggregate(term: &Term) -> bool {
    let mut found = false;
    term.walk(&mut |part| found |= matches!(part, Term::Aggregate(..)));
    found
}

/// Whether a term says one thing of every group.
fn grouped(term: &Term, groups: &[Term]) -> Result<()> {
    if groups.contains(term) || matches!(term, Term::Aggregate(..)) {
        return Ok(());
    }
    if let Term::Column { name, .. } = term {
        return refuse(format!("{name} is neither grouped by nor aggregated"));
    }
    term.parts().into_iter().try_for_each(|part| grouped(part, groups))
}
