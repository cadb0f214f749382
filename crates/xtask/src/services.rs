//! `cargo x services`: the servers that tests need.

use crate::steps::say;

/// Starts what is needed. The systems of today live in the file system, so that is nothing.
pub(crate) fn run() -> bool {
    say("No test needs a server: every system of this build lives in the file system.\n");
    true
}
