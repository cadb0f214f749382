//! SQLite as source and as target
