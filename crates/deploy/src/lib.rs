//! Where images of migrations run: one description of a deployment, rendered and driven per platform.
//!
//! It must never know what a migration is made of, a connector, a registry, the environment or a terminal:
//! the image, its command and the values of its secrets are given to it.

mod containers;
mod deployment;
pub mod kubernetes;
pub mod local;
mod site;

pub use containers::{Containers, Kind};
pub use deployment::{Deployment, Found, Limits, Line, Mount, Sealed, State, demand_name};
pub use local::Local;
pub use site::Site;

/// The label that every container of ours has: the deployment's name.
pub const DEPLOYMENT: &str = "dev.longshore.deployment";
/// The folder of the secrets in a container.
pub const SECRETS: &str = "/run/secrets";
