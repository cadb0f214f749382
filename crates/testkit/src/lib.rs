//! What tests of connectors and of the engine share: values that break things, the conformance
//! suite for connectors, connectors that exist only for tests, and ways to kill a process.
//!
//! It knows the model and no connector; nothing that ships depends on it.

pub mod conformance;
pub mod corpus;
pub mod memory;
pub mod null;
pub mod scripted;

pub use memory::{Counts, Memory, Store};
pub use null::Null;
pub use scripted::{Script, Scripted, Step};
