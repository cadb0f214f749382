//! `cargo x services`: the servers that tests run against.

use crate::steps::say;

/// Fetches the servers that are missing. Tests start them by themselves, each its own.
pub(crate) fn run() -> bool {
    match longshore_services::install(&say) {
        Ok(()) => {
            say(&format!("The servers are in {}\n", longshore_services::folder().display()));
            true
        }
        Err(error) => {
            say(&format!("{error}\n"));
            false
        }
    }
}
