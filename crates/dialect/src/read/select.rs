//! Queries.

use longshore_model::catalog::TableName;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Join as Joined, JoinConstraint, JoinOperator, LimitClause,
    ObjectName, OrderByExpr, OrderByKind, OrderBySort, Query, Select as Selected, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Statement, TableFactor,
    TableWithJoins, Value,
};
use sqlparser::tokenizer::Token;

use super::{Reader, parsed};
use crate::dialect::Dialect;
use crate::query::{Body, From, Item, Join, On, Order, Select};
use crate::{Result, refuse};

/// Reads the query of a view: of `CREATE VIEW … AS SELECT …`, or alone.
pub(crate) fn query(dialect: &Dialect, text: &str) -> Result<Body> {
    Ok(either(dialect, text)?.1)
}

/// Reads `CREATE VIEW … AS SELECT …`: its name and its query.
pub(crate) fn view(dialect: &Dialect, text: &str) -> Result<(TableName, Body)> {
    match either(dialect, text)? {
        (Some(name), body) => Ok((name, body)),
        (None, _) => refuse("its text has words that are not understood"),
    }
}

/// Names of a view's columns go to those of its query.
fn either(dialect: &Dialect, text: &str) -> Result<(Option<TableName>, Body)> {
    let text = text.trim().trim_end_matches(';').trim_end();
    if text.to_ascii_uppercase().ends_with("CHECK OPTION") {
        return refuse("it checks what is written through it (CHECK OPTION)");
    }
    let statement = parsed(dialect, text, |parser| {
        let statement = parser.parse_statement()?;
        parser.expect_token(&Token::EOF)?;
        Ok(statement)
    })?;
    let reader = Reader::new(dialect);
    match &statement {
        Statement::Query(query) => Ok((None, reader.body(query)?)),
        Statement::CreateView(view) if !view.materialized && view.params.is_none() => {
            let mut body = reader.body(&view.query)?;
            if !view.columns.is_empty() {
                let names = view.columns.iter().map(|column| column.name.value.clone());
                name_columns(&mut body, names.collect())?;
            }
            Ok((Some(table_name(&view.name)?), body))
        }
        _ => refuse("its text has words that are not understood"),
    }
}

fn name_columns(body: &mut Body, names: Vec<String>) -> Result<()> {
    let items = body.selects.first_mut().map(|select| &mut select.items);
    let items = items.filter(|items| items.len() == names.len());
    for (item, wanted) in items.into_iter().flatten().zip(names) {
        match item {
            Item::Term { name, .. } => *name = Some(wanted),
            Item::Every(_) => return refuse("it names the columns of a *"),
        }
    }
    Ok(())
}

impl Reader<'_> {
    fn body(&self, query: &Query) -> Result<Body> {
        let plain = query.with.is_none()
            && query.fetch.is_none()
            && query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        if !plain {
            return refuse("its query has WITH or another clause that is not the same everywhere");
        }
        let mut body = Body {
            selects: Vec::new(),
            keeps: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: None,
        };
        self.set(&query.body, &mut body)?;
        if let Some(order) = &query.order_by {
            let OrderByKind::Expressions(all) = &order.kind else {
                return refuse("it orders by ALL");
            };
            body.order = all.iter().map(|one| self.order(one)).collect::<Result<_>>()?;
        }
        if let Some(limit) = &query.limit_clause {
            let (limit, offset) = match limit {
                LimitClause::LimitOffset { limit, offset, limit_by } if limit_by.is_empty() => {
                    (limit.as_ref(), offset.as_ref().map(|offset| &offset.value))
                }
                LimitClause::OffsetCommaLimit { offset, limit } => (Some(limit), Some(offset)),
                _ => return refuse("it has LIMIT BY"),
            };
            body.limit = limit.map(rows).transpose()?;
            body.offset = offset.map(rows).transpose()?;
        }
        Ok(body)
    }

    fn set(&self, set: &SetExpr, body: &mut Body) -> Result<()> {
        match set {
            SetExpr::Select(select) => {
                body.selects.push(self.select(select)?);
                Ok(())
            }
            SetExpr::SetOperation { left, op: SetOperator::Union, set_quantifier, right } => {
                self.set(left, body)?;
                let right = unwrapped(right);
                if !matches!(right, SetExpr::Select(_)) {
                    return refuse("it has a UNION in a UNION");
                }
                body.keeps.push(match set_quantifier {
                    SetQuantifier::All => true,
                    SetQuantifier::None | SetQuantifier::Distinct => false,
                    _ => return refuse("it has a UNION by names"),
                });
                self.set(right, body)
            }
            SetExpr::Query(_) => match unwrapped(set) {
                SetExpr::Query(_) => refuse("it has a query in a query"),
                inner => self.set(inner, body),
            },
            SetExpr::SetOperation { op, .. } => refuse(format!("it has {op}")),
            _ => refuse("it selects from no table"),
        }
    }

    fn select(&self, select: &Selected) -> Result<Select> {
        let plain = select.top.is_none()
            && select.exclude.is_none()
            && select.into.is_none()
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.connect_by.is_empty()
            && select.cluster_by.is_empty()
            && select.distribute_by.is_empty()
            && select.sort_by.is_empty()
            && select.named_window.is_empty()
            && select.qualify.is_none()
            && select.value_table_mode.is_none()
            && select.select_modifiers.as_ref().is_none_or(|words| words.to_string().is_empty());
        if !plain {
            return refuse("its query has a clause that is not the same everywhere");
        }
        let distinct = match &select.distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return refuse("it has DISTINCT ON"),
        };
        let groups = match &select.group_by {
            GroupByExpr::Expressions(groups, modifiers) if modifiers.is_empty() => {
                self.terms(groups)?
            }
            _ => return refuse("it groups in a way of its own"),
        };
        let mut from = Vec::new();
        for table in &select.from {
            self.from(table, &mut from)?;
        }
        let term = |one: &Expr| self.term(one);
        Ok(Select {
            distinct,
            items: select.projection.iter().map(|one| self.item(one)).collect::<Result<_>>()?,
            from,
            condition: select.selection.as_ref().map(term).transpose()?,
            groups,
            having: select.having.as_ref().map(term).transpose()?,
        })
    }

    fn item(&self, item: &SelectItem) -> Result<Item> {
        Ok(match item {
            SelectItem::UnnamedExpr(one) => Item::Term { term: self.term(one)?, name: None },
            SelectItem::ExprWithAlias { expr, alias } => {
                Item::Term { term: self.term(expr)?, name: Some(alias.value.clone()) }
            }
            SelectItem::Wildcard(options) if options.to_string().is_empty() => Item::Every(None),
            SelectItem::QualifiedWildcard(
                SelectItemQualifiedWildcardKind::ObjectName(name),
                options,
            ) if options.to_string().is_empty() => Item::Every(Some(table_name(name)?.name)),
            _ => return refuse("it has a * with words of its own"),
        })
    }

    /// Tables in the order in which they are joined. One side of a join is one table.
    fn from(&self, table: &TableWithJoins, found: &mut Vec<From>) -> Result<()> {
        match &table.relation {
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                self.from(table_with_joins, found)?;
            }
            one => found.push(self.table(one, Join::Each)?),
        }
        for joined in &table.joins {
            found.push(self.join(joined)?);
        }
        Ok(())
    }

    fn join(&self, joined: &Joined) -> Result<From> {
        let join = match &joined.join_operator {
            JoinOperator::Join(JoinConstraint::None)
            | JoinOperator::Inner(JoinConstraint::None)
            | JoinOperator::CrossJoin(JoinConstraint::None) => Join::Each,
            JoinOperator::Join(on) | JoinOperator::Inner(on) => Join::Inner(self.on(on)?),
            JoinOperator::Left(on) | JoinOperator::LeftOuter(on) => Join::Left(self.on(on)?),
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) | JoinOperator::FullOuter(_) => {
                return refuse("it has a RIGHT or FULL JOIN");
            }
            _ => return refuse("it has a join that is not the same everywhere"),
        };
        let mut relation = &joined.relation;
        while let TableFactor::NestedJoin { table_with_joins, alias: None } = relation {
            if !table_with_joins.joins.is_empty() {
                return refuse("it joins with a join in parentheses");
            }
            relation = &table_with_joins.relation;
        }
        self.table(relation, join)
    }

    fn on(&self, on: &JoinConstraint) -> Result<On> {
        match on {
            JoinConstraint::On(one) => self.term(one).map(On::Term),
            JoinConstraint::Using(names) => {
                let name = |name: &ObjectName| table_name(name).map(|name| name.name);
                names.iter().map(name).collect::<Result<_>>().map(On::Using)
            }
            JoinConstraint::Natural => refuse("it has a NATURAL JOIN"),
            JoinConstraint::None => refuse("it has a join without a condition"),
        }
    }

    fn table(&self, factor: &TableFactor, join: Join) -> Result<From> {
        let TableFactor::Table { name, alias, args: None, partitions, sample: None, .. } = factor
        else {
            return refuse("it selects from something that is no table");
        };
        let columns = alias.as_ref().is_some_and(|alias| !alias.columns.is_empty());
        if !partitions.is_empty() || columns {
            return refuse("it selects from a table with words of its own");
        }
        let name = table_name(name)?;
        let alias = alias.as_ref().map_or_else(|| name.name.clone(), |one| one.name.value.clone());
        Ok(From { name, alias, join, written: String::new() })
    }

    fn order(&self, order: &OrderByExpr) -> Result<Order> {
        if order.with_fill.is_some() {
            return refuse("it orders in a way of its own");
        }
        let descending = match &order.options.sort {
            None | Some(OrderBySort::Asc) => false,
            Some(OrderBySort::Desc) => true,
            Some(OrderBySort::Using(_)) => return refuse("it orders in a way of its own"),
        };
        Ok(Order {
            term: self.term(&order.expr)?,
            item: None,
            descending,
            nulls_first: order.options.nulls_first,
        })
    }
}

/// A set without parentheses that say nothing.
fn unwrapped(mut set: &SetExpr) -> &SetExpr {
    while let SetExpr::Query(query) = set {
        let plain = query.order_by.is_none() && query.limit_clause.is_none();
        if !plain || query.with.is_some() {
            break;
        }
        set = &query.body;
    }
    set
}

fn rows(expression: &Expr) -> Result<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(text.clone())
            }
            _ => refuse("its LIMIT is no number"),
        },
        _ => refuse("its LIMIT is no number"),
    }
}

fn table_name(name: &ObjectName) -> Result<TableName> {
    let parts: Option<Vec<String>> =
        name.0.iter().map(|part| Some(part.as_ident()?.value.clone())).collect();
    match parts.unwrap_or_default().as_slice() {
        [name] => Ok(TableName::plain(name.clone())),
        [namespace, name] => {
            Ok(TableName { namespace: Some(namespace.clone()), name: name.clone() })
        }
        _ => refuse("it has a name of many parts"),
    }
}
