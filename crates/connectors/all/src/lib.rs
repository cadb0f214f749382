//! The one list of connectors
