//! SQLite as source and as target: files of any origin, read without changing a byte of them, and
//! written chunk by chunk with the ledger in the same transaction.
//!
//! It must never know the engine or another connector. All work on a database happens on threads of
//! its own, never on those of the runtime.

mod catalog;
mod design;
mod dialect;
mod held;
mod ledger;
mod load;
mod open;
mod range;
mod reader;
mod repair;
mod shape;
mod snapshot;
mod source;
mod sql;
mod study;
mod target;
mod types;
mod value;
mod writer;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::{Case, Longest, Names};
use longshore_model::{Endpoint, Result};

/// The dialect of this system's native definitions.
pub(crate) const DIALECT: &str = "sqlite";

static ABOUT: About = About {
    name: "sqlite",
    title: "SQLite",
    chosen_by: None,
    local: true,
    port: None,
    schemes: &["sqlite"],
    example: "sqlite:shop.db",
    options: &[],
    variables: &[],
    source: SourceCapabilities {
        filter: true,
        open_ended: true,
        dialect: DIALECT,
        restart: "One read transaction per reader on one state of the file. Databases in WAL mode \
                  stay writable meanwhile; in the other journal modes writers wait. A restarted run \
                  goes on when the file is provably unchanged.",
    },
    target: TargetCapabilities {
        writers: Some(1),
        repair: Repair::Rows,
        dialect: DIALECT,
        wires: &[],
        namespaces: false,
        merges: false,
        shared: false,
        names: Names {
            table_case: Case::Folded,
            column_case: Case::FoldedAscii,
            longest: Longest::Unbounded,
        },
    },
};

/// The connector for SQLite.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sqlite;

/// The connector for SQLite.
pub fn connector() -> Sqlite {
    Sqlite
}

#[async_trait]
impl Connector for Sqlite {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        let path = open::path(endpoint)?;
        Ok(Box::new(source::SqliteSource::open(path).await?))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        Ok(Box::new(target::SqliteTarget::new(open::path(endpoint)?)))
    }
}
