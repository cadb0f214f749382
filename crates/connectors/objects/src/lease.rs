//! The lease of a path of a store: an object that its holder renews as long as it lives.
//!
//! No conditional write is needed. A run writes its lease, then looks at all leases; while another one
//! is alive it gives up. Two runs may both give up, and never both hold. How old a lease is, the
//! store's own clock says.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use longshore_model::ledger::Holder;
use longshore_model::{Code, Error, Result};
use object_store::Attributes;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::journal::FOLDER;
use crate::lock::busy;
use crate::store::{Answer, Listed, Listing, Store};

/// How often a lease is renewed, and looked at by who waits for its end.
const RENEWED: Duration = Duration::from_secs(10);
const WATCHED: Duration = Duration::from_secs(1);
/// A lease that was not renewed for so long is nobody's any more, and its holder has stopped writing
/// long before.
const DEAD: Duration = Duration::from_secs(45);
const STOPS: Duration = Duration::from_secs(30);

/// The keys of the leases that this process holds.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A held lease; dropping it lets go.
pub(crate) struct Lease {
    held: Arc<Held>,
    renewal: JoinHandle<()>,
}

struct Held {
    store: Arc<Store>,
    key: String,
    text: Bytes,
    renewed: Mutex<(Instant, SystemTime)>,
    lost: AtomicBool,
}

/// What a lease's object holds.
#[derive(Serialize, Deserialize)]
struct Text {
    holder: Holder,
    process: Process,
}

impl Text {
    /// Whether it is certain that nobody holds the lease any more.
    fn is_over(&self, object: &str) -> bool {
        self.process.is_gone() || (self.process == Process::current() && !held().contains(object))
    }
}

fn held() -> MutexGuard<'static, BTreeSet<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process of this machine, told apart from every other one.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    /// The start of the machine, and the namespace that the number is of.
    boot: String,
    namespace: String,
    number: u32,
    started: String,
}

impl Lease {
    /// Takes the lease, or names who holds it. Waits for a lease to be renewed or to be dead.
    pub(crate) fn take(store: &Arc<Store>, holder: &Holder) -> Result<Self> {
        let text = Text { holder: holder.clone(), process: Process::current() };
        let text = serde_json::to_vec(&text).map_err(|error| {
            Error::new(Code::Internal, "a lease cannot be written").because(error)
        })?;
        let now = SystemTime::now();
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let held = Arc::new(Held {
            store: store.clone(),
            key: format!("{}{since:x}-{:x}.json", folder(), std::process::id()),
            text: text.into(),
            renewed: Mutex::new((Instant::now(), now)),
            lost: AtomicBool::new(false),
        });
        let handle = store.handle();
        let object = store.shown(&held.key);
        self::held().insert(object.clone());
        if let Err(error) = handle.block_on(held.settle()) {
            self::held().remove(&object);
            handle.block_on(store.remove(std::slice::from_ref(&held.key)))?;
            return Err(error);
        }
        let renewal = handle.spawn(renew(held.clone()));
        Ok(Self { held, renewal })
    }

    /// Fails when the lease may be somebody else's by now.
    pub(crate) fn check(&self) -> Result<()> {
        let (instant, time) = *self.held.renewed.lock().unwrap_or_else(PoisonError::into_inner);
        // One of the clocks stands still while the machine sleeps.
        let age = instant.elapsed().max(time.elapsed().unwrap_or_default());
        if age < STOPS && !self.held.lost.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(Error::new(Code::TargetBusy, "the lease on the target was lost")
            .with("store", self.held.store.shown(""))
            .hint("This run was cut off from the store or stood still, and another one may hold it: start it again."))
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.held.store.shown(&self.held.key))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        held().remove(&self.held.store.shown(&self.held.key));
        let held = self.held.clone();
        // Where the process ends before this does, it is known to be gone.
        self.held.store.handle().spawn(async move {
            let _ = held.store.remove(std::slice::from_ref(&held.key)).await;
        });
    }
}

impl Held {
    async fn put(&self) -> Result<()> {
        let before = (Instant::now(), SystemTime::now());
        self.store.put(&self.key, self.text.clone(), Attributes::new()).await?;
        *self.renewed.lock().unwrap_or_else(PoisonError::into_inner) = before;
        Ok(())
    }

    /// Writes the lease, and waits until no other one is alive.
    async fn settle(&self) -> Result<()> {
        let mut seen: Vec<Listed> = Vec::new();
        loop {
            self.put().await?;
            let leases = leases(&self.store).await?;
            let own = leases.iter().find(|lease| lease.key == self.key);
            let now = own.map(|lease| lease.version.modified).ok_or_else(|| {
                Error::new(Code::Store, "a store does not list what was written to it")
                    .with("object", self.store.shown(&self.key))
            })?;
            let mut others = Vec::new();
            for lease in leases.into_iter().filter(|lease| lease.key != self.key) {
                let Some(text) = self.text_of(&lease).await? else { continue };
                let age =
                    Duration::from_nanos(u64::try_from(now - lease.version.modified).unwrap_or(0));
                if age > DEAD
                    || text.as_ref().is_some_and(|text| text.is_over(&self.store.shown(&lease.key)))
                {
                    self.store.remove(&[lease.key]).await?;
                    continue;
                }
                let known = seen.iter().find(|one| one.key == lease.key);
                if known.is_some_and(|known| known.version != lease.version) {
                    return Err(busy(text.map(|text| text.holder)));
                }
                others.push(known.cloned().unwrap_or(lease));
            }
            if others.is_empty() {
                return Ok(());
            }
            seen = others;
            tokio::time::sleep(WATCHED).await;
        }
    }

    /// What a lease says; `None` inside when it cannot be read, outside when it is gone.
    async fn text_of(&self, lease: &Listed) -> Result<Option<Option<Text>>> {
        Ok(match self.store.get(&lease.key, None, None).await? {
            Answer::Got(got) => Some(serde_json::from_slice(&got.bytes).ok()),
            Answer::Changed | Answer::Gone | Answer::Undivided => None,
        })
    }
}

async fn renew(held: Arc<Held>) {
    loop {
        tokio::time::sleep(RENEWED).await;
        // Who takes a lease over removes it.
        match leases(&held.store).await {
            Ok(leases) if leases.iter().all(|lease| lease.key != held.key) => {
                held.lost.store(true, Ordering::SeqCst);
                return;
            }
            _ => {}
        }
        // A failure is tried again, and told by the age of the lease.
        let _ = held.put().await;
    }
}

async fn leases(store: &Store) -> Result<Vec<Listed>> {
    let start = folder();
    let page = store.page(Listing { start: &start, ..Listing::default() }).await?;
    Ok(page.objects)
}

fn folder() -> String {
    format!("{FOLDER}/leases/")
}

impl Process {
    fn current() -> Self {
        let number = std::process::id();
        Self { boot: boot(), namespace: namespace(), number, started: started(number) }
    }

    /// Whether it is certain that the process has ended.
    fn is_gone(&self) -> bool {
        self.boot == boot()
            && self.namespace == namespace()
            && !self.boot.is_empty()
            && !self.namespace.is_empty()
            && self.started != started(self.number)
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_string()
}

fn namespace() -> String {
    fs::read_link("/proc/self/ns/pid").map(|to| to.display().to_string()).unwrap_or_default()
}

/// When a process was started, in ticks since the machine was; empty when there is none.
fn started(number: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    // The name of the program, in parentheses, may hold anything.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    rest.split_whitespace().nth(19).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn a_process_is_gone_only_when_that_is_certain() {
        let current = || Process::current();
        assert!(!current().is_gone());
        assert!(Process { started: "1".to_string(), ..current() }.is_gone());
        assert!(Process { number: u32::MAX, ..current() }.is_gone());
        let elsewhere = Process { boot: "another".to_string(), number: u32::MAX, ..current() };
        assert!(!elsewhere.is_gone());
        let contained = Process { namespace: "pid:[1]".to_string(), number: 1, ..current() };
        assert!(!contained.is_gone());
    }
}
