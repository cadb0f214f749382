//! Views, each after those that it selects from.

use longshore_model::catalog::{Common, TableName};

use crate::dialect::{COMMON, Dialect};
use crate::query::Body;
use crate::relation::{Column, Relation, written};
use crate::settle::body;
use crate::{Refusal, Result, read, write};

/// A view to read or to write.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name in the source.
    pub name: TableName,
    /// `CREATE VIEW … AS SELECT …`, or the query alone; or why there is none.
    pub text: Result<String>,
}

/// Reads views over tables; the result has an item for each, in their order.
pub fn read_views(dialect: &Dialect, tables: Vec<Relation>, views: &[View]) -> Vec<Common> {
    let mut outcomes: Vec<Common> = views.iter().map(|_| Common::Refused(String::new())).collect();
    let make = |view: &View, known: &[Relation]| {
        let text = view.text.clone()?;
        let mut query = read::view(dialect, &text)?;
        let columns = body(dialect, true, known, &mut query)?;
        let name = written(&view.name);
        let text = write::view(&COMMON, &name, &query);
        Ok((text, Relation::of(view.name.clone(), columns)))
    };
    for (at, outcome) in in_order(tables, views, &make) {
        outcomes[at] = match outcome {
            Ok(text) => Common::Sql(text),
            Err(refusal) => Common::Refused(refusal.to_string()),
        };
    }
    outcomes
}

/// Writes views over tables as the target has them; `name` writes the name of a view. The result is
/// in the order in which they can be made, with their places.
pub fn write_views(
    dialect: &Dialect,
    tables: Vec<Relation>,
    views: &[View],
    name: &dyn Fn(&TableName) -> String,
) -> Vec<(usize, Result<String>)> {
    let make = |view: &View, known: &[Relation]| {
        let text = view.text.clone()?;
        let mut query: Body = read::view(&COMMON, &text)?;
        let columns: Vec<Column> = body(dialect, false, known, &mut query)?;
        let written = name(&view.name);
        let text = write::view(dialect, &written, &query);
        Ok((text, Relation { name: view.name.clone(), written, columns }))
    };
    in_order(tables, views, &make)
}

type Make<'a> = dyn Fn(&View, &[Relation]) -> Result<(String, Relation)> + 'a;

/// Makes every view once what it needs is known. Those that need each other, or what is not there,
/// come last.
fn in_order(
    mut known: Vec<Relation>,
    views: &[View],
    make: &Make<'_>,
) -> Vec<(usize, Result<String>)> {
    let mut waiting: Vec<usize> = (0..views.len()).collect();
    let mut done = Vec::with_capacity(views.len());
    loop {
        let before = waiting.len();
        let mut open = Vec::new();
        for at in waiting {
            match make(&views[at], &known) {
                Ok((text, relation)) => {
                    known.push(relation);
                    done.push((at, Ok(text)));
                }
                Err(Refusal::Missing(name)) => open.push((at, name)),
                Err(refusal) => done.push((at, Err(refusal))),
            }
        }
        if open.len() == before {
            let late = open.into_iter().map(|(at, name)| (at, Err(Refusal::Missing(name))));
            done.extend(late);
            return done;
        }
        waiting = open.into_iter().map(|(at, _)| at).collect();
    }
}
