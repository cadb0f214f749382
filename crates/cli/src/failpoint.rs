//! `--failpoint`: kills or fails the process at a named point. For tests of restart.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_model::{Code, Error, failpoint};

/// A point, and what happens when it is passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failpoint {
    name: String,
    pass: u64,
    kill: bool,
}

impl FromStr for Failpoint {
    type Err = String;

    /// Reads `NAME[:N][:kill|error]`; names have no colon in them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default().to_string();
        let mut point = Failpoint { name, pass: 1, kill: true };
        for part in parts {
            match (part, part.parse()) {
                ("kill", _) => point.kill = true,
                ("error", _) => point.kill = false,
                (_, Ok(pass @ 1..)) => point.pass = pass,
                _ => return Err("it is written NAME[:N][:kill|error]".to_string()),
            }
        }
        if point.name.is_empty() { Err("it has no name".to_string()) } else { Ok(point) }
    }
}

/// Installs the points.
pub(crate) fn install(points: &[Failpoint]) {
    if points.is_empty() {
        return;
    }
    let points: Vec<_> = points.iter().map(|point| (point.clone(), AtomicU64::new(0))).collect();
    let first = failpoint::install(move |name| {
        for (point, passes) in points.iter().filter(|(point, _)| point.name == name) {
            if passes.fetch_add(1, Ordering::SeqCst) + 1 == point.pass {
                if point.kill {
                    kill_self();
                }
                return Err(
                    Error::new(Code::Internal, "a failpoint was passed").with("point", name)
                );
            }
        }
        Ok(())
    });
    assert!(first, "failpoints are installed once, at the start");
}

/// Ends the process as a power cut would: nothing is flushed, no destructor runs.
#[expect(unsafe_code, reason = "SIGKILL to the own process has no safe form in std")]
fn kill_self() {
    // SAFETY: plain system calls without pointers.
    unsafe {
        libc::kill(libc::getpid(), libc::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::Failpoint;

    #[test]
    fn points_are_read() {
        let point = |name: &str, pass, kill| Ok(Failpoint { name: name.to_string(), pass, kill });
        assert_eq!("a.b".parse(), point("a.b", 1, true));
        assert_eq!("a:3".parse(), point("a", 3, true));
        assert_eq!("a:2:error".parse(), point("a", 2, false));
        for wrong in ["", ":1", "a:0", "a:x", "a:1:burn"] {
            assert!(wrong.parse::<Failpoint>().is_err(), "{wrong}");
        }
    }
}
