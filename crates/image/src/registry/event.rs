//! What happens on the way to and from a registry.

use std::fmt;
use std::sync::Arc;

use longshore_model::{Code, Error, Result};
use serde::Serialize;

use crate::Digest;

/// Something that happened. Bytes are what was added since the last event of the same blob.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum TransferEvent {
    /// It is known what there is to do; may be told again, when more is found.
    TransferPlanned {
        /// Blobs and manifests, those included that are there already.
        blobs: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// Bytes of a blob arrived.
    BlobMoved {
        /// The blob.
        digest: Digest,
        /// How many.
        bytes: u64,
    },
    /// What was counted of a blob does not count, because it begins anew.
    BlobReset {
        /// The blob.
        digest: Digest,
        /// How many bytes were counted.
        bytes: u64,
    },
    /// A blob is where it belongs.
    BlobDone {
        /// The blob.
        digest: Digest,
        /// Its bytes.
        bytes: u64,
        /// How it came there.
        route: Route,
    },
    /// A request failed and is made again.
    RequestRetried {
        /// What was asked.
        request: String,
        /// How often it was asked by now.
        attempt: u32,
        /// How long it waits.
        pause_seconds: f64,
        /// Why.
        error: String,
    },
}

/// How a blob came where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Route {
    /// It was there.
    There,
    /// The registry took it from another of its repositories.
    Mounted,
    /// It was sent.
    Sent,
    /// It was fetched.
    Fetched,
}

/// Who is told what happens. It is called from any thread and must not block.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(TransferEvent) + Send + Sync>);

impl Listener {
    /// Calls a function.
    pub fn new(listener: impl Fn(TransferEvent) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub(super) fn tell(&self, event: TransferEvent) {
        (self.0)(event);
    }
}

/// Says whether the work is to stop at the next point from which a later process goes on.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Asks a function.
    pub fn new(is_asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_asked))
    }

    /// An error when it was asked.
    pub fn check(&self) -> Result<()> {
        match (self.0)() {
            true => Err(Error::new(Code::Cancelled, "stopped on request")),
            false => Ok(()),
        }
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new(|| false)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

impl Default for Listener {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
