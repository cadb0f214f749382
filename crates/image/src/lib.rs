//! The image of a migration: built without a daemon, kept in layouts and archives, named, and proved by
//! its digests.
//!
//! It must never know what a migration is made of: its files are given to it. Nor connectors, the engine, a
//! terminal or the environment.

pub mod archive;
pub mod artifact;
mod build;
mod digest;
pub mod document;
mod engine;
mod hold;
mod key;
pub mod layer;
mod layout;
mod name;
mod pem;
mod reach;
pub mod registry;
mod sbom;
pub mod signature;
pub mod statement;
mod sweep;

pub use build::{Platforms, Task, build};
pub use digest::{Digest, Hasher};
pub use engine::{Engine, Package};
pub use hold::Hold;
pub use key::{PrivateKey, PublicKey};
pub use layout::{Layout, Writing, named};
pub use name::{DOCKER_HUB, Name, is_repository, is_tag};
pub use reach::{Image, reach};
pub use sbom::{SBOM, sbom};
pub use sweep::Unneeded;
