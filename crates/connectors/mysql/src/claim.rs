//! The claim of a database: the number that every commit checks.

use longshore_model::ledger::Session;
use longshore_model::{Code, Error};

/// A claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What tells it from all others.
    pub(crate) number: u64,
    /// Whether another process made it.
    pub(crate) joined: bool,
}

impl Claim {
    /// The claim of a session that another process opened.
    pub(crate) fn joined(session: &Session) -> Self {
        Self { number: session.claim, joined: true }
    }

    /// What is said when there is a newer one.
    pub(crate) fn lost(self) -> Error {
        match self.joined {
            false => Error::new(Code::TargetBusy, "another run has taken the target over"),
            true => Error::new(
                Code::SessionEnded,
                "the process with index 0 was started again, and its session has ended",
            )
            .reopened(),
        }
    }
}
