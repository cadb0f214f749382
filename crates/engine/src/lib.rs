//! The data path, from top to bottom: plan → copy → finish → verify → report.
//!
//! It names no system and knows no terminal, no file and no environment: connectors, addresses and
//! the listener for events come from outside.

mod budget;
mod cancel;
mod connectors;
mod copy;
mod event;
mod finish;
mod plan;
mod prepare;
pub mod report;
mod run;
mod throttle;
mod transform;
mod verify;

pub use cancel::Cancel;
pub use connectors::{Connectors, Link};
pub use event::{Event, Events, TableTotals};
pub use plan::{make as make_plan, describe as describe_plan};
pub use run::{RunRequest, run};
pub use verify::{VerifyMode, VerifyRequest, verify};
