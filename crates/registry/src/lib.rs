//! The registry in the box: an OCI registry over a folder.
//!
//! It must never know what a migration is: it keeps images of any kind. Nor connectors, the engine, a terminal or
//! the environment.

mod fault;
mod http;
mod store;

pub use fault::Fault;
pub use http::{Serving, serve};
pub use store::{Kept, Page, Repository, Store, Upload};
