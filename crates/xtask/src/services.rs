//! `cargo x services`: the servers that tests run against.

use crate::steps::say;

/// Fetches the servers that are missing. Tests start them by themselves, each its own. `peers` adds the tools that
/// the benchmark compares with.
pub(crate) fn run(peers: bool) -> bool {
    let installed = longshore_services::install(&say).and_then(|()| match peers {
        true => longshore_services::install_peers(&say),
        false => Ok(()),
    });
    match installed {
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
