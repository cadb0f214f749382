//! PostgreSQL types and what they are elsewhere.
