//! The store of runs: `<state>/runs/<run>/`, one folder for each run, and `<state>/rejects/<run>/` for
//! the rows that it could not write.

use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use longshore_model::{Code, Error, Result};

/// The runs in a state folder.
#[derive(Debug, Clone)]
pub struct Store {
    runs: PathBuf,
    rejects: PathBuf,
}

/// One run's folder: `spec.yaml`, `plan.json`, `events.jsonl`, `report.json`, `report.html`.
#[derive(Debug, Clone)]
pub struct RunFolder {
    /// The run.
    pub id: String,
    /// Its folder.
    pub path: PathBuf,
}

impl Store {
    /// The runs in a state folder, which need not be there yet.
    pub fn new(state: &Path) -> Self {
        Self { runs: state.join("runs"), rejects: state.join("rejects") }
    }

    /// The folder with the reject files of all runs.
    pub fn rejects(&self) -> PathBuf {
        self.rejects.clone()
    }

    /// Makes the folder of a new run. Ids sort by time: `YYYYMMDD-HHMMSS-mmmxx`, in UTC,
    /// with milliseconds and two random digits.
    pub fn create(&self, now: SystemTime) -> Result<RunFolder> {
        std::fs::create_dir_all(&self.runs).map_err(|error| {
            Error::io("make the folder of runs", self.runs.display(), error)
                .hint("Name a folder that can be written with --state DIR.")
        })?;
        let time = DateTime::<Utc>::from(now).format("%Y%m%d-%H%M%S-%3f");
        loop {
            let random = RandomState::new().hash_one(std::process::id()) & 0xff;
            let id = format!("{time}{random:02x}");
            let path = self.runs.join(&id);
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(RunFolder { id, path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(Error::io("make the folder of the run", path.display(), error));
                }
            }
        }
    }

    /// The folder of a run that was made elsewhere.
    pub(crate) fn adopt(&self, run: &str) -> Result<RunFolder> {
        let is_id = !run.is_empty() && run.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
        if !is_id {
            return Err(Error::new(Code::SpecInvalid, "the id of a run is not understood"));
        }
        let path = self.runs.join(run);
        std::fs::create_dir_all(&path)
            .map_err(|error| Error::io("make the folder of the run", path.display(), error))?;
        Ok(RunFolder { id: run.to_string(), path })
    }

    /// The runs, the oldest first.
    pub fn list(&self) -> Result<Vec<RunFolder>> {
        let unreadable = |error| Error::io("list the runs", self.runs.display(), error);
        let entries = match std::fs::read_dir(&self.runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(unreadable(error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            if let Ok(id) = entry.file_name().into_string()
                && entry.path().is_dir()
            {
                runs.push(RunFolder { id, path: entry.path() });
            }
        }
        runs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(runs)
    }

    /// The newest run that has a report.
    pub fn latest(&self) -> Result<RunFolder> {
        let newest =
            self.list()?.into_iter().rev().find(|run| run.path.join("report.json").exists());
        newest.ok_or_else(|| {
            Error::new(Code::NotFound, "there is no run with a report")
                .with("folder", self.runs.display().to_string())
                .hint("Run a migration first, or name the folder of its state with --state DIR.")
        })
    }

    /// The folder of a run, which need not be there.
    pub(crate) fn folder(&self, run: &str) -> RunFolder {
        RunFolder { id: run.to_string(), path: self.runs.join(run) }
    }

    /// The one run whose id starts with `prefix`.
    pub fn find(&self, prefix: &str) -> Result<RunFolder> {
        let mut found: Vec<_> =
            self.list()?.into_iter().filter(|run| run.id.starts_with(prefix)).collect();
        match (found.pop(), found.len()) {
            (Some(run), 0) => Ok(run),
            (None, _) => Err(Error::new(Code::NotFound, "there is no such run")
                .with("run", prefix)
                .with("folder", self.runs.display().to_string())
                .hint("`longshore report --list` lists the runs.")),
            (Some(last), others) => Err(Error::new(Code::Usage, "several runs start with this")
                .with("run", prefix)
                .with("runs", (others + 1).to_string())
                .hint(format!("Write more of it, for instance {}.", last.id))),
        }
    }
}

/// A moment as RFC 3339, in UTC.
pub fn rfc3339(now: SystemTime) -> String {
    DateTime::<Utc>::from(now).to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use longshore_model::Code;

    use super::Store;

    #[test]
    fn runs_sort_by_time_and_are_found_by_prefix() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::new(&folder.path().join("state"));
        assert!(store.list().expect("a list").is_empty());
        assert_eq!(store.latest().expect_err("no run").code(), Code::NotFound);
        let early = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let first = store.create(early).expect("a run");
        let second = store.create(early + Duration::from_millis(1)).expect("a run");
        assert_eq!(first.id[..19], *"20231114-221320-000");
        let ids: Vec<_> = store.list().expect("a list").into_iter().map(|run| run.id).collect();
        assert_eq!(ids, [first.id.clone(), second.id.clone()]);
        assert_eq!(store.find("20231114-221320-001").expect("one").id, second.id);
        assert_eq!(store.find("2023").expect_err("two").code(), Code::Usage);
        assert_eq!(store.find("2022").expect_err("none").code(), Code::NotFound);
        std::fs::write(first.path.join("report.json"), "{}").expect("a file");
        assert_eq!(store.latest().expect("the first has a report").id, first.id);
        assert!(first.report().is_err());
    }
}
