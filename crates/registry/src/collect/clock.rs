//! Time that nobody can set.

use std::time::{Duration, SystemTime};

use longshore_model::{Error, Result};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// A moment, by the clock that runs from the start of the machine and by that of the wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    boot: String,
    /// Milliseconds since the machine was started, in sleep too.
    running: u64,
    /// Seconds since 1970.
    wall: u64,
}

impl Moment {
    pub(super) fn now() -> Result<Self> {
        let boot = std::fs::read_to_string(BOOT)
            .map_err(|error| Error::io("tell this start of the machine", BOOT, error))?;
        let running = clock_gettime(ClockId::Boottime);
        let running = Duration::try_from(running).unwrap_or_default();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(running.as_millis()).unwrap_or(u64::MAX);
        Ok(Self { boot: boot.trim().to_string(), running: millis, wall: wall.as_secs() })
    }

    /// Whether it was before another, or is that one.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        match self.boot == other.boot {
            true => self.running <= other.running,
            false => self.wall <= other.wall,
        }
    }

    /// How long it is to a later one. Over a restart of the machine only the wall's clock tells.
    pub(super) fn until(&self, later: &Self) -> Duration {
        match self.boot == later.boot {
            true => Duration::from_millis(later.running.saturating_sub(self.running)),
            false => Duration::from_secs(later.wall.saturating_sub(self.wall)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Moment;

    #[test]
    fn a_clock_that_is_set_means_nothing_until_a_restart() {
        let at = |boot: &str, running, wall| Moment { boot: boot.to_string(), running, wall };
        let one = at("a", 5_000, 1_000_000);
        assert_eq!(one.until(&at("a", 9_000, 9_000_000)), Duration::from_secs(4));
        assert_eq!(one.until(&at("a", 9_000, 1)), Duration::from_secs(4));
        assert_eq!(one.until(&at("b", 9_000, 1_000_060)), Duration::from_secs(60));
        assert_eq!(one.until(&at("b", 9_000, 1)), Duration::ZERO);
        assert!(one.is_before(&at("a", 5_000, 1)) && one.is_before(&at("b", 1, 1_000_000)));
        assert!(!one.is_before(&at("a", 4_999, 2_000_000)) && !one.is_before(&at("b", 9_000, 1)));
        let now = Moment::now().expect("a moment");
        assert!(now.until(&Moment::now().expect("a moment")) < Duration::from_secs(60));
    }
}
