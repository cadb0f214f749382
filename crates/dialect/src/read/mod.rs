//! From the text of a dialect to terms: what is not known to mean the same is refused by name.

mod call;
mod cast;
mod select;

use std::cell::Cell;

use sqlparser::ast::{BinaryOperator, Expr, Ident, ObjectName, UnaryOperator, Value};
use sqlparser::dialect::dialect_from_str;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace, Word};

use crate::dialect::Dialect;
use crate::term::{Comparison, Operation, Term};
use crate::{Result, refuse};

pub(crate) use cast::moment;
pub(crate) use select::{query, view};

/// The longest text that is read, and the deepest: a longer one is nobody's, and terms are walked by
/// recursion.
const LONGEST: usize = 16 << 10;
const DEEPEST: u32 = 60;

/// Reads an expression.
pub(crate) fn term(dialect: &Dialect, text: &str) -> Result<Term> {
    let expression = parsed(dialect, text, |parser| {
        let expression = parser.parse_expr()?;
        parser.expect_token(&Token::EOF)?;
        Ok(expression)
    })?;
    Reader::new(dialect).term(&expression)
}

/// What the parser makes of a text.
fn parsed<T>(
    dialect: &Dialect,
    text: &str,
    parse: impl FnOnce(&mut Parser<'_>) -> std::result::Result<T, sqlparser::parser::ParserError>,
) -> Result<T> {
    if text.len() > LONGEST {
        return refuse("its text is too long to be looked through");
    }
    let Some(grammar) = dialect_from_str(dialect.grammar) else {
        return refuse("its text is of an unknown grammar");
    };
    let tokens = Tokenizer::new(&*grammar, text).tokenize();
    let parsed = tokens
        .ok()
        .and_then(|tokens| parse(&mut Parser::new(&*grammar).with_tokens(mended(tokens))).ok());
    match parsed {
        Some(parsed) => Ok(parsed),
        None => refuse("its text has words that are not understood"),
    }
}

/// Says what `TRIM(BOTH FROM …)` takes away, which the parser wants to be told, and writes the operator
/// MOD as it knows it.
fn mended(tokens: Vec<Token>) -> Vec<Token> {
    let mut made: Vec<Token> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let before = made.iter().rev().find(|one| !matches!(one, Token::Whitespace(_)));
        let ends = [Keyword::BOTH, Keyword::LEADING, Keyword::TRAILING];
        let is_trim = is_word(&token, |word| word.keyword == Keyword::FROM)
            && before.is_some_and(|one| is_word(one, |word| ends.contains(&word.keyword)));
        let is_mod = is_word(&token, |word| word.value.eq_ignore_ascii_case("mod"))
            && before.is_some_and(is_end_of_value);
        if is_trim {
            made.push(Token::SingleQuotedString(" ".to_string()));
            made.push(Token::Whitespace(Whitespace::Space));
        }
        made.push(if is_mod { Token::Mod } else { token });
    }
    made
}

fn is_word(token: &Token, is: impl Fn(&Word) -> bool) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && is(word))
}

fn is_end_of_value(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some(),
        other => matches!(other, Token::Number(..) | Token::RParen),
    }
}

pub(crate) struct Reader<'a> {
    dialect: &'a Dialect,
    depth: Cell<u32>,
}

impl<'a> Reader<'a> {
    fn new(dialect: &'a Dialect) -> Self {
        Self { dialect, depth: Cell::new(0) }
    }

    fn boxed(&self, expression: &Expr) -> Result<Box<Term>> {
        self.term(expression).map(Box::new)
    }

    fn terms<'b>(&self, expressions: impl IntoIterator<Item = &'b Expr>) -> Result<Vec<Term>> {
        expressions.into_iter().map(|one| self.term(one)).collect()
    }

    fn term(&self, expression: &Expr) -> Result<Term> {
        self.depth.set(self.depth.get() + 1);
        if self.depth.get() > DEEPEST {
            return refuse("its text is too deep to be looked through");
        }
        let term = self.one(expression);
        self.depth.set(self.depth.get() - 1);
        term
    }

    fn one(&self, expression: &Expr) -> Result<Term> {
        Ok(match expression {
            Expr::Nested(inner) => self.term(inner)?,
            Expr::Identifier(name) => column(None, name),
            Expr::CompoundIdentifier(names) => match names.as_slice() {
                [relation, name] | [_, relation, name] => column(Some(relation), name),
                _ => return refuse("it has a name of many parts"),
            },
            Expr::Value(value) => value_of(&value.value)?,
            Expr::Prefixed { prefix, value } if is_introducer(prefix) => self.term(value)?,
            Expr::TypedString(typed) => cast::typed(typed)?,
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Term::Not(self.boxed(expr)?),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Term::Minus(self.boxed(expr)?),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.term(expr)?,
            Expr::BinaryOp { op: BinaryOperator::And, .. } => {
                Term::All(self.chain(expression, &BinaryOperator::And)?)
            }
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                Term::Any(self.chain(expression, &BinaryOperator::Or)?)
            }
            Expr::BinaryOp { op: BinaryOperator::StringConcat, .. } if self.dialect.joins => {
                Term::Join(self.chain(expression, &BinaryOperator::StringConcat)?)
            }
            Expr::BinaryOp { left, op, right } => self.operator(left, op, right)?,
            Expr::IsNull(inner) | Expr::IsUnknown(inner) => Term::IsNull(self.boxed(inner)?, false),
            Expr::IsNotNull(inner) | Expr::IsNotUnknown(inner) => {
                Term::IsNull(self.boxed(inner)?, true)
            }
            Expr::IsTrue(inner) => Term::IsTruth(self.boxed(inner)?, true, false),
            Expr::IsNotTrue(inner) => Term::IsTruth(self.boxed(inner)?, true, true),
            Expr::IsFalse(inner) => Term::IsTruth(self.boxed(inner)?, false, false),
            Expr::IsNotFalse(inner) => Term::IsTruth(self.boxed(inner)?, false, true),
            Expr::IsDistinctFrom(one, two) => Term::Same(self.boxed(one)?, self.boxed(two)?, true),
            Expr::IsNotDistinctFrom(one, two) => {
                Term::Same(self.boxed(one)?, self.boxed(two)?, false)
            }
            Expr::InList { expr, list, negated } if !list.is_empty() => {
                Term::In(self.boxed(expr)?, self.terms(list)?, *negated)
            }
            Expr::AnyOp { left, compare_op: BinaryOperator::Eq, right, .. } => {
                Term::In(self.boxed(left)?, self.array(right)?, false)
            }
            Expr::AllOp { left, compare_op: BinaryOperator::NotEq, right } => {
                Term::In(self.boxed(left)?, self.array(right)?, true)
            }
            Expr::Between { expr, negated, low, high } => {
                let ends = Box::new([self.term(low)?, self.term(high)?]);
                Term::Between(self.boxed(expr)?, ends, *negated)
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char: None } => {
                self.like(expr, pattern, *negated)?
            }
            Expr::Cast { kind, expr, data_type, format: None } => {
                self.cast(kind, expr, data_type)?
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())?
            }
            Expr::Function(function) => self.call(function)?,
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None }
                if trim_what.as_ref().is_none_or(|what| is_space(what)) =>
            {
                self.trim(*trim_where, expr)?
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                self.substring(expr, substring_from.as_deref(), substring_for.as_deref())?
            }
            other => return refuse(what(other)),
        })
    }

    /// The operands of a chain of one operator, which may be long.
    fn chain(&self, expression: &Expr, operator: &BinaryOperator) -> Result<Vec<Term>> {
        let mut found = Vec::new();
        let mut rest = expression;
        loop {
            match rest {
                Expr::BinaryOp { left, op, right } if op == operator => {
                    found.push(self.term(right)?);
                    rest = left;
                }
                Expr::Nested(inner) if matches!(&**inner, Expr::BinaryOp { op, .. } if op == operator) =>
                {
                    rest = inner;
                }
                last => {
                    found.push(self.term(last)?);
                    found.reverse();
                    return Ok(found);
                }
            }
        }
    }

    fn operator(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Term> {
        let comparison = match op {
            BinaryOperator::Eq => Comparison::Equal,
            BinaryOperator::NotEq => Comparison::Unequal,
            BinaryOperator::Lt => Comparison::Less,
            BinaryOperator::LtEq => Comparison::AtMost,
            BinaryOperator::Gt => Comparison::Greater,
            BinaryOperator::GtEq => Comparison::AtLeast,
            _ => return self.other_operator(left, op, right),
        };
        Ok(Term::Compare(self.boxed(left)?, comparison, self.boxed(right)?))
    }

    fn other_operator(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Term> {
        let operation = match op {
            BinaryOperator::Plus => Operation::Plus,
            BinaryOperator::Minus => Operation::Minus,
            BinaryOperator::Multiply => Operation::Times,
            BinaryOperator::Modulo => Operation::Remainder,
            BinaryOperator::Spaceship => {
                return Ok(Term::Same(self.boxed(left)?, self.boxed(right)?, false));
            }
            BinaryOperator::PGLikeMatch => return self.like(left, right, false),
            BinaryOperator::PGNotLikeMatch => return self.like(left, right, true),
            BinaryOperator::Divide
            | BinaryOperator::DuckIntegerDivide
            | BinaryOperator::MyIntegerDivide => {
                return refuse("it divides, and systems round quotients differently");
            }
            other => return refuse(format!("the operator {other} is not the same everywhere")),
        };
        Ok(Term::Reckon(self.boxed(left)?, operation, self.boxed(right)?))
    }

    fn like(&self, of: &Expr, pattern: &Expr, negated: bool) -> Result<Term> {
        let pattern = match self.term(pattern)? {
            Term::Text(pattern) => pattern,
            Term::Cast(inner, _) => match *inner {
                Term::Text(pattern) => pattern,
                _ => return refuse("the pattern of LIKE is no text as it is written"),
            },
            _ => return refuse("the pattern of LIKE is no text as it is written"),
        };
        if pattern.contains('\\') {
            return refuse("the pattern of LIKE has an escape, which systems read differently");
        }
        Ok(Term::Like(self.boxed(of)?, pattern, negated))
    }

    fn case(
        &self,
        operand: Option<&Expr>,
        conditions: &[sqlparser::ast::CaseWhen],
        other: Option<&Expr>,
    ) -> Result<Term> {
        let mut whens = Vec::with_capacity(conditions.len());
        for one in conditions {
            let when = match operand {
                None => self.term(&one.condition)?,
                Some(operand) => Term::Compare(
                    self.boxed(operand)?,
                    Comparison::Equal,
                    self.boxed(&one.condition)?,
                ),
            };
            whens.push((when, self.term(&one.result)?));
        }
        Ok(Term::Case(whens, other.map(|other| self.boxed(other)).transpose()?))
    }
}

fn is_space(expression: &Expr) -> bool {
    let Expr::Value(value) = expression else { return false };
    matches!(&value.value, Value::SingleQuotedString(text) if text == " ")
}

fn column(relation: Option<&Ident>, name: &Ident) -> Term {
    Term::Column {
        relation: relation.map(|relation| relation.value.clone()),
        name: name.value.clone(),
        quoted: name.quote_style == Some('"'),
    }
}

/// The words of a name that stands alone, or in the system's own namespace.
fn words(name: &ObjectName) -> Option<String> {
    let mut parts = name.0.iter().filter_map(|part| part.as_ident()).map(|one| &one.value);
    match (parts.next(), parts.next(), parts.next()) {
        (Some(only), None, _) => Some(only.to_ascii_lowercase()),
        (Some(own), Some(name), None) if own == "pg_catalog" => Some(name.to_ascii_lowercase()),
        _ => None,
    }
}

/// Whether a word before a text says in which character set it is. The texts of a catalog come in
/// that of the session, whatever the word.
fn is_introducer(prefix: &Ident) -> bool {
    matches!(prefix.value.to_ascii_lowercase().as_str(), "_utf8mb4" | "_utf8mb3" | "_utf8")
}

fn value_of(value: &Value) -> Result<Term> {
    Ok(match value {
        Value::Number(text, _) => Term::Number(number(text)?),
        Value::SingleQuotedString(text) => Term::Text(text.clone()),
        // PostgreSQL's E'…', whose escapes the parser has read.
        Value::EscapedStringLiteral(text) => Term::Text(text.clone()),
        Value::Boolean(value) => Term::Truth(*value),
        Value::Null => Term::Null,
        _ => return refuse("it has a literal that is not the same everywhere"),
    })
}

/// A number without an exponent, with digits on both sides of a point. Others are floats in one
/// system and exact in another; so are very long ones.
pub(crate) fn number(text: &str) -> Result<String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || text == "." || text.is_empty() {
        return refuse(format!("the number {text} is not the same everywhere"));
    }
    let most = if fraction.is_empty() { 18 } else { 15 };
    if whole.len() + fraction.len() > most {
        return refuse(format!("a number of more than {most} digits is a float somewhere"));
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    Ok(if fraction.is_empty() { whole.to_string() } else { format!("{whole}.{fraction}") })
}

/// What an expression is that has no common form.
fn what(expression: &Expr) -> String {
    let name = match expression {
        Expr::Exists { .. } | Expr::Subquery(_) | Expr::InSubquery { .. } => {
            return "it has a query in a query".to_string();
        }
        Expr::Collate { .. } => "a collation of its own (COLLATE)",
        Expr::RLike { .. } | Expr::SimilarTo { .. } => "a regular expression",
        Expr::ILike { .. } => "ILIKE",
        Expr::Like { .. } => "LIKE with an escape",
        Expr::Extract { .. } => "EXTRACT",
        Expr::Ceil { .. } => "the function ceil",
        Expr::Floor { .. } => "the function floor",
        Expr::Position { .. } => "the function position",
        Expr::Overlay { .. } => "the function overlay",
        Expr::Trim { .. } => "TRIM of other characters than spaces",
        Expr::Interval(_) => "an interval",
        Expr::AtTimeZone { .. } => "AT TIME ZONE",
        Expr::Convert { .. } => "CONVERT",
        Expr::Tuple(_) => "a list of values",
        Expr::Array(_) | Expr::AnyOp { .. } | Expr::AllOp { .. } => "an array",
        Expr::MatchAgainst { .. } => "a full-text search",
        Expr::Prefixed { .. } => "a text in a character set of its own",
        Expr::UnaryOp { .. } => "an operator before a value",
        _ => "something",
    };
    format!("it has {name}, which is not the same everywhere")
}
