//! The data path, from top to bottom: plan → copy → finish → verify → report.
//!
//! It names no system and knows no terminal, no file and no environment: connectors, addresses and
//! the listener for events come from outside.

mod allocator;
mod budget;
mod cancel;
mod connectors;
mod copy;
mod event;
mod finish;
mod job;
mod key;
mod plan;
mod prepare;
mod references;
mod rejects;
pub mod report;
mod run;
mod share;
mod tally;
mod throttle;
mod transform;
mod verify;

pub use cancel::Cancel;
pub use connectors::{Connectors, Link};
pub use event::{Event, Events, Stage, TableTotals};
pub use plan::{
    Forecast, describe as describe_plan, in_target as plan_in_target, is_clean, make as make_plan,
    spec_digest,
};
pub use run::{RunEnd, RunRequest, run};
pub use share::{Process, await_plan, check_shared};
pub use tally::{TableTally, Tally};
pub use verify::{VerifyMode, VerifyRequest, verify};
