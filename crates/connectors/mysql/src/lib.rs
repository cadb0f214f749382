//! MySQL and MariaDB as source and as target: one connector that knows where the two differ.
//!
//! It must never know the engine or another connector. Row values are in no message of its: what a
//! server says of data is put into other words ([`failure`]).

mod address;
mod catalog;
mod claim;
mod columns;
mod connections;
mod decode;
mod design;
mod dialect;
mod encode;
mod failure;
mod finishing;
mod flavor;
mod infile;
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
mod study;
mod target;
mod types;
mod writer;

use async_trait::async_trait;
use longshore_model::connector::{
    About, Connector, Repair, Source, SourceCapabilities, Target, TargetCapabilities,
};
use longshore_model::names::{Case, Longest, Names};
use longshore_model::{Endpoint, Result};

use address::Address;
use flavor::Flavor;

const RESTART: &str = "All readers share one consistent snapshot of the server's transactional \
    tables; writers go on meanwhile. When the snapshot is gone, a restarted run reads finished \
    chunks again: tables whose rows are still the same are kept, others are copied again, and two \
    states are never mixed.";

const fn about(
    name: &'static str,
    title: &'static str,
    schemes: &'static [&'static str],
    example: &'static str,
) -> About {
    About {
        name,
        title,
        chosen_by: None,
        local: false,
        port: Some(3306),
        schemes,
        example,
        options: address::OPTIONS,
        variables: &[],
        source: SourceCapabilities {
            filter: true,
            open_ended: true,
            dialect: name,
            restart: RESTART,
        },
        target: TargetCapabilities {
            writers: None,
            repair: Repair::Rows,
            dialect: name,
            wires: &[],
            namespaces: false,
            merges: false,
            shared: true,
            names: Names {
                table_case: Case::Told,
                column_case: Case::Folded,
                longest: Longest::Characters(64),
            },
        },
    }
}

static MYSQL: About = about("mysql", "MySQL", &["mysql"], "mysql://me@db.example.com/shop");
static MARIADB: About =
    about("mariadb", "MariaDB", &["mariadb"], "mariadb://me@db.example.com/shop");

/// The connector for MySQL or for MariaDB.
#[derive(Debug, Clone, Copy)]
pub struct Mysql(Flavor);

/// The connector for MySQL.
pub fn mysql() -> Mysql {
    Mysql(Flavor::MySql)
}

/// The connector for MariaDB.
pub fn mariadb() -> Mysql {
    Mysql(Flavor::MariaDb)
}

#[async_trait]
impl Connector for Mysql {
    fn about(&self) -> &'static About {
        match self.0 {
            Flavor::MySql => &MYSQL,
            Flavor::MariaDb => &MARIADB,
        }
    }

    async fn open_source(&self, endpoint: &Endpoint) -> Result<Box<dyn Source>> {
        Ok(Box::new(source::MysqlSource::open(Address::of(endpoint, self.0)?).await?))
    }

    async fn open_target(&self, endpoint: &Endpoint) -> Result<Box<dyn Target>> {
        Ok(Box::new(target::MysqlTarget::new(Address::of(endpoint, self.0)?)))
    }
}
