//! What collections did so far, also those of other processes.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::{Collected, Fate};
use crate::fault::{Fault, Result};
use crate::store::{Store, read, write};

const FILE: &str = "collected.json";

/// All collections of a folder together.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct History {
    pub(crate) runs: u64,
    pub(crate) items: u64,
    pub(crate) bytes: u64,
    /// When the last one ended, in seconds since 1970.
    pub(crate) ended: u64,
    /// How long the last one took.
    pub(crate) seconds: f64,
}

impl History {
    pub(crate) fn read(store: &Store) -> Result<Self> {
        // What is damaged begins anew: these are numbers for people to look at.
        let bytes = read(&store.root().join(FILE))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default())
    }

    /// Adds a collection that ended now.
    pub(super) fn add(store: &Store, collected: &Collected, took: Duration) -> Result<()> {
        let before = Self::read(store)?;
        let swept = collected.items.values().filter(|item| item.fate == Fate::Swept).count();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let after = Self {
            runs: before.runs + 1,
            items: before.items + swept as u64,
            bytes: before.bytes + collected.freed,
            ended: now.as_secs(),
            seconds: took.as_secs_f64(),
        };
        let text = serde_json::to_vec(&after)
            .map_err(|error| Fault::Disk(format!("could not write JSON: {error}")))?;
        write(&store.root().join(FILE), &text)
    }
}
