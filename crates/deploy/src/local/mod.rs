//! An image's engine on this machine itself, without an engine of containers: a process that sees and may do only what
//! its migration needs, as far as the kernel grants that to this account.
//!
//! Each deployment has a folder. A process of ours starts the engine confined, waits, and writes down how it ended
//! ([`supervise`]); what the engine writes goes to files there, so that it needs nobody who looks on.

mod confine;
mod lines;
mod supervise;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::stream::Stream;
use longshore_model::{Code, Error, Result};
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::deployment::Limits;
use crate::deployment::demand_name;
use crate::{DEPLOYMENT, Deployment, Found, Line, State};

pub use confine::{Measure, enter};
pub use supervise::supervise;

/// The place of the working folder, as migrations in images know it.
const WORK: &str = "/work";
const ORDER: &str = "order.json";
const PROCESS: &str = "process.json";
const END: &str = "end.json";
const MEASURES: &str = "isolation.json";
const OUT: &str = "out.log";
const ERROR: &str = "error.log";
const POLL: Duration = Duration::from_millis(50);
/// How long a process of ours may take to start the engine.
const PATIENCE: Duration = Duration::from_secs(20);

/// The deployments on this machine, in a folder.
#[derive(Debug, Clone)]
pub struct Local(PathBuf);

/// What is started, and what it may see.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    labels: BTreeMap<String, String>,
    engine: PathBuf,
    arguments: Vec<String>,
    environment: BTreeMap<String, String>,
    /// The folder in which it works.
    work: PathBuf,
    /// The user and group that it becomes; the account's own without it.
    user: Option<(u32, u32)>,
    /// Why it stays the account's own.
    same_user_because: Option<String>,
    /// What it may read beside what every engine needs.
    read: Vec<PathBuf>,
    /// What it may change.
    write: Vec<PathBuf>,
    /// What it may use.
    limits: Limits,
    /// The folder of its secrets, which goes when it ends.
    secrets: Option<PathBuf>,
}

/// The engine, and the process of ours that waits for it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Processes {
    engine: Process,
    supervisor: Process,
}

/// A process, however often its number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    id: i32,
    /// When it was started, in the kernel's ticks.
    started: u64,
}

/// How an engine ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct End {
    exit: i64,
    /// Whether it was refused more memory.
    #[serde(default)]
    out_of_memory: bool,
}

/// An unpacked image.
#[derive(Debug, Clone)]
pub struct Files<'a> {
    /// The engine.
    pub engine: &'a Path,
    /// The folder of the migration.
    pub migration: &'a Path,
}

impl Local {
    /// The deployments in a folder, which need not be there yet.
    pub fn of(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }

    /// Starts a deployment by `launcher`, a program that calls [`supervise`] when it is told
    /// `confined supervise FOLDER`, and [`enter`] when it is told `confined enter FOLDER`.
    pub async fn start(
        &self,
        deployment: &Deployment,
        files: &Files<'_>,
        secrets: &BTreeMap<String, String>,
        launcher: &Path,
    ) -> Result<()> {
        let folder = self.folder(&deployment.name)?;
        let failed = |error| Error::io("prepare the deployment", folder.display(), error);
        fs::create_dir_all(&folder).map_err(failed)?;
        let folder = folder.canonicalize().map_err(failed)?;
        let order = confine::order(deployment, files, secrets, &folder)?;
        write(&folder.join(ORDER), &order)?;
        let mut command = Command::new(launcher);
        command.args(["confined", "supervise"]).arg(&folder);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command
            .spawn()
            .map_err(|error| Error::io("start the deployment", launcher.display(), error))?;
        // Whoever waits takes the place of init for the short time that this process lives on.
        std::thread::spawn(move || child.wait());
        let begun = Instant::now();
        while !is_begun(&folder) {
            if begun.elapsed() > PATIENCE {
                self.remove(&deployment.name).await?;
                return Err(Error::new(Code::PlatformRefused, "the engine could not be started")
                    .with("deployment", deployment.name.clone())
                    .with("folder", folder.display().to_string()));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// What keeps a deployment apart from the machine, and what does not.
    pub fn measures(&self, name: &str) -> Result<Vec<Measure>> {
        Ok(read(&self.folder(name)?.join(MEASURES))?.unwrap_or_default())
    }

    /// The deployment of a name.
    pub fn find(&self, name: &str) -> Result<Option<Found>> {
        let folder = self.folder(name)?;
        let Some(order) = read::<Order>(&folder.join(ORDER))? else { return Ok(None) };
        let mut labels = order.labels;
        labels.insert(DEPLOYMENT.to_string(), name.to_string());
        Ok(Some(Found { name: name.to_string(), state: state(&folder)?, labels }))
    }

    /// What a deployment writes.
    pub fn lines(&self, name: &str, follow: bool) -> impl Stream<Item = Result<Line>> + use<> {
        let folder = self.folder(name).unwrap_or_else(|_| self.0.clone());
        lines::lines(folder, follow)
    }

    /// Asks a deployment to stop, and ends it when it has not after `grace` seconds.
    pub async fn stop(&self, name: &str, grace: u32) -> Result<()> {
        let folder = self.folder(name)?;
        let Some(process) = running(&folder)? else { return Ok(()) };
        process.signal(Signal::TERM);
        let begun = Instant::now();
        while matches!(state(&folder)?, State::Running { .. }) {
            if begun.elapsed() > Duration::from_secs(u64::from(grace)) {
                process.signal(Signal::KILL);
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Removes a deployment and what it kept, also while it runs.
    pub async fn remove(&self, name: &str) -> Result<()> {
        self.stop(name, 0).await?;
        let folder = self.folder(name)?;
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("remove the deployment", folder.display(), error))
            }
            _ => Ok(()),
        }
    }

    fn folder(&self, name: &str) -> Result<PathBuf> {
        demand_name(name)?;
        Ok(self.0.join(name))
    }
}

/// Whether an engine runs confined, or has ended. What confines it is written in one piece, but not at once.
fn is_begun(folder: &Path) -> bool {
    let is_confined = read::<Vec<Measure>>(&folder.join(MEASURES)).is_ok_and(|all| all.is_some());
    is_confined && folder.join(PROCESS).exists() || folder.join(END).exists()
}

/// How the deployment in a folder stands. It runs until the process that waits for it has written down how it ended;
/// where that was killed too, it has ended as killed.
fn state(folder: &Path) -> Result<State> {
    let processes: Option<Processes> = read(&folder.join(PROCESS))?;
    // In this order: what ends between the looks is found in the last.
    let is_there = processes.is_some_and(|all| all.engine.is_there() || all.supervisor.is_there());
    let end: Option<End> = read(&folder.join(END))?;
    Ok(match (end, processes.is_some(), is_there) {
        (Some(end), ..) => {
            State::Ended { exit: end.exit, out_of_memory: end.out_of_memory, at: None }
        }
        (None, false, _) => State::Created,
        (None, true, true) => State::Running { since: None },
        (None, true, false) => State::Ended { exit: 137, out_of_memory: false, at: None },
    })
}

fn running(folder: &Path) -> Result<Option<Process>> {
    let engine = read::<Processes>(&folder.join(PROCESS))?.map(|all| all.engine);
    Ok(engine.filter(|process| process.is_there()))
}

impl Process {
    /// The process of a number.
    pub(crate) fn of(id: i32) -> Option<Self> {
        // The fields behind the name, which may hold anything, begin behind its last bracket (proc_pid_stat(5)).
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let is_dead = fields.next()? == "Z";
        let started = fields.nth(18)?.parse().ok()?;
        (!is_dead).then_some(Self { id, started })
    }

    fn is_there(self) -> bool {
        Self::of(self.id) == Some(self)
    }

    fn signal(self, signal: Signal) {
        if self.is_there()
            && let Some(id) = Pid::from_raw(self.id)
        {
            // It may have ended meanwhile.
            let _ = kill_process(id, signal);
        }
    }
}

fn write(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |error| Error::io("write down the deployment", path.display(), error);
    let bytes = serde_json::to_vec_pretty(value).map_err(|error| {
        Error::new(Code::Internal, "the deployment cannot be written down").because(error)
    })?;
    let beside = path.with_extension("tmp");
    fs::write(&beside, bytes).map_err(failed)?;
    fs::rename(&beside, path).map_err(failed)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read the deployment", path.display(), error)),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Error::new(Code::SpecInvalid, "what is written of a deployment is not valid")
            .with("path", path.display().to_string())
            .hint("Remove it with `longshore undeploy NAME`, and deploy it again.")
            .because(error)
    })
}
