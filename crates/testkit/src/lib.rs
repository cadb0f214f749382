//! Conformance suite for connectors, value corpus, fault injection
