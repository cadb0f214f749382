//! The bytes of an object of a store, from any place of it, for threads that may block. What follows is
//! asked for ahead, and what was read last is held.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use longshore_model::{Code, Error, Result};
use tokio::task::JoinHandle;

use crate::store::{Answer, Store, Version};

/// The part that is asked for at a time.
const BLOCK: u64 = 1 << 20;
/// Blocks that are held or asked for.
const HELD: usize = 16;
/// Blocks that are asked for ahead of one that follows another.
const AHEAD: u64 = 4;

/// An object in one state.
pub(crate) struct Blocks {
    store: Arc<Store>,
    key: String,
    size: u64,
    version: Version,
    divided: bool,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    blocks: BTreeMap<u64, Block>,
    /// Counts what is asked for, to tell what was not for the longest time.
    time: u64,
}

struct Block {
    used: u64,
    state: State,
}

enum State {
    Asked(JoinHandle<Result<Bytes>>),
    Here(Bytes),
}

impl Blocks {
    /// An object as it is now; `None` when it is not there.
    pub(crate) fn open(store: &Arc<Store>, key: &str) -> Result<Option<Self>> {
        let handle = store.handle();
        let Some((size, version)) = handle.block_on(store.head(key))? else { return Ok(None) };
        let divided = size == 0 || handle.block_on(store.divides(key))?;
        let (store, key) = (store.clone(), key.to_string());
        Ok(Some(Self { store, key, size, version, divided, held: Mutex::default() }))
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Some bytes from an offset on; none at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        // A server that gives no parts gives all of it.
        let number = if self.divided { offset / BLOCK } else { 0 };
        let block = self.block(number).map_err(io::Error::other)?;
        let start = usize::try_from(offset - number * BLOCK).map_err(io::Error::other)?;
        let rest = block.get(start..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn block(&self, number: u64) -> Result<Bytes> {
        // One thread at a time: a file is read by one.
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.time += 1;
        let now = held.time;
        let follows = number > 0 && held.blocks.contains_key(&(number - 1));
        let last = self.size.div_ceil(BLOCK).saturating_sub(1);
        let ahead = if follows && self.divided { AHEAD } else { 0 };
        for wanted in number..=last.min(number + ahead) {
            let asked = || Block { used: now, state: State::Asked(self.ask(wanted)) };
            held.blocks.entry(wanted).or_insert_with(asked).used = now;
        }
        while held.blocks.len() > HELD {
            let oldest = held.blocks.iter().min_by_key(|(_, block)| block.used).map(|(at, _)| *at);
            held.blocks.retain(|at, _| Some(*at) != oldest);
        }
        let missing = || Error::new(Code::Internal, "a part of an object was not asked for");
        let block = held.blocks.remove(&number).ok_or_else(missing)?;
        let bytes = match block.state {
            State::Here(bytes) => bytes,
            State::Asked(asked) => self.store.handle().block_on(asked).map_err(|error| {
                Error::new(Code::Internal, "a request to a store ended early").because(error)
            })??,
        };
        held.blocks.insert(number, Block { used: now, state: State::Here(bytes.clone()) });
        Ok(bytes)
    }

    fn ask(&self, number: u64) -> JoinHandle<Result<Bytes>> {
        let (store, key, version) = (self.store.clone(), self.key.clone(), self.version.clone());
        let start = number * BLOCK;
        let range = self.divided.then_some(start..self.size.min(start + BLOCK));
        self.store.handle().spawn(async move {
            match store.get(&key, range, Some(&version)).await? {
                Answer::Got(got) => Ok(got.bytes),
                Answer::Changed | Answer::Gone | Answer::Undivided => {
                    Err(Error::new(Code::SourceChanged, "a file changed while it was read")
                        .with("file", store.shown(&key)))
                }
            }
        })
    }
}

impl std::fmt::Debug for Blocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.store.shown(&self.key))
    }
}
