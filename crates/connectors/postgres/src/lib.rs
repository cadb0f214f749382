//! PostgreSQL as source and as target, at the speed of COPY: rows pass untouched from server to
//! server where both declare the same types, and as Arrow batches everywhere else.
//!
//! It must never know the engine or another connector. Row values are in no message of its: what a
//! server says of data is put into other words ([`failure`]).

mod address;
mod binary;
mod catalog;
mod claim;
mod connections;
mod design;
mod dialect;
mod failure;
mod finishing;
mod leases;
mod ledger;
mod load;
mod preparing;
mod range;
mod reader;
mod repair;
mod rights;
mod session;
mod snapshot;
mod source;
mod sql;
mod standing;
mod statements;
mod study;
mod survey;
mod tap;
mod target;
mod types;
mod wire;
mod writer;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::{Longest, Names};
use longshore_model::{Endpoint, Result};

use address::Address;

/// The dialect of this system's native definitions.
pub(crate) const DIALECT: &str = "postgres";

static ABOUT: About = About {
    name: "postgres",
    title: "PostgreSQL",
    chosen_by: None,
    local: false,
    port: Some(5432),
    schemes: &["postgres", "postgresql"],
    example: "postgres://me@db.example.com/shop",
    options: address::OPTIONS,
    variables: &[],
    source: SourceCapabilities {
        filter: true,
        open_ended: true,
        dialect: DIALECT,
        restart: "All readers share one exported snapshot; writers go on meanwhile. When the \
                  snapshot is gone, a restarted run reads finished chunks again: tables whose rows \
                  are still the same are kept, others are copied again, and two states are never \
                  mixed.",
    },
    target: TargetCapabilities {
        writers: None,
        repair: Repair::Rows,
        dialect: DIALECT,
        wires: &[wire::BINARY, wire::TEXT],
        namespaces: true,
        merges: false,
        shared: true,
        names: Names { longest: Longest::Bytes(63), ..Names::EXACT },
    },
};

/// The connector for PostgreSQL.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postgres;

/// The connector for PostgreSQL.
pub fn connector() -> Postgres {
    Postgres
}

#[async_trait]
impl Connector for Postgres {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        Ok(Box::new(source::PostgresSource::open(Address::of(endpoint)?).await?))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        Ok(Box::new(target::PostgresTarget::new(Address::of(endpoint)?)))
    }
}
