//! Several processes of one run: what a system offers so that they agree.
//!
//! The process with index 0 claims the target, as a run on its own does, and opens a [`Session`]. The
//! others join it: they read the same state of the source and write under the same claim. Whoever
//! works at a chunk has a [`Lease`] of it, and [`Writer::commit`](super::Writer::commit) checks claim
//! and lease in the transaction of the rows. What a process remembers is therefore never the reason why
//! something is written.

use std::time::Duration;

use async_trait::async_trait;

use super::{Load, Snapshot};
use crate::Result;
use crate::ledger::{Entry, Lease, Session};

/// The place of a chunk: the table's index in the plan, and its own in the table.
pub type Place = (usize, usize);

/// A source of which several processes can read one state, as long as one of them shows it.
#[async_trait]
pub trait SharedSource: Send + Sync {
    /// A view of the very state that [`Snapshot::invitation`] was told for, for up to `readers` readers
    /// at a time. It stays when the one that was joined ends. `SnapshotLost` when that has ended
    /// already.
    async fn join(&self, invitation: &str, readers: usize) -> Result<Box<dyn Snapshot>>;
}

/// A target that several processes of one run load together.
#[async_trait]
pub trait SharedTarget: Send + Sync {
    /// How it stands now, read without claiming. Cheap: it is asked again and again.
    async fn standing(&self) -> Result<Standing>;

    /// Joins a session. What is returned writes chunks and marks stages while the session's claim is
    /// the newest, and fails with `SessionEnded` afterwards; nothing else of it is called.
    async fn join(&self, session: &Session) -> Result<Box<dyn Load>>;
}

/// How a target stands between the processes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The number of the newest claim; 0 when there was none.
    pub claim: u64,
    /// Whether a process holds the target.
    pub held: bool,
    /// Whether every chunk of the ledger is in.
    pub copied: bool,
    /// The session of the newest claim.
    pub session: Option<Session>,
}

/// Leases of chunks, in the ledger. Times are those of the target's clock, so that the clocks of
/// the processes do not matter.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Opens the session of this claim. Leases of earlier claims are gone afterwards. Only called on
    /// what [`Target::claim`](super::Target::claim) gave; [`Session::claim`] is set here.
    async fn open(&self, session: &Session) -> Result<()>;

    /// Takes the first of some chunks that is not in and that nobody has a live lease of; `None` when
    /// there is none. Two calls never take one chunk, whoever makes them. A writer that an expired lease
    /// left open in the target is ended, so that its locks go. `SessionEnded` under an older claim.
    async fn take(&self, chunks: &[Place], term: &Term) -> Result<Option<Lease>>;

    /// Lets a lease live for its length from now on. `LeaseLost` when it has expired or is another's.
    async fn renew(&self, lease: &Lease, length: Duration) -> Result<()>;

    /// Ends a lease, so that others can take the chunk at once. One that is lost is no error.
    async fn give_back(&self, lease: &Lease) -> Result<()>;

    /// The entries of those among some chunks that are in.
    async fn arrived(&self, chunks: &[Place]) -> Result<Vec<Entry>>;
}

/// What a lease is taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Who takes it, for people.
    pub holder: String,
    /// How long it lives.
    pub length: Duration,
}
