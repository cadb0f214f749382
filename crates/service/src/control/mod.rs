//! The control plane: migrations that are kept, runs that are asked for, watched, stopped and taken up again.
//!
//! It must never know HTTP: who asks is a name and a role here, and a page is somebody else's matter.

mod book;
mod clock;
mod live;
mod order;
mod progress;
mod runs;
mod users;
mod webhook;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use longshore_model::plan::Plan;
use longshore_model::spec::Spec;
use longshore_model::{Code, Error, Result};
use tokio::sync::{Semaphore, broadcast};

use crate::store::rfc3339;
use crate::{Images, Machine, Platform, RunFolder, Service, Store, Traces};
use book::Book;

pub use book::{
    AuditEntry, Ending, Migration, MigrationVersion, NewSchedule, Route, Run, RunFilter, RunState,
    Schedule, Task, Token,
};
pub use live::{Live, Mark};
pub use order::{Asked, Where};
pub use progress::{Lane, Message, Progress, TableProgress};
pub use users::{Role, User, make_token_in, revoke_token_in};

/// Changes of runs that a slow listener may be behind.
const BEHIND: usize = 256;

/// What the control plane is given by whoever starts it.
pub struct Setting {
    /// The use cases.
    pub service: Arc<Service>,
    /// The state folder.
    pub state: PathBuf,
    /// This machine, now.
    pub machine: Box<dyn Fn() -> Machine + Send + Sync>,
    /// Runs at work at a time; others wait.
    pub runs: usize,
    /// Plans that are sealed beside migrations, and run in the place of new ones.
    pub sealed: Vec<Plan>,
    /// Where images are deployed, by the words of orders.
    pub platforms: Box<dyn Fn(Where) -> Result<Platform> + Send + Sync>,
    /// Addresses that are told when runs begin and end; `${secret:NAME}` stands for a secret.
    pub webhooks: Vec<String>,
    /// Where runs here are traced.
    pub traces: Option<Traces>,
    /// The folder for the files of secrets.
    pub private: PathBuf,
    /// The program that starts engines on this machine itself.
    pub launcher: PathBuf,
    /// Takes what went wrong here, in words for whoever runs the server.
    pub note: Box<dyn Fn(&str) + Send + Sync>,
}

/// The control plane of one state folder.
pub struct Control {
    setting: Setting,
    store: Store,
    book: Book,
    slots: Arc<Semaphore>,
    live: Mutex<HashMap<String, Arc<Live>>>,
    /// Migrations as they were given, where they hold what must not be kept.
    unkept: Mutex<BTreeMap<String, Spec>>,
    changes: broadcast::Sender<Run>,
    began: Instant,
    started: String,
    /// Whether it is being left: what runs is taken up again later.
    leaving: std::sync::atomic::AtomicBool,
    _lock: std::fs::File,
}

impl Control {
    /// The images of the state folder.
    pub fn images(&self) -> Result<Images> {
        Images::of(&self.setting.state)
    }

    /// Opens the control plane of a state folder. One process at a time has it.
    pub fn open(setting: Setting) -> Result<Arc<Self>> {
        std::fs::create_dir_all(&setting.state)
            .map_err(|error| Error::io("make the state folder", setting.state.display(), error))?;
        let lock = lock(&setting.state)?;
        let book = Book::open(&setting.state.join(book::FILE))?;
        let now = rfc3339((setting.machine)().now);
        Ok(Arc::new(Self {
            store: Store::new(&setting.state),
            book,
            slots: Arc::new(Semaphore::new(setting.runs.max(1))),
            live: Mutex::default(),
            unkept: Mutex::default(),
            changes: broadcast::channel(BEHIND).0,
            began: Instant::now(),
            started: now,
            leaving: false.into(),
            _lock: lock,
            setting,
        }))
    }

    /// Takes up what an earlier process left, and looks after schedules from now on.
    pub fn begin(self: &Arc<Self>) -> Result<()> {
        webhook::tell(self, webhook::addresses(self)?)?;
        for run in self.book.unended()? {
            self.take_up(run)?;
        }
        tokio::spawn(clock::keep(self.clone()));
        Ok(())
    }

    /// Asks what runs here to stop at a safe point, and waits for it. It is taken up when the control plane is
    /// opened again; what runs on other platforms goes on.
    pub async fn leave(&self, grace: Duration) {
        self.leaving.store(true, std::sync::atomic::Ordering::SeqCst);
        let end = Instant::now() + grace;
        loop {
            let at_work: Vec<_> = self.lives().values().cloned().collect();
            if at_work.is_empty() || Instant::now() > end {
                return;
            }
            at_work.iter().for_each(|live| live.cancel().request());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether it is being left.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// When it was opened, RFC 3339.
    pub fn started(&self) -> &str {
        &self.started
    }

    /// Seconds since it was opened.
    pub fn up(&self) -> Duration {
        self.began.elapsed()
    }

    /// Keeps a version of a migration. The same version with other words is refused.
    pub fn keep_migration(&self, text: &str, by: &User) -> Result<MigrationVersion> {
        by.demand(Role::Operator)?;
        let spec = Spec::parse(text, "migration")?;
        check_name(&spec.name)?;
        let digest = longshore_engine::spec_digest(&spec)?;
        // What is kept holds no password: it is refused here, where it can still be written otherwise.
        crate::refuse_open_secrets(&spec)?;
        let kept = self.book.keep_migration(&spec, text, &digest, &self.now(), &by.name)?;
        self.audit(by, "migration.keep", &format!("{} {}", spec.name, spec.version), "done")?;
        Ok(kept)
    }

    /// The migrations that are kept.
    pub fn migrations(&self) -> Result<Vec<Migration>> {
        self.book.migrations()
    }

    /// The versions of a migration, the newest first.
    pub fn versions(&self, name: &str) -> Result<Vec<MigrationVersion>> {
        let versions = self.book.versions(name)?;
        match versions.is_empty() {
            true => Err(missing("there is no such migration").with("migration", name)),
            false => Ok(versions),
        }
    }

    /// Forgets a migration. Its runs stay.
    pub fn forget_migration(&self, name: &str, by: &User) -> Result<()> {
        by.demand(Role::Operator)?;
        self.versions(name)?;
        self.book.forget_migration(name)?;
        self.audit(by, "migration.forget", name, "done")
    }

    /// Runs, the newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>> {
        self.book.runs(filter)
    }

    /// A run.
    pub fn run(&self, id: &str) -> Result<Run> {
        let run = self.book.run(id)?;
        run.ok_or_else(|| missing("there is no such run").with("run", id))
    }

    /// Whether a run of a migration has not ended.
    pub fn is_at_work(&self, migration: &str) -> Result<bool> {
        Ok(self.book.unended()?.iter().any(|run| run.migration == migration))
    }

    /// How many runs are in which state; those that ended, by how.
    pub fn counts(&self) -> Result<Vec<(String, u64)>> {
        self.book.counts()
    }

    /// What a run that is at work has reached.
    pub fn live(&self, id: &str) -> Option<Arc<Live>> {
        self.lives().get(id).cloned()
    }

    /// What a run has reached, also when it is over.
    pub fn progress(&self, run: &Run) -> Result<Option<Progress>> {
        match self.live(&run.id) {
            Some(live) => Ok(Some(live.progress(&mut Mark::default()))),
            None => self.folder(run).map_or(Ok(None), |folder| live::read(&folder)),
        }
    }

    /// The runs that are at work, with what they have reached.
    pub fn at_work(&self) -> Vec<(String, Arc<Live>)> {
        self.lives().iter().map(|(id, live)| (id.clone(), live.clone())).collect()
    }

    /// Tells of every change of a run from now on.
    pub fn changes(&self) -> broadcast::Receiver<Run> {
        self.changes.subscribe()
    }

    /// The folder of a run's last attempt, when it has one.
    pub fn folder(&self, run: &Run) -> Option<RunFolder> {
        let folder = self.store.folder(run.folder.as_deref()?);
        folder.path.is_dir().then_some(folder)
    }

    fn tell(&self, run: &Run) {
        // Nobody may be listening.
        let _ = self.changes.send(run.clone());
    }

    fn live_of(&self, id: &str) -> Arc<Live> {
        self.lives().entry(id.to_string()).or_default().clone()
    }

    fn lives(&self) -> MutexGuard<'_, HashMap<String, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unkept(&self) -> MutexGuard<'_, BTreeMap<String, Spec>> {
        self.unkept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> String {
        rfc3339((self.setting.machine)().now)
    }

    fn note(&self, error: &Error) {
        (self.setting.note)(&error.chain().join(": "));
    }
}

fn missing(what: &str) -> Error {
    Error::new(Code::NotKept, what)
}

/// Names stand in addresses of the API and in file names.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= 100 && name.chars().all(plain) && !name.starts_with('.') {
        return Ok(());
    }
    Err(Error::new(Code::SpecInvalid, "the migration has a name that cannot be kept")
        .hint("Names are of letters, digits, -, _ and ., and at most 100 bytes long."))
}

/// The lock of a state folder: the operating system releases it when its holder ends, however it ends.
fn lock(state: &std::path::Path) -> Result<std::fs::File> {
    let path = state.join("serve.lock");
    let file = std::fs::File::create(&path)
        .map_err(|error| Error::io("make the lock of the server", path.display(), error))?;
    file.try_lock().map_err(|_| {
        Error::new(Code::RunBusy, "another server has this state folder")
            .with("folder", state.display().to_string())
            .hint("Stop it, or name another folder with --state DIR.")
    })?;
    Ok(file)
}
