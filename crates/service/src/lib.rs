//! The use cases, and the run store
