//! What common SQL can say. There is a node for each thing that means the same in every system, and
//! none for anything else.

use crate::dialect::{Cast, Function};

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    Column {
        relation: Option<String>,
        name: String,
        quoted: bool,
    },
    /// Digits, with a point between some of them or without.
    Number(String),
    Text(String),
    Truth(bool),
    Null,
    /// A day, or a date and time with `clock`.
    Moment {
        text: String,
        clock: bool,
    },
    Not(Box<Term>),
    All(Vec<Term>),
    Any(Vec<Term>),
    Compare(Box<Term>, Comparison, Box<Term>),
    /// Whether two are the same, NULL among them.
    Same(Box<Term>, Box<Term>, Negated),
    IsNull(Box<Term>, Negated),
    /// Whether a condition is known to be true, or to be false.
    IsTruth(Box<Term>, bool, Negated),
    In(Box<Term>, Vec<Term>, Negated),
    Between(Box<Term>, Box<[Term; 2]>, Negated),
    /// The pattern has no escapes.
    Like(Box<Term>, String, Negated),
    Minus(Box<Term>),
    Reckon(Box<Term>, Operation, Box<Term>),
    Join(Vec<Term>),
    Call(Function, Vec<Term>),
    Case(Vec<(Term, Term)>, Option<Box<Term>>),
    /// An aggregate; without a term it counts rows.
    Aggregate(Function, Option<Box<Term>>, Distinct),
    /// A cast, which goes when types are settled.
    Cast(Box<Term>, Made),
    /// A number that the target keeps as a text, as a float.
    Real(Box<Term>),
}

pub(crate) type Negated = bool;
pub(crate) type Distinct = bool;

/// What a cast of a source makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    Known(Cast),
    /// A type by its name.
    Named(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Plus,
    Minus,
    Times,
    Remainder,
}

impl Comparison {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    pub(crate) fn is_ordered(self) -> bool {
        !matches!(self, Self::Equal | Self::Unequal)
    }
}

impl Operation {
    pub(crate) fn sign(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
            Self::Times => "*",
            Self::Remainder => "%",
        }
    }
}

impl Term {
    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// Calls `see` with the term and everything in it.
    pub(crate) fn walk(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        self.parts().into_iter().for_each(|part| part.walk(see));
    }

    /// What it is made of.
    pub(crate) fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Column { .. }
            | Self::Number(_)
            | Self::Text(_)
            | Self::Truth(_)
            | Self::Null
            | Self::Moment { .. }
            | Self::Aggregate(_, None, _) => Vec::new(),
            Self::Not(one)
            | Self::IsNull(one, _)
            | Self::IsTruth(one, ..)
            | Self::Like(one, ..)
            | Self::Minus(one)
            | Self::Cast(one, _)
            | Self::Real(one)
            | Self::Aggregate(_, Some(one), _) => vec![one],
            Self::All(all) | Self::Any(all) | Self::Join(all) | Self::Call(_, all) => {
                all.iter().collect()
            }
            Self::Compare(one, _, two) | Self::Same(one, two, _) | Self::Reckon(one, _, two) => {
                vec![one, two]
            }
            Self::In(one, all, _) => std::iter::once(&**one).chain(all).collect(),
            Self::Between(one, ends, _) => std::iter::once(&**one).chain(ends.iter()).collect(),
            Self::Case(whens, other) => {
                let whens = whens.iter().flat_map(|(when, then)| [when, then]);
                whens.chain(other.iter().map(|other| &**other)).collect()
            }
        }
    }

    /// Whether it is a condition in the grammar of every system.
    pub(crate) fn is_condition(&self) -> bool {
        matches!(
            self,
            Self::Not(_)
                | Self::All(_)
                | Self::Any(_)
                | Self::Compare(..)
                | Self::Same(..)
                | Self::IsNull(..)
                | Self::IsTruth(..)
                | Self::In(..)
                | Self::Between(..)
                | Self::Like(..)
        )
    }

    /// Whether it is a number as it is written.
    pub(crate) fn is_number(&self) -> bool {
        match self {
            Self::Number(_) => true,
            Self::Minus(inner) => inner.is_number(),
            _ => false,
        }
    }
}
