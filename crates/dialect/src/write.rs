//! From settled terms to the text of a dialect.

use crate::dialect::{Dialect, Function, Same};
use crate::query::{Body, From, Item, Join, On, Order, Select};
use crate::term::{Comparison, Term};

/// How tightly parts hold together, from the loosest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Any,
    All,
    Not,
    Predicate,
    Sum,
    Product,
    Atom,
}

/// A condition, which some systems want to be one by its grammar.
pub(crate) fn condition(dialect: &Dialect, term: &Term) -> String {
    Writer { dialect }.condition(term, Level::Any)
}

/// An expression.
pub(crate) fn term(dialect: &Dialect, term: &Term) -> String {
    Writer { dialect }.term(term, Level::Any)
}

/// `CREATE VIEW … AS SELECT …`.
pub(crate) fn view(dialect: &Dialect, name: &str, body: &Body) -> String {
    format!("CREATE VIEW {name} AS {}", Writer { dialect }.body(body))
}

struct Writer<'a> {
    dialect: &'a Dialect,
}

impl Writer<'_> {
    fn quote(&self, name: &str) -> String {
        (self.dialect.quote)(name)
    }

    /// A part in parentheses, unless it holds together well enough.
    fn term(&self, term: &Term, least: Level) -> String {
        let (text, level) = self.leveled(term);
        if level < least { format!("({text})") } else { text }
    }

    fn condition(&self, term: &Term, least: Level) -> String {
        if self.dialect.truth || term.is_condition() {
            return self.term(term, least);
        }
        let text = format!("{} <> 0", self.term(term, Level::Sum));
        if Level::Predicate < least { format!("({text})") } else { text }
    }

    fn list(&self, terms: &[Term]) -> String {
        terms.iter().map(|one| self.term(one, Level::Any)).collect::<Vec<_>>().join(", ")
    }

    fn all(&self, terms: &[Term], word: &str, least: Level) -> String {
        terms.iter().map(|one| self.condition(one, least)).collect::<Vec<_>>().join(word)
    }

    fn leveled(&self, term: &Term) -> (String, Level) {
        let operand = |term: &Term| self.term(term, Level::Sum);
        let not = |negated: bool| if negated { "NOT " } else { "" };
        match term {
            Term::Column { relation, name, .. } => (
                match relation {
                    Some(relation) => format!("{}.{}", self.quote(relation), self.quote(name)),
                    None => self.quote(name),
                },
                Level::Atom,
            ),
            Term::Number(text) => (text.clone(), Level::Atom),
            Term::Text(text) => ((self.dialect.literal)(text), Level::Atom),
            Term::Truth(value) => {
                ((if *value { "TRUE" } else { "FALSE" }).to_string(), Level::Atom)
            }
            Term::Null => ("NULL".to_string(), Level::Atom),
            Term::Moment { text, clock } => {
                let word = if *clock { "TIMESTAMP" } else { "DATE" };
                (format!("{word} {}", (self.dialect.literal)(text)), Level::Atom)
            }
            Term::Not(one) => (format!("NOT {}", self.condition(one, Level::Atom)), Level::Not),
            Term::All(all) => (self.all(all, " AND ", Level::Not), Level::All),
            Term::Any(all) => (self.all(all, " OR ", Level::All), Level::Any),
            Term::Compare(one, comparison, two) => {
                (self.comparison(one, *comparison, two), Level::Predicate)
            }
            Term::Same(one, two, negated) => (self.same(one, two, *negated), Level::Predicate),
            Term::IsNull(one, negated) => {
                (format!("{} IS {}NULL", operand(one), not(*negated)), Level::Predicate)
            }
            Term::IsTruth(one, value, negated) => {
                let value = if *value { "TRUE" } else { "FALSE" };
                (format!("{} IS {}{value}", operand(one), not(*negated)), Level::Predicate)
            }
            Term::In(one, list, negated) => {
                let text = format!("{} {}IN ({})", operand(one), not(*negated), self.list(list));
                (text, Level::Predicate)
            }
            Term::Between(one, ends, negated) => {
                let [low, high] = &**ends;
                let (low, high) = (operand(low), operand(high));
                let text = format!("{} {}BETWEEN {low} AND {high}", operand(one), not(*negated));
                (text, Level::Predicate)
            }
            Term::Like(one, pattern, negated) => {
                (self.like(&operand(one), pattern, not(*negated)), Level::Predicate)
            }
            Term::Minus(one) => (format!("-{}", self.wide(one)), Level::Product),
            Term::Reckon(..) | Term::Join(_) | Term::Call(..) | Term::Case(..) => self.made(term),
            Term::Aggregate(function, of, distinct) => {
                let distinct = if *distinct { "DISTINCT " } else { "" };
                let of = of.as_ref().map_or("*".to_string(), |of| self.term(of, Level::Any));
                let name = self.dialect.name_of(*function);
                (format!("{name}({distinct}{of})"), Level::Atom)
            }
            Term::Cast(inner, _) => self.leveled(inner),
            Term::Real(inner) => {
                (format!("CAST({} AS REAL)", self.term(inner, Level::Any)), Level::Atom)
            }
        }
    }

    fn made(&self, term: &Term) -> (String, Level) {
        match term {
            Term::Reckon(one, operation, two) => {
                use crate::term::Operation::{Minus, Plus};
                let level = match operation {
                    Plus | Minus => Level::Sum,
                    _ => Level::Product,
                };
                // The right side needs parentheses at the same level: a - (b - c).
                let (one, two) = (self.side(one, level), self.side(two, Level::Atom));
                (format!("{one} {} {two}", operation.sign()), level)
            }
            Term::Join(all) => match self.dialect.joins {
                true => {
                    let all: Vec<_> = all.iter().map(|one| self.term(one, Level::Atom)).collect();
                    // Systems differ in how tightly || holds together.
                    (all.join(" || "), Level::Any)
                }
                false => (format!("CONCAT({})", self.list(all)), Level::Atom),
            },
            Term::Call(Function::Absolute, terms) => {
                let of: String = terms.iter().map(|one| self.wide(one)).collect();
                (format!("{}({of})", self.dialect.name_of(Function::Absolute)), Level::Atom)
            }
            Term::Call(function, terms) => {
                (format!("{}({})", self.dialect.name_of(*function), self.list(terms)), Level::Atom)
            }
            Term::Case(whens, other) => {
                let mut text = "CASE".to_string();
                for (when, then) in whens {
                    let when = self.condition(when, Level::Any);
                    text += &format!(" WHEN {when} THEN {}", self.term(then, Level::Any));
                }
                if let Some(other) = other {
                    text += &format!(" ELSE {}", self.term(other, Level::Any));
                }
                (text + " END", Level::Atom)
            }
            other => self.leveled(other),
        }
    }

    /// One side of a sum or product.
    fn side(&self, term: &Term, least: Level) -> String {
        match term {
            Term::Reckon(..) => self.term(term, least),
            Term::Number(_) => self.term(term, Level::Atom),
            other => self.wide(other),
        }
    }

    /// A number in the type in which the system reckons with it.
    fn wide(&self, term: &Term) -> String {
        match self.dialect.wide {
            Some(wide) if !matches!(term, Term::Number(_)) => {
                format!("CAST({} AS {wide})", self.term(term, Level::Any))
            }
            _ => self.term(term, Level::Atom),
        }
    }

    fn comparison(&self, one: &Term, comparison: Comparison, two: &Term) -> String {
        let (one, two) = (self.term(one, Level::Sum), self.term(two, Level::Sum));
        format!("{one} {} {two}", comparison.sign())
    }

    fn same(&self, one: &Term, two: &Term, negated: bool) -> String {
        let (one, two) = (self.term(one, Level::Sum), self.term(two, Level::Sum));
        match (self.dialect.same, negated) {
            (Same::Words, true) => format!("{one} IS DISTINCT FROM {two}"),
            (Same::Words, false) => format!("{one} IS NOT DISTINCT FROM {two}"),
            (Same::Arrow, true) => format!("NOT ({one} <=> {two})"),
            (Same::Arrow, false) => format!("{one} <=> {two}"),
            (Same::Is, true) => format!("{one} IS NOT {two}"),
            (Same::Is, false) => format!("{one} IS {two}"),
        }
    }

    fn like(&self, one: &str, pattern: &str, not: &str) -> String {
        let (word, pattern) = match self.dialect.like {
            true => ("LIKE", pattern.to_string()),
            false => ("GLOB", pattern.chars().map(glob).collect()),
        };
        format!("{one} {not}{word} {}", (self.dialect.literal)(&pattern))
    }

    fn body(&self, body: &Body) -> String {
        let mut text = String::new();
        for (at, select) in body.selects.iter().enumerate() {
            if at > 0 {
                text += if body.keeps[at - 1] { " UNION ALL " } else { " UNION " };
            }
            text += &self.select(select);
        }
        if !body.order.is_empty() {
            let all: Vec<String> =
                body.order.iter().map(|one| self.order(one, &body.selects)).collect();
            text += &format!(" ORDER BY {}", all.join(", "));
        }
        if let Some(limit) = &body.limit {
            text += &format!(" LIMIT {limit}");
        }
        if let Some(offset) = &body.offset {
            text += &format!(" OFFSET {offset}");
        }
        text
    }

    fn select(&self, select: &Select) -> String {
        let items: Vec<String> = select.items.iter().map(|item| self.item(item)).collect();
        let distinct = if select.distinct { "DISTINCT " } else { "" };
        let mut text = format!("SELECT {distinct}{} FROM ", items.join(", "));
        for (at, from) in select.from.iter().enumerate() {
            text += &self.from(from, at == 0);
        }
        if let Some(condition) = &select.condition {
            text += &format!(" WHERE {}", self.condition(condition, Level::Any));
        }
        if !select.groups.is_empty() {
            text += &format!(" GROUP BY {}", self.list(&select.groups));
        }
        if let Some(having) = &select.having {
            text += &format!(" HAVING {}", self.condition(having, Level::Any));
        }
        text
    }

    fn item(&self, item: &Item) -> String {
        match item {
            Item::Term { term, name } => {
                let name = name.as_deref().unwrap_or_default();
                format!("{} AS {}", self.term(term, Level::Any), self.quote(name))
            }
            Item::Every(_) => "*".to_string(),
        }
    }

    fn from(&self, from: &From, first: bool) -> String {
        let table = format!("{} AS {}", from.written, self.quote(&from.alias));
        let on = |on: &On| match on {
            On::Term(term) => self.condition(term, Level::Any),
            On::Using(names) => names.join(", "),
        };
        match &from.join {
            Join::Each if first => table,
            Join::Each => format!(" CROSS JOIN {table}"),
            Join::Inner(condition) => format!(" INNER JOIN {table} ON {}", on(condition)),
            Join::Left(condition) => format!(" LEFT JOIN {table} ON {}", on(condition)),
        }
    }

    fn order(&self, order: &Order, selects: &[Select]) -> String {
        let named = order.item.and_then(|at| match selects.first()?.items.get(at)? {
            Item::Term { name, .. } => name.as_deref(),
            Item::Every(_) => None,
        });
        let text = match named {
            Some(name) => self.quote(name),
            None => self.term(&order.term, Level::Sum),
        };
        let way = if order.descending { " DESC" } else { "" };
        let usual = order.descending == self.dialect.nulls_last;
        match order.nulls_first {
            Some(first) if self.dialect.nulls_said => {
                let place = if first { "FIRST" } else { "LAST" };
                format!("{text}{way} NULLS {place}")
            }
            Some(first) if first != usual => {
                let place = if first { " DESC" } else { "" };
                format!("{text} IS NULL{place}, {text}{way}")
            }
            _ => format!("{text}{way}"),
        }
    }
}

/// A character of a pattern of LIKE in one of GLOB.
fn glob(letter: char) -> String {
    match letter {
        '%' => "*".to_string(),
        '_' => "?".to_string(),
        '*' | '?' | '[' => format!("[{letter}]"),
        other => other.to_string(),
    }
}
