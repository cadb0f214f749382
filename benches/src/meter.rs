//! What a step costs: seconds, processor time of the client and of the servers, memory.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::{Failure, servers};

/// Ticks of the processor's clock in a second, on every Linux that this runs on.
const TICKS: f64 = 100.0;

/// Started before the work and read after it.
pub(crate) struct Meter {
    start: Instant,
    own: f64,
    servers: Option<f64>,
    pids: Vec<u64>,
}

impl Meter {
    pub(crate) fn start(dir: &Path) -> Result<Self, Failure> {
        let pids = match servers::find(dir) {
            Ok((source, target)) => vec![source.pid, target.pid],
            Err(_) => Vec::new(),
        };
        let servers = all(&pids).ok();
        Ok(Self { start: Instant::now(), own: own()?, servers, pids })
    }

    pub(crate) fn read(&self) -> Result<Value, Failure> {
        let seconds = self.start.elapsed().as_secs_f64();
        let servers = self.servers.map(|before| all(&self.pids).map(|after| after - before));
        Ok(json!({
            "seconds": seconds,
            "client_cpu": own()? - self.own,
            "servers_cpu": servers.transpose()?,
            "peak_mib": peak_mib()?,
        }))
    }
}

/// The processor time of this process and of the children that have ended.
fn own() -> Result<f64, Failure> {
    processor_time("self")
}

/// The processor time of a process and of its children that have ended.
pub(crate) fn processor_time(process: &str) -> Result<f64, Failure> {
    let (_, fields) = stat(process)?;
    Ok(fields[11..15].iter().sum::<f64>() / TICKS)
}

/// The processor time of servers with their sessions, past and present.
fn all(pids: &[u64]) -> Result<f64, Failure> {
    let mut sum = 0.0;
    for pid in pids {
        let (_, fields) = stat(&pid.to_string())?;
        sum += fields[11..15].iter().sum::<f64>();
    }
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit())
            && let Ok((parent, fields)) = stat(&name)
            && pids.contains(&parent)
        {
            sum += fields[11..15].iter().sum::<f64>();
        }
    }
    Ok(sum / TICKS)
}

/// The parent and the numbers after a process's name in its `stat`.
fn stat(process: &str) -> Result<(u64, Vec<f64>), Failure> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, rest) = text.rsplit_once(") ").ok_or("a stat without a name")?;
    let fields: Vec<f64> = rest.split(' ').map(|word| word.parse().unwrap_or(0.0)).collect();
    Ok((fields[1] as u64, fields))
}

/// The largest resident set of this process so far, in MiB.
fn peak_mib() -> Result<f64, Failure> {
    status_mib("self", "VmHWM:")
}

/// What a process's `status` says of its memory, in MiB: `VmHWM:`, `VmRSS:`.
pub(crate) fn status_mib(process: &str, name: &str) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib: f64 = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .ok_or_else(|| format!("no {name} in the status of {process}"))?
        .trim()
        .parse()?;
    Ok(kib / 1024.0)
}
