//! Processes that are killed or put to sleep.
