//! Functions and aggregates.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function as Called, FunctionArg, FunctionArgExpr, FunctionArguments,
    TrimWhereField,
};

use super::{Reader, words};
use crate::dialect::Function;
use crate::term::Term;
use crate::{Result, refuse};

impl Reader<'_> {
    pub(super) fn call(&self, called: &Called) -> Result<Term> {
        let name = words(&called.name);
        let known = name.as_ref().and_then(|name| self.function(name));
        let Some(function) = known else {
            let name = called.name.to_string().replace('"', "");
            return refuse(format!("the function {name} is not the same everywhere"));
        };
        let FunctionArguments::List(list) = &called.args else {
            return refuse("it has a function without parentheses");
        };
        if called.over.is_some() {
            return refuse("it has a window (OVER)");
        }
        let plain = called.filter.is_none()
            && called.within_group.is_empty()
            && called.null_treatment.is_none()
            && matches!(called.parameters, FunctionArguments::None)
            && list.clauses.is_empty();
        if !plain {
            return refuse("it has a function with words of its own");
        }
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let is_aggregate =
            matches!(function, Function::Count | Function::Sum | Function::Min | Function::Max);
        if !is_aggregate {
            if list.duplicate_treatment.is_some() {
                return refuse("it has a function with words of its own");
            }
            return self.plain(function, &list.args);
        }
        match list.args.as_slice() {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]
                if function == Function::Count && !distinct =>
            {
                Ok(Term::Aggregate(function, None, false))
            }
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(of))] => {
                let of = self.term(of)?;
                // MySQL and MariaDB show count(*) as count(0).
                Ok(match (function, &of) {
                    (Function::Count, Term::Number(_)) if !distinct => {
                        Term::Aggregate(function, None, false)
                    }
                    _ => Term::Aggregate(function, Some(of.boxed()), distinct),
                })
            }
            _ => refuse("it has an aggregate of several values"),
        }
    }

    fn function(&self, name: &str) -> Option<Function> {
        let found = self.dialect.functions.iter().find(|(known, _)| *known == name);
        found.map(|(_, function)| *function)
    }

    fn plain(&self, function: Function, arguments: &[FunctionArg]) -> Result<Term> {
        let mut terms = Vec::with_capacity(arguments.len());
        for argument in arguments {
            match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(one)) => terms.push(self.term(one)?),
                _ => return refuse("it has a function with words of its own"),
            }
        }
        Ok(match (function, terms.len()) {
            (Function::Concat, 2..) => Term::Join(terms),
            (Function::IsNull, 1) => Term::IsNull(terms.remove(0).boxed(), false),
            (Function::If, 3) => {
                let other = terms.remove(2).boxed();
                let then = terms.remove(1);
                Term::Case(vec![(terms.remove(0), then)], Some(other))
            }
            (Function::Coalesce, 2..)
            | (Function::NullIf, 2)
            | (Function::Substring, 2 | 3)
            | (
                Function::Absolute
                | Function::Characters
                | Function::Trim
                | Function::TrimStart
                | Function::TrimEnd
                | Function::Lower
                | Function::Upper,
                1,
            ) => Term::Call(function, terms),
            _ => return refuse("it has a function with a number of values that is not the same"),
        })
    }

    pub(super) fn trim(&self, ends: Option<TrimWhereField>, of: &Expr) -> Result<Term> {
        let function = match ends {
            None | Some(TrimWhereField::Both) => Function::Trim,
            Some(TrimWhereField::Leading) => Function::TrimStart,
            Some(TrimWhereField::Trailing) => Function::TrimEnd,
        };
        match self.dialect.has(function) {
            true => Ok(Term::Call(function, vec![self.term(of)?])),
            false => refuse("the function trim is not the same everywhere"),
        }
    }

    pub(super) fn substring(
        &self,
        of: &Expr,
        from: Option<&Expr>,
        length: Option<&Expr>,
    ) -> Result<Term> {
        let Some(from) = from.filter(|_| self.dialect.has(Function::Substring)) else {
            return refuse("it has a part of a text without its start");
        };
        let parts = [Some(of), Some(from), length].into_iter().flatten();
        Ok(Term::Call(Function::Substring, self.terms(parts)?))
    }
}
