//! The registry in the box: an OCI registry over a folder.
//!
//! It must never know what a migration is: it keeps images of any kind. Nor connectors, the engine, a terminal or
//! the environment.

mod access;
mod collect;
mod fault;
mod http;
mod meter;
mod store;

pub use access::{Access, Right, Visitor};
pub use collect::{Collected, Fate, Item, Order, collect};
pub use fault::Fault;
pub use http::{Identity, Limits, Serving, serve, serve_metrics};
pub use meter::Meter;
pub use store::{Kept, Page, Repository, Store, Upload};
