//! Conditions on rows: a small part of SQL, with its three-valued logic.
//!
//! Taken are AND, OR, NOT, comparisons of a column with a literal or with another column of its
//! type, IS \[NOT\] NULL, IN (list), BETWEEN and LIKE. Literals are read as the type of the column
//! that they are compared with. Everything else is refused by name.

mod compare;
mod condition;

use std::cell::RefCell;

use arrow_array::{BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use longshore_model::{Code, ColumnView, Error, LogicalType, Result};
use sqlparser::ast::{Expr, Ident};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use condition::{Condition, compile};

/// A condition on the rows of one table.
#[derive(Debug, Clone)]
pub(crate) struct Filter {
    condition: Condition,
    /// The columns that it looks at.
    columns: Vec<(String, LogicalType)>,
}

impl Filter {
    /// Reads a condition on a table of the given columns.
    pub(crate) fn parse(text: &str, table: &[(String, LogicalType)]) -> Result<Self> {
        let expression = parse(text)?;
        let used = RefCell::new(Vec::new());
        let condition = compile(
            &expression,
            &|name| {
                let column = find(table, name)?;
                let mut used = used.borrow_mut();
                let place = used.iter().position(|known| known == column);
                Ok(place.unwrap_or_else(|| {
                    used.push(column.clone());
                    used.len() - 1
                }))
            },
            &|place| used.borrow()[place].1.clone(),
        )?;
        Ok(Self { condition, columns: used.into_inner() })
    }

    /// The columns that it looks at.
    pub(crate) fn columns(&self) -> &[(String, LogicalType)] {
        &self.columns
    }

    /// The rows for which it is true. The batch holds the filter's columns by name.
    pub(crate) fn select(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let internal = |what| Error::new(Code::Internal, what);
        let views = self
            .columns
            .iter()
            .map(|(name, logical)| {
                let array = batch.column_by_name(name);
                let array = array.ok_or_else(|| internal("a column of a condition is missing"))?;
                ColumnView::new(logical, array)
            })
            .collect::<Result<Vec<_>>>()?;
        let keep: BooleanArray =
            (0..batch.num_rows()).map(|row| self.condition.holds(&views, row)).collect();
        filter_record_batch(batch, &keep)
            .map_err(|error| internal("a batch cannot be filtered").because(error))
    }
}

fn parse(text: &str) -> Result<Expr> {
    let wrong = |error| {
        Error::new(Code::SpecInvalid, "a condition is not valid SQL")
            .with("condition", text)
            .because(error)
    };
    let mut parser = Parser::new(&GenericDialect {}).try_with_sql(text).map_err(wrong)?;
    let expression = parser.parse_expr().map_err(wrong)?;
    let rest = parser.peek_token().token;
    if rest == Token::EOF {
        return Ok(expression);
    }
    Err(Error::new(Code::SpecInvalid, "a condition is followed by something else")
        .with("condition", text)
        .with("rest", rest.to_string()))
}

/// The column of a name: exactly that one, else the only one that differs in nothing but case.
fn find<'a>(table: &'a [(String, LogicalType)], name: &Ident) -> Result<&'a (String, LogicalType)> {
    if let Some(column) = table.iter().find(|(column, _)| *column == name.value) {
        return Ok(column);
    }
    let lower = name.value.to_lowercase();
    let mut close = table.iter().filter(|(column, _)| column.to_lowercase() == lower);
    match (close.next(), close.next()) {
        (Some(column), None) if name.quote_style.is_none() => Ok(column),
        _ => Err(Error::new(Code::SpecInvalid, "a condition names a column that is not there")
            .with("column", name.value.clone())),
    }
}

#[cfg(test)]
mod tests;
