//! The statements that make a database.
