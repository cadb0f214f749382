//! Sequences, and where they go on.

use std::collections::HashMap;

use longshore_model::Result;
use longshore_model::catalog::Program;
use tokio_postgres::{Client, Row};

use super::{Got, program, queries, told};
use crate::sql::{literal, quote};

/// Sequences whose places are asked for in one statement.
const AT_ONCE: usize = 500;

pub(super) struct Sequence {
    pub(super) oid: u32,
    pub(super) name: String,
    kind: String,
    start: i64,
    increment: i64,
    most: i64,
    least: i64,
    cache: i64,
    cycles: bool,
    pub(super) table: Option<u32>,
    pub(super) column: Option<String>,
    pub(super) identity: bool,
    /// Whether its column holds numbers.
    counts: bool,
    unlogged: bool,
    readable: bool,
    /// Its number, and whether it was given out; `None` when it cannot be read.
    place: Option<(i64, bool)>,
}

pub(super) fn sequence(row: &Row) -> Got<Sequence> {
    Ok(Sequence {
        oid: row.try_get(0)?,
        name: row.try_get(1)?,
        kind: row.try_get(2)?,
        start: row.try_get(3)?,
        increment: row.try_get(4)?,
        most: row.try_get(5)?,
        least: row.try_get(6)?,
        cache: row.try_get(7)?,
        cycles: row.try_get(8)?,
        table: row.try_get(9)?,
        column: row.try_get(10)?,
        identity: row.try_get(11)?,
        counts: row.try_get::<_, Option<bool>>(12)?.unwrap_or(false),
        unlogged: row.try_get(13)?,
        readable: row.try_get(14)?,
        place: None,
    })
}

/// Reads where sequences stand.
pub(super) async fn places(
    client: &Client,
    version: u32,
    sequences: &mut [Sequence],
) -> Result<()> {
    let mut places: HashMap<u32, (i64, bool)> = HashMap::new();
    let readable: Vec<&Sequence> = sequences.iter().filter(|one| one.readable).collect();
    for some in readable.chunks(if version >= 180_000 { usize::MAX } else { AT_ONCE }) {
        let rows = if version >= 180_000 {
            let numbers: Vec<u32> = some.iter().map(|one| one.oid).collect();
            client.query(queries::SEQUENCE_DATA, &[&numbers]).await
        } else {
            let each = |one: &&Sequence| {
                format!("SELECT {}::oid, last_value, is_called FROM {}", one.oid, one.name)
            };
            let sql: Vec<String> = some.iter().map(each).collect();
            client.query(&sql.join(" UNION ALL "), &[]).await
        };
        for row in rows.map_err(told)? {
            let of = |row: &Row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?)));
            places.extend([of(&row).map_err(told)?]);
        }
    }
    for one in sequences {
        one.place = places.get(&one.oid).copied();
    }
    Ok(())
}

impl Sequence {
    pub(super) fn parameters(&self) -> String {
        format!(
            "START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} CACHE {}{}",
            self.start,
            self.increment,
            self.least,
            self.most,
            self.cache,
            if self.cycles { " CYCLE" } else { "" }
        )
    }

    pub(super) fn create(&self) -> String {
        let unlogged = if self.unlogged { "UNLOGGED " } else { "" };
        format!("CREATE {unlogged}SEQUENCE {} AS {} {}", self.name, self.kind, self.parameters())
    }

    /// What follows the load: whose it is, and where it goes on. `bound` is its table.
    pub(super) fn finish(&self, bound: &str) -> Vec<Program> {
        let mut programs = Vec::new();
        let mut add = |kind: &str, native| {
            programs.push(program(kind, &self.name, bound, native));
        };
        if let (false, Some(column)) = (self.identity, &self.column) {
            let sql = format!("ALTER SEQUENCE {} OWNED BY {bound}.{}", self.name, quote(column));
            add("owner of a sequence", sql);
        }
        // One that starts over may stand below its rows, and stays there.
        let follows = self.counts && !self.cycles;
        if let Some(column) = self.column.as_ref().filter(|_| follows) {
            add("sequence value", self.after_the_rows(column, bound));
        } else if let Some((number, given)) =
            self.place.filter(|place| *place != (self.start, false))
        {
            let name = literal(&self.name);
            add("sequence value", format!("SELECT pg_catalog.setval({name}, {number}, {given})"));
        }
        programs
    }

    /// Rows may be newer than the number that was read with the structure.
    fn after_the_rows(&self, column: &str, bound: &str) -> String {
        let (name, column) = (literal(&self.name), quote(column));
        let (number, given) = self.place.unwrap_or((self.start, false));
        let (last, beyond) = if self.increment > 0 { ("max", ">") } else { ("min", "<") };
        let (least, most) = (self.least, self.most);
        format!(
            "SELECT CASE WHEN at {beyond} {number} OR at = {number} AND {given} \
             THEN pg_catalog.setval({name}, GREATEST({least}, LEAST({most}, at))::pg_catalog.int8, true) \
             ELSE pg_catalog.setval({name}, {number}, {given}) END FROM (SELECT \
             COALESCE(pg_catalog.{last}({column}), {number})::pg_catalog.numeric AS at FROM {bound}) \
             AS rows"
        )
    }
}
