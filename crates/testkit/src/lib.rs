//! What tests of connectors and of the engine share: values that break things, the conformance
//! suite for connectors, connectors that exist only for tests, private servers, proxies that break, data for
//! benchmarks, and ways to kill a process.
//!
//! It knows the model and no connector; nothing that ships depends on it.

mod account;
pub mod browser;
pub mod conformance;
pub mod corpus;
pub mod docker;
pub mod http_faults;
pub mod kill;
pub mod lineitem;
pub mod memory;
pub mod mysql;
pub mod null;
pub mod podman;
pub mod postgres;
pub mod proxy;
mod random;
pub mod registry;
pub mod scripted;
mod server;
pub mod size;
pub mod store_server;

pub use longshore_services::{kubernetes_schemas, postgres_programs};

pub use http_faults::{Fault, HttpFaults};
pub use memory::{Counts, Memory, Store};
pub use null::Null;
pub use proxy::Proxy;
pub use random::Random;
pub use scripted::{Script, Scripted, Step};
pub use store_server::{StoreKind, StoreServer};
