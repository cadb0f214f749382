//! MySQL and MariaDB as a target, before it is claimed.

use async_trait::async_trait;
use longshore_model::Result;
use longshore_model::catalog::{Catalog, Column, TableName};
use longshore_model::connector::{
    Design, ExistingTable, Load, Mapping, Part, SharedTarget, Standing, Target,
};
use longshore_model::ledger::{Holder, Ledger, Session};
use longshore_model::plan::TablePlan;

use crate::address::Address;
use crate::load::MysqlLoad;
use crate::preparing::{is_empty, making};
use crate::session::{cell, close, connect, rows};
use crate::{columns, design, leases, ledger, rights, study, types};

/// The size of a part that is read back.
const PART_BYTES: u64 = 64 << 20;

/// A database that data reaches.
pub(crate) struct MysqlTarget {
    address: Address,
}

impl MysqlTarget {
    /// A target; nothing is connected yet.
    pub(crate) fn new(address: Address) -> Self {
        Self { address }
    }
}

#[async_trait]
impl Target for MysqlTarget {
    fn map_column(&self, column: &Column) -> Result<Mapping> {
        Ok(types::map_column(column, self.address.flavor))
    }

    fn computes(&self, table: &TablePlan, column: &str) -> std::result::Result<(), String> {
        design::generated(table, column, self.address.flavor).map(drop)
    }

    fn design(&self, tables: &[TablePlan], catalog: &Catalog) -> Result<Design> {
        design::design(tables, catalog, self.address.flavor)
    }

    async fn missing_rights(&self, _: &[TablePlan], catalog: &Catalog) -> Result<Vec<String>> {
        let mut conn = connect(&self.address).await?;
        let missing = rights::missing(&mut conn, catalog, self.address.flavor).await?;
        close(conn).await;
        Ok(missing)
    }

    async fn existing(&self, tables: &[TableName]) -> Result<Vec<ExistingTable>> {
        let mut conn = connect(&self.address).await?;
        let left_over = match ledger::read(&mut conn).await? {
            Some(_) => Vec::new(),
            None => making(&mut conn).await?,
        };
        let query = "SELECT TABLE_NAME FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE()";
        let found = rows(&mut conn, "read the target's tables", query).await?;
        let names: Vec<String> = found.iter().filter_map(|row| cell(row, 0)).collect();
        let mut existing = Vec::new();
        for table in tables.iter().filter(|table| names.contains(&table.name)) {
            let has_rows = !is_empty(&mut conn, &table.name).await?;
            if !has_rows && left_over.contains(&table.name) {
                continue;
            }
            let columns = columns::of_table(&mut conn, &table.name).await?;
            let columns = columns.into_iter().map(|column| column.name).collect();
            existing.push(ExistingTable { name: table.clone(), columns, has_rows });
        }
        close(conn).await;
        Ok(existing)
    }

    async fn ledger(&self) -> Result<Option<Ledger>> {
        let mut conn = connect(&self.address).await?;
        let ledger = ledger::read(&mut conn).await?;
        close(conn).await;
        Ok(ledger)
    }

    async fn parts(
        &self,
        tables: &[(usize, &TablePlan)],
        ledger: &Ledger,
    ) -> Result<Vec<Vec<Part>>> {
        let mut conn = connect(&self.address).await?;
        let mut all = Vec::with_capacity(tables.len());
        for (index, table) in tables {
            let mut entries = ledger.entries.iter().filter(|entry| entry.table == *index);
            let only = match (entries.next(), entries.next()) {
                (Some(only), None) if !ledger.header.baselines.contains_key(index) => {
                    Some(only.chunk)
                }
                _ => None,
            };
            // Rows of a chunk are among those of others, so that only a table of one chunk has a
            // part that is one chunk's.
            all.push(match only {
                Some(chunk) => vec![Part { range: None, chunk: Some(chunk) }],
                None => study::parts(&mut conn, &table.target.name, PART_BYTES)
                    .await?
                    .into_iter()
                    .map(|range| Part { range, chunk: None })
                    .collect(),
            });
        }
        close(conn).await;
        Ok(all)
    }

    async fn claim(&self, holder: &Holder) -> Result<Box<dyn Load>> {
        Ok(Box::new(MysqlLoad::claim(&self.address, holder).await?))
    }

    fn shared(&self) -> Option<&dyn SharedTarget> {
        Some(self)
    }
}

#[async_trait]
impl SharedTarget for MysqlTarget {
    async fn standing(&self) -> Result<Standing> {
        let mut conn = connect(&self.address).await?;
        let standing = leases::standing(&mut conn).await?;
        close(conn).await;
        Ok(standing)
    }

    async fn join(&self, session: &Session) -> Result<Box<dyn Load>> {
        Ok(Box::new(MysqlLoad::join(&self.address, session).await?))
    }
}
