//! What a database holds, read in a fixed number of queries.
