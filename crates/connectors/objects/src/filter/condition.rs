//! Conditions, made from parsed SQL and evaluated row by row.

use longshore_model::{Cell, Code, ColumnView, Error, LogicalType, Result};
use sqlparser::ast::{BinaryOperator, Expr, Ident, UnaryOperator, Value};

use super::compare::{Constant, Literal, Operator, Pattern, compare_cells};

/// A condition. Columns are named by their place among those of the filter.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Always the same; `None` is unknown.
    Always(Option<bool>),
    /// A boolean column.
    True(usize),
    IsNull(usize),
    Compare(usize, Operator, Constant),
    CompareColumns(usize, Operator, usize),
    Like(usize, Pattern),
}

/// Finds a column by name.
type Resolve<'a> = dyn Fn(&Ident) -> Result<usize> + 'a;
/// The type of a column that was found.
type TypeOf<'a> = dyn Fn(usize) -> LogicalType + 'a;

enum Operand {
    Column(usize),
    Literal(Literal),
}

impl Condition {
    /// Whether it holds for a row; `None` when that is unknown.
    pub(super) fn holds(&self, columns: &[ColumnView<'_>], row: usize) -> Option<bool> {
        match self {
            Condition::All(parts) => fold(parts, columns, row, false),
            Condition::Any(parts) => fold(parts, columns, row, true),
            Condition::Not(inner) => inner.holds(columns, row).map(|holds| !holds),
            Condition::Always(value) => *value,
            Condition::True(column) => match columns[*column].cell(row) {
                Cell::Bool(value) => Some(value),
                _ => None,
            },
            Condition::IsNull(column) => Some(columns[*column].cell(row) == Cell::Null),
            Condition::Compare(column, operator, constant) => {
                constant.compare(columns[*column].cell(row)).map(|order| operator.takes(order))
            }
            Condition::CompareColumns(left, operator, right) => {
                compare_cells(columns[*left].cell(row), columns[*right].cell(row))
                    .map(|order| operator.takes(order))
            }
            Condition::Like(column, pattern) => match columns[*column].cell(row) {
                Cell::Text(text) => Some(pattern.matches(text)),
                _ => None,
            },
        }
    }
}

/// AND and OR: one part of the value `decides` is enough, an unknown one leaves it open.
fn fold(
    parts: &[Condition],
    columns: &[ColumnView<'_>],
    row: usize,
    decides: bool,
) -> Option<bool> {
    let mut open = false;
    for part in parts {
        match part.holds(columns, row) {
            Some(value) if value == decides => return Some(decides),
            Some(_) => {}
            None => open = true,
        }
    }
    (!open).then_some(!decides)
}

/// Makes a condition of an expression.
pub(super) fn compile(
    expression: &Expr,
    resolve: &Resolve<'_>,
    type_of: &TypeOf<'_>,
) -> Result<Condition> {
    Compiler { resolve, type_of }.condition(expression)
}

struct Compiler<'a> {
    resolve: &'a Resolve<'a>,
    type_of: &'a TypeOf<'a>,
}

impl Compiler<'_> {
    fn condition(&self, expression: &Expr) -> Result<Condition> {
        Ok(match expression {
            Expr::Nested(inner) => self.condition(inner)?,
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                Condition::All(vec![self.condition(left)?, self.condition(right)?])
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                Condition::Any(vec![self.condition(left)?, self.condition(right)?])
            }
            Expr::BinaryOp { left, op, right } => {
                let operator = operator(op).ok_or_else(|| refused(expression))?;
                self.comparison(expression, left, operator, right)?
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => not(self.condition(expr)?),
            Expr::IsNull(inner) => Condition::IsNull(self.column(inner)?),
            Expr::IsNotNull(inner) => not(Condition::IsNull(self.column(inner)?)),
            Expr::InList { expr, list, negated } => {
                let equals = |item| self.comparison(expression, expr, Operator::Equal, item);
                let any = Condition::Any(list.iter().map(equals).collect::<Result<_>>()?);
                if *negated { not(any) } else { any }
            }
            Expr::Between { expr, negated, low, high } => {
                let both = Condition::All(vec![
                    self.comparison(expression, expr, Operator::NotLess, low)?,
                    self.comparison(expression, expr, Operator::NotGreater, high)?,
                ]);
                if *negated { not(both) } else { both }
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let escape = escape_char.as_deref();
                let like = self.like(expression, expr, pattern, escape)?;
                if *negated { not(like) } else { like }
            }
            Expr::Value(_) | Expr::Identifier(_) => match self.operand(expression)? {
                Operand::Literal(Literal::Boolean(value)) => Condition::Always(Some(value)),
                Operand::Literal(Literal::Null) => Condition::Always(None),
                Operand::Column(column) if (self.type_of)(column) == LogicalType::Boolean => {
                    Condition::True(column)
                }
                _ => return Err(refused(expression)),
            },
            _ => return Err(refused(expression)),
        })
    }

    fn comparison(
        &self,
        whole: &Expr,
        left: &Expr,
        operator: Operator,
        right: &Expr,
    ) -> Result<Condition> {
        match (self.operand(left)?, self.operand(right)?) {
            (Operand::Column(column), Operand::Literal(literal)) => {
                self.with_literal(whole, column, operator, &literal)
            }
            (Operand::Literal(literal), Operand::Column(column)) => {
                self.with_literal(whole, column, operator.turned(), &literal)
            }
            (Operand::Column(left), Operand::Column(right)) => {
                let (one, other) = ((self.type_of)(left), (self.type_of)(right));
                if one != other || !Constant::comparable(&one) {
                    return Err(refused(whole).with("types", format!("{one}, {other}")));
                }
                Ok(Condition::CompareColumns(left, operator, right))
            }
            (Operand::Literal(_), Operand::Literal(_)) => Err(refused(whole)),
        }
    }

    fn with_literal(
        &self,
        whole: &Expr,
        column: usize,
        operator: Operator,
        literal: &Literal,
    ) -> Result<Condition> {
        if *literal == Literal::Null {
            return Ok(Condition::Always(None));
        }
        let logical = (self.type_of)(column);
        match Constant::new(&logical, literal) {
            Some(constant) => Ok(Condition::Compare(column, operator, constant)),
            None => Err(Error::new(
                Code::SpecInvalid,
                "a condition compares a column with something that its type has not",
            )
            .with("part", whole.to_string())
            .with("type", logical.to_string())),
        }
    }

    fn like(
        &self,
        whole: &Expr,
        expression: &Expr,
        pattern: &Expr,
        escape: Option<&Expr>,
    ) -> Result<Condition> {
        let column = self.column(expression)?;
        if !(self.type_of)(column).is_textual() {
            return Err(refused(whole).with("type", (self.type_of)(column).to_string()));
        }
        let escape = match escape.map(|escape| self.operand(escape)).transpose()? {
            None => None,
            Some(Operand::Literal(Literal::Text(text))) if text.chars().count() == 1 => {
                text.chars().next()
            }
            Some(_) => return Err(refused(whole)),
        };
        match self.operand(pattern)? {
            Operand::Literal(Literal::Null) => Ok(Condition::Always(None)),
            Operand::Literal(Literal::Text(text)) => {
                let pattern = Pattern::parse(&text, escape).ok_or_else(|| refused(whole))?;
                Ok(Condition::Like(column, pattern))
            }
            _ => Err(refused(whole)),
        }
    }

    fn column(&self, expression: &Expr) -> Result<usize> {
        match self.operand(expression)? {
            Operand::Column(column) => Ok(column),
            Operand::Literal(_) => Err(refused(expression)),
        }
    }

    fn operand(&self, expression: &Expr) -> Result<Operand> {
        let literal = match expression {
            Expr::Nested(inner) => return self.operand(inner),
            Expr::Identifier(name) => return (self.resolve)(name).map(Operand::Column),
            Expr::Value(value) => match &value.value {
                Value::Number(text, _) => Literal::Number(text.clone()),
                Value::SingleQuotedString(text) => Literal::Text(text.clone()),
                Value::HexStringLiteral(hex) => Literal::Text(format!("\\x{hex}")),
                Value::Boolean(value) => Literal::Boolean(*value),
                Value::Null => Literal::Null,
                _ => return Err(refused(expression)),
            },
            // DATE '2024-01-01': the column's type says what it is.
            Expr::TypedString(typed) => match &typed.value.value {
                Value::SingleQuotedString(text) => Literal::Text(text.clone()),
                _ => return Err(refused(expression)),
            },
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => match self.operand(expr)? {
                Operand::Literal(Literal::Number(text)) if !text.starts_with('-') => {
                    Literal::Number(format!("-{text}"))
                }
                _ => return Err(refused(expression)),
            },
            _ => return Err(refused(expression)),
        };
        Ok(Operand::Literal(literal))
    }
}

fn operator(operator: &BinaryOperator) -> Option<Operator> {
    Some(match operator {
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::NotEqual,
        BinaryOperator::Lt => Operator::Less,
        BinaryOperator::LtEq => Operator::NotGreater,
        BinaryOperator::Gt => Operator::Greater,
        BinaryOperator::GtEq => Operator::NotLess,
        _ => return None,
    })
}

fn not(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn refused(part: &Expr) -> Error {
    Error::new(Code::SpecInvalid, "files cannot be read with this condition")
        .with("part", part.to_string())
        .hint(
            "Use AND, OR, NOT, comparisons of a column with a value or with a column of the same \
             type, IS NULL, IN (values), BETWEEN and LIKE.",
        )
}
