//! The registry in the box: an OCI registry over a folder.
//!
//! It must never know what a migration is: it keeps images of any kind. Nor connectors, the engine, a terminal or
//! the environment.

mod access;
mod check;
mod collect;
mod fault;
mod http;
mod meter;
mod policy;
mod promote;
mod retention;
mod store;
mod take_out;
mod usage;

pub use access::{Access, Right, Visitor};
pub use check::{Checked, Problem, Source, State, check, repair};
pub use collect::{Collected, Fate, Item, Order, collect};
pub use fault::Fault;
pub use http::{Body, House, Identity, Limits, Peer, Serving, serve, serve_metrics, serve_with};
pub use meter::{Meter, NumberPage, Sort};
pub use promote::promote;
pub use retention::{Judged, retain};
pub use store::{Held, Hold, Kept, Page, Repository, Store, Upload};
pub use take_out::take_out;
pub use usage::{Share, Usage, usage};
