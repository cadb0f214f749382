//! The words of the project: values, catalogs, plans, ledgers, errors, and the contract between
//! engine and connectors.
//!
//! It must never know a system, a runtime, a terminal or a file.

mod batch;
mod builder;
mod calendar;
pub mod catalog;
mod cell;
mod code;
pub mod connector;
mod default;
mod endpoint;
mod error;
pub mod failpoint;
mod fingerprint;
pub mod ledger;
mod logical;
pub mod loss;
pub mod names;
pub mod object;
pub mod pattern;
pub mod plan;
pub mod spec;

pub use batch::{Batch, WireBatch};
pub use builder::{BatchBuilder, ColumnBuilder, Misfit};
pub use cell::{Cell, ColumnView, Literal};
pub use code::{Code, Entry as CodeEntry, Kind};
pub use default::DefaultValue;
pub use endpoint::Endpoint;
pub use error::{Error, Result, Retry};
pub use fingerprint::{Fingerprint, row_hashes};
pub use logical::{LogicalType, TYPE_KEY, Unit};
