//! Views, each after those that it selects from.

use longshore_model::catalog::{Common, TableName};

use crate::dialect::{COMMON, Dialect};
use crate::relation::{Relation, written};
use crate::settle::body;
use crate::{Refusal, Result, read, refuse, write};

/// A view of a source.
#[derive(Debug, Clone)]
pub struct View {
    /// Its name.
    pub name: TableName,
    /// `CREATE VIEW … AS SELECT …`, or the query alone; else why it cannot be read.
    pub text: Result<String>,
}

/// How a target calls things.
pub struct Names<'a> {
    /// Writes the name of a view of the source.
    pub view: &'a dyn Fn(&TableName) -> String,
    /// Whether a name is kept as it is.
    pub fits: &'a dyn Fn(&str) -> bool,
}

/// Reads views over tables; the result has an item for each, in their order.
pub fn read_views(dialect: &Dialect, tables: Vec<Relation>, views: &[View]) -> Vec<Common> {
    let make = |at: usize, known: &[Relation]| {
        let View { name, text } = &views[at];
        let mut query = read::query(dialect, text.as_ref().map_err(Clone::clone)?)?;
        let columns = body(dialect, true, known, &mut query)?;
        let text = write::view(&COMMON, &written(name), &query);
        Ok((text, Relation::of(name.clone(), columns)))
    };
    let mut outcomes: Vec<Option<Common>> = views.iter().map(|_| None).collect();
    for (at, outcome) in in_order(tables, views.len(), &make) {
        outcomes[at] = Some(match outcome {
            Ok(text) => Common::Sql(text),
            Err(refusal) => Common::Refused(refusal.to_string()),
        });
    }
    outcomes.into_iter().flatten().collect()
}

/// Writes views over tables as the target has them. The result is in the order in which they can be
/// made, with their places.
pub fn write_views(
    dialect: &Dialect,
    tables: Vec<Relation>,
    views: &[&Common],
    names: &Names<'_>,
) -> Vec<(usize, Result<String>)> {
    let make = |at: usize, known: &[Relation]| {
        let text = match views[at] {
            Common::Sql(text) => text,
            Common::Refused(reason) => return refuse(reason),
        };
        let (name, mut query) = read::view(&COMMON, text)?;
        let columns = body(dialect, false, known, &mut query)?;
        let own = std::iter::once(&name.name).chain(columns.iter().map(|column| &column.name));
        if let Some(long) = own.into_iter().find(|name| !(names.fits)(name)) {
            return refuse(format!("its name {long} is none that the target keeps"));
        }
        let written = (names.view)(&name);
        let text = write::view(dialect, &written, &query);
        Ok((text, Relation { name, written, columns }))
    };
    in_order(tables, views.len(), &make)
}

type Make<'a> = dyn Fn(usize, &[Relation]) -> Result<(String, Relation)> + 'a;

/// Makes every view once what it needs is known. Those that need each other, or what is not there,
/// come last.
fn in_order(
    mut known: Vec<Relation>,
    count: usize,
    make: &Make<'_>,
) -> Vec<(usize, Result<String>)> {
    let mut waiting: Vec<usize> = (0..count).collect();
    let mut done = Vec::with_capacity(count);
    loop {
        let before = waiting.len();
        let mut open = Vec::new();
        for at in waiting {
            match make(at, &known) {
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
