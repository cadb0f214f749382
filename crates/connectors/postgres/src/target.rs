//! PostgreSQL as a target, before it is claimed.

use std::collections::HashMap;

use async_trait::async_trait;
use longshore_dialect::write_generated;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Load, Mapping, Part, SharedTarget, Standing, Target,
};
use longshore_model::ledger::{Holder, Ledger, Session};
use longshore_model::plan::TablePlan;
use longshore_model::{Code, Error, Result};
use tokio_postgres::Client;

use crate::address::Address;
use crate::dialect::{self, SQL};
use crate::failure::failure;
use crate::load::PostgresLoad;
use crate::range::Blocks;
use crate::session::{begin, connect, version};
use crate::{design, leases, ledger, rights, sql, types};

/// The size of a part that is read back.
const PART_BYTES: i64 = 64 << 20;

/// A database that data reaches.
pub(crate) struct PostgresTarget {
    address: Address,
}

impl PostgresTarget {
    /// A target; nothing is connected yet.
    pub(crate) fn new(address: Address) -> Self {
        Self { address }
    }

    async fn client(&self) -> Result<Client> {
        let client = connect(&self.address).await?;
        version(&client).await?;
        begin(&client, "ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        Ok(client)
    }

    fn names<'a>(
        &'a self,
        tables: impl Iterator<Item = &'a TableName>,
    ) -> (Vec<&'a str>, Vec<&'a str>) {
        tables
            .map(|name| {
                (name.namespace.as_deref().unwrap_or(&self.address.schema), name.name.as_str())
            })
            .unzip()
    }
}

#[async_trait]
impl Target for PostgresTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        types::map_column(column)
    }

    fn computes(&self, table: &TablePlan, column: &str) -> std::result::Result<(), String> {
        let relation = dialect::target(table, &self.address.schema);
        let written = write_generated(&SQL, &relation, table, column);
        written.map(drop).map_err(|refusal| refusal.to_string())
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        design::design(tables, catalog, &self.address.schema)
    }

    async fn missing_rights(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Vec<String>> {
        rights::missing(&self.client().await?, &self.address, tables, catalog).await
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let client = self.client().await?;
        let (schemas, names) = self.names(tables.iter());
        let told = |error| failure("read the target's tables", error);
        let found = client.query(EXISTING, &[&schemas, &names]).await.map_err(told)?;
        let mut existing = Vec::with_capacity(found.len());
        for row in found {
            let number: i64 = row.try_get(0).map_err(told)?;
            let name = usize::try_from(number - 1).ok().and_then(|at| tables.get(at));
            let name = name.ok_or_else(|| {
                Error::new(Code::Internal, "the server named a table that was not asked for")
            })?;
            let has_blocks: bool = row.try_get(2).map_err(told)?;
            let table = sql::table(name, &self.address.schema);
            let has_rows = has_blocks && {
                let sql = format!("SELECT EXISTS (SELECT FROM ONLY {table})");
                let row = client.query_one(&sql, &[]).await.map_err(told)?;
                row.try_get(0).map_err(told)?
            };
            let columns = row.try_get(1).map_err(told)?;
            existing.push(ExistingTable { name: name.clone(), columns, has_rows });
        }
        Ok(existing)
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        ledger::read(&self.client().await?).await
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>> {
        let client = self.client().await?;
        let (schemas, names) = self.names(tables.iter().map(|(_, table)| &table.target));
        let told = |error| failure("ask for the size of the target's tables", error);
        let rows = client.query(SIZES, &[&schemas, &names]).await.map_err(told)?;
        let mut sizes = HashMap::new();
        for row in rows {
            let (number, blocks, each): (i64, i64, i64) = (
                row.try_get(0).map_err(told)?,
                row.try_get(1).map_err(told)?,
                row.try_get(2).map_err(told)?,
            );
            sizes.insert(number, (blocks, each));
        }
        (1..)
            .zip(tables)
            .map(|(number, (index, _))| {
                let (blocks, each) = sizes.get(&number).copied().unwrap_or((0, 8192));
                parts(blocks, each, *index, ledger)
            })
            .collect()
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        Ok(Box::new(PostgresLoad::claim(&self.address, holder).await?))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        Some(self)
    }
}

#[async_trait]
impl SharedTarget for PostgresTarget {
    async fn standing(&self) -> Result<Standing> {
        leases::standing(&self.client().await?).await
    }

    async fn join(&self, session: &Session) -> Result<Box<dyn Load>> {
        Ok(Box::new(PostgresLoad::join(&self.address, session).await?))
    }
}

/// The blocks of a table in parts. Rows of a chunk lie among those of others, so that only a table
/// of one chunk has a part that is one chunk's.
fn parts(blocks: i64, bytes_each: i64, index: usize, ledger: &Ledger) -> Result<Vec<Part>> {
    let mut entries = ledger.entries.iter().filter(|entry| entry.table == index);
    if let (Some(only), None) = (entries.next(), entries.next())
        && !ledger.header.baselines.contains_key(&index)
    {
        return Ok(vec![Part { range: None, chunk: Some(only.chunk) }]);
    }
    let blocks = u32::try_from(blocks).unwrap_or(u32::MAX);
    let size = u32::try_from(PART_BYTES / bytes_each.max(1)).unwrap_or(u32::MAX);
    Blocks::cut(blocks, size)
        .into_iter()
        .map(|part| Ok(Part { range: Some(part.to_range()?), chunk: None }))
        .collect()
}

/// Tables of two lists of schemas and names: number in the lists, columns, whether it has blocks.
const EXISTING: &str = "
    SELECT wanted.number,
        ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a
              WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
        c.relkind <> 'r' OR pg_catalog.pg_relation_size(c.oid) > 0
    FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[])
        WITH ORDINALITY AS wanted (schema, name, number)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    ORDER BY wanted.number";

/// Tables of two lists of schemas and names: number in the lists, blocks, size of a block.
const SIZES: &str = "
    SELECT wanted.number,
        pg_catalog.pg_relation_size(c.oid, 'main')
            / pg_catalog.current_setting('block_size')::pg_catalog.int8,
        pg_catalog.current_setting('block_size')::pg_catalog.int8
    FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[])
        WITH ORDINALITY AS wanted (schema, name, number)
    JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
    WHERE c.relkind = 'r'";
