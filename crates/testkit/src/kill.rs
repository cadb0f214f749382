//! Ways to kill a process and to watch its memory: a run that is killed at any moment and started
//! again must end as if it had never been killed.

use std::io::{Error, Result};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use longshore_model::failpoint;

use crate::random::Random;

/// The environment variable that [`die_as_told`] reads: `POINT` or `POINT:PASS`.
pub const DIE_AT: &str = "LONGSHORE_TEST_DIE_AT";

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// Its status; a killed process has a signal in it.
    pub status: ExitStatus,
    /// How long it lived.
    pub lived: Duration,
    /// The most memory that it held at one time, in bytes, as the kernel counts it (`VmHWM`).
    pub peak_memory: u64,
}

impl Ending {
    /// Whether it was killed by SIGKILL.
    pub fn was_killed(&self) -> bool {
        use std::os::unix::process::ExitStatusExt;
        self.status.signal() == Some(libc::SIGKILL)
    }
}

/// Runs a process to its end and watches its memory.
pub fn watch(command: &mut Command) -> Result<Ending> {
    watch_until(command, None)
}

/// Runs a process and kills it when it lives longer than `limit`.
pub fn kill_after(command: &mut Command, limit: Duration) -> Result<Ending> {
    watch_until(command, Some(limit))
}

/// Starts `command` again and again, killing each process at a moment that `random` chooses within
/// `longest`, until one ends by itself. Half of the moments are in the first tenth. After
/// `attempts` kills the last process is left to end.
pub fn kill_until_done(
    mut command: impl FnMut() -> Command,
    random: &mut Random,
    longest: Duration,
    attempts: u32,
) -> Result<Vec<Ending>> {
    let mut endings = Vec::new();
    loop {
        let early = if random.bits().is_multiple_of(2) { longest / 10 } else { longest };
        let micros = i64::try_from(early.as_micros()).unwrap_or(i64::MAX);
        let limit = Duration::from_micros(random.between(0, micros).unsigned_abs());
        let more = (endings.len() as u64) < u64::from(attempts);
        let ending = watch_until(&mut command(), more.then_some(limit))?;
        endings.push(ending);
        if !ending.was_killed() {
            return Ok(endings);
        }
        if !more {
            return Err(Error::other("a process that was to end by itself was killed"));
        }
    }
}

/// Makes this process kill itself, with SIGKILL, the `pass`-th time that a failpoint is passed,
/// counted from 1. It takes the process's one failpoint hook; whether it got it.
pub fn die_at(point: &str, pass: u64) -> bool {
    let point = point.to_string();
    let passed = AtomicU64::new(0);
    failpoint::install(move |name| {
        if name == point && passed.fetch_add(1, Ordering::SeqCst) + 1 == pass {
            kill_this_process();
        }
        Ok(())
    })
}

/// [`die_at`] as [`DIE_AT`] says, for binaries of tests that start themselves again. Whether it
/// says anything.
pub fn die_as_told() -> bool {
    let Ok(told) = std::env::var(DIE_AT) else { return false };
    match told.split_once(':') {
        Some((point, pass)) => die_at(point, pass.parse().unwrap_or(1)),
        None => die_at(&told, 1),
    }
}

/// The most memory that a living process has held, in bytes; `None` when it has ended.
pub fn peak_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn watch_until(command: &mut Command, limit: Option<Duration>) -> Result<Ending> {
    let start = Instant::now();
    let mut guard = Guard(command.spawn()?);
    let child = &mut guard.0;
    let mut peak = 0;
    loop {
        peak = peak.max(peak_memory(child.id()).unwrap_or(0));
        if let Some(status) = child.try_wait()? {
            return Ok(Ending { status, lived: start.elapsed(), peak_memory: peak });
        }
        let left = limit.map(|limit| limit.saturating_sub(start.elapsed()));
        if left == Some(Duration::ZERO) {
            child.kill()?;
            let status = child.wait()?;
            return Ok(Ending { status, lived: start.elapsed(), peak_memory: peak });
        }
        sleep(left.unwrap_or(Duration::MAX).min(Duration::from_millis(5)));
    }
}

/// A child that does not outlive the test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // It has ended in every case but an error of the test itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(unsafe_code, reason = "SIGKILL to oneself is a libc call; it touches no memory")]
fn kill_this_process() {
    // SAFETY: kill and getpid take and return plain numbers.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_process_is_watched_killed_and_started_again() {
        let ending = watch(&mut shell("sleep 0.1; exit 3")).expect("a process");
        assert_eq!(ending.status.code(), Some(3));
        assert!(ending.peak_memory > 100_000 && ending.peak_memory < 100_000_000);

        let limit = Duration::from_millis(30);
        let ending = kill_after(&mut shell("exec sleep 10"), limit).expect("a process");
        assert!(ending.was_killed() && ending.lived < Duration::from_secs(5));

        let folder = tempfile::tempdir().expect("a folder");
        let script = "for i in 1 2 3; do sleep 0.02; done; echo done > result";
        let command = || {
            let mut command = shell(script);
            command.current_dir(folder.path());
            command
        };
        let longest = Duration::from_millis(50);
        let endings = kill_until_done(command, &mut Random::new(7), longest, 5).expect("the end");
        assert_eq!(endings.len(), 6, "the process needs longer than it is given");
        assert!(endings[5].status.success() && folder.path().join("result").exists());
    }

    #[test]
    fn the_peak_is_seen() {
        let script = "x=$(head -c 30000000 /dev/zero | tr '\\0' 'a'); sleep 0.1";
        let ending = watch(&mut shell(script)).expect("a process");
        assert!(ending.peak_memory > 30_000_000, "{}", ending.peak_memory);
    }
}
