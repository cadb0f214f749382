//! PostgreSQL as source and as target, at the speed of binary COPY.
//!
//! It must never know the engine or another connector.

mod binary;
mod catalog;
mod design;
mod types;
