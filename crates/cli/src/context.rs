//! What every verb needs: the service, the terminal, and what the environment says.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longshore_engine::Cancel;
use longshore_model::{Code, Error, Result};
use longshore_service::{Machine, Service, Store};

use crate::args::Global;
use crate::interrupt;
use crate::output::Output;
use crate::progress::Progress;

pub(crate) struct Context {
    pub(crate) service: Arc<Service>,
    pub(crate) output: Output,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) state: PathBuf,
}

impl Context {
    pub(crate) fn new(global: &Global, output: &Output) -> Self {
        Self {
            service: Arc::new(Service::new(Box::new(secret))),
            output: output.clone(),
            json: global.json,
            quiet: global.quiet,
            state: global.state.clone(),
        }
    }

    /// The same context, for a part of the work that speaks in another way.
    pub(crate) fn again(&self) -> Self {
        Self {
            service: self.service.clone(),
            output: self.output.clone(),
            json: self.json,
            quiet: self.quiet,
            state: self.state.clone(),
        }
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(&self.state)
    }

    /// Prints what a verb is asked for, unless nothing is to be written.
    pub(crate) fn print(&self, text: &str) {
        if !self.quiet {
            self.output.print(text);
        }
    }

    /// Runs something with progress, and with signals that stop it.
    pub(crate) async fn drive<T, F>(&self, work: impl FnOnce(Progress, Cancel) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let progress = Progress::new(&self.output, &self.service, self.json, self.quiet);
        let cancel = Cancel::default();
        let _listening = interrupt::listen(&cancel, &progress)?;
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        let work = work(progress.clone(), cancel);
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                _ = clock.tick() => progress.tick(),
            }
        };
        progress.end();
        result
    }
}

/// This machine, now.
pub(crate) fn machine() -> Machine {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    Machine {
        host: if host.is_empty() { "localhost".to_string() } else { host.to_string() },
        pid: std::process::id(),
        now: SystemTime::now(),
    }
}

/// A secret from the environment variable of its name, or from the file that `NAME_FILE` names.
pub(crate) fn secret(name: &str) -> Result<Option<String>> {
    match std::env::var(name) {
        Ok(value) => return Ok(Some(value)),
        Err(std::env::VarError::NotPresent) => {}
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(
                Error::new(Code::SecretMissing, "a secret is not UTF-8 text").with("secret", name)
            );
        }
    }
    let Some(path) = std::env::var_os(format!("{name}_FILE")).map(PathBuf::from) else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Error::new(Code::SecretMissing, "the file of a secret cannot be read")
            .with("secret", name)
            .with("path", path.display().to_string())
            .because(error)
    })?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_string()))
}
