//! The claim of a database: the number that every commit checks.

use longshore_model::ledger::Session;
use longshore_model::{Code, Error, Result};

/// A claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// What tells it from all others.
    pub(crate) number: i64,
    /// Whether another process made it.
    pub(crate) joined: bool,
}

impl Claim {
    /// The claim of a session that another process opened.
    pub(crate) fn joined(session: &Session) -> Result<Self> {
        let number = i64::try_from(session.claim);
        let number = number.map_err(|error| {
            Error::new(Code::LedgerMissing, "the ledger is damaged").because(error)
        })?;
        Ok(Self { number, joined: true })
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
