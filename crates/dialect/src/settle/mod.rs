//! Types: every operator is looked at for what it is used on, names are found, and casts that say
//! nothing go.

mod query;

use crate::dialect::{Cast, Dialect, Function};
use crate::kind::{Kind, comparable, either, reckoned, textual};
use crate::read::{moment, number};
use crate::relation::{Column, Relation};
use crate::term::{Comparison, Made, Operation, Term};
use crate::{Refusal, Result, refuse};

pub(crate) use query::body;

/// A relation where a term can see it.
pub(crate) struct Seen<'a> {
    /// What columns are called by; `None` where they stand alone.
    alias: Option<String>,
    relation: &'a Relation,
    /// Whether it may have no row, as the right side of an outer join.
    outer: bool,
    /// Columns that are those of a relation before it (USING).
    merged: Vec<String>,
}

impl<'a> Seen<'a> {
    /// The table of a condition.
    pub(crate) fn alone(relation: &'a Relation) -> Self {
        Self { alias: None, relation, outer: false, merged: Vec::new() }
    }
}

/// What is known of a term.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) kind: Kind,
    pub(crate) nullable: bool,
}

/// Settles terms for a dialect: the source's own when it is read, the target's when it is written.
pub(crate) struct Settler<'a> {
    dialect: &'a Dialect,
    scope: &'a [Seen<'a>],
    /// Whether the source's own text is settled, and not one for the target.
    reading: bool,
    /// Whether rows are only found by the result.
    pub(crate) searched: bool,
    /// Whether aggregates may stand here.
    aggregates: bool,
}

impl<'a> Settler<'a> {
    pub(crate) fn new(dialect: &'a Dialect, scope: &'a [Seen<'a>], reading: bool) -> Self {
        Self { dialect, scope, reading, searched: false, aggregates: false }
    }

    /// Whether conditions are numbers.
    fn counts(&self) -> bool {
        self.reading && !self.dialect.truth
    }

    /// Settles a condition.
    pub(crate) fn condition(&self, term: &mut Term) -> Result<()> {
        match self.kind(term)?.kind {
            Kind::Truth | Kind::Nothing => Ok(()),
            Kind::Opaque(reason) => refuse(reason),
            Kind::Exact { .. } | Kind::Float | Kind::Loose if self.counts() => {
                let number = std::mem::replace(term, Term::Null);
                let zero = Term::Number("0".to_string()).boxed();
                *term = Term::Compare(number.boxed(), Comparison::Unequal, zero);
                Ok(())
            }
            _ => refuse("it takes something for a condition that is none"),
        }
    }

    /// Settles a term and says of what kind it is.
    pub(crate) fn kind(&self, term: &mut Term) -> Result<Found> {
        let found = |kind, nullable| Ok(Found { kind, nullable });
        match term {
            Term::Column { .. } => self.column(term),
            Term::Number(text) => {
                let text = number(text)?;
                let (whole, scale) = text.split_once('.').unwrap_or((&text, ""));
                let digits = |text: &str| u32::try_from(text.len()).unwrap_or(u32::MAX);
                found(Kind::Exact { whole: digits(whole), scale: digits(scale) }, false)
            }
            Term::Text(text) if text.contains('\0') => refuse("it has a text with NUL"),
            Term::Text(_) => found(Kind::Word, false),
            Term::Truth(value) if self.counts() => {
                *term = Term::Number(u8::from(*value).to_string());
                found(Kind::Exact { whole: 1, scale: 0 }, false)
            }
            Term::Truth(_) => found(Kind::Truth, false),
            Term::Null => found(Kind::Nothing, true),
            Term::Moment { clock, .. } => {
                found(if *clock { Kind::Timestamp } else { Kind::Date }, false)
            }
            Term::Not(one) | Term::IsTruth(one, ..) => {
                self.condition(one)?;
                found(Kind::Truth, true)
            }
            Term::All(all) | Term::Any(all) => {
                all.iter_mut().try_for_each(|one| self.condition(one))?;
                found(Kind::Truth, true)
            }
            Term::Compare(left, comparison, right) => {
                let ordered = comparison.is_ordered();
                self.compare(left, right, ordered)
            }
            Term::Same(left, right, _) => self.compare(left, right, false),
            Term::IsNull(one, _) => {
                self.kind(one)?;
                found(Kind::Truth, false)
            }
            Term::In(one, list, _) => {
                list.iter_mut().try_for_each(|item| self.compare(one, item, false).map(drop))?;
                found(Kind::Truth, true)
            }
            Term::Between(one, ends, _) => {
                ends.iter_mut().try_for_each(|end| self.compare(one, end, true).map(drop))?;
                found(Kind::Truth, true)
            }
            Term::Like(one, pattern, _) => {
                let kind = self.kind(one)?.kind;
                textual(&kind)?;
                comparable(&kind, &Kind::Text, false)?;
                let letters = pattern.contains(|c: char| c.is_ascii_alphabetic());
                match letters && !self.dialect.like && self.reading {
                    true => refuse("its LIKE takes upper and lower case for the same"),
                    false => found(Kind::Truth, true),
                }
            }
            Term::Cast(..) => self.cast(term),
            Term::Case(..) => self.case(term),
            Term::Aggregate(..) => self.aggregate(term),
            Term::Call(..) => self.call(term),
            Term::Real(_) => found(Kind::Float, true),
            Term::Minus(_) | Term::Reckon(..) | Term::Join(_) => self.made(term),
        }
    }

    /// Numbers and texts that are made of others.
    fn made(&self, term: &mut Term) -> Result<Found> {
        match term {
            Term::Minus(one) => {
                let Found { kind, nullable } = self.kind(one)?;
                reckoned(&kind, &Kind::Exact { whole: 0, scale: 0 }, false)?;
                Ok(Found { kind, nullable })
            }
            Term::Reckon(left, operation, right) => {
                let (one, two) = (self.kind(left)?, self.kind(right)?);
                let fraction = [&one.kind, &two.kind].into_iter().any(has_fraction);
                if fraction && !self.dialect.decimals {
                    return refuse("it reckons with fractions, which are floats there");
                }
                let kind = match operation {
                    Operation::Remainder => {
                        let zero = matches!(&**right, Term::Number(text) if text.bytes().any(|digit| digit != b'0'));
                        if !zero || fraction {
                            return refuse(
                                "it has a remainder of something else than a whole number",
                            );
                        }
                        reckoned(&one.kind, &two.kind, false)?;
                        one.kind.clone()
                    }
                    other => reckoned(&one.kind, &two.kind, *other == Operation::Times)?,
                };
                Ok(Found { kind, nullable: one.nullable || two.nullable })
            }
            Term::Join(all) => {
                let (mut kind, mut nullable) = (Kind::Word, false);
                for one in all {
                    let found = self.kind(one)?;
                    textual(&found.kind)?;
                    nullable |= found.nullable;
                    kind = either(kind, found.kind)?;
                }
                Ok(Found { kind, nullable })
            }
            _ => refuse("it has something that is not the same everywhere"),
        }
    }

    fn compare(&self, left: &mut Term, right: &mut Term, ordered: bool) -> Result<Found> {
        let mut one = self.kind(left)?;
        if let Kind::Opaque(reason) | Kind::Folded(reason) = one.kind {
            return refuse(reason);
        }
        let mut two = self.kind(right)?;
        as_moment(&one.kind, right, &mut two.kind)?;
        as_moment(&two.kind, left, &mut one.kind)?;
        let is_float = |kind: &Kind, term: &Term, number: &Kind| {
            *kind == Kind::Float && term.is_number() && number.fits_a_float()
        };
        if !is_float(&one.kind, right, &two.kind) && !is_float(&two.kind, left, &one.kind) {
            comparable(&one.kind, &two.kind, ordered)?;
        }
        for (term, kind) in [(left, &one.kind), (right, &two.kind)] {
            if matches!(kind, Kind::Digits { .. }) && !matches!(term, Term::Real(_)) {
                *term = Term::Real(std::mem::replace(term, Term::Null).boxed());
            }
        }
        Ok(Found { kind: Kind::Truth, nullable: one.nullable || two.nullable })
    }

    fn column(&self, term: &mut Term) -> Result<Found> {
        let Term::Column { relation, name, quoted } = &*term else {
            return refuse("it has something that is not the same everywhere");
        };
        let of = |seen: &&Seen<'_>| match (relation, &seen.alias) {
            (None, _) => !seen.merged.iter().any(|merged| merged.eq_ignore_ascii_case(name)),
            (Some(wanted), Some(alias)) => alias.eq_ignore_ascii_case(wanted),
            (Some(wanted), None) => seen.relation.name.name.eq_ignore_ascii_case(wanted),
        };
        let mut hits = self.scope.iter().filter(of).filter_map(|seen| {
            let column = seen.relation.column(name)?;
            Some((seen, column))
        });
        let Some((seen, column)) = hits.next() else {
            if self.reading && self.dialect.misquoted && *quoted && relation.is_none() {
                *term = Term::Text(name.clone());
                return self.kind(term);
            }
            return refuse(format!("it names {name}, which does not move or is no column"));
        };
        if hits.next().is_some() {
            return refuse(format!("{name} is a column of two tables"));
        }
        let kind = match &column.kind {
            Kind::Opaque(reason) => {
                Kind::Opaque(format!("it looks into {}, and {reason}", column.name))
            }
            Kind::Folded(reason) => {
                Kind::Folded(format!("it compares {}, and {reason}", column.name))
            }
            kind => kind.clone(),
        };
        let nullable = column.nullable || seen.outer;
        *term = Term::Column {
            relation: seen.alias.clone(),
            name: column.written.clone(),
            quoted: true,
        };
        Ok(Found { kind, nullable })
    }

    /// A cast that makes what is there already.
    fn cast(&self, term: &mut Term) -> Result<Found> {
        let Term::Cast(inner, made) = term else {
            return refuse("it has something that is not the same everywhere");
        };
        let found = self.kind(inner)?;
        let idle = match (&*made, &found.kind) {
            (Made::Known(Cast::Exact), Kind::Exact { .. })
            | (Made::Known(Cast::Whole), Kind::Exact { scale: 0, .. })
            | (Made::Known(Cast::Float), Kind::Float)
            | (Made::Known(Cast::Text), Kind::Text | Kind::Folded(_) | Kind::Word)
            | (Made::Known(Cast::Date), Kind::Date)
            | (Made::Known(Cast::Timestamp), Kind::Timestamp) => true,
            (_, Kind::Opaque(reason)) => return refuse(reason),
            (Made::Named(name), Kind::Word | Kind::Text) => self.is_type(name),
            _ => false,
        };
        if !idle {
            let name = match made {
                Made::Known(known) => format!("{known:?}").to_lowercase(),
                Made::Named(name) => name.to_lowercase(),
            };
            return refuse(format!("it casts to {name}"));
        }
        let inner = std::mem::replace(&mut **inner, Term::Null);
        *term = inner;
        Ok(found)
    }

    /// Whether a column has a type of its own by this name.
    fn is_type(&self, name: &str) -> bool {
        let mut columns = self.scope.iter().flat_map(|seen| &seen.relation.columns);
        columns.any(|column: &Column| column.named.as_deref() == Some(name))
    }

    fn case(&self, term: &mut Term) -> Result<Found> {
        let Term::Case(whens, other) = term else {
            return refuse("it has something that is not the same everywhere");
        };
        let (mut kind, mut nullable) = (Kind::Nothing, other.is_none());
        for (when, then) in whens {
            self.condition(when)?;
            let found = self.kind(then)?;
            nullable |= found.nullable;
            kind = either(kind, found.kind)?;
        }
        if let Some(other) = other {
            let found = self.kind(other)?;
            nullable |= found.nullable;
            kind = either(kind, found.kind)?;
        }
        no_digits(&kind)?;
        Ok(Found { kind, nullable })
    }

    fn aggregate(&self, term: &mut Term) -> Result<Found> {
        let Term::Aggregate(function, of, _) = term else {
            return refuse("it has something that is not the same everywhere");
        };
        if !self.aggregates {
            return refuse("it has an aggregate where none can be");
        }
        let inner = Settler { aggregates: false, ..*self };
        let found = of.as_mut().map(|of| inner.kind(of)).transpose()?;
        let kind = found.map_or(Kind::Exact { whole: 0, scale: 0 }, |found| found.kind);
        let count = Kind::Exact { whole: 20, scale: 0 };
        match (*function, kind) {
            (Function::Count, kind)
                if of_distinct(term) && !matches!(kind, Kind::Digits { .. }) =>
            {
                comparable(&kind, &kind, false)?;
                Ok(Found { kind: count, nullable: false })
            }
            (Function::Count, _) => Ok(Found { kind: count, nullable: false }),
            (Function::Sum, kind @ Kind::Loose) => Ok(Found { kind, nullable: true }),
            (Function::Sum, Kind::Exact { whole, scale }) => {
                if scale > 0 && !self.dialect.decimals {
                    return refuse("it reckons with fractions, which are floats there");
                }
                Ok(Found { kind: Kind::Exact { whole: whole + 20, scale }, nullable: true })
            }
            (Function::Sum, kind) => {
                reckoned(&kind, &kind, false)?;
                refuse("it sums what is no exact number")
            }
            (_, kind @ (Kind::Exact { .. } | Kind::Float | Kind::Loose))
            | (_, kind @ (Kind::Date | Kind::Timestamp | Kind::Instant)) => {
                Ok(Found { kind, nullable: true })
            }
            (_, kind) => {
                no_digits(&kind)?;
                comparable(&kind, &kind, true)?;
                refuse("it has the least or greatest of values that have no order everywhere")
            }
        }
    }

    fn call(&self, term: &mut Term) -> Result<Found> {
        let Term::Call(function, terms) = term else {
            return refuse("it has something that is not the same everywhere");
        };
        let mut all = Vec::with_capacity(terms.len());
        for one in terms.iter_mut() {
            all.push(self.kind(one)?);
        }
        let nullable = all.iter().any(|found| found.nullable);
        let first = all.first().map_or(Kind::Nothing, |found| found.kind.clone());
        let kind = match function {
            Function::Coalesce => {
                let kinds = all.iter().map(|found| found.kind.clone());
                let kind = kinds.into_iter().try_fold(Kind::Nothing, either)?;
                no_digits(&kind)?;
                return Ok(Found { kind, nullable: all.iter().all(|found| found.nullable) });
            }
            Function::NullIf => {
                no_digits(&first)?;
                if let [one, two] = terms.as_mut_slice() {
                    self.compare(one, two, false)?;
                }
                return Ok(Found { kind: first, nullable: true });
            }
            Function::Absolute => {
                reckoned(&first, &Kind::Exact { whole: 0, scale: 0 }, false)?;
                first
            }
            Function::Characters => {
                textual(&first)?;
                Kind::Exact { whole: 10, scale: 0 }
            }
            Function::Trim | Function::TrimStart | Function::TrimEnd => {
                textual(&first)?;
                first
            }
            Function::Lower | Function::Upper if self.searched => {
                textual(&first)?;
                first
            }
            Function::Lower | Function::Upper => {
                return refuse("systems change the case of letters beyond ASCII differently");
            }
            Function::Substring => {
                textual(&first)?;
                let place = |term: &Term| matches!(term, Term::Number(text) if !text.contains('.'));
                let starts = terms.get(1).is_some_and(|start| *start != Term::Number("0".into()));
                if !starts || !terms[1..].iter().all(place) {
                    return refuse("the place of a part of a text is not a number above zero");
                }
                first
            }
            _ => return refuse("it has a function where none can be"),
        };
        Ok(Found { kind, nullable })
    }
}

/// Takes a text that is compared with a day, or a date and time, for one.
fn as_moment(other: &Kind, term: &mut Term, kind: &mut Kind) -> Result<()> {
    if let (Kind::Date | Kind::Timestamp, Term::Text(text)) = (other, &*term) {
        *term = moment(text.clone(), *other == Kind::Timestamp)?;
        *kind = other.clone();
    }
    Ok(())
}

fn of_distinct(term: &Term) -> bool {
    matches!(term, Term::Aggregate(_, _, true))
}

fn has_fraction(kind: &Kind) -> bool {
    matches!(kind, Kind::Exact { scale, .. } if *scale > 0)
}

fn no_digits(kind: &Kind) -> Result<()> {
    match kind {
        Kind::Digits { .. } => refuse("it reckons with decimals, which are kept as texts"),
        _ => Ok(()),
    }
}

/// The refusal of a relation that is not known.
pub(crate) fn missing<T>(name: &longshore_model::catalog::TableName) -> Result<T> {
    Err(Refusal::Missing(name.clone()))
}
