//! The real binary, driven as people and scripts drive it.

mod definitions;
mod demo;
mod deploy;
mod dialects;
mod errors;
mod guides;
mod images;
mod lives;
mod memory;
mod merge;
mod migrate;
mod mysql;
mod names;
mod postgres;
mod processes;
mod reference;
mod references;
mod registry;
mod rejects;
mod restart;
mod soak;
mod stage;
mod stores;
mod trees;
mod writer;
