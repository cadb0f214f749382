//! What is known of many tables at once: columns, sizes, and how many rows they hold. A fixed number
//! of statements for each few hundred tables.

use std::collections::HashMap;
use std::sync::Arc;

use longshore_model::Result;
use tokio_postgres::{Client, Row};

use crate::failure::failure;
use crate::types::NativeType;
use crate::{catalog, session};

/// Rows of tables up to this size are counted; of larger ones that the server knows nothing of, as
/// many blocks stand for the rest.
const COUNTED_BLOCKS: u32 = 32;

/// Tables that are surveyed in one transaction.
pub(crate) const TABLES: usize = 400;

/// Tables that one statement counts.
const AT_ONCE: usize = 200;

/// What is known of a table.
pub(crate) struct Facts {
    pub columns: Vec<(String, NativeType)>,
    pub blocks: u32,
    /// With what is stored outside of the rows.
    pub bytes: u64,
    /// About; `None` when the server's planner must be asked.
    pub rows: Option<u64>,
}

/// Looks at tables, given in SQL.
pub(crate) async fn survey(
    client: &Client,
    tables: &[String],
) -> Result<HashMap<String, Arc<Facts>>> {
    let told = |error| failure("ask for the sizes of tables", error);
    let mut columns = catalog::columns_of_all(client, tables).await?;
    let rows = client.query(SIZES, &[&tables]).await.map_err(told)?;
    let sizes = rows.iter().map(Size::of).collect::<std::result::Result<Vec<_>, _>>();
    let sizes = sizes.map_err(told)?;
    let mut counted = HashMap::new();
    let version = session::version(client).await?;
    let few: Vec<&Size> = sizes.iter().filter(|size| size.is_counted(version)).collect();
    for some in few.chunks(AT_ONCE) {
        let each = |size: &&Size| {
            let bound = match size.blocks > COUNTED_BLOCKS {
                true => format!(" WHERE ctid < '({COUNTED_BLOCKS},0)'"),
                false => String::new(),
            };
            format!("SELECT {}::int8, count(*) FROM ONLY {}{bound}", size.number, size.table)
        };
        let sql: Vec<String> = some.iter().map(each).collect();
        let told = |error| failure("count the rows of tables", error);
        for row in client.query(&sql.join(" UNION ALL "), &[]).await.map_err(told)? {
            let number: i64 = row.try_get(0).map_err(told)?;
            counted.insert(number, row.try_get::<_, i64>(1).map_err(told)?);
        }
    }
    let facts = sizes.into_iter().map(|size| {
        let columns = columns.remove(&size.oid).unwrap_or_default();
        let rows = size.rows(counted.get(&size.number).copied());
        (size.table, Arc::new(Facts { columns, blocks: size.blocks, bytes: size.bytes, rows }))
    });
    Ok(facts.collect())
}

struct Size {
    number: i64,
    table: String,
    oid: u32,
    blocks: u32,
    bytes: u64,
    /// Rows in a block, as the server last saw it; below zero when it never looked.
    density: f64,
    readable: bool,
}

impl Size {
    fn of(row: &Row) -> std::result::Result<Self, tokio_postgres::Error> {
        Ok(Self {
            number: row.try_get(0)?,
            table: row.try_get(1)?,
            oid: row.try_get(2)?,
            blocks: u32::try_from(row.try_get::<_, i64>(3)?).unwrap_or(u32::MAX),
            bytes: u64::try_from(row.try_get::<_, i64>(4)?).unwrap_or(0),
            density: row.try_get(5)?,
            readable: row.try_get(6)?,
        })
    }

    /// Ranges of rows' places are read without the rest of a table since version 14.
    fn is_counted(&self, version: u32) -> bool {
        let small = self.blocks <= COUNTED_BLOCKS;
        let unknown = self.density < 0.0 && version >= 140_000;
        self.readable && self.blocks > 0 && (small || unknown)
    }

    fn rows(&self, counted: Option<i64>) -> Option<u64> {
        let counted = counted.and_then(|rows| u64::try_from(rows).ok());
        match counted {
            _ if self.blocks == 0 => Some(0),
            Some(rows) if self.blocks > COUNTED_BLOCKS => {
                Some(rows.saturating_mul(self.blocks.into()) / u64::from(COUNTED_BLOCKS))
            }
            Some(rows) => Some(rows),
            None if self.density >= 0.0 => Some((self.density * f64::from(self.blocks)) as u64),
            None => None,
        }
    }
}

/// Tables of a list: their number in it, name, size, and what the server knows of their rows.
const SIZES: &str = "
    SELECT wanted.number, wanted.name, c.oid,
        pg_catalog.pg_relation_size(c.oid, 'main')
            / pg_catalog.current_setting('block_size')::pg_catalog.int8,
        pg_catalog.pg_table_size(c.oid),
        CASE WHEN c.reltuples >= 0 AND c.relpages > 0
            THEN c.reltuples::pg_catalog.float8 / c.relpages ELSE -1 END,
        pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid)
    FROM unnest($1::pg_catalog.text[]) WITH ORDINALITY AS wanted (name, number)
    JOIN pg_catalog.pg_class c ON c.oid = wanted.name::pg_catalog.regclass
    ORDER BY wanted.number";

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn rows_are_counted_or_follow_from_those_of_a_part() {
        let size = |blocks, density| Size {
            number: 1,
            table: String::new(),
            oid: 1,
            blocks,
            bytes: 0,
            density,
            readable: true,
        };
        assert_eq!(size(0, -1.0).rows(None), Some(0));
        assert_eq!(size(32, 5.0).rows(Some(7)), Some(7));
        assert_eq!(size(320, -1.0).rows(Some(7)), Some(70));
        assert_eq!(size(100, 2.5).rows(None), Some(250));
        assert_eq!(size(100, -1.0).rows(None), None);
        assert!(size(1, 5.0).is_counted(130_000) && size(33, -1.0).is_counted(140_000));
        assert!(!size(33, 5.0).is_counted(150_000) && !size(33, -1.0).is_counted(130_000));
    }
}
